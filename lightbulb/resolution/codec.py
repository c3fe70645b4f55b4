"""Maps the values of lightbulb.model to protos/lightbulb/v1/table.proto and back. Nothing else does.

Bytes are deterministic: the same value gives the same bytes in every process, since map entries are sorted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import pairwise
from math import isfinite

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message

from lightbulb.model import (
    BASIS_POINTS,
    DEFAULT_TENANT,
    AbRule,
    ActiveGeneration,
    All,
    AmongUsers,
    AnyOf,
    AttributeValue,
    Cell,
    Comparison,
    Condition,
    ContextRule,
    GuardTerms,
    HeldBack,
    InSegment,
    ModelAssignment,
    ModelTarget,
    Not,
    ObjectiveControl,
    ObjectiveTable,
    ObjectiveTables,
    Operator,
    OperatorShift,
    OverrideRule,
    Schedule,
    Segment,
    ShadowRule,
    ShiftRule,
    SidecarState,
    Source,
    TableSince,
    Value,
)
from lightbulb.resolution.operators import OPERATORS, Takes
from lightbulb.resolution.schedule_codec import (
    probation_from_proto,
    probation_to_proto,
    schedule_from_proto,
    schedule_to_proto,
)
from lightbulb.resolution.segments import conditions_of, segments_of
from lightbulb.v1 import table_pb2 as pb

_OPERATORS: Mapping[Operator, pb.Operator] = {
    operator: getattr(pb, f"OPERATOR_{operator.name}") for operator in Operator
}
_OPERATORS_BACK = {number: operator for operator, number in _OPERATORS.items()}


MAX_SECONDS = 315_576_000_000 - 1
"""Ten thousand years less a second: as much as a Duration may hold."""

NO_MODEL = 2**32 - 1
"""The model of the field `shift` when the shifts stand in `shifts`."""


class Malformed(ValueError):
    """The bytes don't decode, or the table in them contradicts itself."""


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def duration(seconds: float) -> Duration:
    """Return a Duration of so many seconds, exact to the microsecond."""
    result = Duration()
    result.FromMicroseconds(round(seconds * 1_000_000))
    return result


def seconds(value: Duration) -> float:
    """Return a Duration in seconds; raise Malformed for one that is longer than protobuf's can be."""
    if abs(value.seconds) > MAX_SECONDS or abs(value.nanos) >= 1_000_000_000:
        raise Malformed(f"a duration of {value.seconds} seconds and {value.nanos} nanoseconds")
    return value.ToMicroseconds() / 1_000_000


def value_to_proto(value: Value) -> pb.Value:
    """Return `value` in the field for its type."""
    match value:
        case bool():
            return pb.Value(bool_value=value)
        case int():
            return pb.Value(int64_value=value)
        case float():
            return pb.Value(double_value=value)
        case str():
            return pb.Value(string_value=value)


def value_from_proto(message: pb.Value) -> Value:
    """Return the value; raise Malformed when there is none."""
    match message.WhichOneof("kind"):
        case "bool_value":
            return message.bool_value
        case "int64_value":
            return message.int64_value
        case "double_value":
            return message.double_value
        case "string_value":
            return message.string_value
        case "list_value":
            raise Malformed("a list, where a scalar belongs")
        case _:
            raise Malformed("a value without a kind")


def attribute_to_proto(value: AttributeValue) -> pb.Value:
    """Return a context's attribute, which may be a list of scalars."""
    if isinstance(value, tuple | list):
        return pb.Value(list_value=pb.ValueList(values=map(value_to_proto, value)))
    return value_to_proto(value)


def attribute_from_proto(message: pb.Value) -> AttributeValue:
    """Return a context's attribute; raise Malformed when there is none, or for a list within a list."""
    if message.HasField("list_value"):
        return tuple(map(value_from_proto, message.list_value.values))
    return value_from_proto(message)


def values_from_proto(messages: Mapping[str, pb.Value]) -> dict[str, Value]:
    """Return a map of values, sorted by key: equal maps iterate in the same order."""
    return {name: value_from_proto(messages[name]) for name in sorted(messages)}


def source_to_proto(source: Source) -> pb.Source:
    """Return where a rule was written."""
    return pb.Source(rule=source.rule, file=source.file, line=source.line)


def source_from_proto(message: pb.Source) -> Source:
    """Return where a rule was written."""
    return Source(rule=message.rule, file=message.file, line=message.line)


