"""Runs the code of models that are being loaded: off the event loop, one at a time, not for ever.

A thread can't be ended. So a load that takes too long is refused, and goes on: whoever asks for that model
again takes it over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from lightbulb.host.errors import REASON_LIMIT, CannotLoad, brief
from lightbulb.host.workers import Workers
from lightbulb.host.workflow import Supplies, Workflow

log = logging.getLogger(__name__)

MAX_LATE = 4
"""Loads that took too long and still run, a thread each. The next one waits until one of them ends."""

KEPT_SECONDS = 300.0
"""How long a model that was loaded too late is kept for whoever asks for it next."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Attempt:
    """A load that was begun. What it gives depends on nothing but these."""

    model: str
    factory: type[Workflow]
    supplies: Supplies
    job: Future[Workflow]

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
        """Start idle. For one caller at a time."""
        self._seconds = seconds
        self._kept = kept
        self._workers = _workers()
        self._late: list[_Attempt] = []

    @property
    def late(self) -> tuple[str, ...]:
        """The models whose loads took too long: those that run still, and those that are kept."""
        return tuple(each.model for each in self._late)

    @property
    def running(self) -> tuple[str, ...]:
        """The models whose loads took too long, and run still."""
        return tuple(each.model for each in self._running())

    async def build(
        self, model: str, factory: type[Workflow], supplies: Supplies, seconds: float = 0.0
    ) -> Workflow:
        """Return a model that has passed its own check; raises CannotLoad, after `seconds` if it says so."""
        seconds = seconds or self._seconds
        attempt = next((each for each in self._late if each.gives(model, factory, supplies)), None)
        try:
            async with asyncio.timeout(seconds):
                if attempt is None:
                    await self._wait_for_a_thread()
                    job = self._workers.submit(partial(_build, model, factory, supplies))
                    attempt = _Attempt(model=model, factory=factory, supplies=supplies, job=job)
                else:
                    log.info("the load of %s that took too long is taken over", model)
                return await asyncio.wrap_future(attempt.job)
        except TimeoutError as error:
            raise CannotLoad(self._too_long(attempt, seconds)) from error
        finally:
            self._settle(attempt)

    def close(self) -> None:
        """Build nothing more."""
        self._workers.close()
        self._late.clear()

    async def _wait_for_a_thread(self) -> None:
        while len(running := self._running()) >= MAX_LATE:
            jobs = [asyncio.wrap_future(each.job) for each in running]
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)

    def _running(self) -> list[_Attempt]:
        return [each for each in self._late if not each.job.done()]

    def _too_long(self, attempt: _Attempt | None, seconds: float) -> str:
        if attempt is None:
            names = ", ".join(sorted({*self.running}))
            return brief(f"loads that took too long are still running: {names}", REASON_LIMIT)
        return f"it didn't load within {seconds:g} s; it goes on, and the next attempt takes it over"

    def _settle(self, attempt: _Attempt | None) -> None:
        """Forget an attempt that has ended; leave one that goes on to its thread, and have another thread."""
        if attempt is None:
            return
        if attempt.job.done():
            self._drop(attempt)
        elif attempt not in self._late:
            self._late.append(attempt)
            ended = partial(self._ended, attempt)
            attempt.job.add_done_callback(partial(_tell, asyncio.get_running_loop(), ended))
            self._workers.close()
            self._workers = _workers()

    def _ended(self, attempt: _Attempt) -> None:
        if attempt.job.exception() is not None:
            self._drop(attempt)
            return
        log.info("%s is loaded, too late; kept for the next attempt", attempt.model)
        asyncio.get_running_loop().call_later(self._kept, self._drop, attempt)

    def _drop(self, attempt: _Attempt) -> None:
        if attempt in self._late:
            self._late.remove(attempt)


def _tell(loop: asyncio.AbstractEventLoop, ended: Callable[[], None], _: Future[Workflow]) -> None:
    """Pass the end of a job from its thread to the loop, if that runs still."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(ended)


def _workers() -> Workers:
    return Workers("load", count=1, limit=1)


def _build(model: str, factory: type[Workflow], supplies: Supplies) -> Workflow:
    """Raise CannotLoad whatever the model's code does."""
    try:
        workflow = factory(supplies)
        workflow.validate()
    except BaseException as error:  # also SystemExit: a model must not end the host
        log.warning("loading %s failed", model, exc_info=True)
        raise CannotLoad(brief(f"{type(error).__name__}: {error}", REASON_LIMIT)) from error
    return workflow
