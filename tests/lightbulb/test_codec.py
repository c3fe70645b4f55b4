"""Tables survive the wire byte for byte, and what contradicts itself is refused."""

from dataclasses import replace

import pytest

from lightbulb.model import (
    NO_GENERATION,
    ActiveGeneration,
    Cell,
    Comparison,
    ContextRule,
    ModelAssignment,
    ObjectiveTable,
    ObjectiveTables,
    Operator,
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


@pytest.mark.parametrize(
    "table",
    [TABLE, replace(TABLE, ab_rules=(), context_rules=(), overrides=(), shifts=(), deadline=0.0)],
    ids=["every kind of rule", "default only"],
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


def test_generations_sidecars_and_assignments_come_back_as_they_went() -> None:
    generation = ActiveGeneration(number=7, content_hash="abc", fence=9, store="s-1", oldest=5)
    assert generation_from_bytes(generation_to_bytes(generation)) == generation
    for number in (0, 7, NO_GENERATION):
        state = SidecarState(generation=number)
        assert sidecar_state_from_bytes(sidecar_state_to_bytes(state)) == state
    assignment = ModelAssignment(
        name="m", version="2", memory_mib=512, facts=("viewing_history",), depends_on=("e@1",)
    )
    assert assignment_from_bytes(assignment_to_bytes(assignment)) == assignment


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
    ],
)
def test_a_table_that_contradicts_itself_is_refused(broken, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        table_from_bytes(table_to_bytes(broken))


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
