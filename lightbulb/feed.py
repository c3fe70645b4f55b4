"""Holds what resolution needs, as the control plane sends it: tables, and the active generation.

Readers take `feed.tables` once and work on that: it is immutable, and an update puts another in its
place. A table that can't be used is refused by name; the one before it goes on serving. All that a
Feed knows came in as Updates, so keeping those (on disk, say) is all that a warm start needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lightbulb.ads.session import Update
from lightbulb.ads.values import ACTIVE_GENERATION, OBJECTIVE_TABLES, Resource
from lightbulb.codec import generation_from_bytes, objective_tables_from_bytes
from lightbulb.enrich import check_parameters
from lightbulb.errors import ReservedParameter
from lightbulb.model import ActiveGeneration
from lightbulb.resolve import Resolver

TYPES = (OBJECTIVE_TABLES, ACTIVE_GENERATION)
"""What to subscribe to, in this order: the generation's number comes after its tables."""

SLICE = 32
"""Tables that are made ready before others get the event loop: some milliseconds' worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Everything that answers come from, at one moment. Generation 0: nothing has come yet."""

    resolvers: Mapping[str, Resolver]
    generation: ActiveGeneration


EMPTY_TABLES = Tables(resolvers=MappingProxyType({}), generation=ActiveGeneration(number=0, content_hash=""))


class Feed:
    """Applies updates of TYPES, one at a time, in the order in which they come."""

    def __init__(self) -> None:
        self.tables = EMPTY_TABLES
        self._turn = asyncio.Lock()  # fair: first come, first served
        self._ready = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether a whole generation has come."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Return as soon as a whole generation has come."""
        await self._ready.wait()

    async def apply(self, update: Update) -> Mapping[str, str]:
        """Take what can be used of an update; return resource name -> reason for what can't."""
        async with self._turn:
            if update.type_url == ACTIVE_GENERATION:
                return self._apply_generation(update)
            return await self._apply_tables(update)

    async def _apply_tables(self, update: Update) -> Mapping[str, str]:
        rejected: dict[str, str] = {}
        resolvers = dict(self.tables.resolvers)
        for name in update.removed:
            resolvers.pop(name, None)
        for position, resource in enumerate(update.added, 1):
            try:
                resolvers[resource.name] = _make_resolver(resource)
            except (ValueError, ReservedParameter) as error:
                rejected[resource.name] = str(error)
            if position % SLICE == 0:
                await asyncio.sleep(0)
        if self.tables.resolvers and not resolvers:
            # an empty control plane must not take down what works without it
            return dict.fromkeys(update.removed, "refused: it would leave no objective at all") | rejected
        self.tables = Tables(resolvers=MappingProxyType(resolvers), generation=self.tables.generation)
        return rejected

    def _apply_generation(self, update: Update) -> Mapping[str, str]:
        rejected = dict.fromkeys(update.removed, "refused: a generation is replaced, never withdrawn")
        for resource in update.added:
            try:
                generation = generation_from_bytes(resource.body)
            except ValueError as error:
                rejected[resource.name] = str(error)
                continue
            if generation.number == 0:
                rejected[resource.name] = "generation 0 is none"
                continue
            self.tables = Tables(resolvers=self.tables.resolvers, generation=generation)
            self._ready.set()
        return rejected


def _make_resolver(resource: Resource) -> Resolver:
    """Return a table made ready; raise ValueError or ReservedParameter when it can't be used."""
    tables = objective_tables_from_bytes(resource.body)
    if tables.objective != resource.name:
        raise ValueError(f"holds the tables of {tables.objective!r}")
    table = tables.tables[-1].table
    if table is None:
        raise ValueError("is not there in the newest generation")
    for target in table.models:
        check_parameters(target.parameters)
    return Resolver(table)
