"""Generations, as the store keeps them and as values; decoded once, and shared where they are the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from controlplane.rollout.codec import plan_from_bytes
from controlplane.rollout.state import Generation
from controlplane.store.contract import NotFound, Store
from lightbulb.codec import table_from_bytes
from lightbulb.model import ObjectiveTable


class Archive:
    """Reads generations. A table that two of them have is one object: comparing and sending it costs nothing.

    Blocking, and for one thread at a time.
    """

    def __init__(self, store: Store) -> None:
        """Read nothing yet."""
        self._store = store
        self._generations: Mapping[int, Generation] = {}
        self._tables: dict[bytes, ObjectiveTable] = {}

    def keep(self, numbers: Iterable[int]) -> Mapping[int, Generation]:
        """Return the generations of these numbers, and forget all others.

        Raises NotFound, Corrupt, Malformed, Unreachable; then it holds what it held.
        """
        kept = {number: self._generations.get(number) or self.read(number) for number in sorted(numbers)}
        if kept.keys() != self._generations.keys():
            used = {id(table) for generation in kept.values() for table in generation.plan.tables}
            self._tables = {body: table for body, table in self._tables.items() if id(table) in used}
        self._generations = MappingProxyType(kept)
        return self._generations

    def read(self, number: int) -> Generation:
        """Return one generation. Raises NotFound, Corrupt, Malformed, Unreachable."""
        held = self._generations.get(number)
        if held is not None:
            return held
        content_hash = self._store.entry(number).content_hash
        same = next((each for each in self._generations.values() if each.content_hash == content_hash), None)
        plan = same.plan if same else plan_from_bytes(self._blob(number, content_hash), self._table)
        return Generation(number=number, content_hash=content_hash, plan=plan)

    def _blob(self, number: int, content_hash: str) -> bytes:
        try:
            return self._store.blob(content_hash)
        except NotFound as error:
            raise NotFound(f"of generation {number} only the line in the log is kept by now") from error

    def _table(self, body: bytes) -> ObjectiveTable:
        table = self._tables.get(body)
        if table is None:
            table = self._tables[body] = table_from_bytes(body)
        return table
