"""Conditions compare as an author would expect, and overlap is proven only when it is certain."""

import sys
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightbulb.model import (
    FIXED_ATTRIBUTES,
    All,
    AmongUsers,
    AnyOf,
    Comparison,
    Condition,
    InSegment,
    Not,
    Operator,
    RequestContext,
    Segment,
    Value,
)
from lightbulb.resolution import patterns
from lightbulb.resolution.bad_value import BadValue
from lightbulb.resolution.conditions import compile_condition, compile_segments
from lightbulb.resolution.dates import instant
from lightbulb.resolution.operators import OPERATORS, Kind, Takes
from lightbulb.resolution.overlap import apart, disjoint, possible, possible_segments
from lightbulb.resolution.versions import lenient_key, semver_key
from tests.depth import examples
from tests.lightbulb import anything, naive


def compare(attribute: str, operator: Operator, *values: Value) -> Comparison:
    return Comparison(attribute=attribute, operator=operator, values=values)


def isin(attribute: str, *values: Value) -> Comparison:
    return compare(attribute, Operator.IN, *values)


CONTEXT = RequestContext(
    user_id="u",
    country="US",
    device="tv-roku",
    attributes={"age": 30, "score": 0.5, "kid": True, "plan": "premium", "version": "4.10.0-rc.1"},
)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (isin("country", "CA", "US"), True),
        (isin("country", "us"), False),
        (isin("locale", ""), False),  # empty is absent
        (isin("kid", True), True),
        (isin("kid", 1), False),
        (isin("age", True), False),
        (isin("age", 30.0), True),
        (compare("device", Operator.PREFIX, "phone", "tv-"), True),
        (compare("age", Operator.PREFIX, "3"), False),
        (compare("age", Operator.GE, 30), True),
        (compare("age", Operator.GT, 30), False),
        (compare("score", Operator.LT, 0.6), True),
        (compare("score", Operator.LE, 0.4), False),
        (compare("kid", Operator.GE, 0), False),
        (compare("plan", Operator.GE, 0), False),
        (compare("version", Operator.SEMVER_LT, "4.10.0"), True),
        (compare("version", Operator.SEMVER_GT, "4.9.0"), True),
        (compare("version", Operator.SEMVER_EQ, "4.10.0-rc.1+build"), True),
        (compare("plan", Operator.SEMVER_GE, "0.0.0"), False),
        (compare("absent", Operator.EXISTS), False),
        (compare("plan", Operator.EXISTS), True),
        (All(()), True),
        (AnyOf(()), False),
        (Not(isin("absent", "x")), True),
        (All((isin("country", "US"), AnyOf((isin("plan", "basic"), isin("kid", True))))), True),
    ],
)
def test_a_condition_holds_or_not(condition: Condition, expected: bool) -> None:
    assert compile_condition(condition)(CONTEXT) is expected


@given(anything.conditions, st.lists(anything.contexts, min_size=1, max_size=10))
@settings(max_examples=examples(300))
def test_a_compiled_condition_holds_where_the_condition_does(
    condition: Condition, several: list[RequestContext]
) -> None:
    compiled = compile_condition(condition)
    for context in several:
        assert compiled(context) is naive.holds(condition, context)


SCALARS = (*anything.TEXTS, 0, 1, 2.5, True, False, anything.NAN)
LISTS = ((), ("a",), ("a", "b"), (1, True, "1"), ("a", "a", anything.NAN))
BOUNDS: Mapping[Kind, tuple[Value, ...]] = {
    Kind.TEXT: ("a", "SS", "^a", "2026-01-31", "10.0.0.0/8", "1.2.3", "0.2.1", "0.0.3", "2.0.0-rc.1"),
    Kind.NUMBER: (0, 1, 2),
    Kind.SCALAR: ("a", 1, True),
}


@pytest.mark.parametrize("operator", Operator)
def test_every_operator_is_what_the_document_says(operator: Operator) -> None:
    """Every bound that it takes against every value; it holds for some, and for others not."""
    form, outcomes = OPERATORS[operator], set()
    for bound in BOUNDS[form.kind] if form.takes is not Takes.NONE else (None,):
        comparison = compare("x", operator, *(() if bound is None else (bound,)))
        try:
            compiled = compile_condition(comparison)
        except BadValue:
            continue  # a date is no network
        for value in (*SCALARS, *LISTS):
            context = RequestContext(user_id="u", attributes={"x": value})
            assert compiled(context) is naive.holds(comparison, context), (comparison, value)
            outcomes.add(compiled(context))
        outcomes.add(compiled(RequestContext(user_id="u")))
    assert outcomes == {True, False}


