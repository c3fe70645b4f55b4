"""A clock that stands while its process does. No sockets; the time comes in."""

from __future__ import annotations

from collections.abc import Callable


class WakingClock:
    """Seconds in which this process ran, as far as it is asked every `longest` seconds.

    Of a longer time no more counts: the process was stopped, or its event loop held up, and what others said
    meanwhile hasn't been read yet. Nobody is late for it.
    """

    def __init__(self, clock: Callable[[], float], *, longest: float) -> None:
        """`clock` gives seconds that only ever grow."""
        self._clock = clock
        self._longest = longest
        self._asked = clock()
        self._seconds = 0.0

    def __call__(self) -> float:
        """Return the seconds since it was made."""
        before, self._asked = self._asked, self._clock()
        self._seconds += min(self._asked - before, self._longest)
        return self._seconds
