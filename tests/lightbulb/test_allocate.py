"""Buckets are stable for ever, uniform, and independent between salts."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.allocate import bucket

USERS = [f"u{number}" for number in range(40_000)]


@pytest.mark.parametrize(
    ("salt", "user", "expected"),
    # Fixed for ever: a change here moves every user of every running experiment.
    [("ab:12345", "user-1", 3131), ("shift:x", "user-1", 9075), ("ab:12345", "usér", 5859)],
)
def test_buckets_never_change(salt: str, user: str, expected: int) -> None:
    assert bucket(salt, user) == expected


@given(st.text(max_size=20), st.text(max_size=60))
def test_a_bucket_is_in_range(salt: str, user: str) -> None:
    assert 0 <= bucket(salt, user) < 10_000


def test_buckets_are_uniform() -> None:
    counts = Counter(bucket("s", user) // 100 for user in USERS)
    chi_squared = sum((counts[slot] - 400) ** 2 / 400 for slot in range(100))
    assert chi_squared < 149  # 99 degrees of freedom, p = 0.001


def test_two_salts_are_independent() -> None:
    both = sum(bucket("a", user) < 5_000 and bucket("b", user) < 5_000 for user in USERS)
    assert both / len(USERS) == pytest.approx(0.25, abs=0.0065)  # three standard deviations