@pytest.mark.parametrize("name", FIXED_ATTRIBUTES)
def test_every_field_is_an_attribute_of_its_own(name: str) -> None:
    context = RequestContext(user_id="u", **{name: "here"})
    assert compile_condition(isin(name, "here", "there"))(context) is True
    assert compile_condition(Not(isin(name, "here", "there")))(context) is False
    for other in FIXED_ATTRIBUTES:
        assert compile_condition(compare(other, Operator.EXISTS))(context) is (other == name)


def test_semantic_versions_order_as_their_specification_says() -> None:
    ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"]
    ordered += ["1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "2.0.0", "2.1.0", "2.1.1", "10.0.0"]
    keys = [semver_key(text) for text in ordered]
    assert None not in keys
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "v1.2.3", "1.2.3.4"]
)
def test_what_is_no_semantic_version_has_no_key(text: str) -> None:
    assert semver_key(text) is None


@pytest.mark.parametrize(
    ("text", "same"),
    [("5.1", "5.1.0"), ("v5.1", "5.1.0"), ("V5", "5.0.0"), ("5.01", "5.1.0"), ("v5-rc.1+b", "5.0.0-rc.1")],
)
def test_a_version_of_a_client_counts_as_a_complete_one(text: str, same: str) -> None:
    assert lenient_key(text) == semver_key(same) is not None
    assert semver_key(text) is None


@pytest.mark.parametrize("text", ["", "v", "5.", "5.1.2.3", " 5.1", "5.1-", "5.1-a..b", "five"])
def test_what_is_no_version_of_a_client_has_no_key(text: str) -> None:
    assert lenient_key(text) is None


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-01-31", "2026-01-31T00:00:00Z"),
        ("2026-01-31T09:00:00+01:00", "2026-01-31T08:00:00Z"),
        ("2026-01-31t09:00:00.250z", "2026-01-31T08:30:00.25-00:30"),
        ("2026-01-31 09:00:00Z", "2026-01-31T09:00:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
    ],
)
def test_dates_are_instants(text: str, same: str) -> None:
    assert instant(text) == instant(same) is not None


def test_instants_are_counted_from_1970() -> None:
    assert instant("1970-01-01") == 0
    assert instant("2001-09-09T01:46:40.000000001Z") == 10**18 + 1
    assert instant("1969-12-31T23:59:59Z") == -(10**9)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-02-30", "0000-01-01", "2026-1-31", "2026-01-31 ", "1769850000", "2026-01-31T09:00Z"),
        *("2026-01-31T09:00:00", "2026-01-31T24:00:00Z", "2026-01-31T09:00:00+24:00"),
        "2026-01-31T09:00:00.1234567890Z",
    ],
)
def test_what_is_no_date_is_no_instant(text: str) -> None:
    assert instant(text) is None


