"""Conditions as plain data (from JSON or YAML) to lightbulb.model's, checked on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from controlplane.rules.fixed_values import never_true
from controlplane.rules.oddities import unfit
from controlplane.rules.yaml_file import suggest
from lightbulb.model import All, AmongUsers, AnyOf, Comparison, Condition, InSegment, Not, Operator, Value
from lightbulb.resolution.bad_value import BadValue
from lightbulb.resolution.operators import OPERATORS, Kind, Takes, value_test
from lightbulb.rpc.messages import MAX_USER_ID

Complain = Callable[[str, str, str], Exception]
"""Takes path, message and remedy; notes the problem and returns what to raise where reading can't go on."""

_OPERATORS = {operator.value: operator for operator in Operator}
_FORMS = ("attribute", "all", "any", "not", "users", "segment")

MAX_USERS = 10_000
"""Users in one list."""


def read_condition(data: object, path: str, complain: Complain) -> Condition:
    """Return the condition that `data` describes; raise what `complain` returns when it is none."""
    if not isinstance(data, dict):
        raise complain(
            path,
            "not a condition",
            "write {attribute, op, values}, {all}, {any}, {not}, {users} or {segment}",
        )
    forms = [form for form in _FORMS if form in data]
    if len(forms) != 1:
        raise complain(path, "not one condition", f"write one of {', '.join(_FORMS)}")
    form = forms[0]
    if form == "attribute":
        return _read_comparison(data, path, complain)
    unknown = sorted(data.keys() - {form})
    if unknown:
        raise complain(path, f"unknown keys {', '.join(unknown)}", f"leave only {form}")
    return _READERS[form](data[form], f"{path}.{form}", complain)


def _read_not(inner: object, path: str, complain: Complain) -> Not:
    return Not(read_condition(inner, path, complain))


def _read_all(inner: object, path: str, complain: Complain) -> All:
    return All(_read_several(inner, path, complain))


def _read_any(inner: object, path: str, complain: Complain) -> AnyOf:
    return AnyOf(_read_several(inner, path, complain))


def _read_several(inner: object, path: str, complain: Complain) -> tuple[Condition, ...]:
    if not isinstance(inner, list):
        raise complain(path, "not a list", "write a list of conditions")
    if not inner:
        raise complain(path, "no conditions", "write at least one")
    return tuple(read_condition(each, f"{path}[{index}]", complain) for index, each in enumerate(inner))


def _read_segment(name: object, path: str, complain: Complain) -> InSegment:
    if not isinstance(name, str) or not name:
        raise complain(path, "not a segment's name", "write a name of segments.yaml")
    return InSegment(name)


def read_users(users: object, path: str, complain: Complain) -> AmongUsers:
    """Return a condition that some users meet; raise when there are none, too many, or what is no user."""
    if not isinstance(users, list):
        raise complain(path, "not a list", "write a list of user ids")
    if not users:
        raise complain(path, "no users", "add at least one")
    if len(users) > MAX_USERS:
        remedy = "let the client send an attribute in place of so many"
        raise complain(path, f"{len(users)} users; {MAX_USERS} are allowed", remedy)
    for index, user in enumerate(users):
        place = f"{path}[{index}]"
        if not isinstance(user, str):
            raise complain(place, f"{user!r:.80} is no text", "quote it: user ids are texts")
        fault = "is no user's id" if not user else unfit(user, MAX_USER_ID)
        if fault:
            raise complain(
                place, f"{user!r:.80} {fault}", f"write 1 to {MAX_USER_ID} characters that are seen"
            )
    return AmongUsers(frozenset(users))


_READERS: Mapping[str, Callable[[object, str, Complain], Condition]] = MappingProxyType(
    {"all": _read_all, "any": _read_any, "not": _read_not, "users": read_users, "segment": _read_segment}
)


def _read_comparison(data: dict[str, object], path: str, complain: Complain) -> Comparison:
    unknown = sorted(data.keys() - {"attribute", "op", "values"})
    if unknown:
        raise complain(path, f"unknown keys {', '.join(unknown)}", "leave attribute, op and values")
    attribute, op, values = data["attribute"], data.get("op", "in"), data.get("values", [])
    if not isinstance(attribute, str) or not attribute:
        raise complain(f"{path}.attribute", "not an attribute's name", "write a text")
    operator = _OPERATORS.get(op) if isinstance(op, str) else None
    if op == "":  # what YAML makes of `op: >`
        raise complain(f"{path}.op", "it is empty", 'quote an operator that begins with >: ">"')
    if operator is None:
        raise complain(f"{path}.op", f"unknown operator {op!r}", suggest(str(op), _OPERATORS))
    if not isinstance(values, list) or not all(
        isinstance(value, bool | int | float | str) for value in values
    ):
        raise complain(f"{path}.values", "not a list of texts, numbers and booleans", "write a list")
    return _check(Comparison(attribute=attribute, operator=operator, values=tuple(values)), path, complain)


def _check(comparison: Comparison, path: str, complain: Complain) -> Comparison:
    """Return the comparison; raise when its values don't fit its operator."""
    operator, values, path = comparison.operator, comparison.values, f"{path}.values"
    form = OPERATORS[operator]
    if form.takes is Takes.NONE and values:
        raise complain(path, f"{operator.value} compares with nothing", "leave values out")
    if form.takes is not Takes.NONE and not values:
        raise complain(path, "nothing to compare with", "add at least one value")
    if form.takes is Takes.ONE and len(values) != 1:
        raise complain(path, f"{operator.value} takes one value", "leave one")
    for value in values:
        _check_kind(value, form.kind, path, complain)
    try:
        value_test(comparison)
    except BadValue as error:
        raise complain(path, str(error), error.remedy) from error
    never = never_true(comparison)
    if never is not None:
        raise complain(path.removesuffix(".values"), never.message, never.remedy)
    return comparison


def _check_kind(value: Value, kind: Kind, path: str, complain: Complain) -> None:
    match kind:
        case Kind.TEXT if not isinstance(value, str):
            raise complain(path, f"{value!r} is not a text", "quote it")
        case Kind.TEXT if not value:
            raise complain(path, "an empty text", "write a text; `exists` asks whether there is one at all")
        case Kind.NUMBER if isinstance(value, str | bool):
            raise complain(path, f"{value!r} is not a number", "write a number, without quotes")
