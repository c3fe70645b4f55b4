"""How what peers write is written here: their conditions as ours, as plain data of YAML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from lightbulb.model import AttributeValue

Data = Mapping[str, Any]
Written = dict[str, Any]


class Unmapped(Exception):
    """There is nothing here to write for it."""


def comparison(attribute: str, op: str, *values: object) -> Written:
    return {"attribute": attribute, "op": op, "values": list(values)}


_ORDERS = {"EQ": "==", "GT": ">", "GTE": ">=", "LT": "<", "LTE": "<="}
_TEXTS = {"STR_STARTS_WITH": "prefix", "STR_ENDS_WITH": "suffix", "STR_CONTAINS": "contains"}
_DATES = {"DATE_AFTER": "after", "DATE_BEFORE": "before"}


def unleash(condition: Data) -> Written:
    """Return a feature: any strategy's constraints, all of them, and its segments', which are inlined."""
    if not condition["enabled"]:
        raise Unmapped("a feature that is switched off")
    return {"any": [_strategy(strategy) for strategy in condition["strategies"]]}


def _strategy(strategy: Data) -> Written:
    if strategy["name"] not in {"default", "userWithId"}:
        raise Unmapped("a strategy of its own")
    if None in strategy["segments"]:
        raise Unmapped("a segment that isn't defined is refused")
    constraints = [*strategy["constraints"], *(each for one in strategy["segments"] for each in one)]
    parts = [_constraint(each) for each in constraints]
    if strategy["users"]:
        parts.append({"users": [user.strip() for user in strategy["users"].split(",")]})
    if not parts:
        raise Unmapped("a strategy for everyone is a rule without a condition")
    return {"all": parts}


def _constraint(constraint: Data) -> Written:
    operator = constraint["operator"]
    negated = bool(constraint.get("inverted")) is not (operator == "NOT_IN")
    written = _plain_constraint(constraint, operator)
    return {"not": written} if negated else written


def _plain_constraint(constraint: Data, operator: str) -> Written:
    name, values = constraint["contextName"], constraint.get("values", [])
    value, folds = constraint.get("value"), constraint.get("caseInsensitive")
    if operator in {"IN", "NOT_IN"}:
        return {"users": values} if name == "userId" else comparison(_attribute(name), "in", *values)
    if operator in _TEXTS:
        return comparison(name, _TEXTS[operator] + (" ignoring case" if folds else ""), *values)
    if operator == "REGEX":
        return comparison(name, "matches", f"(?i){value}" if folds else value)
    if operator == "IN_CIDR":
        return comparison(name, "in network", *values)
    return comparison(name, *_ordered(operator, str(value)))


def _ordered(operator: str, value: str) -> tuple[str, object]:
    """Return the operator of a comparison with a number, version or date, and that."""
    kind, _, sign = operator.partition("_")
    if kind == "NUM":
        return "in" if sign == "EQ" else _ORDERS[sign], float(value)
    if kind == "SEMVER":
        return f"strict semver {_ORDERS[sign]}", value
    if operator in _DATES:
        return _DATES[operator], value
    raise Unmapped("an operator that isn't known is refused")


def _attribute(name: str) -> str:
    """Return a name that no field of a context has: theirs are any texts, and countries here are codes."""
    return "the_country" if name == "country" else name


def unleash_context(condition: Data, context: Data) -> dict[str, AttributeValue]:
    """Return attributes: theirs are texts, of which a number is one where it is compared as one."""
    numbers = {
        each["contextName"]
        for strategy in condition["strategies"]
        for each in (
            *strategy["constraints"],
            *(inner for segment in strategy["segments"] for inner in segment or ()),
        )
        if each["operator"].startswith("NUM_")
    }
    return {
        _attribute(name): _number(value) if name in numbers else value
        for name, value in context.items()
        if isinstance(value, str | int | float) and value != ""
    }


def _number(value: str) -> AttributeValue:
    try:
        return float(value)
    except ValueError:
        return value


_LAUNCHDARKLY = {
    "in": "in",
    "startsWith": "prefix",
    "endsWith": "suffix",
    "contains": "contains",
    "matches": "matches",
    "lessThan": "<",
    "lessThanOrEqual": "<=",
    "greaterThan": ">",
    "greaterThanOrEqual": ">=",
    "before": "before",
    "after": "after",
    "semVerEqual": "semver ==",
    "semVerLessThan": "semver <",
    "semVerGreaterThan": "semver >",
}


def launchdarkly(condition: Data) -> Written:
    """Return a clause. A date may be milliseconds there; whoever writes it here writes a date."""
    op, value = _LAUNCHDARKLY[condition["op"]], condition["value"]
    if op in {"before", "after"} and isinstance(value, int):
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
        value = moment.isoformat().replace("+00:00", "Z")
    return comparison("attr", op, value)


def flagd(targeting: Data) -> Iterator[tuple[Written, str]]:
    """Yield each condition of a chain of ifs, with what it leads to."""
    rest: Any = targeting
    while isinstance(rest, dict):
        condition, outcome, rest = rest["if"]
        yield _json_logic(condition), outcome
    yield {}, rest


def _json_logic(logic: Data) -> Written:
    ((operator, arguments),) = logic.items()
    match operator, arguments:
        case "and", _:
            return {"all": [_json_logic(each) for each in arguments]}
        case "==", [{"var": name}, value] | [value, {"var": name}]:
            return comparison(_var(name), "in", value)
        case "in", [value, {"var": name}]:
            return comparison(_var(name), "contains", value)
        case "starts_with" | "ends_with", [{"var": name}, value]:
            return comparison(_var(name), "prefix" if operator == "starts_with" else "suffix", value)
        case "sem_ver", [{"var": name}, sign, value]:
            return comparison(_var(name), f"strict semver {'==' if sign == '=' else sign}", value)
    raise Unmapped(f"{operator} isn't a comparison of an attribute with a value")


def growthbook(condition: Data) -> Written:
    """Return a condition of theirs: all that is said of each attribute."""
    parts = [_said(name, said) for name, said in condition.items()]
    if not parts:
        raise Unmapped("a condition of nothing is a rule without a condition")
    return parts[0] if len(parts) == 1 else {"all": parts}


def _said(name: str, said: Any) -> Written:
    match name, said:
        case "$and" | "$or" | "$nor", list():
            if not said:
                raise Unmapped("all or any of nothing is refused")
            parts = {"all" if name == "$and" else "any": [growthbook(each) for each in said]}
            return {"not": parts} if name == "$nor" else parts
        case "$not", dict():
            return {"not": growthbook(said)}
        case _, dict() if said and all(key.startswith("$") for key in said):
            parts = [_operated(name, operator, value) for operator, value in said.items()]
            return parts[0] if len(parts) == 1 else {"all": parts}
        case _, None:
            return {"not": comparison(name, "exists")}
        case _, dict() | list():
            raise Unmapped("a value that is an object or a whole list")
    return comparison(name, "in", said)


def _operated(name: str, operator: str, value: Any) -> Written:
    """Return what one of their operators says of an attribute."""
    if operator in _OPPOSITES:
        return {"not": _operated(name, _OPPOSITES[operator], value)}
    kind, write = _OPERATORS.get(operator, (list, None))
    if write is None or not isinstance(value, kind):
        raise Unmapped(f"{operator} of {type(value).__name__}")
    return write(name, value)


def _is_in(name: str, values: list[Any]) -> Written:
    return {"any": [_of(name, "in", values), _of(name, "has any", values)]}


def _of(name: str, op: str, values: list[Any]) -> Written:
    if not values or any(isinstance(each, dict) for each in values):
        raise Unmapped("a list of nothing, or of objects, is refused")
    return comparison(name, op, *values)


def _size(name: str, size: Any) -> Written:
    signs = size if isinstance(size, dict) else {"$eq": size}
    return {"all": [comparison(name, f"size {_NUMBERS[sign]}", at) for sign, at in signs.items()]}


def _has(name: str, element: dict[str, Any]) -> Written:
    match element:
        case {"$eq": value}:
            return _of(name, "has any", [value])
        case {"$in": list(values)}:
            return _of(name, "has any", values)
    raise Unmapped("what a list has is asked for by value")


def _exists(name: str, there: bool) -> Written:
    found = comparison(name, "exists")
    return found if there else {"not": found}


_NUMBERS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<=", "$eq": "=="}
_VERSIONS = {"$veq": "==", "$vgt": ">", "$vgte": ">=", "$vlt": "<", "$vlte": "<="}
_OPPOSITES = {
    "$ne": "$eq",
    "$nin": "$in",
    "$nini": "$ini",
    "$notRegex": "$regex",
    "$notRegexi": "$regexi",
    "$vne": "$veq",
}
_OPERATORS: Mapping[str, tuple[Any, Callable[[str, Any], Written]]] = {
    "$not": (dict, lambda name, said: {"not": _said(name, said)}),
    "$eq": (object, _said),
    "$in": (list, _is_in),
    "$ini": (list, lambda name, values: _of(name, "in ignoring case", values)),
    "$all": (list, lambda name, values: _of(name, "has all", values)),
    "$elemMatch": (dict, _has),
    "$size": (int | dict, _size),
    "$exists": (bool, _exists),
    "$regex": (str, lambda name, pattern: comparison(name, "matches", pattern)),
    "$regexi": (str, lambda name, pattern: comparison(name, "matches", f"(?i){pattern}")),
    **{
        operator: (int | float, partial(lambda op, name, value: comparison(name, op, value), op))
        for operator, op in _NUMBERS.items()
        if operator != "$eq"
    },
    **{  # whoever writes a version here writes it without v
        operator: (
            str,
            partial(lambda op, name, text: comparison(name, f"semver {op}", text.removeprefix("v")), op),
        )
        for operator, op in _VERSIONS.items()
    },
}


def growthbook_context(context: Data, inside: str = "") -> dict[str, AttributeValue]:
    """Return attributes, those of objects by their path; lists of objects are none."""
    found: dict[str, AttributeValue] = {}
    for name, value in context.items():
        match value:
            case dict():
                found |= growthbook_context(value, f"{inside}{name}.")
            case list() if all(isinstance(each, str | int | float) for each in value):
                found[_attribute(inside + name)] = tuple(value)
            case str() | int() | float():
                found[_attribute(inside + name)] = value
    return found


def _var(name: str | list[str]) -> str:
    return name if isinstance(name, str) else name[0]
