"""What differs between two generations, for people. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from controlplane.model import Buckets, Plan
from controlplane.planning.buckets import moved, shares_of
from controlplane.planning.schedules import probation_text, schedule_text
from controlplane.planning.shares import walk
from controlplane.planning.shares.never import MAX_LOOKS
from controlplane.planning.shares.report import Moves, Share, moves_between
from lightbulb.model import (
    AbRule,
    All,
    AmongUsers,
    AnyOf,
    Comparison,
    Condition,
    InSegment,
    ModelAssignment,
    ModelTarget,
    Not,
    ObjectiveTable,
    ShadowRule,
    ShiftRule,
    Source,
    Value,
    model_id,
)
from lightbulb.resolution.why_not import MAX_VALUES, users_text


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedUsers:
    """Users who get another model, in percent: the least and the most over all classes of contexts.

    `where` says for which contexts it is the most; empty: for all. Without `exact` so many users were
    `counted`, of an even mix of the classes, and the share of all of it lies between the two. If none of them
    moves, `before` and `after` are empty.
    """

    before: str
    after: str
    least: float
    most: float
    where: str
    exact: bool
    counted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that differs: lines that only the second has, and lines that only the first has.

    `moves`: of an objective, the users who get another model.
    """

    kind: str
    name: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    moves: tuple[MovedUsers, ...] = ()


def differences(one: Plan, other: Plan) -> tuple[Difference, ...]:
    """Return what `other` says and `one` doesn't, and the other way round: objectives, then shards."""
    tables = [{table.objective: table for table in plan.tables} for plan in (one, other)]
    objectives = _by_name("objective", _objectives(one), _objectives(other))
    found = (
        *(_with_moves(each, *(named.get(each.name) for named in tables)) for each in objectives),
        *_by_name("shard", _shards(one), _shards(other)),
    )
    told = (difference for difference in found if difference.added or difference.removed)
    return tuple(_with_moved_users(told, *tables))


def _with_moved_users(
    found: Iterable[Difference], one: Mapping[str, ObjectiveTable], other: Mapping[str, ObjectiveTable]
) -> Iterator[Difference]:
    """Yield what differs, and who gets another model by it; the work for all of them is bounded."""
    looks = MAX_LOOKS
    for each in found:
        before, after = (named.get(each.name) if each.kind == "objective" else None for named in (one, other))
        if before is None or after is None:
            yield each
            continue
        moves = moves_between(before, after, min(looks, walk.MAX_LOOKS))
        looks = max(0, looks - moves.looks)
        yield replace(each, moves=tuple(_moves_of(moves)))


def _moves_of(moves: Moves) -> Iterator[MovedUsers]:
    for move in moves.moves:
        yield _moved_users(target_text(move.before), target_text(move.after), move.share, moves)
    if moves.counted and not moves.moves:
        yield _moved_users("", "", moves.together, moves)


def _moved_users(before: str, after: str, share: Share, moves: Moves) -> MovedUsers:
    return MovedUsers(
        before=before,
        after=after,
        least=float(share.least * 100),
        most=float(share.most * 100),
        where=moves.space.words(share.where),
        exact=not moves.counted,
        counted=moves.counted,
    )


def _by_name(
    kind: str, one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]
) -> Iterable[Difference]:
    for name in sorted(one.keys() | other.keys()):
        before, after = one.get(name, ()), other.get(name, ())
        old, new = frozenset(before), frozenset(after)
        yield Difference(
            kind=kind,
            name=name,
            added=tuple(line for line in after if line not in old),
            removed=tuple(line for line in before if line not in new),
        )


