"""What the replicas of a store tell each other of their consumers."""

from __future__ import annotations

import asyncio
import logging
import struct
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple
from uuid import uuid4

from controlplane.lifecycle.watching import Watch
from controlplane.replica.figures import Told, told_from_bytes, told_to_bytes
from controlplane.replica.watches import Kept, is_evidence, kept_in, name_of
from controlplane.rollout.codec import ReportWriter, report_from_bytes
from controlplane.rollout.registry import REPLICA_SECONDS, Consumer, Report, adopt, merge
from controlplane.rollout.state import Policy
from controlplane.store.contract import Store, Unreachable
from lightbulb.resolution.codec import Malformed

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.05
"""Between two writes: what changes meanwhile is written together."""

_BEAT = "/beat"
"""Ends the name under which a replica's heartbeat is kept, apart from its report, which is large."""

_FIGURES = "/figures"
"""Ends the name under which what relays told a replica is kept: it changes every few seconds."""

_HEARTBEAT = struct.Struct(">d?16s")


class _Beat(NamedTuple):
    """When, in seconds; whether the replica leads; and which process it is."""

    at: float
    leading: bool
    process: bytes


@dataclass(frozen=True, slots=True)
class _Own:
    """What this replica has to say; `number` counts how often it had something to write."""

    number: int
    report: Report


@dataclass(frozen=True, slots=True)
class _Written:
    """The bytes that were written last, and which `_Own` they are of."""

    number: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the store had when it was last read; `after` is what had been written before.

    `at`: as of when the others are judged, which is when it was read, but for a while after nobody could be.

    `others` are the other replicas' reports; `leading` the names of those that said that they lead.
    """

    at: float = 0.0
    after: _Written | None = None
    bodies: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    parsed: Mapping[str, Report] = field(default_factory=lambda: MappingProxyType({}))
    others: Mapping[str, Report] = field(default_factory=lambda: MappingProxyType({}))
    leading: frozenset[str] = frozenset()
    figures: Mapping[str, Told] = field(default_factory=lambda: MappingProxyType({}))
    """What relays told the other replicas, those that ended too."""
    evidence: Mapping[int, Kept] = field(default_factory=lambda: MappingProxyType({}))
    """Shift -> what whoever led last kept of it."""
    beside: tuple[str, ...] = ()
    """The names under which that, and what was before it, is kept."""
    is_taken: bool = False
    """Whether another process has this replica's name."""


class Reports:
    """Reads and writes them. `begin`, `read`, `write`, `beat`, `leave`, `drop_ended` block; the others don't.

    Three values are shared between the event loop and the threads that block, each swapped as a whole:
    `heard` by `read`, one thread at a time; `_written` by `write`, likewise; `_own`, what is to be written,
    by `merge`, in the event loop.
    """

    def __init__(self, store: Store, name: str) -> None:
        """Know of nobody."""
        self.heard = Heard()
        self._store = store
        self._name = name
        self._process = uuid4().bytes
        self._own: _Own | None = None
        self._written: _Written | None = None
        self._read_at = 0.0
        self._blind_until = 0.0
        """Until then others may not have said that they live: the store, or this, stood still."""
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._writer = ReportWriter()
        self._figures: Mapping[str, tuple[bytes, Told]] = {}
        """Replica -> what it was told, with its bytes; what is as it was isn't parsed again."""
        self._news = asyncio.Event()

    @property
    def instance(self) -> str:
        """A name that no other process has, whoever else is called as this one."""
        return f"{self._name}/{self._process.hex()}"

    @property
    def is_written(self) -> bool:
        """Whether the newest report of this replica has been written down."""
        own, written = self._own, self._written
        return own is None or (written is not None and written.number == own.number)

    def begin(self, now: float, policy: Policy) -> tuple[Consumer, ...]:
        """Read for the first time; return the consumers that this replica is to remember.

        After an outage of all replicas nobody is long gone: everybody had nobody to be seen by. While another
        replica was there, it has seen who went. Raises Unreachable, also while another process of this
        name may be there.
        """
        heard = self.read(now, own=True)
        if heard.is_taken:
            raise Unreachable(
                f"another control plane is called {self._name}, or was until a moment ago; it is waited for "
                "to end. Give each its own --replica"
            )
        ended = [report for report in heard.others.values() if report.ended(now)]
        alone = len(ended) == len(heard.others)
        former = heard.parsed.get(self._name)
        mine = [former] if former is not None else []
        return adopt([*ended, *mine], now, policy) if alone else adopt(mine, None, policy)

    def read(self, now: float, *, own: bool = False, lost: bool = False) -> Heard:
        """Read what the others say; and what this one's `own` last life said. Raises Unreachable.

        Of a store that `lost` commits, reports that are older than what was heard already don't count: a
        host that had loaded all would lack it again, and be sent no requests.
        """
        with self._reading:
            written = self._written
            raw = self._store.reports()
            bodies = {name: body for name, body in raw.items() if not _is_beside(name)}
            beats = _beats(raw)
            wanted = {name: body for name, body in bodies.items() if own or name != self._name}
            parsed = _parsed(wanted, self.heard)
            others = {
                name: _with_beat(report, beats.get(name))
                for name, report in parsed.items()
                if name != self._name
            }
            self._figures = _figures(raw, self._name, self._figures)
            self.heard = Heard(
                at=self._judged_at(now),
                after=written,
                bodies=bodies,
                parsed=_newest(self.heard.parsed, parsed) if lost else parsed,
                others=_newest(self.heard.others, others) if lost else others,
                leading=frozenset(name for name, beat in beats.items() if beat.leading),
                figures={name: told for name, (_, told) in self._figures.items()},
                evidence=kept_in(raw),
                beside=tuple(filter(is_evidence, raw)),
                is_taken=self._is_another(beats.get(self._name), now),
            )
            return self.heard

    def _judged_at(self, now: float) -> float:
        """Return as of when others are judged: not by a time in which nobody could be heard."""
        if self._read_at and now - self._read_at > REPLICA_SECONDS:
            self._blind_until = now + REPLICA_SECONDS
        self._read_at = now
        return self.heard.at if now < self._blind_until else now

    def _is_another(self, beat: _Beat | None, now: float) -> bool:
        """Say whether a heartbeat is that of another process, which may live."""
        return beat is not None and beat.process != self._process and now - beat.at < REPLICA_SECONDS

    def merge(self, own: Report, version: int, policy: Policy) -> tuple[Consumer, ...]:
        """Return everybody, at whichever replica; what is new in `own` is written down soon.

        Others are judged by when they were last read: a store that can't be reached ends nobody.
        """
        before, heard = self._own, self.heard
        if before is None or _differs(own, before.report) or self._was_dropped(before, heard):
            self._own = _Own(before.number + 1 if before is not None else 1, own)
            self._news.set()
        return merge((own, *heard.others.values()), version, heard.at or own.heartbeat, policy)

    def _was_dropped(self, own: _Own, heard: Heard) -> bool:
        """Say whether what this replica wrote is gone: somebody took it for that of a dead one."""
        written = heard.after
        return (
            written is not None
            and written.number == own.number
            and heard.bodies.get(self._name) != written.body
        )

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
            if own is None or self.is_written:
                return
            body = self._writer.content(own.report)
            self._store.put_report(self._name, body)
            self._written = _Written(own.number, body)

    def write_figures(self, told: Told) -> None:
        """Write what relays told this replica. Raises Unreachable."""
        self._store.put_report(self._name + _FIGURES, told_to_bytes(told))

    def drop_figures(self) -> None:
        """Forget them. Raises Unreachable."""
        self._store.drop_report(self._name + _FIGURES)

    def write_evidence(self, watches: Iterable[Watch], old: Iterable[str], token: int) -> None:
        """Write what was learnt of shifts by who leads with `token`, and forget what is `old`, by its names.

        Raises Unreachable.
        """
        for each in watches:
            self._store.put_report(name_of(each.shift, token), each.to_bytes())
        for name in old:
            self._store.drop_report(name)

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
        names = _long_ended(self.heard, policy)
        if not names:
            return
        for name in names & _long_ended(self.read(now), policy):  # others may have come back
            self._store.drop_report(name)
            self._store.drop_report(name + _BEAT)
            self._store.drop_report(name + _FIGURES)


