"""Conditions compare as an author would expect, and overlap is proven only when it is certain."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightbulb.model import (
    FIXED_ATTRIBUTES,
    All,
    AnyOf,
    Comparison,
    Condition,
    Not,
    Operator,
    RequestContext,
    Value,
)
from lightbulb.resolution.bad_value import BadValue
from lightbulb.resolution.conditions import attributes_of, compile_condition
from lightbulb.resolution.operators import OPERATORS, Kind, Takes
from lightbulb.resolution.overlap import disjoint
from lightbulb.resolution.versions import semver_key
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
@settings(max_examples=300)
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
        (compare("device", Operator.PREFIX, "tv"), compare("device", Operator.PREFIX, "phone"), False),
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


def test_attributes_are_found_wherever_they_stand() -> None:
    condition = All((isin("a", 1), Not(AnyOf((isin("b", 1), compare("c", Operator.EXISTS))))))
    assert list(attributes_of(condition)) == ["a", "b", "c"]
