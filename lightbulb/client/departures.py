"""When the requests of one client leave, and which of them together. No I/O.

    departure = departures.arrive(waiter, request)   what leaves now, if anything does
    departure = departures.land(departure)           a call is over: what leaves now
    departure = departures.leave()                   some time has passed: what leaves now

The first leaves at once. What comes while its call is under way waits for the end of that, and leaves as one;
but never longer than a call usually takes, so that a Lightbulb which stands still holds up nobody else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from lightbulb.errors import LightbulbError, TooLarge
from lightbulb.rpc.messages import MAX_BATCH
from lightbulb.v1 import lightbulb_pb2 as pb

CLOSED = "this client is closed; make another"

SLOW_SECONDS = 0.005
"""A call that takes longer isn't waited for."""

MAX_UNDER_WAY = 256
"""Calls of one client. At one in SLOW_SECONDS they are those of more than a second, its usual time-out."""

MAX_WAITING = 10_000
"""Requests of one client that haven't left."""

MAX_BYTES = 512 * 1024
"""Of the requests that leave together, where there are several. A Lightbulb takes a megabyte."""

W = TypeVar("W", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Departure(Generic[W]):
    """Requests that leave as one call, by who waits for each."""

    requests: Mapping[W, pb.ResolveRequest]

    def is_only(self, waiter: W) -> bool:
        """Whether this is one's request alone."""
        return len(self.requests) == 1 and waiter in self.requests


class Departures(Generic[W]):
    """Of one client. A W is whoever waits for a request. `clock` gives seconds that only rise."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Have none."""
        self._clock = clock
        self._waiting: OrderedDict[W, pb.ResolveRequest] = OrderedDict()
        self._under_way = 0
        self._last: Departure[W] | None = None
        """The newest, until its call is over."""
        self._left_at = 0.0
        self._closed = False

    def __contains__(self, waiter: W) -> bool:
        """Whether a request hasn't left."""
        return waiter in self._waiting

    def __len__(self) -> int:
        """Return how many haven't left."""
        return len(self._waiting)

    def arrive(self, waiter: W, request: pb.ResolveRequest) -> Departure[W] | None:
        """Take a request, and return what leaves. Raises LightbulbError: closed; TooLarge: too many wait."""
        if self._closed:
            raise LightbulbError(CLOSED)
        if len(self._waiting) >= MAX_WAITING:
            raise TooLarge(f"{MAX_WAITING} requests of this client wait to be sent; back off")
        self._waiting[waiter] = request
        return self.leave()

    def leave(self) -> Departure[W] | None:
        """Return what leaves now."""
        now = self._clock()
        free = self._last is None or now - self._left_at >= SLOW_SECONDS
        if not self._waiting or not free or self._under_way >= MAX_UNDER_WAY:
            return None
        self._last, self._left_at = Departure(self._take()), now
        self._under_way += 1
        return self._last

    def land(self, departure: Departure[W]) -> Departure[W] | None:
        """Note that a call is over, and return what leaves."""
        self._under_way -= 1
        if departure is self._last:
            self._last = None
        return self.leave()

    def give_up(self, waiter: W) -> None:
        """Forget a request, if it hasn't left."""
        self._waiting.pop(waiter, None)

    def close(self) -> tuple[W, ...]:
        """Take no more; return those whose requests haven't left, and won't."""
        self._closed = True
        left = tuple(self._waiting)
        self._waiting.clear()
        return left

    def _take(self) -> Mapping[W, pb.ResolveRequest]:
        taken: dict[W, pb.ResolveRequest] = {}
        size = 0
        while self._waiting and len(taken) < MAX_BATCH:
            waiter, request = next(iter(self._waiting.items()))
            size += request.ByteSize()
            if taken and size > MAX_BYTES:
                break
            taken[waiter] = request
            del self._waiting[waiter]
        return taken
