"""Runs the code of models that are being loaded: off the event loop, a few at a time, not for ever.

A thread can't be ended. So a load that takes too long is refused, and one that nobody wants any more is let
go; both go on, and whoever asks for that model again takes it over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from lightbulb.ads.loads import MAX_TEXT, ModelLoad
from lightbulb.host.errors import REASON_LIMIT, CannotLoad, brief
from lightbulb.host.workers import Workers
from lightbulb.host.workflow import Supplies, Workflow

log = logging.getLogger(__name__)

MAX_SIDE_BY_SIDE = 4
"""Loads that are waited for, a thread each. The next one waits for its turn."""

MAX_LATE = 4
"""Loads that nobody waits for and that still run, a thread each. The next one waits until one ends."""

KEPT_SECONDS = 300.0
"""How long a model that was loaded while nobody waited is kept for whoever asks for it next."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Attempt:
    """A load that was begun. What it gives depends on nothing but its model, factory and supplies.

    `since` is when it was begun, in seconds of the loop's clock; `waiting` counts those who wait for it.
    """

    model: str
    factory: type[Workflow]
    supplies: Supplies
    job: Future[Workflow]
    since: float
    waiting: int = 0

    def gives(self, model: str, factory: type[Workflow], supplies: Supplies) -> bool:
        """Say whether its result is what such a load would give."""
        return (self.model, self.factory, self.supplies) == (model, factory, supplies)


class Loader:
    """Builds and validates models.

    A caller waits for up to `seconds`, or for as long as it says. A load that takes longer, or whose caller
    is cancelled, goes on in its thread; the next `build` of the same model waits for that one, and begins no
    second. Should it have ended by then, its result was kept, for up to `kept` seconds.
    """

    def __init__(self, seconds: float, *, kept: float = KEPT_SECONDS) -> None:
        """Start idle."""
        self._seconds = seconds
        self._kept = kept
        self._turns = asyncio.Semaphore(MAX_SIDE_BY_SIDE)
        self._attempts: list[_Attempt] = []

    @property
    def late(self) -> tuple[str, ...]:
        """The models whose loads nobody waits for: those that run still, and those that are kept."""
        return tuple(each.model for each in self._attempts if not each.waiting)

    @property
    def running(self) -> tuple[str, ...]:
        """The models whose loads nobody waits for, and that run still."""
        return tuple(each.model for each in self._late_and_running())

    @property
    def loads(self) -> tuple[ModelLoad, ...]:
        """The loads that somebody waits for."""
        now = asyncio.get_running_loop().time()
        return tuple(_told(each, now) for each in self._attempts if each.waiting and not each.job.done())

    async def build(
        self, model: str, factory: type[Workflow], supplies: Supplies, seconds: float = 0.0
    ) -> Workflow:
        """Return a model that has passed its own check; raises CannotLoad, after `seconds` if it says so."""
        seconds = seconds or self._seconds
        begun = self._begun(model, factory, supplies)
        if begun is not None:
            log.info("the load of %s that was begun before is taken over", model)
            return await self._wait(begun, seconds)
        async with self._turns:
            return await self._build(model, factory, supplies, seconds)

    def close(self) -> None:
        """Keep nothing more; threads end with what they are at."""
        self._attempts.clear()

    async def _build(
        self, model: str, factory: type[Workflow], supplies: Supplies, seconds: float
    ) -> Workflow:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        try:
            async with asyncio.timeout_at(end):
                await self._wait_for_a_thread()
        except TimeoutError as error:
            names = ", ".join(sorted({*self.running}))
            reason = brief(f"loads that took too long are still running: {names}", REASON_LIMIT)
            raise CannotLoad(reason) from error
        begun = self._begun(model, factory, supplies) or self._begin(model, factory, supplies)
        return await self._wait(begun, seconds, end=end)

    async def _wait(self, attempt: _Attempt, seconds: float, *, end: float | None = None) -> Workflow:
        """Return what an attempt gives; `seconds` is how long it is waited for, by default from now."""
        attempt.waiting += 1
        try:
            async with asyncio.timeout_at(end or asyncio.get_running_loop().time() + seconds):
                return await asyncio.shield(asyncio.wrap_future(attempt.job))
        except TimeoutError as error:
            reason = f"it didn't load within {seconds:g} s; it goes on, and the next attempt takes it over"
            raise CannotLoad(reason) from error
        finally:
            attempt.waiting -= 1
            if attempt.job.done():
                self._drop(attempt)

    def _begun(self, model: str, factory: type[Workflow], supplies: Supplies) -> _Attempt | None:
        return next((each for each in self._attempts if each.gives(model, factory, supplies)), None)

    def _begin(self, model: str, factory: type[Workflow], supplies: Supplies) -> _Attempt:
        worker = Workers("load", count=1, limit=1)
        job = worker.submit(partial(_build, model, factory, supplies))
        worker.close()
        attempt = _Attempt(
            model=model,
            factory=factory,
            supplies=supplies,
            job=job,
            since=asyncio.get_running_loop().time(),
        )
        self._attempts.append(attempt)
        ended = partial(self._ended, attempt)
        job.add_done_callback(partial(_tell, asyncio.get_running_loop(), ended))
        return attempt

    async def _wait_for_a_thread(self) -> None:
        while len(running := self._late_and_running()) >= MAX_LATE:
            jobs = [asyncio.wrap_future(each.job) for each in running]
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)

    def _late_and_running(self) -> list[_Attempt]:
        return [each for each in self._attempts if not (each.waiting or each.job.done())]

    def _ended(self, attempt: _Attempt) -> None:
        """Forget a load that has ended; but keep what it gave if nobody waits for it."""
        if attempt.waiting or attempt not in self._attempts:
            return
        if attempt.job.exception() is not None:
            self._drop(attempt)
            return
        log.info("%s is loaded, while nobody waits for it; kept for the next attempt", attempt.model)
        asyncio.get_running_loop().call_later(self._kept, self._drop, attempt)

    def _drop(self, attempt: _Attempt) -> None:
        if attempt in self._attempts:
            self._attempts.remove(attempt)


def _told(attempt: _Attempt, now: float) -> ModelLoad:
    fraction, text = attempt.supplies.progress.told
    line = brief(text, MAX_TEXT)
    return ModelLoad(model=attempt.model, seconds=now - attempt.since, fraction=fraction, text=line)


def _tell(loop: asyncio.AbstractEventLoop, ended: Callable[[], None], _: Future[Workflow]) -> None:
    """Pass the end of a job from its thread to the loop, if that runs still."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(ended)


def _build(model: str, factory: type[Workflow], supplies: Supplies) -> Workflow:
    """Raise CannotLoad whatever the model's code does."""
    try:
        workflow = factory(supplies)
        workflow.check_comparable()
        workflow.validate()
    except BaseException as error:  # also SystemExit: a model must not end the host
        log.warning("loading %s failed", model, exc_info=True)
        raise CannotLoad(brief(f"{type(error).__name__}: {error}", REASON_LIMIT)) from error
    return workflow
