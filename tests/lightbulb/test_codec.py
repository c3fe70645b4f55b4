"""Tables survive the wire byte for byte, and what contradicts itself is refused."""

from dataclasses import replace

import pytest

from lightbulb.codec import (
    Malformed,
    assignment_from_bytes,
    assignment_to_bytes,
    generation_from_bytes,
    generation_to_bytes,
    table_from_bytes,
    table_to_bytes,
)
from lightbulb.model import ActiveGeneration, Cell, Comparison, ContextRule, ModelAssignment, Operator
from tests.lightbulb.tables import AB_RULE, TABLE, source, target


@pytest.mark.parametrize(
    "table",
    [TABLE, replace(TABLE, ab_rules=(), context_rules=(), overrides=(), shift=None, deadline=0.0)],
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
    rule = ContextRule(
        source=source("r"), when=Comparison(attribute="a", operator=operator, values=("x",)), model=0
    )
    table = replace(TABLE, context_rules=(rule,))
    assert table_from_bytes(table_to_bytes(table)) == table


def test_generations_and_assignments_come_back_as_they_went() -> None:
    generation = ActiveGeneration(number=7, content_hash="abc")
    assert generation_from_bytes(generation_to_bytes(generation)) == generation
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


def test_bytes_that_are_no_table_are_refused() -> None:
    with pytest.raises(Malformed, match=r"lightbulb\.v1\.ObjectiveTable"):
        table_from_bytes(b"\xff\xff\xff")
