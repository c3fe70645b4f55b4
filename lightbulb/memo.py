"""What pure functions returned, remembered up to a number of bytes.

For results of any size. Where each result is small, `functools.lru_cache` bounds bytes by counting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar, TypeVarTuple

S = TypeVar("S")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class PerObject(Generic[S, T]):
    """Calls `function` once for each object that it is given, whatever that is equal to.

    To find one takes no look at what is in it. It keeps all of them, so it is for whoever ends with them.
    """

    def __init__(self, function: Callable[[S], T]) -> None:
        """Remember nothing yet."""
        self._function = function
        self._made: dict[int, tuple[S, T]] = {}

    def __call__(self, of: S) -> T:
        """Return what the function returns for this object."""
        made = self._made.get(id(of))
        if made is None:
            made = self._made[id(of)] = of, self._function(of)
        return made[1]


class Memo(Generic[*Ts, T]):
    """Calls `function` once for equal arguments, while they are remembered.

    `size` returns about how many bytes an entry takes: the arguments, and what they gave. All of them take
    at most `max_bytes`; what was used longest ago goes first. The `newest` ones stay whatever their size, for
    what it would cost more to do without. Threads may share it.
    """

    def __init__(
        self,
        function: Callable[[*Ts], T],
        *,
        max_bytes: int,
        size: Callable[[tuple[*Ts], T], int],
        newest: int = 0,
    ) -> None:
        """Remember nothing yet."""
        self.bytes = 0
        self._function = function
        self._max_bytes = max_bytes
        self._size = size
        self._newest = newest
        self._entries: dict[tuple[*Ts], tuple[T, int]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def __call__(self, *arguments: *Ts) -> T:
        """Return what the function returns for these."""
        with self._lock:
            entry = self._entries.pop(arguments, None)
            if entry is not None:
                self._entries[arguments] = entry  # used last, stands last
                return entry[0]
        result = self._function(*arguments)
        self._keep(arguments, result)
        return result

    def _keep(self, arguments: tuple[*Ts], result: T) -> None:
        size = self._size(arguments, result)
        if size > self._max_bytes and not self._newest:
            return  # it would push out all the others, and then itself
        with self._lock:
            _, replaced = self._entries.pop(arguments, (None, 0))  # another thread was as fast
            self._entries[arguments] = result, size
            self.bytes += size - replaced
            while self.bytes > self._max_bytes and len(self._entries) > self._newest:
                _, oldest = self._entries.pop(next(iter(self._entries)))
                self.bytes -= oldest