def _objectives(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    vips = {rule.key: rule.vip for rule in plan.routes}
    return {table.objective: tuple(_table(table, vips)) for table in plan.tables}


def _shards(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    return {
        each.shard: (
            f"{each.vip}, {each.memory_mib} MiB a host",
            *map(_loads, each.models),
        )
        for each in plan.assignments
    }


def _loads(model: ModelAssignment) -> str:
    within = f", within {model.load_timeout:g} s" if model.load_timeout else ""
    return f"loads {model.id}, {model.memory_mib} MiB{within}"


def _table(table: ObjectiveTable, vips: Mapping[str, str]) -> Iterable[str]:
    """Yield a line a rule. Where a rule stands in its file is no difference."""

    def target(index: int) -> str:
        return target_text(table.models[index])

    yield f"takes {table.input_type}; cached {table.cache_lifetime:g} s; deadline {table.deadline:g} s"
    for model in table.models:
        yield f"{target_text(model)} is on {vips.get(model.routing_key, 'no VIP')}"
    for override in table.overrides:
        clients = ", ".join(override.clients) or "every client"
        yield f"{_rule(override.source)}: {clients} may ask for {', '.join(map(target, override.models))}"
    for segment in table.segments:
        yield f"segment {segment.name}: {_condition(segment.when)}"
    for test in table.ab_rules:
        yield from _test(test, target)
    for rule in table.context_rules:
        yield f"{_rule(rule.source)}: {_condition(rule.when)} gets {target(rule.model)}"
    for shift in table.shifts:
        yield _shift(shift, target(shift.model))
    yield from (_shadow(each, target(each.model)) for each in table.shadows)
    yield from _default(table, target(table.default_model))


def _default(table: ObjectiveTable, model: str) -> Iterable[str]:
    yield f"{_rule(table.default_source)}: everyone else gets {model}"
    if table.probation is not None:
        yield f"{_rule(table.default_source)}: a new default is {probation_text(table.probation)}"


def _test(test: AbRule, target: Callable[[int], str]) -> Iterable[str]:
    layer = (
        f" in {test.layer_begin / 100:g}-{test.layer_end / 100:g}% of its layer" if test.layer_salt else ""
    )
    who = f" of those with {_condition(test.eligible)}" if test.eligible is not None else ""
    by = f" by {test.unit}" if test.unit else ""
    yield f"{_rule(test.source)}: test {test.test_id}{by}{layer}{who}"
    shares = shares_of(_buckets(test))
    for number, model in {cell.number: cell.model for cell in test.cells}.items():
        yield f"{_rule(test.source)}: cell {number} ({shares.get(number, 0) / 100:g}%) gets {target(model)}"


def _buckets(test: AbRule) -> tuple[Buckets[int], ...]:
    begins = (0, *(cell.end for cell in test.cells))
    return tuple(
        Buckets(begin=begin, end=cell.end, owner=cell.number)
        for begin, cell in zip(begins, test.cells, strict=False)
        if cell.end > begin
    )


def _with_moves(found: Difference, one: ObjectiveTable | None, other: ObjectiveTable | None) -> Difference:
    """Return what differs of an objective, and how many users of each test change their cell."""
    if one is None or other is None:
        return found
    before = {(test.test_id, test.salt, test.unit): test for test in one.ab_rules}
    pairs = ((before.get((test.test_id, test.salt, test.unit)), test) for test in other.ab_rules)
    moves = (_moves(old, new) for old, new in pairs if old is not None)
    return replace(found, added=(*found.added, *filter(None, moves)))


def _moves(one: AbRule, other: AbRule) -> str:
    """Return how many of a test's users change their cell; empty when none does."""
    moves = moved(_buckets(one), _buckets(other))
    if not moves:
        return ""
    told = ", ".join(f"{move.count / 100:g}% from {move.source} to {move.target}" for move in moves)
    percent = sum(move.count for move in moves) / 100
    return f"{_rule(other.source)}: {percent:g}% of test {other.test_id} change their cell: {told}"


def _shift(shift: ShiftRule, model: str) -> str:
    who = "users" if shift.when is None else f"those with {_condition(shift.when)}"
    by = f" by {shift.unit}" if shift.unit else ""
    if shift.schedule is not None:
        return f"{_rule(shift.source)}: {schedule_text(shift.schedule)} of users get {model}"
    return f"{_rule(shift.source)}: {shift.basis_points / 100:g}% of {who} get {model}{by}"


def _shadow(shadow: ShadowRule, model: str) -> str:
    share = f"{shadow.basis_points / 100:g}% of the requests to the default"
    return f"{_rule(shadow.source)}: {share} are copied to {model}"


def _rule(source: Source) -> str:
    return f"{source.file} {source.rule}"


def target_text(model: ModelTarget) -> str:
    """Return a model with its version and parameters."""
    parameters = ", ".join(f"{name}={value!r}" for name, value in sorted(model.parameters.items()))
    return (
        f"{model_id(model.name, model.version)} ({parameters})"
        if parameters
        else model_id(model.name, model.version)
    )


def _condition(condition: Condition) -> str:
    match condition:
        case All(conditions):
            return "(" + " and ".join(map(_condition, conditions)) + ")"
        case AnyOf(conditions):
            return "(" + " or ".join(map(_condition, conditions)) + ")"
        case Not(inner):
            return f"not {_condition(inner)}"
        case Comparison(attribute=attribute, operator=operator, values=values):
            return f"{attribute} {operator.value} {_values(values)}".rstrip()
        case AmongUsers(users):
            return f"user {users_text(users)}{_digest(users)}"
        case InSegment(name):
            return f"segment {name}"


def _digest(users: frozenset[str]) -> str:
    """Return what tells a list of users, of whom only some are named, from another."""
    if len(users) <= MAX_VALUES:
        return ""
    return f" (sha256 {hashlib.sha256(repr(sorted(users)).encode()).hexdigest()[:12]})"


def _values(values: tuple[Value, ...]) -> str:
    return ", ".join(map(repr, values))
