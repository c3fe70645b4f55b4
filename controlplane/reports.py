"""What the replicas of a store tell each other of their consumers."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from dataclasses import replace

from controlplane.rollout.codec import report_from_bytes, report_to_bytes
from controlplane.rollout.registry import Consumer, Report, adopt, merge
from controlplane.rollout.state import Policy
from controlplane.store.contract import Store

PAUSE_SECONDS = 0.05
"""Between two writes: what changes meanwhile is written together."""

_BEAT = "/beat"
"""Ends the name under which a replica's heartbeat is kept, apart from its report, which is large."""

_HEARTBEAT = struct.Struct(">d?")
"""When, in seconds, and whether the replica drives."""

_NEVER = (0.0, False)


class Reports:
    """Reads and writes them. Reading and writing block; the others are for the event loop."""

    def __init__(self, store: Store, name: str) -> None:
        """Know of nobody."""
        self._store = store
        self._name = name
        self._raw: Mapping[str, bytes] = {}
        self._parsed: dict[str, Report] = {}
        self._own: Report | None = None
        self._written: Report | None = None
        self._dirty = asyncio.Event()
        self.others: Mapping[str, Report] = {}
        self.driving: frozenset[str] = frozenset()

    def read(self) -> None:
        """Read what the others say. Raises Unreachable, Malformed."""
        raw = dict(self._store.reports())
        beats = {
            name.removesuffix(_BEAT): _HEARTBEAT.unpack(body)
            for name, body in raw.items()
            if name.endswith(_BEAT) and len(body) == _HEARTBEAT.size
        }
        bodies = {name: body for name, body in raw.items() if not name.endswith(_BEAT)}
        self._parsed = {
            name: self._parsed[name] if self._raw.get(name) == body else report_from_bytes(body)
            for name, body in bodies.items()
        }
        self._raw = bodies
        self.others = {
            name: replace(report, heartbeat=max(report.heartbeat, beats.get(name, _NEVER)[0]))
            for name, report in self._parsed.items()
            if name != self._name
        }
        self.driving = frozenset(name for name, (_, driving) in beats.items() if driving)

    def orphans(self, now: float, policy: Policy) -> tuple[Consumer, ...]:
        """Return the consumers of replicas that have ended, this one's own former life among them."""
        ended = [report for report in self.others.values() if report.ended(now)]
        former = self._parsed.get(self._name)
        return adopt((), [*ended, *([former] if former is not None else [])], now, policy)

    def drop_ended(self, now: float, policy: Policy) -> None:
        """Forget replicas that ended so long ago that nobody counts their consumers. Raises Unreachable."""
        for name, report in self.others.items():
            if now - report.heartbeat > policy.lease:
                self._store.drop_report(name)
                self._store.drop_report(name + _BEAT)

    def merge(self, own: Report, version: int, now: float, policy: Policy) -> tuple[Consumer, ...]:
        """Return everybody, at whichever replica; what is new in `own` is written down soon."""
        if self._own is None or (own.version, own.consumers) != (self._own.version, self._own.consumers):
            self._own = own
            self._dirty.set()
        return merge((own, *self.others.values()), version, now, policy)

    async def wait_dirty(self) -> None:
        """Return once there is something to write down, and a moment has passed."""
        await self._dirty.wait()
        await asyncio.sleep(PAUSE_SECONDS)

    def write(self) -> None:
        """Write this replica's report. Raises Unreachable."""
        own = self._own
        self._dirty.clear()
        if own is not None and own is not self._written:
            try:
                self._store.put_report(self._name, report_to_bytes(own))
            except BaseException:
                self._dirty.set()
                raise
            self._written = own

    def beat(self, now: float, *, driving: bool) -> None:
        """Say that this replica lives, and whether it drives. Raises Unreachable."""
        self._store.put_report(self._name + _BEAT, _HEARTBEAT.pack(now, driving))
