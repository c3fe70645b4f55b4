"""What is called disjoint never holds together, whatever the comparisons; what an author sees is found."""

import math
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.model import (
    FIXED_ATTRIBUTES,
    All,
    AnyOf,
    AttributeValue,
    Comparison,
    Condition,
    Not,
    Operator,
    RequestContext,
    Value,
)
from lightbulb.resolution.conditions import compile_condition
from lightbulb.resolution.operators import value_test
from lightbulb.resolution.overlap import apart, disjoint, in_orders, may_overlap, possible
from lightbulb.resolution.ranges import EVERYTHING, Ranges, compared, in_any, meeting

TEXTS = (
    *("", "5", "tv", "tv-1", "TV-2", "phone", "STRASSE", "straße", "zz", "t\U0010ffff", "\U0010ffff"),
    *(
        "v5.1",
        "5.0.9",
        "5.1.0-rc.1",
        "5.1.0",
        "5.1.7",
        "5.2.0",
        "6.0.0-a",
        "6.0.0",
        "6.0.1",
        "6.1.0",
        "7.0.0",
    ),
    *("5.1.0-rc.2", "0.2.9", "0.3.0", "0.3.1", "0.4.0", "0.0.2", "0.0.3", "0.0.4"),
    *("2026-01-30", "2026-01-31", "2026-01-31T05:00:00+01:00", "2026-01-31T08:00:00Z", "2026-02-01"),
    *("10.1.2.3", "11.0.0.0"),
)
NUMBERS = (-1, 0, 1, 4.5, 4.75, 5, 5.5, 6, 2**60, math.inf, math.nan)
VALUES: tuple[AttributeValue | None, ...] = (
    *(None, True, False, *NUMBERS, *TEXTS),
    *((), ("a",), ("a", "b"), ("a", "b", 1)),
)

TAKE: dict[tuple[Operator, ...], tuple[tuple[Value, ...], ...]] = {
    (Operator.IN,): ((5,), ("tv", "5.1.0", 1), ("phone", True), ("2026-01-31",), (4.5, 6)),
    (Operator.IN_IGNORING_CASE,): (("TV",), ("strasse", "zz")),
    (Operator.PREFIX,): (("tv",), ("ph", "z"), ("t",), ("5.1",), ("t\U0010ffff",), ("\U0010ffff",), ("",)),
    (Operator.PREFIX_IGNORING_CASE,): (("TV",), ("straß", "Ph"), ("",)),
    (Operator.SUFFIX, Operator.CONTAINS, Operator.SUFFIX_IGNORING_CASE): (("1",),),
    (Operator.CONTAINS_IGNORING_CASE, Operator.MATCHES): (("v",),),
    (Operator.IN_NETWORK,): (("10.0.0.0/8",),),
    (Operator.LT, Operator.LE, Operator.GT, Operator.GE): ((5,), (4.5,), (math.inf,), (math.nan,)),
    (Operator.BEFORE, Operator.AFTER): (("2026-01-31",), ("2026-01-31T08:00:00Z",)),
    tuple(each for each in Operator if "SIZE" in each.name): ((1,), (2,), (0,)),
    tuple(each for each in Operator if "VER_" in each.name or "VERSION_" in each.name): (
        *(("5.1.0",), ("5.1.0-rc.1",), ("6.0.0",), ("0.3.0",), ("0.0.3",)),
    ),
    (Operator.HAS_ANY, Operator.HAS_ALL): (("b",),),
    (Operator.EXISTS,): ((),),
}
COMPARISONS = [
    Comparison(attribute="x", operator=operator, values=values)
    for operators, taken in TAKE.items()
    for operator in operators
    for values in taken
]

ORDERS: dict[str, list[str]] = {
    "numbers": ["<", "<=", ">", ">="],
    "versions": [f"semver {sign}" for sign in ("==", "<", "<=", ">", ">=", "~", "^")],
    "semantic versions": [f"strict semver {sign}" for sign in ("==", "<", "<=", ">", ">=", "~", "^")],
    "sizes": [f"size {sign}" for sign in ("==", "<", "<=", ">", ">=")],
    "dates": ["before", "after"],
    "beginnings": ["prefix"],
    "texts without case": ["prefix ignoring case", "in ignoring case"],
    "presence": ["exists"],
}


def of(value: AttributeValue | None, attribute: str = "x") -> RequestContext:
    if attribute in FIXED_ATTRIBUTES:
        return RequestContext(user_id="u", **{attribute: value or ""})  # type: ignore[arg-type] # a text
    return RequestContext(user_id="u", attributes={} if value is None else {attribute: value})


CONTEXTS = [of(value) for value in VALUES]


def held(condition: Condition) -> int:
    """Where a condition holds among all contexts, as bits."""
    test = compile_condition(condition)
    return sum(1 << at for at, context in enumerate(CONTEXTS) if test(context))