@pytest.mark.parametrize(
    ("network", "text", "expected"),
    [
        ("10.0.0.0/8", "10.255.255.255", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("10.0.0.0/8", "::ffff:10.1.1.1", True),
        ("10.0.0.0/8", "::a01:101", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("::/0", "10.1.2.3", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("0.0.0.0/0", "010.1.2.3", False),
        ("0.0.0.0/0", "10.1.2.3:80", False),
        ("0.0.0.0/0", "1" * 100_000, False),
    ],
)
def test_an_address_is_in_a_network_or_not(network: str, text: str, expected: bool) -> None:
    holds = compile_condition(compare("x", Operator.IN_NETWORK, network))
    assert holds(RequestContext(user_id="u", attributes={"x": text})) is expected


def test_half_a_character_matches_as_another_would() -> None:
    holds = compile_condition(compare("x", Operator.MATCHES, "^a.b$"))
    assert holds(RequestContext(user_id="u", attributes={"x": "a\ud800b"}))


def test_without_re2_a_table_with_a_pattern_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are as they were."""
    patterns._library.cache_clear()
    patterns._options.cache_clear()
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(BadValue, match="`matches` needs google-re2"):
        compile_condition(compare("x", Operator.MATCHES, "^a"))
    compile_condition(compare("x", Operator.PREFIX, "a"))


@pytest.mark.parametrize(
    "condition", [compare("a", Operator.LT, "x"), compare("a", Operator.SEMVER_GE, "one")]
)
def test_a_comparison_with_a_bad_bound_is_refused(condition: Comparison) -> None:
    with pytest.raises(ValueError, match="not"):
        compile_condition(condition)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (isin("country", "US"), isin("country", "CA"), True),
        (isin("country", "US", "CA"), isin("country", "CA"), False),
        (isin("country", "US"), isin("device", "tv"), False),
        (isin("country", "US"), Not(isin("country", "US", "CA")), True),
        (Not(isin("country", "US")), Not(isin("country", "CA")), False),
        (All((isin("country", "US"), isin("device", "tv"))), isin("device", "phone"), True),
        (AnyOf((isin("country", "US"), isin("country", "CA"))), isin("country", "MX"), True),
        (AnyOf((isin("country", "US"), isin("device", "tv"))), isin("country", "MX"), False),
        (Not(AnyOf((isin("country", "US"), isin("device", "tv")))), isin("country", "US"), True),
        (Not(All((isin("country", "US"), isin("device", "tv")))), isin("country", "US"), False),
        (compare("device", Operator.PREFIX, "tv"), compare("device", Operator.PREFIX, "phone"), True),
        (compare("device", Operator.SUFFIX, "tv"), compare("device", Operator.SUFFIX, "phone"), False),
    ],
)
def test_overlap_is_ruled_out_only_when_certain(one: Condition, other: Condition, expected: bool) -> None:
    assert disjoint(one, other) is expected
    assert disjoint(other, one) is expected


countries = st.sampled_from(["US", "CA", "FR"])
leaves = st.builds(lambda values: isin("country", *values), st.lists(countries, max_size=3)) | st.builds(
    lambda values: isin("device", *values), st.lists(st.sampled_from(["tv", "phone"]), max_size=2)
)
conditions = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda c: All(tuple(c)))
        | st.lists(inner, max_size=3).map(lambda c: AnyOf(tuple(c)))
        | inner.map(Not)
    ),
    max_leaves=6,
)
contexts = [
    RequestContext(user_id="u", country=country, device=device)
    for country in ("", "US", "CA", "FR", "MX")
    for device in ("", "tv", "phone", "web")
]


@given(conditions, conditions)
def test_disjoint_conditions_never_both_hold(one: Condition, other: Condition) -> None:
    if disjoint(one, other):
        first, second = compile_condition(one), compile_condition(other)
        assert not any(first(context) and second(context) for context in contexts)


@given(st.data())
def test_disjoint_conditions_on_segments_and_users_never_both_hold(data: st.DataObject) -> None:
    own = data.draw(anything.segments())
    one, other = data.draw(st.tuples(*[anything.nested(anything.leaves_with(own), 5)] * 2))
    sides, predicates = possible_segments(own), compile_segments(own)
    if apart(possible(one, sides), possible(other, sides)):
        first, second = compile_condition(one, predicates), compile_condition(other, predicates)
        for context in data.draw(st.lists(anything.contexts, min_size=10, max_size=10)):
            assert not (first(context) and second(context))


IN, OUT = InSegment("s"), Not(InSegment("s"))
USERS = [AmongUsers(frozenset(users)) for users in ({"u1", "u2"}, {"u2", "u3"}, {"u3"})]
SEGMENTS = (
    Segment(name="s", when=AnyOf((USERS[0], compare("age", Operator.GE, 40)))),
    Segment(name="t", when=IN),
)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (IN, OUT, True),
        (IN, IN, False),
        (InSegment("t"), OUT, True),
        (Not(InSegment("t")), IN, True),
        (OUT, USERS[0], True),
        (OUT, USERS[1], False),
        (USERS[0], USERS[2], True),
        (USERS[0], USERS[1], False),
        (USERS[0], Not(AnyOf((USERS[0], USERS[1]))), True),
        (InSegment("unknown"), OUT, False),
    ],
)
def test_segments_and_users_exclude_each_other_visibly(
    one: Condition, other: Condition, expected: bool
) -> None:
    sides = possible_segments(SEGMENTS)
    assert apart(possible(one, sides), possible(other, sides)) is expected
    assert apart(possible(other, sides), possible(one, sides)) is expected


def test_a_condition_on_a_segment_that_isnt_there_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no segment s"):
        compile_condition(IN)
