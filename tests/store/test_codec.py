"""What is kept is read as it was written, or refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.store import codec
from controlplane.store.contract import Corrupt, Event, LogEntry
from tests.store.places import entry, event

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(0, 2**63 - 1)
SECONDS = st.floats(0, 2**33)
ENTRIES = st.builds(
    LogEntry,
    number=NUMBERS,
    content_hash=TEXTS,
    source_hash=TEXTS,
    author=TEXTS,
    message=TEXTS,
    source_revision=TEXTS,
    published_at=SECONDS,
)
EVENTS = st.builds(
    Event,
    at=SECONDS,
    author=TEXTS,
    action=TEXTS,
    generation=NUMBERS,
    detail=TEXTS,
    kind=TEXTS,
    cause=st.binary(max_size=20),
)


@given(ENTRIES)
def test_an_entry_comes_back(value: LogEntry) -> None:
    kept = codec.entry_to_bytes(value)
    assert codec.entry_from_bytes(kept, value.number) == value
    assert codec.entry_to_bytes(value) == kept


@given(EVENTS)
def test_an_event_comes_back(value: Event) -> None:
    kept = codec.event_to_bytes(value)
    assert codec.event_from_bytes(kept) == value


@given(st.integers(0, len(codec.entry_to_bytes(entry(7))) * 8 - 1))
def test_a_bit_that_has_turned_is_noticed(bit: int) -> None:
    kept = bytearray(codec.entry_to_bytes(entry(7)))
    kept[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Corrupt, match="entry 7 of the log isn't what was written"):
        codec.entry_from_bytes(bytes(kept), 7)


@given(st.integers(0, len(codec.event_to_bytes(event("x"))) - 1))
def test_what_was_cut_short_is_noticed(length: int) -> None:
    with pytest.raises(Corrupt, match="event of the audit trail"):
        codec.event_from_bytes(codec.event_to_bytes(event("x"))[:length])


def test_what_isnt_an_entry_is_refused() -> None:
    with pytest.raises(Corrupt, match=r"entry 7 of the log can't be read"):
        codec.entry_from_bytes(codec.seal(b"\xff\xff", "StoredEntry"), 7)


def test_an_entry_in_the_place_of_an_event_is_refused() -> None:
    with pytest.raises(Corrupt, match="an event of the audit trail isn't what was written"):
        codec.event_from_bytes(codec.entry_to_bytes(entry(7)))


def test_an_entry_in_the_place_of_another_is_refused() -> None:
    with pytest.raises(Corrupt, match="entry 8 of the log says that it is number 7"):
        codec.entry_from_bytes(codec.entry_to_bytes(entry(7)), 8)
