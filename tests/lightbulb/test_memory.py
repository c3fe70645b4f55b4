"""What a client remembers, for how long, and what it gives while no Lightbulb answers. Pure."""

import pytest

from lightbulb.client.memory import MAX_KEY, RETRY_SECONDS, TIMEOUTS, Fallback, Memory, Remember
from lightbulb.errors import (
    InvalidContext,
    LightbulbError,
    OverrideRefused,
    TimedOut,
    TooLarge,
    Unavailable,
    UnknownObjective,
)
from lightbulb.resolution.resolve import Reason
from lightbulb.rpc.answer import Answer, ObjectiveConfig, Origin

KEY = b"who"
GONE = Unavailable("refused")
SPARE = Fallback(model="spare", version="3", parameters={"k": 1}, deadline=0.1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Case:
    """A memory and its clock; `objective` has no fallback unless `fallbacks` say so."""

    def __init__(self, remember: Remember | None = None, **fallbacks: Fallback) -> None:
        self.clock = Clock()
        self.memory = Memory(remember or Remember(answers=3, ask_at=0.8, stale=100.0), fallbacks, self.clock)

    def look(self, key: bytes = KEY, objective: str = "O") -> tuple[str, str, bool]:
        """What it gives (an origin and a key), and whether to ask."""
        look = self.memory.look(key, objective)
        if look.answer is None:
            return "", "", look.ask
        return look.answer.origin.name, look.answer.routing_key, look.ask


def answer(key: str = "O|m|1", lifetime: float = 10.0) -> Answer:
    config = ObjectiveConfig(objective="O", model="m", model_version="1", model_type="", input_type="")
    return Answer(
        routing_key=key,
        objective_config=config,
        generation=7,
        cache_lifetime=lifetime,
        deadline=0.25,
        reason=Reason.DEFAULT,
    )


def test_an_answer_is_given_for_its_lifetime_and_no_longer() -> None:
    case = Case()
    assert case.look() == ("", "", True)
    case.memory.take(KEY, answer())
    case.clock.now += 7.9
    given = case.memory.look(KEY, "O").answer
    assert (given.origin, given.generation, given.why) == (Origin.REMEMBERED, 7, "")
    assert given.age == pytest.approx(7.9)
    case.clock.now += 2.1
    assert case.look() == ("", "", True)


def test_one_of_many_asks_for_it_anew_before_it_ends() -> None:
    case = Case()
    case.memory.take(KEY, answer())
    case.clock.now += 8.0
    assert [case.look()[2] for _ in range(5)] == [True, False, False, False, False]
    case.clock.now += RETRY_SECONDS
    assert [case.look()[2] for _ in range(2)] == [True, False]
    case.memory.take(KEY, answer("O|n|1"))
    assert case.look() == ("REMEMBERED", "O|n|1", False)


def test_what_is_good_for_no_time_or_asked_for_at_length_isnt_remembered() -> None:
    case = Case()
    case.memory.take(KEY, answer(lifetime=0.0))
    case.memory.take(b"x" * (MAX_KEY + 1), answer())
    assert len(case.memory) == 0
    case.memory.take(b"x" * MAX_KEY, answer())
    assert len(case.memory) == 1


def test_what_was_unused_for_longest_goes_first() -> None:
    case = Case()
    for key in (b"1", b"2", b"3"):
        case.memory.take(key, answer())
    case.look(b"1")
    case.memory.take(b"4", answer())
    assert [case.look(key)[0] for key in (b"1", b"2", b"3", b"4")] == [
        "REMEMBERED",
        "",
        "REMEMBERED",
        "REMEMBERED",
    ]


def test_an_outage_is_met_with_what_is_stale_then_with_the_fallback_then_with_the_error() -> None:
    case = Case(O=SPARE)
    case.memory.take(KEY, answer())
    case.clock.now += 10.0
    case.memory.fail(KEY, GONE)
    stale = case.memory.instead(KEY, "O", GONE)
    assert (stale.origin, stale.routing_key, stale.why) == (Origin.STALE, "O|m|1", "Unavailable: refused")
    case.clock.now += 100.0
    declared = case.memory.instead(KEY, "O", GONE)
    assert (declared.origin, declared.routing_key, declared.generation) == (Origin.DECLARED, "O|spare|3", 0)
    assert (declared.objective_config.parameters, declared.deadline) == ({"k": 1}, 0.1)
    assert case.memory.instead(KEY, "Other", GONE) is None


def test_while_it_is_down_nobody_waits_and_one_in_a_while_asks() -> None:
    case = Case(O=SPARE)
    case.memory.fail(KEY, GONE)
    assert [case.look() for _ in range(3)] == [("DECLARED", "O|spare|3", False)] * 3
    assert case.look(objective="Other") == ("", "", True)
    case.clock.now += RETRY_SECONDS
    assert [case.look()[2] for _ in range(3)] == [True, False, False]
    case.memory.take(b"another", answer())
    assert case.look() == ("", "", True)


def test_a_good_answer_isnt_asked_for_anew_by_all_while_it_is_down() -> None:
    case = Case()
    for key in (b"1", b"2"):
        case.memory.take(key, answer())
    case.memory.fail(b"3", GONE)
    case.clock.now += 8.0
    assert [case.look(key) for key in (b"1", b"2")] == [
        ("REMEMBERED", "O|m|1", True),
        ("REMEMBERED", "O|m|1", False),
    ]


def test_a_few_late_answers_are_no_outage_and_several_in_a_row_are() -> None:
    case = Case(O=SPARE)
    for _ in range(TIMEOUTS - 1):
        case.memory.fail(KEY, TimedOut("late"))
    assert case.look() == ("", "", True)
    case.memory.take(b"another", answer())
    for _ in range(TIMEOUTS):
        assert case.look() == ("", "", True)
        case.memory.fail(KEY, TimedOut("late"))
    assert case.look() == ("DECLARED", "O|spare|3", False)


@pytest.mark.parametrize("error", [InvalidContext("no user"), OverrideRefused("not you")])
def test_the_callers_own_errors_have_nothing_in_their_place(error: LightbulbError) -> None:
    case = Case(O=SPARE)
    case.memory.take(KEY, answer())
    case.memory.fail(KEY, error)
    assert case.memory.instead(KEY, "O", error) is None
    assert case.look() == ("", "", True)


def test_an_objective_that_is_gone_is_never_answered_from_memory() -> None:
    case = Case(O=SPARE)
    case.memory.take(KEY, answer())
    case.memory.fail(KEY, UnknownObjective("unknown"))
    assert len(case.memory) == 0
    assert case.memory.instead(KEY, "O", UnknownObjective("unknown")).origin is Origin.DECLARED


@pytest.mark.parametrize("error", [TooLarge("2 MiB"), LightbulbError("can't be read")])
def test_what_goes_wrong_with_one_request_is_no_outage(error: LightbulbError) -> None:
    case = Case(O=SPARE)
    case.memory.fail(KEY, error)
    assert case.look(b"another") == ("", "", True)
    assert case.memory.instead(KEY, "O", error).origin is Origin.DECLARED


def test_what_led_to_a_refused_key_is_forgotten() -> None:
    case = Case()
    case.memory.take(KEY, answer())
    case.memory.forget(KEY)
    assert case.look() == ("", "", True)
    assert case.memory.instead(KEY, "O", GONE) is None


@pytest.mark.parametrize("wrong", [{"answers": -1}, {"ask_at": 0.0}, {"ask_at": 1.1}, {"stale": -1.0}])
def test_limits_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Remember(**wrong)