def test_what_is_disjoint_never_both_holds_and_each_kind_is_found() -> None:
    """All pairs of comparisons and their inverses, on every value; and within an order nothing is missed."""
    assert {each.operator for each in COMPARISONS} == set(Operator)
    order_of = {sign: name for name, signs in ORDERS.items() for sign in signs}
    cases = [(each, each.operator, condition) for each in COMPARISONS for condition in (each, Not(each))]
    holds = [held(condition) for _, _, condition in cases]
    found = set()
    for (one, first), (other, second) in combinations_with_replacement(zip(cases, holds, strict=True), 2):
        together = first & second
        certain = disjoint(one[2], other[2])
        assert not (certain and together), (one[2], other[2])
        orders = order_of.get(one[1].value), order_of.get(other[1].value)
        kinds = frozenset({(one[1], one[0] is one[2]), (other[1], other[0] is other[2])})
        if certain:
            found.add(kinds)
        elif (
            orders[0] is not None
            and orders[0] == orders[1]
            and not any(
                isinstance(value, float) and not math.isfinite(value)
                for each in (one, other)
                for value in each[0].values
            )
        ):
            assert together, (one[2], other[2])
    for name, signs in ORDERS.items():
        for operator in map(Operator, signs):
            assert frozenset({(operator, True), (operator, False)}) in found, name  # it, and its inverse
    for one, other in (
        (Operator.IN, Operator.LT),
        (Operator.IN, Operator.PREFIX),
        (Operator.IN, Operator.PREFIX_IGNORING_CASE),
        (Operator.IN, Operator.BEFORE),
        (Operator.IN, Operator.VERSION_GE),
        (Operator.IN, Operator.HAS_ANY),
        (Operator.PREFIX, Operator.PREFIX),
        (Operator.PREFIX, Operator.IN_IGNORING_CASE),
        (Operator.SEMVER_LT, Operator.VERSION_GT),
        (Operator.LT, Operator.CONTAINS),
        (Operator.SIZE_GT, Operator.MATCHES),
        (Operator.BEFORE, Operator.GE),
    ):
        assert frozenset({(one, True), (other, True)}) in found, (one, other)


nested = st.recursive(
    st.sampled_from(COMPARISONS),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: All(tuple(parts)))
        | st.lists(inner, max_size=3).map(lambda parts: AnyOf(tuple(parts)))
        | inner.map(Not)
    ),
    max_leaves=6,
)


@given(st.lists(nested, min_size=2, max_size=6))
def test_nested_conditions_that_are_disjoint_never_both_hold(conditions: list[Condition]) -> None:
    """By pairs, and by the index of all of them."""
    sets = in_orders([possible(each) for each in conditions])
    masks = may_overlap(sets)
    holds = [held(each) for each in conditions]
    for at, one in enumerate(conditions):
        for place, other in enumerate(conditions[:at]):
            mine, theirs = sets[at], sets[place]
            assert mine is not None
            assert theirs is not None
            may = masks[at] >> place & 1 and masks[place] >> at & 1
            if disjoint(one, other) or apart(mine, theirs) or not may:
                assert not holds[at] & holds[place]


@given(st.sampled_from(COMPARISONS), st.sampled_from(COMPARISONS), st.booleans())
def test_a_fixed_attribute_that_is_empty_is_absent(one: Comparison, other: Comparison, negated: bool) -> None:
    def on_device(each: Comparison) -> Comparison:
        return Comparison(attribute="device", operator=each.operator, values=each.values)

    first = on_device(one)
    second = Not(on_device(other)) if negated else on_device(other)
    if disjoint(first, second):
        tests = compile_condition(first), compile_condition(second)
        contexts = [of(text, "device") for text in TEXTS]
        assert not any(tests[0](each) and tests[1](each) for each in contexts)


@pytest.mark.parametrize("values", [("x",), (), (math.nan,)])
def test_a_bad_value_says_nothing_of_an_order(values: tuple[Value, ...]) -> None:
    """Whoever checks it, names it."""
    for operator in Operator:
        possible(Not(Comparison(attribute="x", operator=operator, values=values)))
        possible(Comparison(attribute="x", operator=operator, values=values))


cuts = st.integers(0, 6)
ranges = st.builds(
    lambda begins, outside: in_any(
        [Ranges((), outside), *(Ranges(((min(b), 0), (max(b), 1))) for b in begins)]
    ),
    st.lists(st.tuples(cuts, cuts), max_size=3),
    st.booleans(),
) | st.builds(compared, st.sampled_from(["<", "<=", ">", ">=", "=="]), cuts)


def members(each: Ranges) -> set[float | None]:
    """Its whole and half numbers; None: what is outside."""
    inside = {
        value / 2
        for value in range(-1, 14)
        for begin, end in each.parts()
        if begin <= (value / 2, 0) and (end is None or (value / 2, 1) <= end)
    }
    return inside | ({None} if each.outside else set())


@given(st.lists(ranges, min_size=1, max_size=5))
def test_the_index_of_ranges_finds_exactly_those_that_meet(sets: list[Ranges]) -> None:
    masks = meeting([(each, 1 << at) for at, each in enumerate(sets)])
    for at, one in enumerate(sets):
        assert members(one.inverse()) == members(EVERYTHING) - members(one)
        for place, other in enumerate(sets):
            meets = bool(members(one) & members(other))
            assert one.meets(other) is meets
            assert bool(masks[at] >> place & 1) is meets
            assert members(in_any((one, other))) == members(one) | members(other)


def test_what_the_values_here_are_is_decided_by_the_resolver() -> None:
    """Each operator is true of some of them, and false of some that are there."""
    for operator in Operator:
        tests = [value_test(each) for each in COMPARISONS if each.operator is operator]
        assert any(test(value) for test in tests for value in VALUES if value is not None), operator
