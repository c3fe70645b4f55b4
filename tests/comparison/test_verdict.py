"""A verdict in three words: which one, why, and what is missing to say more."""

import math

import pytest

from controlplane.comparison.bootstrap import Interval
from controlplane.comparison.verdict import Verdict, judge


def verdict(value: float, half: float, *, above: Interval | None = None, groups: int = 100) -> Verdict:
    interval = Interval(value=value, low=value - half, high=value + half)
    return judge(interval, above, least=0.9, pairs=1000, groups=groups)


@pytest.mark.parametrize(
    ("value", "half", "word", "missing"),
    [
        (0.95, 0.04, "agrees", 0),
        (0.85, 0.04, "differs", 0),
        (0.92, 0.04, "too few", 3000),  # half the width takes four times as many
        (0.9, 0.04, "too few", 63_000),  # no finer than 0.005
    ],
)
def test_the_interval_decides(value: float, half: float, word: str, missing: int) -> None:
    said = verdict(value, half)
    assert said.word == word
    assert said.missing == pytest.approx(missing, abs=1)
    assert f"agreement {value:.3f}" in said.why


def test_with_a_noise_floor_the_difference_decides() -> None:
    near = Interval(value=-0.01, low=-0.015, high=-0.005)
    far = Interval(value=-0.05, low=-0.06, high=-0.04)
    assert verdict(0.5, 0.1, above=near).word == "agrees"
    assert verdict(0.95, 0.01, above=far).word == "differs"


def test_few_users_are_too_few_however_sure_the_interval_looks() -> None:
    said = verdict(1.0, 0.0, groups=10)
    assert (said.word, said.missing) == ("too few", 2000)


def test_nothing_is_too_few() -> None:
    nothing = Interval(value=math.nan, low=math.nan, high=math.nan)
    assert judge(nothing, None, least=0.9, pairs=0, groups=0).word == "too few"
