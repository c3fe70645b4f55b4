"""Tables survive the wire byte for byte, and what contradicts itself is refused."""

from dataclasses import replace
from math import nan

import pytest

from lightbulb.model import (
    NO_GENERATION,
    ActiveGeneration,
    AmongUsers,
    Cell,
    Comparison,
    ContextRule,
    GuardTerms,
    InSegment,
    ModelAssignment,
    ObjectiveTable,
    ObjectiveTables,
    Operator,
    Probation,
    Schedule,
    Segment,
    ShiftRule,
    SidecarState,
    TableSince,
)
from lightbulb.resolution import codec
from lightbulb.resolution.codec import (
    Malformed,
    assignment_from_bytes,
    assignment_to_bytes,
    generation_from_bytes,
    generation_to_bytes,
    objective_tables_from_bytes,
    objective_tables_to_bytes,
    sidecar_state_from_bytes,
    sidecar_state_to_bytes,
    table_from_bytes,
    table_to_bytes,
)
from lightbulb.resolution.operators import OPERATORS, Takes
from lightbulb.v1 import table_pb2
from tests.lightbulb.tables import AB_RULE, OBJECTIVE, TABLE, source, target

CELL_1_OTHERWISE = (Cell(number=1, end=10_000, model=1),)
SEGMENT = Segment(name="s", when=AmongUsers(frozenset({"u2", "u1"})))
CONTEXT_OF_USERS = ContextRule(source=source("r"), when=SEGMENT.when, model=0)
CONTEXT_OF_SEGMENT = ContextRule(source=source("r"), when=InSegment("s"), model=0)
(SHIFT,) = TABLE.shifts
GUARDS = GuardTerms(guards=("errors:1.25x",), alpha=0.01, interval=10.0, min_sample=100)
STEPPED = replace(SHIFT, basis_points=0, schedule=Schedule(steps=(500, 10_000), every=60.0, guards=GUARDS))
NOT_THERE = rf"{OBJECTIVE}: it refers to models \[4294967295\] of 5"


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        replace(TABLE, ab_rules=(), context_rules=(), overrides=(), shifts=(), deadline=0.0),
        replace(TABLE, shifts=(STEPPED,), probation=Probation(guards=GUARDS, seconds=3_600.0)),
    ],
    ids=["every kind of rule", "default only", "what goes on by itself"],
)
def test_a_table_comes_back_as_it_went(table) -> None:
    assert table_from_bytes(table_to_bytes(table)) == table


def test_equal_tables_have_equal_bytes_whatever_the_order_of_their_parameters() -> None:
    one = replace(TABLE, models=(target("m", a=1, b=2), *TABLE.models[1:]))
    other = replace(TABLE, models=(target("m", b=2, a=1), *TABLE.models[1:]))
    assert table_to_bytes(one) == table_to_bytes(other)


@pytest.mark.parametrize("operator", Operator)
def test_every_operator_has_a_number(operator: Operator) -> None:
    values = () if OPERATORS[operator].takes is Takes.NONE else ("x",)
    rule = ContextRule(
        source=source("r"), when=Comparison(attribute="a", operator=operator, values=values), model=0
    )
    table = replace(TABLE, context_rules=(rule,))
    assert table_from_bytes(table_to_bytes(table)) == table


