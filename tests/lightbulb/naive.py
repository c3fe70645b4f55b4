"""Conditions and resolution as they are told: word for word, looking everything up anew each time."""

import re
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address, ip_network
from operator import eq, ge, gt, le, lt

from lightbulb.model import (
    FIXED_ATTRIBUTES,
    All,
    AmongUsers,
    AnyOf,
    AttributeValue,
    Comparison,
    Condition,
    InSegment,
    Not,
    ObjectiveTable,
    Operator,
    RequestContext,
    Segment,
    Value,
)
from lightbulb.resolution.allocate import bucket
from lightbulb.resolution.resolve import Reason
from lightbulb.resolution.versions import semver_key

ORDERS = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq}


def holds(condition: Condition, context: RequestContext, segments: tuple[Segment, ...] = ()) -> bool:
    match condition:
        case All(conditions):
            return all(holds(each, context, segments) for each in conditions)
        case AnyOf(conditions):
            return any(holds(each, context, segments) for each in conditions)
        case Not(inner):
            return not holds(inner, context, segments)
        case AmongUsers(users):
            return context.user_id in users
        case InSegment(name):
            (segment,) = (each for each in segments if each.name == name)
            return holds(segment.when, context, segments)
        case Comparison(attribute=name):
            if name in FIXED_ATTRIBUTES:
                value = getattr(context, name) or None
            else:
                value = context.attributes.get(name)
            return value is not None and compares(condition, value)


def compares(comparison: Comparison, value: AttributeValue) -> bool:  # noqa: PLR0911 - the document's table
    """Say whether a value compares so; each operator in the words of docs/researcher.md."""
    values, (name, fold) = comparison.values, folding(comparison.operator)
    if name == "exists":
        return True
    if name.startswith(("has ", "size ")):
        return isinstance(value, tuple) and of_list(name, value, values)
    if isinstance(value, tuple):
        return False
    if name in ORDERS:
        return kind(value) == "number" and ORDERS[name](value, values[0])
    if name == "in" and fold is unchanged:
        return any(same(value, each) for each in values)
    if not isinstance(value, str):
        return False
    return of_text(name, fold(value), [fold(str(each)) for each in values])


def of_text(name: str, text: str, texts: list[str]) -> bool:  # noqa: PLR0911
    match name:
        case "in":
            return text in texts
        case "prefix":
            return any(text[: len(each)] == each for each in texts)
        case "suffix":
            return any(text[max(0, len(text) - len(each)) :] == each for each in texts)
        case "contains":
            return any(text.find(each) >= 0 for each in texts)
        case "matches":
            return any(re.search(each, text) for each in texts)  # the generator's patterns mean the same
        case "before" | "after":
            when = instant(text)
            return when is not None and (
                when < moment(texts[0]) if name == "before" else when > moment(texts[0])
            )
        case "in network":
            return any(inside(text, each) for each in texts)
        case _:
            return of_version(name, text, texts[0])


def folding(operator: Operator) -> tuple[str, Callable[[str], str]]:
    name = operator.value.removesuffix(" ignoring case")
    return name, unchanged if name == operator.value else str.casefold


def unchanged(text: str) -> str:
    return text


def of_list(name: str, value: tuple[Value, ...], values: tuple[Value, ...]) -> bool:
    found = [any(same(each, wanted) for each in value) for wanted in values]
    if name == "has any":
        return any(found)
    return all(found) if name == "has all" else ORDERS[name.removeprefix("size ")](len(value), values[0])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text if "T" in text else f"{text}T00:00:00Z")


def instant(text: str) -> datetime | None:
    try:
        when = moment(text.replace(" ", "T"))
    except ValueError:
        return None
    return when if when.tzinfo is not None else None


def inside(text: str, network: str) -> bool:
    try:
        return ip_address(text) in ip_network(network)
    except ValueError:
        return False


def of_version(name: str, text: str, bound: str) -> bool:
    strict = name.startswith("strict ")
    key, limit = semver_key(text) if strict else semver_key(completed(text)), semver_key(bound)
    if key is None or limit is None:
        return False
    sign = name.rpartition(" ")[2]
    if sign in ORDERS:
        return ORDERS[sign](key, limit)
    major, minor, patch = limit[:3]
    if sign == "^" and major:
        end = f"{major + 1}.0.0-0"
    elif sign == "^" and not minor:
        end = f"0.0.{patch + 1}-0"
    else:
        end = f"{major}.{minor + 1}.0-0"
    return limit <= key < semver_key(end)


def completed(text: str) -> str:
    """Return a version with all three numbers: "v5.1-rc.1" is 5.1.0-rc.1."""
    numbers, dash, pre = text.removeprefix("v").partition("-")
    return numbers + ".0" * (2 - numbers.count(".")) + dash + pre


def same(one: Value, other: Value) -> bool:
    return kind(one) == kind(other) and one == other


def kind(value: Value) -> str:
    return "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def unit(name: str, context: RequestContext) -> str | None:
    """Return what is hashed; None for a context that has none."""
    if not name:
        return context.user_id
    value = getattr(context, name) if name in FIXED_ATTRIBUTES else context.attributes.get(name)
    return str(value) if type(value) in {str, int} and value != "" else None


def resolve(  # noqa: C901 - the document's order, in one piece
    table: ObjectiveTable, context: RequestContext
) -> tuple[Reason, int, tuple[tuple[str, int], ...]]:
    """Return the stage that decides, the model's index, and the cells that led to it."""
    for rule in table.ab_rules:
        if rule.eligible is not None and not holds(rule.eligible, context, table.segments):
            continue
        who = unit(rule.unit, context)
        if rule.test_id in context.allocations:
            cells = [cell for cell in rule.cells if cell.number == context.allocations[rule.test_id]]
        elif who is None or (
            rule.layer_salt and not (rule.layer_begin <= bucket(rule.layer_salt, who) < rule.layer_end)
        ):
            cells = []
        else:
            cells = [cell for cell in rule.cells if bucket(rule.salt, who) < cell.end]
        if cells:
            return Reason.AB_TEST, cells[0].model, ((rule.test_id, cells[0].number),)
    for each in table.context_rules:
        if holds(each.when, context, table.segments):
            return Reason.CONTEXT, each.model, ()
    for shift in table.shifts:
        who = unit(shift.unit, context)
        if shift.when is not None and not holds(shift.when, context, table.segments):
            continue
        if who is not None and bucket(shift.salt, who) < shift.basis_points:
            return Reason.SHIFT, shift.model, ()
    return Reason.DEFAULT, table.default_model, ()
