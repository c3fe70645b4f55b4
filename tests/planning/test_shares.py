"""Shares are exact: what brute force finds over all ranges and classes, and what counting confirms."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from controlplane.planning.shares.boxes import Space
from controlplane.planning.shares.buckets import everybody
from controlplane.planning.shares.interval import CONFIDENCE, interval
from controlplane.planning.shares.never import MAX_LOOKS, never_of
from controlplane.planning.shares.report import Share, TableShares, moves_between, shares_of
from controlplane.planning.shares.sample import FEWEST_USERS
from controlplane.planning.shares.steps import salts_of, steps_of
from controlplane.planning.shares.walk import Walk
from lightbulb.model import (
    BASIS_POINTS,
    FIXED_ATTRIBUTES,
    AbRule,
    All,
    AnyOf,
    Cell,
    Comparison,
    Condition,
    ContextRule,
    Not,
    ObjectiveTable,
    Operator,
    RequestContext,
    ShiftRule,
)
from lightbulb.resolution.allocate import bucket
from lightbulb.resolution.conditions import compile_condition
from lightbulb.resolution.resolve import Resolver
from tests.depth import examples
from tests.lightbulb import anything
from tests.lightbulb.tables import MODELS, TABLE, source
from tests.planning import brute_shares

POOL: Mapping[str, tuple[object, ...]] = {
    "country": ("", "a", "b", "another"),
    "x": (None, "a", "b", "ab", "other", "", 0, 0.5, 1, 1.0, 1.5, 2, 2.0, 2.5, 3, True, False, ()),
    "version": (None, "1.0.0-1", "1.0.0", "1.0.1", "1.5.0", "2.0.0", "2.0.1", "another", 1),
}
"""A value of each class that the conditions below tell apart."""


def compared(name: str, operator: Operator, *values: object) -> Comparison:
    return Comparison(attribute=name, operator=operator, values=values)  # type: ignore[arg-type]


LEAVES = st.sampled_from(
    [
        compared("country", Operator.IN, "a"),
        compared("country", Operator.IN, "a", "b"),
        compared("country", Operator.EXISTS),
        compared("x", Operator.IN, "a", 1),
        compared("x", Operator.IN, "b", True),
        compared("x", Operator.PREFIX, "a"),
        compared("x", Operator.GE, 1),
        compared("x", Operator.LT, 2),
        compared("x", Operator.EXISTS),
        compared("version", Operator.SEMVER_GE, "1.0.0"),
        compared("version", Operator.SEMVER_LT, "2.0.0"),
    ]
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda each: All(tuple(each)))
        | st.lists(inner, min_size=1, max_size=3).map(lambda each: AnyOf(tuple(each)))
        | inner.map(Not)
    ),
    max_leaves=4,
)
POSITIONS = st.sampled_from([0, 1, 2_500, 5_000, 9_999, BASIS_POINTS])
MODEL = st.integers(0, len(MODELS) - 1)
SALTS = st.sampled_from(["s", "t", "layer:l"])
UNITS = st.sampled_from(["", "", "country", "x"])


@st.composite
def ab_rules(draw: st.DrawFn, number: int) -> AbRule:
    ends = sorted({*draw(st.lists(POSITIONS, max_size=2)), BASIS_POINTS} - {0})
    begin, end = sorted(draw(st.tuples(POSITIONS, POSITIONS)))
    return AbRule(
        source=source(f"test{number}"),
        test_id=str(number),
        salt=draw(SALTS),
        cells=tuple(Cell(number=n, end=end, model=draw(MODEL)) for n, end in enumerate(ends, start=1)),
        layer_salt=draw(st.sampled_from(["", "layer:l", "layer:m"])),
        layer_begin=begin,
        layer_end=end,
        eligible=draw(st.none() | CONDITIONS),
        unit=draw(UNITS),
    )


@st.composite
def tables(draw: st.DrawFn) -> ObjectiveTable:
    contexts = draw(st.lists(st.tuples(CONDITIONS, MODEL), max_size=2))
    shifts = draw(st.lists(st.tuples(SALTS, POSITIONS, MODEL, UNITS, st.none() | CONDITIONS), max_size=2))
    return replace(
        TABLE,
        models=MODELS,
        default_model=draw(MODEL),
        segments=(),
        ab_rules=tuple(draw(ab_rules(number)) for number in range(draw(st.integers(0, 2)))),
        context_rules=tuple(
            ContextRule(source=source(f"rule{n}"), when=when, model=model)
            for n, (when, model) in enumerate(contexts)
        ),
        shifts=tuple(
            ShiftRule(
                source=source(f"shift{n}"), salt=salt, basis_points=part, model=model, unit=unit, when=when
            )
            for n, (salt, part, model, unit, when) in enumerate(shifts)
        ),
    )


def named(*given: ObjectiveTable) -> frozenset[tuple[str, str]]:
    """Return the values that tables' conditions name: where they are hashed, their bucket is known."""
    pattern = r"attribute='(\w+)', operator=<Operator.(?:IN|GE|LT): '[^']*'>, values=(\(.*?\))"
    found = re.findall(pattern, repr(given))
    return frozenset((name, str(each)) for name, values in found for each in ast.literal_eval(values))


