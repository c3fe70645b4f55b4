"""Whatever bytes come, a decoder raises the error that it names, or gives what can be written again."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.decoder import Decoder, refusing, round_trip
from tests.fuzz.decoders import DECODERS
from tests.fuzz.finds import find_in, kept, smaller
from tests.fuzz.mutate import mutate, read_fields, write_fields

INPUTS = 600
SLOW = 150
"""Inputs of those decoders that go on to a plan."""


def inputs(decoder: Decoder, count: int) -> list[bytes]:
    """Return inputs that are the same in each run: a failure in one is a failure in the next."""
    random = Random(decoder.name)
    pool = list(decoder.samples)
    made = []
    for _ in range(count):
        made.append(mutate(random.choice(pool), decoder.samples, random))
        pool = [*decoder.samples, *random.sample(made, min(len(made), 8))]  # changes upon changes
    return made


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_valid_bytes_are_read(decoder: Decoder) -> None:
    for sample in decoder.samples:
        decoder.check(sample)


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_whatever_bytes_come(decoder: Decoder) -> None:
    for data in inputs(decoder, SLOW if decoder.name.endswith(".yaml") else INPUTS):
        if find := find_in(decoder, data):
            least = smaller(decoder, data)
            pytest.fail(f"{find}; python -m tests.fuzz {decoder.name} --hex {least.hex()}")


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_what_was_found_once_is_read_now(decoder: Decoder) -> None:
    for data in kept(decoder).values():
        decoder.check(data)


def test_a_find_is_found_and_made_small() -> None:
    def read(data: bytes) -> None:
        if b"\xff" in data:
            raise IndexError

    decoder = Decoder(name="x", samples=(b"",), read=refusing(read, ValueError))
    assert find_in(decoder, b"good") == ""
    assert find_in(decoder, b"--\xff--").startswith("IndexError at ")
    assert smaller(decoder, b"0123456789\xff0123456789") == b"\xff"


def test_what_is_written_otherwise_is_a_find() -> None:
    decoder = Decoder(name="x", samples=(), read=round_trip(bytes.decode, lambda text: text[:3].encode()))
    assert find_in(decoder, b"abc") == ""
    assert find_in(decoder, b"abcd").startswith("AssertionError at ")


def test_fields_of_a_message_are_those_that_are_written() -> None:
    for decoder in DECODERS.values():
        for sample in decoder.samples:
            fields = read_fields(sample)
            assert not fields or write_fields(fields) == sample
    assert len(read_fields(DECODERS["table"].samples[0])) > 10
