"""What a client remembers of Lightbulb's answers, and what it gives while no Lightbulb answers. No I/O.

    look = memory.look(key, objective)       an answer, and whether to ask beside giving it; or: ask
    memory.take(key, answer)                 what a Lightbulb gave
    memory.fail(error)                       none did
    memory.instead(key, objective, error)    what to give in place of that error

An answer is given from memory for its lifetime. From a share of it on, one caller is told to ask for it anew,
so that nobody waits when it ends, and many don't ask at once. Once no Lightbulb answers, whoever there is
something for gets it at once, and one call in RETRY_SECONDS looks whether a Lightbulb is back.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lightbulb.errors import (
    InvalidContext,
    LightbulbError,
    OverrideRefused,
    TimedOut,
    Unavailable,
    UnknownObjective,
)
from lightbulb.model import EMPTY, Value, routing_key
from lightbulb.resolution.resolve import Reason
from lightbulb.rpc.answer import Answer, ObjectiveConfig, Origin

RETRY_SECONDS = 0.5
"""While no Lightbulb answers, one call in so many seconds asks."""

MAX_KEY = 16 * 1024
"""Bytes of a request that is remembered; the answer to a larger one isn't."""

TIMEOUTS = 3
"""So many in a row, and no Lightbulb answers; one that can't be reached doesn't."""

_CALLERS_OWN = (InvalidContext, OverrideRefused)
"""Errors of the caller: another answer would hide them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """The model that a client uses for an objective while nothing else answers: one that stays routed.

    `deadline` is that of an inference call, in seconds; 0.0: none.
    """

    model: str
    version: str
    parameters: Mapping[str, Value] = field(default_factory=lambda: EMPTY)
    model_type: str = ""
    input_type: str = ""
    deadline: float = 0.0

    def answer(self, objective: str, error: LightbulbError) -> Answer:
        """Return it as the answer for an objective, in place of an error; its generation is 0."""
        config = ObjectiveConfig(
            objective=objective,
            model=self.model,
            model_version=self.version,
            model_type=self.model_type,
            input_type=self.input_type,
            parameters=self.parameters,
        )
        return Answer(
            routing_key=routing_key(objective, self.model, self.version),
            objective_config=config,
            generation=0,
            cache_lifetime=0.0,
            deadline=self.deadline,
            reason=Reason.DEFAULT,
            origin=Origin.DECLARED,
            why=_reason(error),
        )


NO_FALLBACKS: Mapping[str, Fallback] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember:
    """How much a client remembers, and for how long.

    `answers`: at most so many, the one unused for longest goes first. `ask_at`: from this share of an
    answer's lifetime on, it is asked for anew beside being given. `stale`: for so many seconds after its
    lifetime an answer is still given while no Lightbulb answers.
    """

    answers: int = 10_000
    ask_at: float = 0.8
    stale: float = 3600.0

    def __post_init__(self) -> None:
        """Raise ValueError when a number is out of its range."""
        if self.answers < 0 or not 0.0 < self.ask_at <= 1.0 or not self.stale >= 0.0:
            raise ValueError(f"{self}: answers and stale are at least 0, ask_at is above 0 and at most 1")


@dataclass(frozen=True, slots=True)
class Look:
    """What there is without waiting, if anything, and whether a Lightbulb is to be asked."""

    answer: Answer | None
    ask: bool


_ASK = Look(None, ask=True)


@dataclass(slots=True)
class _Remembered:
    answer: Answer
    since: float
    ask_from: float = 0.0
    """Somebody was told to ask for it anew, and the next one is from then on."""


class Memory:
    """Of one client; threads may share it. `clock` gives seconds that only rise."""

    def __init__(
        self, remember: Remember, fallbacks: Mapping[str, Fallback], clock: Callable[[], float]
    ) -> None:
        """Remember nothing yet."""
        self._remember = remember
        self._fallbacks = MappingProxyType(dict(fallbacks))
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._timeouts = 0
        self._down: LightbulbError | None = None
        self._ask_from = 0.0

    def __len__(self) -> int:
        """Return how many answers are remembered."""
        return len(self._answers)

    def look(self, key: bytes, objective: str) -> Look:
        """Say what to do for a request."""
        with self._lock:
            now = self._clock()
            held = self._answers.get(key)
            if held is not None:
                self._answers.move_to_end(key)
                age, lifetime = now - held.since, held.answer.cache_lifetime
                if age < lifetime:
                    due = age >= self._remember.ask_at * lifetime and now >= held.ask_from
                    ask = due and self._may_ask(now)
                    if ask:
                        held.ask_from = now + RETRY_SECONDS
                    return Look(replace(held.answer, origin=Origin.REMEMBERED, age=age), ask)
            if self._down is None:
                return _ASK
            instead = self._instead(held, objective, self._down, now)
            return _ASK if instead is None else Look(instead, self._may_ask(now))

    def take(self, key: bytes, answer: Answer) -> None:
        """Remember what a Lightbulb gave."""
        with self._lock:
            self._note_up()
            if answer.cache_lifetime <= 0.0 or len(key) > MAX_KEY:
                return
            self._answers[key] = _Remembered(answer, self._clock())
            self._answers.move_to_end(key)
            while len(self._answers) > self._remember.answers:
                self._answers.popitem(last=False)

    def fail(self, key: bytes, error: LightbulbError) -> None:
        """Note that a Lightbulb didn't answer, or that it refused."""
        with self._lock:
            if _is_refusal(error):
                self._answers.pop(key, None)
            if isinstance(error, Unavailable):
                self._note_failure(error)
            else:
                self._note_up()

    def instead(self, key: bytes, objective: str, error: LightbulbError) -> Answer | None:
        """Return what to give in place of an error; None: nothing, so it is to be raised."""
        with self._lock:
            return self._instead(self._answers.get(key), objective, error, self._clock())

    def forget(self, key: bytes) -> None:
        """Forget an answer: what it led to was refused."""
        with self._lock:
            self._answers.pop(key, None)

    def _note_up(self) -> None:
        self._timeouts, self._down = 0, None

    def _note_failure(self, error: Unavailable) -> None:
        self._timeouts += 1
        if self._timeouts >= TIMEOUTS or not isinstance(error, TimedOut):
            self._down, self._ask_from = error, self._clock() + RETRY_SECONDS

    def _instead(
        self, held: _Remembered | None, objective: str, error: LightbulbError, now: float
    ) -> Answer | None:
        if isinstance(error, _CALLERS_OWN):
            return None
        if held is not None and not _is_refusal(error):
            age = now - held.since
            if age < held.answer.cache_lifetime + self._remember.stale:
                return replace(held.answer, origin=Origin.STALE, age=age, why=_reason(error))
        fallback = self._fallbacks.get(objective)
        return None if fallback is None else fallback.answer(objective, error)

    def _may_ask(self, now: float) -> bool:
        """Whether to ask beside giving an answer; while no Lightbulb answers, one in a while does."""
        if self._down is None:
            return True
        if now < self._ask_from:
            return False
        self._ask_from = now + RETRY_SECONDS
        return True


def _is_refusal(error: LightbulbError) -> bool:
    """Whether a Lightbulb answered, and knows that there is no answer."""
    return isinstance(error, (*_CALLERS_OWN, UnknownObjective))


def _reason(error: LightbulbError) -> str:
    return f"{type(error).__name__}: {error}"