def context(values: Mapping[str, object], user: str = "u") -> RequestContext:
    fixed = {name: value for name, value in values.items() if name in FIXED_ATTRIBUTES}
    free = {name: value for name, value in values.items() if name not in fixed and value is not None}
    return RequestContext(user_id=user, **fixed, attributes=free)  # type: ignore[arg-type]


ONE_OF_EACH = [context(dict(zip(POOL, values, strict=True))) for values in product(*POOL.values())]


def classes(*given: ObjectiveTable) -> list[RequestContext]:
    """Return a context of each class that some tables may tell apart, without attributes that they don't."""
    text = repr(given)
    used = [name for name in POOL if f"attribute='{name}'" in text or f"unit='{name}'" in text]
    return [
        context(dict(zip(used, values, strict=True))) for values in product(*(POOL[name] for name in used))
    ]


def extremes(found: list[Mapping[object, Fraction]]) -> dict[object, tuple[Fraction, Fraction]]:
    keys = {key for each in found for key, share in each.items() if share}
    zero = Fraction(0)
    return {
        key: (min(each.get(key, zero) for each in found), max(each.get(key, zero) for each in found))
        for key in keys
    }


def told(shares: Mapping[object, Share]) -> dict[object, tuple[Fraction, Fraction]]:
    return {key: (share.least, share.most) for key, share in shares.items() if share.most}


def by_name(shares: TableShares) -> Mapping[object, Share]:
    return {(outcome.source.rule, outcome.cell): share for outcome, share in shares.outcomes.items()}


@given(tables())
@settings(max_examples=examples(60), deadline=None)
def test_shares_are_those_of_all_ranges_of_buckets_and_all_classes(table: ObjectiveTable) -> None:
    found = [brute_shares.shares(table, each, named(table)) for each in classes(table)]
    shares = shares_of(table)
    assert shares.counted == 0
    assert told(by_name(shares)) == extremes([outcomes for outcomes, _ in found])
    assert told(shares.models) == extremes([models for _, models in found])


@given(tables(), tables(), st.booleans())
@settings(max_examples=examples(40), deadline=None)
def test_moves_are_those_of_all_ranges_and_classes(
    one: ObjectiveTable, other: ObjectiveTable, alike: bool
) -> None:
    if alike:  # they begin with the same rules
        other = replace(one, shifts=other.shifts, default_model=other.default_model)
    found = [brute_shares.moves(one, other, each, named(one, other)) for each in classes(one, other)]
    moves = moves_between(one, other)
    assert moves.counted == 0
    expected = extremes(
        [{(MODELS[a].name, MODELS[b].name): share for (a, b), share in each.items()} for each in found]
    )
    by_names = {(move.before.name, move.after.name): move.share for move in moves.moves}
    assert told(by_names) == expected
    together = [sum(each.values(), Fraction(0)) for each in found]
    assert (moves.together.least, moves.together.most) == (min(together), max(together))


@given(anything.tables(), anything.contexts)
@settings(max_examples=examples(200), deadline=None)
def test_whoever_is_decided_on_was_said_to_be_possible(table: ObjectiveTable, asked: RequestContext) -> None:
    """With every operator there is, on values of every type."""
    asked = replace(asked, allocations={})
    answer = Resolver(table).resolve(asked)
    cell = answer.allocations[0].cell if answer.allocations else 0
    shares = shares_of(table)
    most = [
        share.most
        for outcome, share in shares.outcomes.items()
        if (outcome.reason, outcome.source, outcome.cell) == (answer.reason, answer.source, cell)
        and table.models[outcome.model] == answer.target
    ]
    assert max(most) > 0


