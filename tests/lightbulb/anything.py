"""Strategies: conditions of every kind, contexts that meet them now and then, tables."""

from hypothesis import strategies as st

from lightbulb.model import (
    BASIS_POINTS,
    FIXED_ATTRIBUTES,
    AbRule,
    All,
    AmongUsers,
    AnyOf,
    Cell,
    Comparison,
    Condition,
    ContextRule,
    InSegment,
    Not,
    ObjectiveTable,
    Operator,
    RequestContext,
    Segment,
    ShiftRule,
)
from tests.lightbulb.tables import MODELS, OBJECTIVE, source

PLAIN = ("", "a", "ab", "b", "B", "Ab", "ß", "SS", "1", "True")
RELEASES = ("1.2.3", "1.2.4", "2.0.0", "v1.2", "0.2.5", "0.0.3")
PRE_RELEASES = ("1.2.3-rc.1", "1.3.0-rc.1", "2.0.0-rc.1")
DAYS = ("2026-01-30", "2026-01-31", "2026-02-01")
TIMES = ("2026-01-31 00:00:00Z", "2026-01-31T00:30:01Z", "2026-01-31T09:00:00")
ADDRESSES = ("10.1.2.3", "11.0.0.1", "2001:db8::1", "::1", "10.1.2")
TEXTS = (*PLAIN, *RELEASES, *PRE_RELEASES, *DAYS, *TIMES, *ADDRESSES)
texts = st.sampled_from(TEXTS)
numbers = st.sampled_from([0, 1, 1.0, 2.5, -3, float("inf")])
NAN = float("nan")
values = texts | numbers | st.booleans()
lists = st.lists(values | st.just(NAN), max_size=3).map(tuple)
others = st.sampled_from(["x", "y"])
names = st.sampled_from(FIXED_ATTRIBUTES) | others
users = st.sampled_from(["u1", "u2", "u3", "u4"])
units = st.just("") | names

NUMERIC = (Operator.LT, Operator.LE, Operator.GT, Operator.GE)
SEMVER = tuple(operator for operator in Operator if operator.name.startswith("SEMVER"))


def comparisons(operators: tuple[Operator, ...], few: st.SearchStrategy) -> st.SearchStrategy[Comparison]:
    return st.builds(
        lambda name, operator, given: Comparison(attribute=name, operator=operator, values=tuple(given)),
        names,
        st.sampled_from(operators),
        few,
    )


IGNORING_CASE = tuple(operator for operator in Operator if operator.name.endswith("IGNORING_CASE"))
VERSIONS = tuple(operator for operator in Operator if operator.name.startswith("VERSION"))
SIZES = tuple(operator for operator in Operator if operator.name.startswith("SIZE"))
PARTS = (Operator.PREFIX, Operator.SUFFIX, Operator.CONTAINS, *IGNORING_CASE)
bounds = st.sampled_from(["1.2.3", "1.2.3-rc.2", "1.2.0", "2.0.0", "0.2.1", "0.0.3"])
patterns = st.sampled_from(["^a", "b$", "(a|1)b?$", "^[0-9.]+$", "^$"])
dates = st.sampled_from(["2026-01-31", "2026-01-31T00:00:00Z", "2026-01-31T01:30:00.5+01:00"])
networks = st.sampled_from(["10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "0.0.0.0/0"])

leaves = (
    comparisons((Operator.IN,), st.lists(texts, max_size=3) | st.lists(values, max_size=3))
    | comparisons(PARTS, st.lists(texts, min_size=1, max_size=2))
    | comparisons((Operator.MATCHES,), st.lists(patterns, min_size=1, max_size=2))
    | comparisons((Operator.BEFORE, Operator.AFTER), st.tuples(dates))
    | comparisons((Operator.IN_NETWORK,), st.lists(networks, min_size=1, max_size=2))
    | comparisons((Operator.HAS_ANY, Operator.HAS_ALL), st.lists(values, min_size=1, max_size=3))
    | comparisons(SIZES, st.tuples(st.integers(0, 3)))
    | comparisons(NUMERIC, st.tuples(numbers | st.booleans()))
    | comparisons(SEMVER + VERSIONS, st.tuples(bounds))
    | comparisons((Operator.EXISTS,), st.just(()))
    | st.frozensets(users, max_size=3).map(AmongUsers)
)


def nested(leaf: st.SearchStrategy[Condition], max_leaves: int = 8) -> st.SearchStrategy[Condition]:
    """Return conditions that are made of `leaf`."""
    return st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner, max_size=4).map(lambda several: All(tuple(several)))
            | st.lists(inner, max_size=4).map(lambda several: AnyOf(tuple(several)))
            | inner.map(Not)
        ),
        max_leaves=max_leaves,
    )


