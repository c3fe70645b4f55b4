"""Runs the code of models that are being loaded: off the event loop, one at a time, not for ever."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future
from functools import partial

from lightbulb.host.errors import REASON_LIMIT, CannotLoad, brief
from lightbulb.host.workers import Workers
from lightbulb.host.workflow import Supplies, Workflow

log = logging.getLogger(__name__)


class Loader:
    """Builds and validates models.

    A build that takes more than `seconds` is given up, and so is one whose caller is cancelled; but its
    thread can't be ended: while that runs, another attempt at the same model is refused.
    """

    def __init__(self, seconds: float) -> None:
        """Start idle. For one caller at a time."""
        self._seconds = seconds
        self._workers = _workers()
        self._stuck: set[str] = set()

    async def build(self, model: str, factory: type[Workflow], supplies: Supplies) -> Workflow:
        """Return a model that has passed its own check; raises CannotLoad."""
        if model in self._stuck:
            raise CannotLoad("an earlier attempt hasn't ended yet; restart this host")
        job = self._workers.submit(partial(_build, model, factory, supplies))
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(job)
        except TimeoutError as error:
            raise CannotLoad(f"it didn't load within {self._seconds:g} s") from error
        finally:
            if job.cancelled() or not job.done():
                self._give_up(model, job)

    def close(self) -> None:
        """Build nothing more."""
        self._workers.close()

    def _give_up(self, model: str, job: Future[Workflow]) -> None:
        """Leave the thread to its job, and go on with another."""
        self._stuck.add(model)
        job.add_done_callback(lambda _: self._stuck.discard(model))
        self._workers.close()
        self._workers = _workers()


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