def condition_to_proto(condition: Condition) -> pb.Condition:
    """Return a condition tree."""
    match condition:
        case All(conditions):
            return pb.Condition(all=pb.Conditions(conditions=map(condition_to_proto, conditions)))
        case AnyOf(conditions):
            return pb.Condition(any=pb.Conditions(conditions=map(condition_to_proto, conditions)))
        case Not(inner):
            message = pb.Condition()
            getattr(message, "not").CopyFrom(condition_to_proto(inner))  # "not" is a Python keyword
            return message
        case Comparison(attribute=attribute, operator=operator, values=values):
            comparison = pb.Comparison(
                attribute=attribute,
                operator=_OPERATORS[operator],
                values=map(value_to_proto, values),
            )
            return pb.Condition(comparison=comparison)
        case AmongUsers(users):
            return pb.Condition(users=pb.Users(ids=sorted(users)))
        case InSegment(segment):
            return pb.Condition(segment=segment)


def condition_from_proto(message: pb.Condition) -> Condition:
    """Return a condition tree; raise Malformed for a node without a kind or with an unknown operator."""
    match message.WhichOneof("kind"):
        case "all":
            return All(tuple(map(condition_from_proto, message.all.conditions)))
        case "any":
            return AnyOf(tuple(map(condition_from_proto, message.any.conditions)))
        case "not":
            return Not(condition_from_proto(getattr(message, "not")))
        case "comparison":
            return _comparison(message.comparison)
        case "users":
            return AmongUsers(frozenset(message.users.ids))
        case "segment":
            return InSegment(message.segment)
        case _:
            raise Malformed("a condition without a kind, or of one that needs a newer Lightbulb")


def _comparison(message: pb.Comparison) -> Comparison:
    operator = _OPERATORS_BACK.get(message.operator)
    if operator is None:
        raise Malformed(f"operator {message.operator} on {message.attribute} needs a newer Lightbulb")
    values = tuple(map(value_from_proto, message.values))
    if not values and OPERATORS[operator].takes is not Takes.NONE:
        raise Malformed(f"{message.attribute} {operator.value} compares with nothing")
    return Comparison(attribute=message.attribute, operator=operator, values=values)


def _target_to_proto(target: ModelTarget) -> pb.ModelTarget:
    return pb.ModelTarget(
        name=target.name,
        version=target.version,
        type=target.type,
        input_type=target.input_type,
        parameters={name: value_to_proto(value) for name, value in target.parameters.items()},
        routing_key=target.routing_key,
    )


def _target_from_proto(message: pb.ModelTarget) -> ModelTarget:
    return ModelTarget(
        name=message.name,
        version=message.version,
        type=message.type,
        input_type=message.input_type,
        routing_key=message.routing_key,
        parameters=values_from_proto(message.parameters),
    )


def _ab_rule_to_proto(rule: AbRule) -> pb.AbRule:
    cells = [pb.Cell(number=cell.number, end=cell.end, model=cell.model) for cell in rule.cells]
    return pb.AbRule(
        source=source_to_proto(rule.source),
        test_id=rule.test_id,
        salt=rule.salt,
        layer_salt=rule.layer_salt,
        layer_begin=rule.layer_begin,
        layer_end=rule.layer_end,
        eligible=_optional(rule.eligible),
        cells=() if rule.unit else cells,
        unit=rule.unit,
        unit_cells=cells if rule.unit else (),
    )


def _ab_rule_from_proto(message: pb.AbRule) -> AbRule:
    cells = message.unit_cells if message.unit else message.cells
    ends = [0, *(cell.end for cell in cells)]
    if ends[-1] != BASIS_POINTS or any(end < begin for begin, end in pairwise(ends)):
        raise Malformed(f"test {message.test_id}: its cells don't divide [0, {BASIS_POINTS})")
    models: dict[int, int] = {}
    for cell in cells:
        if models.setdefault(cell.number, cell.model) != cell.model:
            raise Malformed(f"test {message.test_id}: its cell {cell.number} has two models")
    return AbRule(
        source=source_from_proto(message.source),
        test_id=message.test_id,
        salt=message.salt,
        cells=tuple(Cell(number=cell.number, end=cell.end, model=cell.model) for cell in cells),
        layer_salt=message.layer_salt,
        layer_begin=message.layer_begin,
        layer_end=message.layer_end,
        eligible=condition_from_proto(message.eligible) if message.HasField("eligible") else None,
        unit=message.unit,
    )


def _shift_to_proto(rule: ShiftRule) -> pb.ShiftRule:
    return pb.ShiftRule(
        source=source_to_proto(rule.source),
        salt=rule.salt,
        basis_points=rule.basis_points,
        model=rule.model,
        when=_optional(rule.when),
        unit=rule.unit,
        schedule=None if rule.schedule is None else schedule_to_proto(rule.schedule),
    )


