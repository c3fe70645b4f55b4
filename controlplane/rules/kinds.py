"""What an expression of a rule file may be, as bits, and how that goes from one to another. Pure.

Bits come thrice: what a value is, what it returns when it is called, and what it holds.
"""

from __future__ import annotations

from array import array
from collections import deque
from enum import Enum, IntFlag


class Kind(IntFlag):
    """What a value may be; nothing is known of one without any."""

    CONDITION = 1
    ATTRIBUTE = 2
    COMPARISON = 4
    """`context.country.eq`, not called."""
    BUILDER = 8
    """`any`, `all`, `not` or `segment`, not called."""
    CONTEXT = 16
    ATTRIBUTE_OF = 32
    """`context.attribute`, not called."""
    ORDINARY = 64
    ABSENT = 128
    """null, undefined or false."""
    FUNCTION = 256


_WIDTH = 9
_OWN = (1 << _WIDTH) - 1
_NAMED = frozenset({"country", "device", "locale", "surface", "user"})

_OPEN = int(
    Kind.CONDITION | Kind.ATTRIBUTE | Kind.COMPARISON | Kind.BUILDER | Kind.CONTEXT | Kind.ATTRIBUTE_OF
)
"""What isn't known before a request comes: no operator of JavaScript's may look at it."""


class Step(Enum):
    """How what one value may be makes another."""

    SAME = 0
    CALL = 1
    """The other is what calling it gives."""
    INTO = 2
    """The other holds it."""
    OUT_OF = 3
    """The other is what it holds."""
    RETURN = 4
    """The other returns it."""
    HELD = 5
    """The other holds what it holds."""
    RESULTS = 6
    """The other holds what calling it gives."""
    MEMBER = 7
    """The other is an attribute of it, or a comparison."""
    MEMBER_NAMED = 8
    MEMBER_ATTRIBUTE = 9


def member(name: str) -> Step:
    """Return what `.name` of a value makes."""
    if name in _NAMED:
        return Step.MEMBER_NAMED
    return Step.MEMBER_ATTRIBUTE if name == "attribute" else Step.MEMBER


def is_open(bits: int) -> bool:
    """Say whether a value may be what isn't known before a request comes."""
    return bool(bits & _OPEN)


def own(bits: int) -> int:
    """Return what a value may be by itself."""
    return bits & _OWN


def returned(bits: int) -> int:
    """Return what a value may give when it is called."""
    return bits >> _WIDTH & _OWN


def held(bits: int) -> int:
    """Return what a value may hold."""
    return bits >> 2 * _WIDTH & _OWN


def _made(step: Step, bits: int) -> int:  # noqa: C901, PLR0911 - a flat table reads best
    match step:
        case Step.SAME:
            return bits
        case Step.CALL:
            return _called(bits)
        case Step.INTO:
            return own(bits) << 2 * _WIDTH
        case Step.OUT_OF:
            return held(bits)
        case Step.RETURN:
            return own(bits) << _WIDTH
        case Step.HELD:
            return held(bits) << 2 * _WIDTH
        case Step.RESULTS:
            return _called(bits) << 2 * _WIDTH
        case Step.MEMBER:
            return Kind.COMPARISON if bits & (Kind.ATTRIBUTE | Kind.COMPARISON) else 0
        case Step.MEMBER_NAMED:
            return Kind.ATTRIBUTE if bits & Kind.CONTEXT else 0
        case Step.MEMBER_ATTRIBUTE:
            return Kind.ATTRIBUTE_OF if bits & Kind.CONTEXT else 0


def _called(bits: int) -> int:
    condition = Kind.CONDITION if bits & (Kind.COMPARISON | Kind.BUILDER) else 0
    return condition | (Kind.ATTRIBUTE if bits & Kind.ATTRIBUTE_OF else 0) | returned(bits)


class Flow:
    """Values by number, and the steps between them; `run` says what each may be, once all are known."""

    def __init__(self, size: int) -> None:
        """Begin with `size` values of which nothing is known."""
        self.bits = array("I", bytes(4 * size))
        self._steps: dict[int, list[tuple[int, Step]]] = {}
        self._changed: deque[int] = deque()

    def seed(self, value: int, kind: int) -> None:
        """Say what a value is."""
        self._add(value, int(kind))

    def step(self, begin: int, end: int, step: Step = Step.SAME) -> None:
        """Say that one value makes another."""
        if begin >= 0 and end >= 0:
            self._steps.setdefault(begin, []).append((end, step))
            if self.bits[begin]:
                self._changed.append(begin)

    def run(self) -> None:
        """Let all that is known go where it goes."""
        while self._changed:
            begin = self._changed.popleft()
            bits = self.bits[begin]
            for end, step in self._steps.get(begin, ()):
                self._add(end, _made(step, bits))

    def _add(self, value: int, bits: int) -> None:
        if bits & ~self.bits[value]:
            self.bits[value] |= bits
            self._changed.append(value)
