"""An explanation says which part of a condition fails, and what was compared with what."""

import pytest
from hypothesis import given

from lightbulb.model import All, AnyOf, Comparison, Condition, Not, Operator, RequestContext
from lightbulb.resolution.conditions import compile_condition
from lightbulb.resolution.why_not import MAX_PARTS, MAX_TEXT, why_not
from tests.lightbulb.anything import conditions, contexts

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
