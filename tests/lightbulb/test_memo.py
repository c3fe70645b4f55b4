"""A memo returns what its function does, calls it rarely, and never takes more bytes than it may."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from lightbulb.memo import Memo

MAX_BYTES = 100


def text(length: int, letter: str) -> str:
    return letter * length


def size(arguments: tuple[int, str], result: str) -> int:
    assert arguments == (len(result), result[:1])
    return len(result)


calls = st.lists(st.tuples(st.integers(1, MAX_BYTES + 20), st.sampled_from("ab")), max_size=60)


@given(calls)
def test_it_returns_what_the_function_does_within_its_bytes(asked: list[tuple[int, str]]) -> None:
    memo = Memo(text, max_bytes=MAX_BYTES, size=size)
    for length, letter in asked:
        assert memo(length, letter) == letter * length
        assert memo.bytes <= MAX_BYTES
    memo(1, "z")
    held = memo.bytes
    memo(1, "z")
    assert memo.bytes == held


def test_what_was_used_longest_ago_goes_first() -> None:
    made: list[int] = []

    def make(length: int, letter: str) -> str:
        made.append(length)
        return text(length, letter)

    memo = Memo(make, max_bytes=MAX_BYTES, size=size)
    for length in (30, 31, 32, 30, 33, 30, 32, 31):
        memo(length, "a")
    assert made == [30, 31, 32, 33, 31]
    assert len(memo) == 3


def test_what_is_larger_than_all_of_it_pushes_nothing_out() -> None:
    memo = Memo(text, max_bytes=MAX_BYTES, size=size)
    memo(10, "a")
    assert memo(MAX_BYTES + 1, "a") == "a" * (MAX_BYTES + 1)
    assert (len(memo), memo.bytes) == (1, 10)


def test_the_newest_stay_whatever_their_size() -> None:
    memo = Memo(text, max_bytes=MAX_BYTES, size=size, newest=2)
    for length in (MAX_BYTES + 1, MAX_BYTES + 2, MAX_BYTES + 3):
        memo(length, "a")
    assert [length for length, _ in memo._entries] == [MAX_BYTES + 2, MAX_BYTES + 3]
    memo(1, "a")
    assert [length for length, _ in memo._entries] == [MAX_BYTES + 3, 1]
    memo(2, "a")
    assert [length for length, _ in memo._entries] == [1, 2]
    assert memo.bytes == 3


def test_threads_may_share_it() -> None:
    memo = Memo(text, max_bytes=MAX_BYTES, size=size)
    asked = [(1 + number % 40, "ab"[number % 2]) for number in range(4_000)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda each: memo(*each), asked))
    assert found == [text(*each) for each in asked]
    assert memo.bytes == sum(size for _, size in memo._entries.values()) <= MAX_BYTES
