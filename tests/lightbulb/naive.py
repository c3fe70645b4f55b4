"""Conditions and resolution as they are told: word for word, looking everything up anew each time."""

from operator import eq, ge, gt, le, lt

from lightbulb.model import (
    FIXED_ATTRIBUTES,
    All,
    AmongUsers,
    AnyOf,
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
from lightbulb.resolution.conditions import semver_key
from lightbulb.resolution.resolve import Reason

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


def compares(comparison: Comparison, value: Value) -> bool:
    operator, values = comparison.operator, comparison.values
    match operator:
        case Operator.EXISTS:
            return True
        case Operator.IN:
            return any(kind(value) == kind(each) and value == each for each in values)
        case Operator.PREFIX:
            return isinstance(value, str) and any(value.startswith(str(each)) for each in values)
        case Operator.LT | Operator.LE | Operator.GT | Operator.GE:
            return kind(value) == "number" and ORDERS[operator.value](value, values[0])
        case _:
            key = semver_key(value) if isinstance(value, str) else None
            limit = semver_key(str(values[0]))
            return key is not None and ORDERS[operator.value.removeprefix("semver ")](key, limit)


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