def _plain(table: ObjectiveTable) -> ShiftRule | None:
    """Return the table's shift when it has only one, of users and for everyone: any Lightbulb knows those."""
    match table.shifts:
        case (ShiftRule(unit="", when=None) as only,):
            return only
    return None


def _shift_field(table: ObjectiveTable) -> pb.ShiftRule | None:
    """Return what stands in the field that every Lightbulb looks at."""
    plain = _plain(table)
    if plain is not None:
        return _shift_to_proto(plain)
    return pb.ShiftRule(model=NO_MODEL) if table.shifts else None


def _shifts_from_proto(message: pb.ObjectiveTable) -> tuple[ShiftRule, ...]:
    if message.HasField("shift") and (message.shift.model == NO_MODEL) is not bool(message.shifts):
        raise Malformed("it has a shift in both shift and shifts, or in neither")
    if message.shifts:
        return tuple(map(_shift_from_proto, message.shifts))
    return (_shift_from_proto(message.shift),) if message.HasField("shift") else ()


def _optional(condition: Condition | None) -> pb.Condition | None:
    return None if condition is None else condition_to_proto(condition)


def _shift_from_proto(message: pb.ShiftRule) -> ShiftRule:
    return ShiftRule(
        source=source_from_proto(message.source),
        salt=message.salt,
        basis_points=message.basis_points,
        model=message.model,
        unit=message.unit,
        when=condition_from_proto(message.when) if message.HasField("when") else None,
        schedule=_schedule(message),
    )


def _schedule(message: pb.ShiftRule) -> Schedule | None:
    if not message.HasField("schedule"):
        return None
    if message.basis_points or message.unit or message.HasField("when"):
        raise Malformed("a shift in steps, of which the rule says a share, a unit or a condition too")
    return schedule_from_proto(message.schedule)


def _shadow_to_proto(rule: ShadowRule) -> pb.ShadowRule:
    return pb.ShadowRule(
        source=source_to_proto(rule.source),
        model=rule.model,
        basis_points=rule.basis_points,
        noise_floor=rule.noise_floor,
        max_body=rule.max_body,
        pairs=rule.pairs,
        lasts=rule.lasts,
    )


def _shadow_from_proto(message: pb.ShadowRule) -> ShadowRule:
    if message.basis_points > BASIS_POINTS:
        raise Malformed(f"a shadow of {message.basis_points} basis points, of {BASIS_POINTS}")
    return ShadowRule(
        source=source_from_proto(message.source),
        model=message.model,
        basis_points=message.basis_points,
        noise_floor=message.noise_floor,
        max_body=message.max_body,
        pairs=message.pairs,
        lasts=message.lasts,
    )


def table_to_bytes(table: ObjectiveTable) -> bytes:
    """Return a table's wire form."""
    return _bytes(_table_to_proto(table))


def _table_to_proto(table: ObjectiveTable) -> pb.ObjectiveTable:
    return pb.ObjectiveTable(
        objective=table.objective,
        input_type=table.input_type,
        cache_lifetime=duration(table.cache_lifetime),
        deadline=duration(table.deadline) if table.deadline else None,
        models=map(_target_to_proto, table.models),
        overrides=(
            pb.OverrideRule(source=source_to_proto(rule.source), clients=rule.clients, models=rule.models)
            for rule in table.overrides
        ),
        ab_rules=map(_ab_rule_to_proto, table.ab_rules),
        context_rules=(
            pb.ContextRule(
                source=source_to_proto(rule.source), when=condition_to_proto(rule.when), model=rule.model
            )
            for rule in table.context_rules
        ),
        shift=_shift_field(table),
        default_model=table.default_model,
        default_source=source_to_proto(table.default_source),
        segments=(
            pb.Segment(name=segment.name, when=condition_to_proto(segment.when)) for segment in table.segments
        ),
        shifts=() if _plain(table) else map(_shift_to_proto, table.shifts),
        probation=None if table.probation is None else probation_to_proto(table.probation),
        shadows=map(_shadow_to_proto, table.shadows),
    )


def table_from_bytes(body: bytes) -> ObjectiveTable:
    """Return a table; raise Malformed when it doesn't decode or contradicts itself."""
    message = pb.ObjectiveTable()
    _parse(message, body)
    return _table_from_proto(message)


def _table_from_proto(message: pb.ObjectiveTable) -> ObjectiveTable:
    try:
        return _read_table(message)
    except Malformed as error:
        raise Malformed(f"{message.objective}: {error}") from error


