"""How what peers write is written here: their conditions as ours, as plain data of YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
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


def _var(name: str | list[str]) -> str:
    return name if isinstance(name, str) else name[0]
