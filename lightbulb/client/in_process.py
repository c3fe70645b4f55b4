"""Clients that resolve in their own process, from tables that a Lightbulb keeps up to date.

    with InProcessClient("lightbulb:7702", objectives=["ContinueWatchingRanking"]) as client:
        client.wait_ready(5.0)
        answer = client.resolve("ContinueWatchingRanking", RequestContext(user_id="u1"))

A resolution takes microseconds, and no outage of anything behind it fails one. AsyncInProcessClient is the
same for asyncio. Each starts its thread as it is entered, or at its first call, in the process that it is
then in: it may be made before a fork, and used on both sides of one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from lightbulb.ads.values import Takes
from lightbulb.client.blocking import BlockingLightbulbClient
from lightbulb.client.client import LightbulbClient
from lightbulb.client.in_tables import Found, InTables
from lightbulb.client.memory import NO_FALLBACKS, Fallback, Remember
from lightbulb.client.tables_thread import TablesSettings
from lightbulb.errors import Unavailable, UnknownObjective
from lightbulb.model import RequestContext
from lightbulb.rpc.answer import Answer, Origin, Query

_TABLES = Origin.TABLES
"""A member that is looked up in its class costs as much as half a check of a context."""

_FRESH = frozenset((Origin.LIGHTBULB, Origin.REMEMBERED))


def _better(found: Found, asked: Found) -> Found:
    """Return the better one of what tables have, which isn't fresh, and what came of asking a Lightbulb."""
    if isinstance(found, Answer) and not (isinstance(asked, Answer) and asked.origin in _FRESH):
        return found
    return asked


def _given(found: Found, objective: str, fallbacks: Mapping[str, Fallback]) -> Answer:
    """Return an answer, or the fallback; raise why there is none."""
    if isinstance(found, Answer):
        return found
    if objective not in fallbacks:
        raise found
    return fallbacks[objective].answer(objective, found)


C = TypeVar("C", BlockingLightbulbClient, LightbulbClient)


class _InProcess(Generic[C]):
    """What both kinds share: the tables, and a client of the kind `_kind` that asks a Lightbulb."""

    _kind: type[C]

    def __init__(  # noqa: PLR0913 - keywords, of which none is needed
        self,
        tables: str,
        *,
        objectives: Iterable[str] = (),
        tenants: Iterable[str] = (),
        client_name: str = "",
        sidecar: str = "",
        state: Path | None = None,
        lightbulb: str = "",
        timeout: float = 1.0,
        fallbacks: Mapping[str, Fallback] = NO_FALLBACKS,
    ) -> None:
        self._in_tables = InTables(
            TablesSettings(
                target=tables,
                client=client_name,
                sidecar=sidecar,
                takes=Takes(objectives=frozenset(objectives), tenants=frozenset(tenants)),
                state=state,
            )
        )
        self._fallbacks = dict(fallbacks)
        self._target = lightbulb
        self._lock = threading.Lock()
        self._made: C | None = None
        self._make: Callable[[], C] = partial(
            self._kind,
            lightbulb,
            client_name=client_name,
            sidecar=sidecar,
            timeout=timeout,
            remember=Remember(),
        )

    def _beyond(self) -> C | None:
        """Return what asks a Lightbulb; None: there is none to ask, or gRPC can't be used here."""
        self._in_tables.started()
        if not self._target or not self._in_tables.may_call:
            return None
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made


