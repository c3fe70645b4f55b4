"""What the replicas of a store tell each other of their consumers."""

from __future__ import annotations

import asyncio
import logging
import struct
import threading
from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

from controlplane.rollout.codec import report_from_bytes, report_to_bytes
from controlplane.rollout.registry import REPLICA_SECONDS, Consumer, Report, adopt, merge
from controlplane.rollout.state import Policy
from controlplane.store.contract import Store, Unreachable
from lightbulb.resolution.codec import Malformed

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.05
"""Between two writes: what changes meanwhile is written together."""

_BEAT = "/beat"
"""Ends the name under which a replica's heartbeat is kept, apart from its report, which is large."""

_HEARTBEAT = struct.Struct(">d?16s")
"""When, in seconds; whether the replica leads; and which process it is."""


class Reports:
    """Reads and writes them. `begin`, `read`, `write`, `beat`, `leave`, `drop_ended` block; the others don't.

    `others` are the other replicas' reports; `leading` the names of those that said that they lead.
    """

    def __init__(self, store: Store, name: str) -> None:
        """Know of nobody."""
        self.others: Mapping[str, Report] = {}
        self.leading: frozenset[str] = frozenset()
        self.orphans: tuple[Consumer, ...] = ()
        self._store = store
        self._name = name
        self._process = uuid4().bytes
        self._is_taken = False
        self._read_at = 0.0
        self._raw: Mapping[str, bytes] = {}
        self._parsed: dict[str, Report] = {}
        self._own: Report | None = None
        self._written: Report | None = None
        self._written_bytes = b""
        self._writing = threading.Lock()
        self._news = asyncio.Event()

    @property
    def instance(self) -> str:
        """A name that no other process has, whoever else is called as this one."""
        return f"{self._name}/{self._process.hex()}"

    def begin(self, now: float, policy: Policy) -> None:
        """Read for the first time; `orphans` are the consumers that this replica is to remember.

        After an outage of all replicas nobody is long gone: everybody had nobody to be seen by. While another
        replica was there, it has seen who went. Raises Unreachable, also while another process of this
        name may be there.
        """
        self.read(now)
        if self._is_taken:
            raise Unreachable(
                f"another control plane is called {self._name}, or was until a moment ago; it is waited for "
                "to end. Give each its own --replica"
            )
        ended = [report for report in self.others.values() if report.ended(now)]
        alone = len(ended) == len(self.others)
        former = self._parsed.get(self._name)
        mine = [former] if former is not None else []
        self.orphans = adopt([*ended, *mine], now, policy) if alone else adopt(mine, None, policy)

    def read(self, now: float) -> None:
        """Read what the others say. Raises Unreachable."""
        raw = dict(self._store.reports())
        beats = {
            name.removesuffix(_BEAT): _HEARTBEAT.unpack(body)
            for name, body in raw.items()
            if name.endswith(_BEAT) and len(body) == _HEARTBEAT.size
        }
        bodies = {name: body for name, body in raw.items() if not name.endswith(_BEAT)}
        parsed = {name: self._parse(name, body) for name, body in bodies.items()}
        self._parsed = {name: report for name, report in parsed.items() if report is not None}
        self._raw = bodies
        self._read_at = now
        self.others = {
            name: replace(report, heartbeat=max(report.heartbeat, beats[name][0] if name in beats else 0.0))
            for name, report in self._parsed.items()
            if name != self._name
        }
        mine = beats.get(self._name)
        self._is_taken = mine is not None and mine[2] != self._process and now - mine[0] < REPLICA_SECONDS
        self.leading = frozenset(name for name, (_, leading, _) in beats.items() if leading)

    def merge(self, own: Report, version: int, policy: Policy) -> tuple[Consumer, ...]:
        """Return everybody, at whichever replica; what is new in `own` is written down soon.

        Others are judged by when they were last read: a store that can't be reached ends nobody.
        """
        if self._own is None or (own.version, own.consumers) != (self._own.version, self._own.consumers):
            self._own = own
            self._news.set()
        elif self._raw.get(self._name) != self._written_bytes and self._written is not None:
            self._written = None  # somebody took it for that of a dead one
            self._news.set()
        return merge((own, *self.others.values()), version, self._read_at or own.heartbeat, policy)

    async def wait_for_news(self) -> None:
        """Return once there is something to write down, and a moment has passed."""
        await self._news.wait()
        self._news.clear()
        await asyncio.sleep(PAUSE_SECONDS)

    def write_again(self) -> None:
        """Have it written down later, since it couldn't be now."""
        self._news.set()

    def write(self) -> None:
        """Write this replica's report. Raises Unreachable."""
        with self._writing:  # one after the other: the last written is the newest
            own = self._own
            if own is None or own is self._written:
                return
            body = report_to_bytes(own)
            self._store.put_report(self._name, body)
            self._written, self._written_bytes = own, body
            self._raw = {**self._raw, self._name: body}

    def beat(self, now: float, *, leading: bool) -> None:
        """Say that this replica lives, and whether it leads. Raises Unreachable."""
        self._store.put_report(self._name + _BEAT, _HEARTBEAT.pack(now, leading, self._process))

    def leave(self) -> None:
        """Write down the last, and that this replica doesn't live any more: its next life needn't wait.

        Blocking. Raises Unreachable.
        """
        self.write()
        self._store.drop_report(self._name + _BEAT)

    def drop_ended(self, now: float, policy: Policy) -> None:
        """Forget replicas that ended so long ago that nobody counts their consumers. Raises Unreachable."""
        names = [name for name, report in self.others.items() if now - report.heartbeat > policy.lease]
        if not names:
            return
        self.read(now)  # they may have come back
        for name in names:
            report = self.others.get(name)
            if report is not None and now - report.heartbeat > policy.lease:
                self._store.drop_report(name)
                self._store.drop_report(name + _BEAT)

    def _parse(self, name: str, body: bytes) -> Report | None:
        if self._raw.get(name) == body and name in self._parsed:
            return self._parsed[name]
        try:
            return report_from_bytes(body)
        except Malformed as error:
            log.warning("the report of %s is left out: %s", name, error)
            return None