def _is_beside(name: str) -> bool:
    """Say whether what is kept under that name is no report."""
    return name.endswith((_BEAT, _FIGURES)) or is_evidence(name)


def _differs(one: Report, other: Report) -> bool:
    return replace(one, heartbeat=0.0) != replace(other, heartbeat=0.0)


def _beats(raw: Mapping[str, bytes]) -> Mapping[str, _Beat]:
    return {
        name.removesuffix(_BEAT): _Beat(*_HEARTBEAT.unpack(body))
        for name, body in raw.items()
        if name.endswith(_BEAT) and len(body) == _HEARTBEAT.size
    }


def _figures(
    raw: Mapping[str, bytes], own: str, before: Mapping[str, tuple[bytes, Told]]
) -> Mapping[str, tuple[bytes, Told]]:
    """Return what the others were told, and its bytes; what can't be read is left out."""
    told: dict[str, tuple[bytes, Told]] = {}
    for name, body in raw.items():
        replica = name.removesuffix(_FIGURES)
        if replica in {name, own}:
            continue
        held = before.get(replica)
        try:
            told[replica] = held if held is not None and held[0] == body else (body, told_from_bytes(body))
        except Malformed as error:
            log.warning("the figures of %s are left out: %s", replica, error)
    return told


def _parsed(bodies: Mapping[str, bytes], before: Heard) -> Mapping[str, Report]:
    """Return the reports that can be read; those that are as they were aren't parsed again."""
    parsed: dict[str, Report] = {}
    for name, body in bodies.items():
        if name in before.parsed and before.bodies.get(name) == body:
            parsed[name] = before.parsed[name]
            continue
        try:
            parsed[name] = report_from_bytes(body)
        except Malformed as error:
            log.warning("the report of %s is left out: %s", name, error)
    return parsed


def _newest(before: Mapping[str, Report], now: Mapping[str, Report]) -> Mapping[str, Report]:
    """Return of each replica the newer of two reports, and that it lived when it last said so."""
    found = {**before, **now}
    for name in before.keys() & now.keys():
        both = (before[name], now[name])
        newest = max(both, key=lambda each: (each.version, each.heartbeat))
        found[name] = replace(newest, heartbeat=max(each.heartbeat for each in both))
    return found


def _with_beat(report: Report, beat: _Beat | None) -> Report:
    """Return a report that is as young as its replica's last heartbeat."""
    if beat is None or beat.at <= report.heartbeat:
        return report
    return replace(report, heartbeat=beat.at)


def _long_ended(heard: Heard, policy: Policy) -> frozenset[str]:
    others = heard.others.items()
    return frozenset(name for name, report in others if heard.at - report.heartbeat > policy.lease)