def only_for(table: ObjectiveTable, asked: RequestContext) -> ObjectiveTable:
    """Return the table as it is for one context: every condition is decided."""

    def decided(condition: Condition | None) -> bool:
        return condition is None or compile_condition(condition)(asked)

    return replace(
        table,
        ab_rules=tuple(replace(r, eligible=None) for r in table.ab_rules if decided(r.eligible)),
        context_rules=tuple(replace(r, when=All(())) for r in table.context_rules if decided(r.when)),
        shifts=tuple(replace(r, when=None) for r in table.shifts if decided(r.when)),
    )


@given(tables(), st.sampled_from(ONE_OF_EACH))
@settings(max_examples=examples(20), deadline=None)
def test_counting_users_confirms_it(table: ObjectiveTable, asked: RequestContext) -> None:
    """In one class of contexts; a share is off by more than 5.5 standard deviations once in ten million."""
    users = 4_000
    table = replace(
        table,
        ab_rules=tuple(replace(rule, unit="", salt=f"s{n}") for n, rule in enumerate(table.ab_rules)),
        shifts=tuple(replace(rule, unit="", salt=f"t{n}") for n, rule in enumerate(table.shifts)),
    )
    resolver = Resolver(table)
    answers = (resolver.resolve(replace(asked, user_id=f"user-{n}")).target.name for n in range(users))
    counted = Counter(answers)
    found = shares_of(only_for(table, asked)).models
    shares = {table.models[model].name: share for model, share in found.items()}
    assert counted.keys() <= shares.keys()
    for name, share in shares.items():
        assert share.least == share.most
        expected = float(share.most)
        assert abs(counted[name] / users - expected) <= 5.5 * math.sqrt(expected * (1 - expected) / users)


def mean_share(table: ObjectiveTable) -> Mapping[int, Fraction]:
    """Return the share of each model, exactly, of users who have each class equally often."""
    space = Space([table])
    steps = steps_of(table, space)
    walk = Walk(space, steps)
    whole = everybody(len(salts_of(steps))).size
    found: Counter[int] = Counter()
    for region in walk.regions(steps, space.everyone, walk.start):
        sides = zip(region.box, space.everyone, strict=True)
        part = math.prod((Fraction(bits.bit_count(), every.bit_count()) for bits, every in sides), start=1)
        for each in region.decided:
            found[each.outcome.model] += part * Fraction(each.buckets.size, whole)
    return found


def test_the_exact_share_is_in_the_interval_as_often_as_promised() -> None:
    """Of tables whose walk is cut short, so that users are counted; the tables are the same each time."""
    inside = []

    @seed(1)
    @settings(max_examples=120, deadline=None, database=None, phases=[Phase.generate])
    @given(tables())
    def count(table: ObjectiveTable) -> None:
        counted = shares_of(table, looks=0)
        assert counted.counted == FEWEST_USERS
        exact = mean_share(table)
        assert exact.keys() <= counted.models.keys()
        for model, share in counted.models.items():
            if 0 < exact.get(model, 0) < 1:
                inside.append(share.least <= exact[model] <= share.most)
            else:
                assert exact.get(model, 0) in {share.least, share.most}

    count()
    assert len(inside) > 150
    outside, promised = inside.count(False), (1 - CONFIDENCE) * len(inside)
    assert outside <= promised + 3 * math.sqrt(promised)  # an interval of 97% would have far more


@given(tables(), tables())
@settings(max_examples=20, deadline=None)
def test_who_moves_is_counted_where_there_are_too_many_regions(
    one: ObjectiveTable, other: ObjectiveTable
) -> None:
    exact, counted = moves_between(one, other), moves_between(one, other, looks=0)
    assert (exact.counted, counted.counted) == (0, FEWEST_USERS)
    seen = {(move.before.name, move.after.name) for move in counted.moves}
    assert seen <= {(move.before.name, move.after.name) for move in exact.moves}
    assert counted.together.least <= exact.together.most
    assert exact.together.least <= counted.together.most
    assert moves_between(one, one, looks=0).moves == ()


@pytest.mark.parametrize("users", [1, 7, 40])
def test_an_interval_has_the_share_as_often_as_promised(users: int) -> None:
    """Whatever the share is: the likelihood of all counts whose interval it is in."""
    intervals = [interval(hits, users) for hits in range(users + 1)]
    for share in (each / 100 for each in range(101)):
        likely = math.fsum(
            math.comb(users, hits) * share**hits * (1 - share) ** (users - hits)
            for hits, (least, most) in enumerate(intervals)
            if least <= share <= most
        )
        assert likely >= CONFIDENCE - 1e-12