def _read_table(message: pb.ObjectiveTable) -> ObjectiveTable:
    table = ObjectiveTable(
        objective=message.objective,
        input_type=message.input_type,
        cache_lifetime=seconds(message.cache_lifetime),
        deadline=seconds(message.deadline),
        models=tuple(map(_target_from_proto, message.models)),
        default_model=message.default_model,
        default_source=source_from_proto(message.default_source),
        overrides=tuple(
            OverrideRule(
                source=source_from_proto(rule.source), clients=tuple(rule.clients), models=tuple(rule.models)
            )
            for rule in message.overrides
        ),
        ab_rules=tuple(map(_ab_rule_from_proto, message.ab_rules)),
        context_rules=tuple(
            ContextRule(
                source=source_from_proto(rule.source), when=condition_from_proto(rule.when), model=rule.model
            )
            for rule in message.context_rules
        ),
        shifts=_shifts_from_proto(message),
        segments=tuple(
            Segment(name=segment.name, when=condition_from_proto(segment.when))
            for segment in message.segments
        ),
        probation=probation_from_proto(message.probation) if message.HasField("probation") else None,
        shadows=tuple(map(_shadow_from_proto, message.shadows)),
    )
    _check_models(table)
    _check_segments(table)
    if not all(map(isfinite, _told_to_judges(table))):
        raise Malformed("it has guards or steps of no finite time or chance")
    return table


def _told_to_judges(table: ObjectiveTable) -> Iterable[float]:
    """Yield the numbers of what the control plane does by itself."""
    yield from (rule.lasts for rule in table.shadows)
    terms: list[GuardTerms | None] = []
    for rule in table.shifts:
        if rule.schedule is not None:
            yield rule.schedule.every
            terms.append(rule.schedule.guards)
    if table.probation is not None:
        yield table.probation.seconds
        terms.append(table.probation.guards)
    for each in terms:
        if each is not None:
            yield from (each.alpha, each.interval)


def _check_models(table: ObjectiveTable) -> None:
    missing = sorted(index for index in set(_referenced(table)) if index >= len(table.models))
    if missing:
        raise Malformed(f"it refers to models {missing} of {len(table.models)}")


def _referenced(table: ObjectiveTable) -> Iterable[int]:
    yield table.default_model
    for override in table.overrides:
        yield from override.models
    for rule in table.ab_rules:
        yield from (cell.model for cell in rule.cells)
    yield from (rule.model for rule in table.context_rules)
    yield from (rule.model for rule in table.shifts)
    yield from (rule.model for rule in table.shadows)


def _check_segments(table: ObjectiveTable) -> None:
    known: set[str] = set()
    for segment in table.segments:
        if segment.name in known:
            raise Malformed(f"it has segment {segment.name} twice")
        _check_known((segment.when,), known)
        known.add(segment.name)
    _check_known(conditions_of(table), known)


def _check_known(conditions: Iterable[Condition], known: AbstractSet[str]) -> None:
    for condition in conditions:
        for name in segments_of(condition):
            if name not in known:
                raise Malformed(f"it refers to segment {name}, which isn't there, or not yet")


def objective_tables_to_bytes(tables: ObjectiveTables) -> bytes:
    """Return the wire form of an objective's tables."""
    return _bytes(
        pb.ObjectiveTables(
            objective=tables.objective,
            tables=(
                pb.TableSince(
                    since=entry.since, table=None if entry.table is None else _table_to_proto(entry.table)
                )
                for entry in tables.tables
            ),
            tenant=_tenant_to_proto(tables.tenant),
        )
    )


def objective_tables_from_bytes(body: bytes) -> ObjectiveTables:
    """Return an objective's tables; raise Malformed when they don't decode or contradict themselves."""
    message = pb.ObjectiveTables()
    _parse(message, body)
    _check_entries(message)
    return ObjectiveTables(
        objective=message.objective,
        tables=tuple(
            TableSince(
                since=entry.since, table=_table_from_proto(entry.table) if entry.HasField("table") else None
            )
            for entry in message.tables
        ),
        tenant=message.tenant or DEFAULT_TENANT,
    )


def _tenant_to_proto(tenant: str) -> str:
    """Return a tenant's name; empty for the default one, as it was before there were others."""
    return "" if tenant == DEFAULT_TENANT else tenant