class InProcessClient(_InProcess[BlockingLightbulbClient]):
    """For threads, and for what a task needn't wait for. All threads may share one.

    `tables` is "host:port" where Lightbulbs serve tables, several with commas between them; `objectives` and
    `tenants` are what it takes, by default all there is. `state` is a folder for what came: with it there are
    tables from the start, and processes that share it share one stream.

    `lightbulb` is a target that is asked while there are no fresh tables, and again for a key that was
    refused; empty: none. `fallbacks` are given where there is nothing else. `client_name`, `sidecar` and
    `timeout` are as in LightbulbClient.
    """

    _kind = BlockingLightbulbClient

    def wait_ready(self, seconds: float) -> bool:
        """Wait until there are tables, for so long at most; return whether there are."""
        return self._in_tables.started().ready.wait(seconds)

    def resolve(
        self,
        objective: str,
        context: RequestContext,
        *,
        override_model: str = "",
        explain: bool = False,
        timeout: float | None = None,
    ) -> Answer:
        """Return the answer: of fresh tables, of a Lightbulb, of stale tables, or the fallback.

        Raises InvalidContext and OverrideRefused; UnknownObjective and Unavailable where there is nothing.
        """
        found = self._in_tables.find(objective, context, override_model, explain=explain)
        if isinstance(found, Answer) and found.origin is _TABLES:
            return found
        query = Query(objective=objective, context=context, override_model=override_model, explain=explain)
        return _given(self._ask(query, found, timeout), objective, self._fallbacks)

    def resolve_again(
        self,
        objective: str,
        context: RequestContext,
        *,
        override_model: str = "",
        timeout: float | None = None,
    ) -> Answer:
        """Return what a Lightbulb says, for a key that was refused; without one, what `resolve` does."""
        beyond = self._beyond()
        if beyond is not None:
            try:
                return beyond.resolve_again(
                    objective, context, override_model=override_model, timeout=timeout
                )
            except Unavailable:
                pass  # tables may know another by now
        return self.resolve(objective, context, override_model=override_model, timeout=timeout)

    def _ask(self, query: Query, found: Found, timeout: float | None) -> Found:
        beyond = self._beyond()
        if beyond is None:
            return found
        try:
            asked: Found = beyond.resolve(
                query.objective,
                query.context,
                override_model=query.override_model,
                explain=query.explain,
                timeout=timeout,
            )
        except (Unavailable, UnknownObjective) as error:
            asked = error
        return _better(found, asked)

    def close(self) -> None:
        """End the thread and the connections; no thread is left."""
        self._in_tables.close()
        if self._made is not None and self._in_tables.may_call:
            self._made.close()

    def __enter__(self) -> Self:
        self._in_tables.started()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncInProcessClient(_InProcess[LightbulbClient]):
    """An InProcessClient for asyncio. `resolve` waits for nothing while tables are fresh."""

    _kind = LightbulbClient

    async def wait_ready(self, seconds: float) -> bool:
        """Wait until there are tables, for so long at most; return whether there are."""
        return await asyncio.to_thread(self._in_tables.started().ready.wait, seconds)

    async def resolve(
        self,
        objective: str,
        context: RequestContext,
        *,
        override_model: str = "",
        explain: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - the server gets it as a deadline
    ) -> Answer:
        """Do as InProcessClient.resolve."""
        found = self._in_tables.find(objective, context, override_model, explain=explain)
        if isinstance(found, Answer) and found.origin is _TABLES:
            return found
        query = Query(objective=objective, context=context, override_model=override_model, explain=explain)
        return _given(await self._ask(query, found, timeout), objective, self._fallbacks)

    async def resolve_again(
        self,
        objective: str,
        context: RequestContext,
        *,
        override_model: str = "",
        timeout: float | None = None,  # noqa: ASYNC109 - the server gets it as a deadline
    ) -> Answer:
        """Do as InProcessClient.resolve_again."""
        beyond = self._beyond()
        if beyond is not None:
            try:
                return await beyond.resolve_again(
                    objective, context, override_model=override_model, timeout=timeout
                )
            except Unavailable:
                pass  # tables may know another by now
        return await self.resolve(objective, context, override_model=override_model, timeout=timeout)

    async def _ask(self, query: Query, found: Found, seconds: float | None) -> Found:
        beyond = self._beyond()
        if beyond is None:
            return found
        try:
            asked: Found = await beyond.resolve(
                query.objective,
                query.context,
                override_model=query.override_model,
                explain=query.explain,
                timeout=seconds,
            )
        except (Unavailable, UnknownObjective) as error:
            asked = error
        return _better(found, asked)

    async def close(self) -> None:
        """End the thread and the connections; no thread is left."""
        await asyncio.to_thread(self._in_tables.close)
        if self._made is not None and self._in_tables.may_call:
            await self._made.close()

    async def __aenter__(self) -> Self:
        self._in_tables.started()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