def test_the_interval_of_many_users_is_narrow() -> None:
    least, most = interval(12_700, 100_000)
    assert (round(least, 4), round(most, 4)) == (0.1243, 0.1297)
    assert interval(0, 100_000) == (0, pytest.approx(0.000053, abs=1e-6))


def test_too_many_regions_are_counted_and_the_same_users_each_time() -> None:
    rules = tuple(
        ContextRule(
            source=source(f"rule{n}"),
            when=AnyOf(tuple(compared(f"a{(n * k) % 11}", Operator.GE, n) for k in range(1, 5))),
            model=n % 3,
        )
        for n in range(12)
    )
    table = replace(TABLE, context_rules=rules)
    part = shares_of(table, looks=300)
    whole = shares_of(table)
    assert (part.counted, whole.counted) == (1_704, 0)
    assert by_name(part) == by_name(shares_of(table, looks=300))
    assert part.models.keys() == whole.models.keys()
    changed = shares_of(replace(table, default_model=1), looks=300)
    assert by_name(part) != by_name(changed)  # others, for another content


def test_nothing_is_said_to_be_for_nobody_where_users_are_counted() -> None:
    """Though it is so rare that none of them meets it."""
    rare = All(tuple(compared(f"a{n}", Operator.IN, "x") for n in range(12)))
    table = replace(
        TABLE, ab_rules=(), context_rules=(ContextRule(source=source("r"), when=rare, model=1),), shifts=()
    )
    assert shares_of(table, looks=0).models[1].least == 0
    assert never_of(table, 0) == ((), None)


def test_a_cell_of_several_ranges_is_one_outcome() -> None:
    ranges = ((1, 1_000), (2, 4_000), (1, 6_000), (3, 9_000), (2, 10_000))
    cells = tuple(Cell(number=number, end=end, model=number) for number, end in ranges)
    rule = replace(TABLE.ab_rules[0], layer_salt="", eligible=None, cells=cells)
    found = shares_of(replace(TABLE, ab_rules=(rule,), context_rules=(), shifts=()))
    of_cells = {
        outcome.cell: (outcome.weight, share.least, share.most)
        for outcome, share in found.outcomes.items()
        if outcome.cell
    }
    thirty, forty = Fraction(3, 10), Fraction(4, 10)
    assert of_cells == {1: (3_000, thirty, thirty), 2: (4_000, forty, forty), 3: (3_000, thirty, thirty)}


def test_a_unit_that_has_one_value_has_one_bucket() -> None:
    """All of a country is in one bucket by country: it is shifted as a whole, or not at all."""
    found = set()
    for country in ("FR", "DE", "NO", "US"):
        only = compared("country", Operator.IN, country)
        shift = ShiftRule(
            source=source("s"), salt="s", basis_points=5_000, model=1, unit="country", when=only
        )
        shares = shares_of(replace(TABLE, ab_rules=(), context_rules=(), shifts=(shift,)))
        share = by_name(shares)["s", 0].most
        assert share == (bucket("s", country) < 5_000)
        found.add(share)
    assert found == {0, 1}


def test_cells_beyond_a_layer_of_the_same_salt_are_for_nobody() -> None:
    (rule,) = TABLE.ab_rules
    rule = replace(rule, salt=rule.layer_salt, layer_begin=0, layer_end=3_400)
    (never,), _ = never_of(replace(TABLE, ab_rules=(rule,), shifts=(), context_rules=()), MAX_LOOKS)
    assert (never.whole, never.instead) == (False, ())
    assert [outcome.cell for outcome in never.outcomes] == [2, 3]


def test_a_cell_with_several_ranges_of_buckets_is_one() -> None:
    (rule,) = TABLE.ab_rules
    cells = tuple(
        Cell(number=n, end=end, model=n) for n, end in ((1, 2_000), (2, 4_000), (1, 5_000), (3, 10_000))
    )
    rule = replace(rule, salt=rule.layer_salt, layer_begin=2_000, layer_end=4_000, cells=cells, eligible=None)
    (never,), _ = never_of(replace(TABLE, ab_rules=(rule,), shifts=(), context_rules=()), MAX_LOOKS)
    assert [outcome.cell for outcome in never.outcomes] == [1, 3]
