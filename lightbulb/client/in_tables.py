"""The tables of one client, in whichever process it is: its thread is started there, at the first call."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from dataclasses import replace

from lightbulb.client.departures import CLOSED
from lightbulb.client.tables_thread import TablesSettings, TablesThread
from lightbulb.errors import LightbulbError, Unavailable, UnknownObjective
from lightbulb.model import RequestContext
from lightbulb.rpc.answer import Answer, Origin
from lightbulb.tables.answering import Answering
from lightbulb.tables.values import EMPTY_TABLES

Found = Answer | Unavailable | UnknownObjective
"""An answer of tables, stale or not, or why they have none."""


class InTables:
    """The tables of one client, in whichever process it is."""

    def __init__(self, settings: TablesSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._thread: TablesThread | None = None
        self._may_lead = True
        self._last = EMPTY_TABLES
        self._closed = False
        self._answering = Answering(settings.client, settings.sidecar)
        _all.add(self)

    @property
    def may_call(self) -> bool:
        """Whether gRPC can be used here: not in a process forked from one in which it ran."""
        return self._may_lead

    def started(self) -> TablesThread:
        """Return the thread, which is started if it isn't there. Raises LightbulbError once it is closed."""
        thread = self._thread
        if thread is not None:
            return thread
        with self._lock:
            if self._closed:
                raise LightbulbError(CLOSED)
            if self._thread is None:
                made = TablesThread(self._settings, may_lead=self._may_lead)
                made.start(self._last)
                self._thread = made
            return self._thread

    def find(self, objective: str, context: RequestContext, override_model: str, *, explain: bool) -> Found:
        """Return what tables say. Raises InvalidContext, OverrideRefused and LightbulbError."""
        source = (self._thread or self.started()).source
        try:
            answer = self._answering.answer(
                source.feed.tables, objective, context, override_model, explain=explain
            )
        except (Unavailable, UnknownObjective) as error:
            return error
        lost_at = source.lost_at
        return answer if lost_at is None else _aged(answer, time.monotonic() - lost_at)

    def close(self) -> None:
        """End the thread."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    def forget_thread(self) -> None:
        """Note that this is a new process, in which no thread of the old one runs."""
        if self._thread is not None:
            self._last, self._may_lead = self._thread.source.feed.tables, False
        self._thread = None
        self._lock = threading.Lock()


def _aged(answer: Answer, age: float) -> Answer:
    if age < answer.cache_lifetime:
        return replace(answer, age=age)
    why = f"no Lightbulb has been connected for {age:.0f} s"
    return replace(answer, origin=Origin.STALE, age=age, why=why)


_all: weakref.WeakSet[InTables] = weakref.WeakSet()

# gRPC's handlers may hang a child that is forked while another thread calls into gRPC. Without them
# it only can't use gRPC, which it doesn't here.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")


def _after_fork() -> None:
    for each in _all:
        each.forget_thread()


def _at_exit() -> None:
    for each in list(_all):
        each.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
