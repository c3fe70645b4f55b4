"""What reads foreign bytes, and what must hold of it whatever they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

MAX_SECONDS = 5.0
"""Of the processor, not of the clock, so that a busy machine is no find. Hardly any input takes 0.05."""

Errors = tuple[type[Exception], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """`read` takes any bytes, and raises nothing: what may be raised is caught in it. `samples` are valid."""

    name: str
    samples: tuple[bytes, ...]
    read: Callable[[bytes], object]

    def check(self, data: bytes) -> None:
        """Read `data`; raises what is a find."""
        began = time.process_time()
        self.read(data)
        took = time.process_time() - began
        assert took < MAX_SECONDS, f"{len(data)} bytes took {took:.1f} s of the processor"


def refusing(read: Callable[[bytes], object], *errors: type[Exception]) -> Callable[[bytes], object]:
    """Return what reads, and may refuse with `errors` alone."""

    def refuse(data: bytes) -> object:
        try:
            return read(data)
        except errors:
            return None

    return refuse


def round_trip(
    read: Callable[[bytes], T], write: Callable[[T], bytes], *errors: type[Exception]
) -> Callable[[bytes], object]:
    """Return what reads as `refusing` does; what could be read is equal when it is written and read again."""

    def there_and_back(data: bytes) -> object:
        try:
            value = read(data)
        except errors:
            return None
        written = write(value)
        again = read(written)
        assert write(again) == written, f"{value!r} isn't written alike twice"
        assert again == value or "nan" in repr(value), f"{value!r} is written and read as {again!r}"
        return value

    return there_and_back