@pytest.mark.parametrize("number", [13, 38, 999])
def test_who_doesnt_know_an_operator_refuses_the_table_by_name(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the operators of 0.1, those up to 12, a table that needs a newer one isn't misread."""
    known = {operator: value for operator, value in codec._OPERATORS_BACK.items() if operator <= 12}
    monkeypatch.setattr(codec, "_OPERATORS_BACK", known)
    message = table_pb2.ObjectiveTable.FromString(table_to_bytes(TABLE))
    message.context_rules[0].when.CopyFrom(
        table_pb2.Condition(comparison=table_pb2.Comparison(attribute="plan", operator=number))
    )
    with pytest.raises(Malformed, match=rf"{OBJECTIVE}: operator {number} on plan needs a newer Lightbulb"):
        table_from_bytes(message.SerializeToString())


def test_the_first_operators_keep_their_numbers() -> None:
    names = ["IN", "PREFIX", "LT", "LE", "GT", "GE"]
    names += ["SEMVER_EQ", "SEMVER_LT", "SEMVER_LE", "SEMVER_GT", "SEMVER_GE", "EXISTS"]
    assert [codec._OPERATORS[Operator[name]] for name in names] == list(range(1, 13))


def old(message: table_pb2.ObjectiveTable) -> table_pb2.ObjectiveTable:
    """Return a table as 0.1 reads it: without the fields that it doesn't know."""
    for name in ("segments", "shifts"):
        message.ClearField(name)
    for test in message.ab_rules:
        test.ClearField("unit")
        test.ClearField("unit_cells")
    for part in (*message.context_rules, *message.ab_rules):
        condition = part.when if isinstance(part, table_pb2.ContextRule) else part.eligible
        for name in ("users", "segment"):
            condition.ClearField(name)
    return message


NEW = {
    "a unit": (replace(TABLE, ab_rules=(replace(AB_RULE, unit="session_id"),)), "test 12345: its cells"),
    "users": (replace(TABLE, context_rules=(CONTEXT_OF_USERS,)), "a condition without a kind"),
    "a segment": (
        replace(TABLE, context_rules=(CONTEXT_OF_SEGMENT,), segments=(SEGMENT,)),
        "a condition without a kind",
    ),
    "a test for a segment": (
        replace(TABLE, ab_rules=(replace(AB_RULE, eligible=InSegment("s")),), segments=(SEGMENT,)),
        "a condition without a kind",
    ),
    "a shift for some": (
        replace(TABLE, shifts=(replace(SHIFT, when=AmongUsers(frozenset("u"))),)),
        NOT_THERE,
    ),
    "a shift by a unit": (replace(TABLE, shifts=(replace(SHIFT, unit="country"),)), NOT_THERE),
    "two shifts": (replace(TABLE, shifts=(SHIFT, SHIFT)), NOT_THERE),
}


@pytest.mark.parametrize("name", NEW)
def test_who_doesnt_know_it_refuses_the_table(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table, why = NEW[name]
    body = table_to_bytes(table)
    assert table_from_bytes(body) == table
    monkeypatch.setattr(codec, "_shifts_from_proto", shift_of_0_1)
    with pytest.raises(Malformed, match=why):
        table_from_bytes(old(table_pb2.ObjectiveTable.FromString(body)).SerializeToString())


def shift_of_0_1(message: table_pb2.ObjectiveTable) -> tuple[ShiftRule, ...]:
    """Return what 0.1 makes of a table's shift; where its model isn't there, it refuses the table."""
    return (codec._shift_from_proto(message.shift),) if message.HasField("shift") else ()


def test_a_plain_shift_stands_where_it_stood() -> None:
    message = table_pb2.ObjectiveTable.FromString(table_to_bytes(TABLE))
    assert (message.shift.basis_points, message.shift.model, len(message.shifts)) == (2_500, 4, 0)


def test_generations_sidecars_and_assignments_come_back_as_they_went() -> None:
    generation = ActiveGeneration(number=7, content_hash="abc", fence=9, store="s-1", oldest=5)
    assert generation_from_bytes(generation_to_bytes(generation)) == generation
    for number in (0, 7, NO_GENERATION):
        state = SidecarState(generation=number)
        assert sidecar_state_from_bytes(sidecar_state_to_bytes(state)) == state
    assignment = ModelAssignment(
        name="m", version="2", memory_mib=512, facts=("viewing_history",), depends_on=("e@1",)
    )
    for each in (assignment, replace(assignment, load_timeout=5_400.5)):
        assert assignment_from_bytes(assignment_to_bytes(each)) == each


def test_an_assignment_that_says_nothing_of_its_loading_has_the_bytes_that_it_had() -> None:
    said, silent = (
        table_pb2.ModelAssignment.FromString(
            assignment_to_bytes(
                ModelAssignment(name="m", version="2", memory_mib=512, load_timeout=load_timeout)
            )
        )
        for load_timeout in (7_200.0, 0.0)
    )
    assert (said.load_timeout.seconds, silent.HasField("load_timeout")) == (7_200, False)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (replace(TABLE, default_model=9), r"refers to models \[9\] of 5"),
        (replace(TABLE, ab_rules=(replace(AB_RULE, cells=AB_RULE.cells[:2]),)), "don't divide"),
        (
            replace(
                TABLE, ab_rules=(replace(AB_RULE, cells=(Cell(number=1, end=5, model=1), *AB_RULE.cells)),)
            ),
            "its cell 1 has two models",
        ),
        (
            replace(TABLE, ab_rules=(replace(AB_RULE, cells=(Cell(number=1, end=10_000, model=7),)),)),
            "refers to models",
        ),
        (
            replace(
                TABLE,
                context_rules=(
                    ContextRule(
                        source=source("r"), when=Comparison(attribute="a", operator=Operator.IN), model=0
                    ),
                ),
            ),
            "compares with nothing",
        ),
        (replace(TABLE, context_rules=(CONTEXT_OF_SEGMENT,)), "refers to segment s, which isn't there"),
        (
            replace(TABLE, segments=(Segment(name="r", when=InSegment("s")), SEGMENT)),
            "refers to segment s, which isn't there, or not yet",
        ),
        (replace(TABLE, segments=(SEGMENT, SEGMENT)), "has segment s twice"),
        (
            replace(TABLE, shifts=(replace(STEPPED, basis_points=1),)),
            "in steps, of which",
        ),
        (replace(TABLE, probation=Probation(guards=GUARDS, seconds=nan)), "no finite time or chance"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(broken, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        table_from_bytes(table_to_bytes(broken))


def test_a_table_has_its_shifts_in_one_place() -> None:
    message = table_pb2.ObjectiveTable.FromString(table_to_bytes(TABLE))
    message.shifts.add().CopyFrom(message.shift)
    with pytest.raises(Malformed, match=f"{OBJECTIVE}: it has a shift in both"):
        table_from_bytes(message.SerializeToString())


def over_time(*entries: tuple[int, ObjectiveTable | None]) -> ObjectiveTables:
    return ObjectiveTables(
        objective=OBJECTIVE, tables=tuple(TableSince(since=since, table=table) for since, table in entries)
    )


OTHER = replace(TABLE, cache_lifetime=1.0)


@pytest.mark.parametrize(
    "tables",
    [over_time((0, TABLE)), over_time((0, TABLE), (4, None), (9, OTHER)), over_time((0, None))],
    ids=["one", "gone and back", "never there"],
)
def test_an_objectives_tables_come_back_as_they_went(tables: ObjectiveTables) -> None:
    body = objective_tables_to_bytes(tables)
    assert objective_tables_from_bytes(body) == tables
    assert objective_tables_to_bytes(objective_tables_from_bytes(body)) == body


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        (over_time(), "are none at all"),
        (over_time((3, TABLE)), "begin at generation 3, not 0"),
        (over_time((0, TABLE), (5, None), (4, OTHER)), r"don't ascend: generations \[0, 5, 4\]"),
        (over_time((0, TABLE), (5, None), (5, OTHER)), "don't ascend"),
        (over_time((0, TABLE), (5, replace(TABLE, objective="Another"))), "the table of 'Another'"),
        (over_time((0, TABLE), (5, replace(TABLE, default_model=9))), r"refers to models \[9\]"),
    ],
    ids=["empty", "late", "out of order", "twice", "another's", "dangling index"],
)
def test_tables_that_contradict_themselves_are_refused(tables: ObjectiveTables, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        objective_tables_from_bytes(objective_tables_to_bytes(tables))


def test_bytes_that_are_no_table_are_refused() -> None:
    with pytest.raises(Malformed, match=r"lightbulb\.v1\.ObjectiveTable"):
        table_from_bytes(b"\xff\xff\xff")
