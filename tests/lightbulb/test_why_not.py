"""An explanation says which part of a condition fails, and what was compared with what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.model import (
    All,
    AmongUsers,
    AnyOf,
    Comparison,
    Condition,
    InSegment,
    Not,
    Operator,
    RequestContext,
)
from lightbulb.resolution.conditions import compile_condition, compile_segments
from lightbulb.resolution.why_not import MAX_PARTS, MAX_TEXT, why_not
from tests.lightbulb.anything import conditions, contexts, leaves_with, nested, segments

CONTEXT = RequestContext(user_id="u", country="US", attributes={"age": 17, "app": "5.1.0"})
FRENCH = Comparison(attribute="country", operator=Operator.IN, values=("FR", "BE"))
ADULT = Comparison(attribute="age", operator=Operator.GE, values=(18,))
NEW_APP = Comparison(attribute="app", operator=Operator.VERSION_GE, values=("5.0.0",))
ON_TV = Comparison(attribute="device", operator=Operator.PREFIX, values=("tv",))


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (FRENCH, "country is 'US' (wanted: country in 'FR', 'BE')"),
        (ON_TV, "device is absent (wanted: device prefix 'tv')"),
        (NEW_APP, ""),
        (Not(NEW_APP), "app is '5.1.0' (not wanted: app semver >= '5.0.0')"),
        (
            All((NEW_APP, ADULT, ON_TV)),
            "age is 17 (wanted: age >= 18); device is absent (wanted: device prefix 'tv')",
        ),
        (AnyOf((FRENCH, NEW_APP)), ""),
        (
            AnyOf((FRENCH, ADULT)),
            "country is 'US' (wanted: country in 'FR', 'BE'); age is 17 (wanted: age >= 18)",
        ),
        (Not(AnyOf((FRENCH, NEW_APP))), "app is '5.1.0' (not wanted: app semver >= '5.0.0')"),
    ],
)
def test_the_parts_that_fail_are_named(condition: Condition, reason: str) -> None:
    assert why_not(condition, CONTEXT) == reason


@given(conditions, contexts)
def test_there_is_a_reason_exactly_when_it_isnt_met(condition: Condition, context: RequestContext) -> None:
    assert bool(why_not(condition, context)) is not compile_condition(condition)(context)


def test_what_is_told_is_bounded() -> None:
    long = Comparison(attribute="device", operator=Operator.IN, values=("x" * 1_000,) * 100)
    reason = why_not(All((long,) * 100), CONTEXT)
    assert len(reason) < (MAX_PARTS + 1) * 10 * (MAX_TEXT + 20)
    assert reason.endswith("; …")


SEGMENTS = {
    "staff": AnyOf((AmongUsers(frozenset({"a", "b"})), ADULT)),
    "new": All((InSegment("staff"), NEW_APP)),
}


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (
            InSegment("new"),
            (
                "segment new: segment staff: user is 'u' (wanted: one of 2 users: 'a', 'b'); "
                "segment new: segment staff: age is 17 (wanted: age >= 18)"
            ),
        ),
        (Not(InSegment("new")), ""),
        (AmongUsers(frozenset("u")), ""),
        (Not(AmongUsers(frozenset("u"))), "user is 'u' (not wanted: one of 1 users: 'u')"),
    ],
)
def test_the_segment_that_fails_is_named_and_what_in_it(condition: Condition, reason: str) -> None:
    assert why_not(condition, CONTEXT, SEGMENTS) == reason


@given(st.data())
def test_there_is_a_reason_exactly_when_a_segment_isnt_met(data: st.DataObject) -> None:
    own = data.draw(segments())
    condition, context = data.draw(nested(leaves_with(own), 5)), data.draw(contexts)
    met = compile_condition(condition, compile_segments(own))(context)
    assert bool(why_not(condition, context, {each.name: each.when for each in own})) is not met


def test_segments_that_use_each_other_often_are_explained_at_once() -> None:
    """Sixty of which each uses the one before it twice: looked at one by one, that is 2**60."""
    chain = {f"s{n}": AnyOf((InSegment(f"s{n - 1}"),) * 2) for n in range(1, 60)}
    reason = why_not(InSegment("s59"), CONTEXT, {"s0": ADULT, **chain})
    assert reason.startswith("segment s59: segment s58: ")
    assert reason.endswith("; …")