conditions = nested(leaves)


@st.composite
def segments(draw: st.DrawFn) -> tuple[Segment, ...]:
    """Return segments of which each may use those before it."""
    found: tuple[Segment, ...] = ()
    for number in range(draw(st.integers(0, 3))):
        found += (Segment(name=f"s{number}", when=draw(nested(leaves_with(found), 4))),)
    return found


def leaves_with(known: tuple[Segment, ...]) -> st.SearchStrategy[Condition]:
    """Return leaves of conditions of which half use one of the segments that are known, if any are."""
    if not known:
        return leaves
    used = st.sampled_from([InSegment(each.name) for each in known])
    return st.booleans().flatmap(lambda uses: used if uses else leaves)


TESTS = ("1", "2")
contexts = st.builds(
    RequestContext,
    user_id=st.text(min_size=1, max_size=8) | users,
    **dict.fromkeys(FIXED_ATTRIBUTES, texts),
    attributes=st.dictionaries(others, values | st.just(NAN) | lists),
    allocations=st.just({}) | st.dictionaries(st.sampled_from((*TESTS, "3")), st.integers(1, 4)),
) | st.builds(RequestContext, user_id=st.text(min_size=1, max_size=8))

positions = st.integers(0, BASIS_POINTS)
models = st.integers(0, len(MODELS) - 1)


@st.composite
def ab_rules(draw: st.DrawFn, test_id: str, conditions: st.SearchStrategy[Condition]) -> AbRule:
    ends = sorted({*draw(st.lists(positions, max_size=3)), BASIS_POINTS})
    begin, end = sorted(draw(st.tuples(positions, positions)))
    return AbRule(
        source=source(test_id),
        test_id=test_id,
        salt=f"ab:{test_id}",
        cells=tuple(Cell(number=n, end=end, model=draw(models)) for n, end in enumerate(ends, start=1)),
        layer_salt=draw(st.sampled_from(["", "layer:l"])),
        layer_begin=begin,
        layer_end=end,
        eligible=draw(st.none() | conditions),
        unit=draw(units),
    )


@st.composite
def tables(draw: st.DrawFn) -> ObjectiveTable:
    own = draw(segments())
    conditions = nested(leaves_with(own))
    shifts = st.builds(
        ShiftRule,
        source=st.just(source("s")),
        salt=st.sampled_from(["s", "t"]),
        basis_points=st.just(BASIS_POINTS) | positions,
        model=models,
        unit=units,
        when=st.none() | conditions,
    )
    rules = st.builds(ContextRule, source=st.just(source("c")), when=conditions, model=models)
    return ObjectiveTable(
        objective=OBJECTIVE,
        input_type="T",
        cache_lifetime=60.0,
        deadline=0.0,
        models=MODELS,
        default_model=draw(models),
        default_source=source("d"),
        ab_rules=tuple(draw(ab_rules(test_id, conditions)) for test_id in TESTS[: draw(st.integers(0, 2))]),
        context_rules=tuple(draw(st.lists(rules, max_size=2))),
        shifts=tuple(draw(st.lists(shifts, max_size=2))),
        segments=own,
    )
