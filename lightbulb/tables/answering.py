"""A query -> its answer, from tables in this process: what Responder does, without bytes. No I/O.

Each different answer of a generation is one object, so a call costs a check of its context, a resolution and
two look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from lightbulb.errors import OverrideRefused, Unavailable
from lightbulb.model import HeldBack, RequestContext
from lightbulb.resolution.resolve import OverrideNotPermitted, Resolution, Resolver, Step
from lightbulb.rpc.answer import Answer, Origin, Query, make_answer
from lightbulb.rpc.limits import checked_context
from lightbulb.rpc.writable import check_writable
from lightbulb.tables.known import known_resolver
from lightbulb.tables.values import EMPTY_TABLES, Tables


@dataclass(frozen=True, slots=True)
class _Page:
    """An objective in the generation that it is answered from, and its answers that were made."""

    generation: int
    resolver: Resolver
    answers: dict[Resolution, Answer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Desk:
    tables: Tables
    pages: dict[str, _Page] = field(default_factory=dict)


class Answering:
    """Answers from tables; threads may share it.

    `client` is the caller's name, and `sidecar` the node id of its sidecar.
    """

    def __init__(self, client: str, sidecar: str) -> None:
        self._client = client
        self._sidecar = sidecar
        self._desk = _Desk(EMPTY_TABLES)

    def answer(
        self,
        tables: Tables,
        objective: str,
        context: RequestContext,
        override_model: str = "",
        *,
        explain: bool = False,
    ) -> Answer:
        """Return the answer of these tables.

        Raises InvalidContext, UnknownObjective, OverrideRefused, and Unavailable while there are no tables.
        """
        desk = self._desk
        if desk.tables is not tables:
            desk = self._desk = _Desk(tables)
        try:
            page = desk.pages[objective]
        except (KeyError, TypeError):  # it isn't there yet, or is no text
            page = self._look_up(desk, objective, context)
        context = checked_context(context, objective, override_model)
        if override_model or explain:
            return self._answer_otherwise(tables, page, context, override_model, explain=explain)
        resolution = page.resolver.resolve(context)
        answer = page.answers.get(resolution)
        if answer is None:
            answer = page.answers[resolution] = _made(page, resolution)
        return answer

    def _answer_otherwise(
        self, tables: Tables, page: _Page, context: RequestContext, override_model: str, *, explain: bool
    ) -> Answer:
        """Answer with the model that the caller asks for, or with what explains the answer, or both."""
        objective = page.resolver.table.objective
        steps: list[Step] | None = [] if explain else None
        try:
            resolution = page.resolver.resolve(
                context, override=override_model, client=self._client, steps=steps
            )
        except OverrideNotPermitted as error:
            raise OverrideRefused(str(error), objective=objective, model=override_model) from error
        if steps is None:
            return _made(page, resolution)
        return _made(page, resolution, steps, tables.held_back(objective, page.generation))

    def _look_up(self, desk: _Desk, objective: str, context: RequestContext) -> _Page:
        tables = desk.tables
        if type(objective) is not str:
            check_writable(Query(objective=objective, context=context))
        if not tables.generations:
            raise Unavailable("no tables have come yet; retry")
        number = tables.generation_for(self._sidecar, tables.tenant_of(objective))
        resolver = known_resolver(tables, objective, number)
        page = desk.pages[objective] = _Page(number, resolver)
        return page


def _made(
    page: _Page, resolution: Resolution, steps: Iterable[Step] = (), held_back: HeldBack | None = None
) -> Answer:
    answer = make_answer(page.resolver.table, resolution, page.generation, steps, held_back)
    return replace(answer, origin=Origin.TABLES)
