"""Buckets are stable for ever, uniform, and independent between salts."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.model import BASIS_POINTS
from lightbulb.resolution.allocate import HASH, UNSIGNED, bucket, first_hash, salt_prefix

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


@given(st.integers(0, BASIS_POINTS), st.integers(-2, 2))
def test_a_hash_compares_with_the_first_of_a_bucket_as_its_bucket_does(position: int, near: int) -> None:
    value = first_hash(position) + near
    assert (value >= first_hash(position)) is (value * BASIS_POINTS >> 32 >= position)


@given(st.text(max_size=20), st.text(max_size=60))
def test_a_bucket_is_projected_from_the_hash_of_salt_and_user(salt: str, user: str) -> None:
    value = HASH(salt_prefix(salt) + user, 0, UNSIGNED)
    assert 0 <= value < 2**32
    assert bucket(salt, user) == value * BASIS_POINTS >> 32


def test_buckets_are_uniform() -> None:
    counts = Counter(bucket("s", user) // 100 for user in USERS)
    chi_squared = sum((counts[slot] - 400) ** 2 / 400 for slot in range(100))
    assert chi_squared < 149  # 99 degrees of freedom, p = 0.001


def test_two_salts_are_independent() -> None:
    both = sum(bucket("a", user) < 5_000 and bucket("b", user) < 5_000 for user in USERS)
    assert both / len(USERS) == pytest.approx(0.25, abs=0.0065)  # three standard deviations