def _check_entries(message: pb.ObjectiveTables) -> None:
    since = [entry.since for entry in message.tables]
    if not since or since[0] != 0:
        begin = f"begin at generation {since[0]}, not 0" if since else "are none at all"
        raise Malformed(f"{message.objective}: its tables {begin}")
    if any(later <= earlier for earlier, later in pairwise(since)):
        raise Malformed(f"{message.objective}: its tables don't ascend: generations {since}")
    for entry in message.tables:
        if entry.HasField("table") and entry.table.objective != message.objective:
            raise Malformed(f"{message.objective}: holds the table of {entry.table.objective!r}")


def generation_to_bytes(generation: ActiveGeneration) -> bytes:
    """Return a generation's wire form."""
    return _bytes(
        pb.ActiveGeneration(
            number=generation.number,
            content_hash=generation.content_hash,
            fence=generation.fence,
            store=generation.store,
            oldest=generation.oldest,
            tenant=_tenant_to_proto(generation.tenant),
        )
    )


def generation_from_bytes(body: bytes) -> ActiveGeneration:
    """Return a generation; raise Malformed when it doesn't decode."""
    message = pb.ActiveGeneration()
    _parse(message, body)
    return ActiveGeneration(
        number=message.number,
        content_hash=message.content_hash,
        fence=message.fence,
        store=message.store,
        oldest=message.oldest,
        tenant=message.tenant or DEFAULT_TENANT,
    )


def control_to_bytes(control: ObjectiveControl) -> bytes:
    """Return the wire form of what an operator decided about an objective."""
    shift, held_back = control.shift, control.held_back
    return _bytes(
        pb.ObjectiveControl(
            objective=control.objective,
            version=control.version,
            shift=None
            if shift is None
            else pb.OperatorShift(
                number=shift.number,
                key=shift.key,
                basis_points=shift.basis_points,
                salt=shift.salt,
                rule=None if shift.rule is None else source_to_proto(shift.rule),
            ),
            held_back=None if held_back is None else held_back_to_proto(held_back),
        )
    )


def control_from_bytes(body: bytes) -> ObjectiveControl:
    """Return what an operator decided about an objective; raise Malformed."""
    message = pb.ObjectiveControl()
    _parse(message, body)
    shift = None
    if message.HasField("shift"):
        shift = OperatorShift(
            number=message.shift.number,
            key=message.shift.key,
            basis_points=message.shift.basis_points,
            salt=message.shift.salt,
            rule=source_from_proto(message.shift.rule) if message.shift.HasField("rule") else None,
        )
        if shift.basis_points > BASIS_POINTS:
            raise Malformed(f"shift {shift.number} has {shift.basis_points} basis points, of {BASIS_POINTS}")
    held_back = held_back_from_proto(message.held_back) if message.HasField("held_back") else None
    return ObjectiveControl(
        objective=message.objective, version=message.version, shift=shift, held_back=held_back
    )


def held_back_to_proto(held_back: HeldBack) -> pb.HeldBack:
    """Return the wire form of what an objective is answered from, and what not."""
    return pb.HeldBack(rejected=held_back.rejected, answer_from=held_back.answer_from)


def held_back_from_proto(message: pb.HeldBack) -> HeldBack:
    """Return what an objective is answered from, and what not."""
    return HeldBack(rejected=message.rejected, answer_from=message.answer_from)


def sidecar_state_to_bytes(state: SidecarState) -> bytes:
    """Return the wire form of what a sidecar routes."""
    return _bytes(pb.SidecarState(generation=state.generation, others=state.others))


def sidecar_state_from_bytes(body: bytes) -> SidecarState:
    """Return what a sidecar routes; raise Malformed when it doesn't decode."""
    message = pb.SidecarState()
    _parse(message, body)
    return SidecarState(generation=message.generation, others=dict(message.others))


def assignment_to_bytes(assignment: ModelAssignment) -> bytes:
    """Return an assignment's wire form."""
    return _bytes(
        pb.ModelAssignment(
            name=assignment.name,
            version=assignment.version,
            memory_mib=assignment.memory_mib,
            facts=assignment.facts,
            depends_on=assignment.depends_on,
            load_timeout=duration(assignment.load_timeout) if assignment.load_timeout else None,
        )
    )


def assignment_from_bytes(body: bytes) -> ModelAssignment:
    """Return an assignment; raise Malformed when it doesn't decode."""
    message = pb.ModelAssignment()
    _parse(message, body)
    return ModelAssignment(
        name=message.name,
        version=message.version,
        memory_mib=message.memory_mib,
        facts=tuple(message.facts),
        depends_on=tuple(message.depends_on),
        load_timeout=seconds(message.load_timeout),
    )


def _parse(message: Message, body: bytes) -> None:
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise Malformed(f"not a {message.DESCRIPTOR.full_name}: {error}") from error
