"""What one stream wants, has and owes of one resource type. Pure; the session decides when to send."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from lightbulb.ads.messages import NO_REASONS, WILDCARD
from lightbulb.ads.server.batch import Batch, Pending
from lightbulb.ads.server.client_versions import ClientVersions
from lightbulb.ads.server.diff import diff, versions
from lightbulb.ads.server.order import NEVER_EMPTIED
from lightbulb.ads.server.refusals import Rejection, reasons_of
from lightbulb.ads.server.snapshot import NO_RESOURCES, Resources
from lightbulb.ads.server.tracks import length_of
from lightbulb.ads.values import CLUSTER, Resource

GONE = ""
"""The version of a resource that is to be removed."""
UNKNOWN = ""
"""The version held of a resource that the client may have removed, or may be applying."""
MAX_EARLIER = 7
"""Responses that one which takes them side by side may be at, beside the newest; then changes coalesce."""


@dataclass(slots=True, kw_only=True)
class TypeState:
    """One type of one stream. `current` is what it should have; `dirty` the names to look at again."""

    type_url: str
    wildcard: bool = False
    names: set[str] = field(default_factory=set)
    names_length: int = 0
    has: ClientVersions = field(default_factory=ClientVersions)
    """What the client has, or UNKNOWN."""
    unsure: set[str] = field(default_factory=set)
    """Names of which it may have something else: it refused one response of several side by side."""
    accepted: dict[str, Resource] = field(default_factory=dict)
    """Clusters that were ACKed: what a refused update is repaired with."""
    current: Resources = field(default_factory=lambda: NO_RESOURCES)
    only_adds: bool = False
    """What the client has beyond `current` stays, for now."""
    dirty: set[str] = field(default_factory=set)
    forced: set[str] = field(default_factory=set)
    """Names to answer for even if the client should have them."""
    repairs: list[str] = field(default_factory=list)
    rejected: dict[str, Rejection] = field(default_factory=dict)
    pending: Pending | None = None
    """The newest response that the client hasn't answered."""
    side_by_side: bool = False
    """The client takes a response while it is at earlier ones, and answers each when it is done with it."""
    earlier: dict[str, Pending] = field(default_factory=dict)
    """Nonce -> an earlier one, without the names of which newer ones tell."""
    owes_answer: bool = False
    """The first wildcard request is answered even with nothing, or a cold Envoy would wait."""
    batch_limit: int = 0
    """Most resources in a response while a refused one is searched for by halves; 0: no limit."""
    suspects: set[str] = field(default_factory=set)
    """New clusters that were in a response which wasn't acknowledged in time."""
    late: bool = False

    def wants(self, name: str) -> bool:
        """Say whether the client is subscribed to `name`."""
        return self.wildcard or name in self.names

    @property
    def held(self) -> Mapping[str, str]:
        """Name -> version that the client has, or UNKNOWN."""
        return self.has.versions

    def mark_all(self) -> None:
        """Look at everything again: after a first request, or a first snapshot."""
        different = self.has.differing(self.current)
        self.dirty |= self.forced
        self.dirty |= different if self.wildcard else different & self.names

    def update(self, new: Resources, *, only_adds: bool = False) -> None:
        """Take what the client should have from now on."""
        step = diff(self.current, new)
        kept, self.only_adds = not self.current or self.only_adds, only_adds
        if kept:
            # What should have gone when there was nothing, or when nothing was taken away, was kept then.
            self.dirty |= self.held.keys()
        self.current = new
        for name in [each for each, refused in self.rejected.items() if refused.version == GONE]:
            if name in new:
                del self.rejected[name]
        for name in step.removed:
            # Should it come back, it was mended, or is asked for again: it deserves another try.
            if name in self.rejected and self.rejected[name].version != GONE:
                del self.rejected[name]
        for changes in (step.changed, step.removed):
            self.dirty |= changes if self.wildcard else changes & self.names
        if self.side_by_side:  # what it has matters less than what it was told since
            self.forced |= self.dirty & self._names_under_way()

    def subscribe(self, names: Iterable[str]) -> None:
        """Add names; each is sent, held or refused as it may be, and one that doesn't exist is answered for.

        The client may have dropped what it had and come to want it again, before it could say the former.
        """
        for name in names:
            again = self.current.keys() if name == WILDCARD else (name,)
            if name == WILDCARD:
                self.wildcard = self.owes_answer = True
                self.rejected.clear()
            else:
                self.name((name,))
                self.rejected.pop(name, None)
            self.forced.update(again)
            self.dirty.update(again)

    def name(self, names: Iterable[str]) -> None:
        """Note that names are wanted."""
        new = set(names) - self.names
        self.names |= new
        self.names_length += length_of(new)

    def unsubscribe(self, names: Iterable[str]) -> None:
        """Drop names; one that the wildcard still matches is answered for."""
        for name in names:
            if name == WILDCARD:
                self.wildcard = False
                self.has.keep(self.names)
            elif name in self.names:
                self.names.discard(name)
                self.names_length -= len(name)
                if self.wildcard:
                    self.forced.add(name)
                    self.dirty.add(name)
                else:
                    self.has.drop(name)
                    self.unsure.discard(name)

    def next_batch(self, *, removals: bool, missing: AbstractSet[str], byte_limit: int) -> Batch:
        """Return what is to be sent next.

        `removals` says whether names may be taken away now; what refers to `missing` names waits.
        """
        if self.repairs:
            return self._repair()
        resources: list[Resource] = []
        removed: list[str] = []
        size = 0
        for name, resource in self._news(missing):
            if resource is None and not removals and not self._is_answer(name):
                continue
            size += len(name.encode()) + (0 if resource is None else len(resource.body))
            full = resource is not None and self._is_full(resources)
            if full or (size > byte_limit and (resources or removed)):
                break
            if resource is None:
                removed.append(name)
            else:
                resources.append(resource)
        return Batch(tuple(resources), tuple(removed))

    def _news(self, missing: AbstractSet[str]) -> Iterator[tuple[str, Resource | None]]:
        """Yield what the client should be told, None for what it should have no more; forget the rest."""
        for name in sorted(self.dirty):
            resource = self.current.get(name) if self.wants(name) else None
            if not self._is_news(name, resource):
                self._clean(name)
            elif resource is None or not resource.refers & missing:
                yield name, resource

    def _is_news(self, name: str, resource: Resource | None) -> bool:
        return self._must_remove(name) if resource is None else self._must_send(resource)

    def _is_answer(self, name: str) -> bool:
        """Say whether it is an answer that there is none of a name, and takes away nothing that routes need.

        Nor endpoints: an Envoy that is told that there are none warms a changed cluster without any.
        """
        return name in self.forced and not self._may_hold(name)

    def _may_hold(self, name: str) -> bool:
        return name in self.held or name in self.unsure

    def _is_full(self, resources: Sequence[Resource]) -> bool:
        return bool(self.batch_limit) and len(resources) >= self.batch_limit

    def sent(self, batch: Batch, nonce: str, now: float) -> None:
        """Note that `batch` is on its way."""
        names = {*(resource.name for resource in batch.resources), *batch.removed}
        supersedes = names & self._names_under_way()
        for name in names:
            self._clean(name)
        if self.pending is not None:
            before = self._take_pending()
            self.earlier[before.nonce] = before
        self.earlier = {
            older: left for older, pending in self.earlier.items() if (left := pending.without(names))
        }
        self.pending = Pending(
            nonce=nonce,
            sent={resource.name: resource for resource in batch.resources},
            removed=batch.removed,
            since=now,
            supersedes=supersedes,
        )
        self.owes_answer = False

    @property
    def may_send(self) -> bool:
        """Whether another response may go before those under way are answered, or none is."""
        return self.pending is None or (self.side_by_side and len(self.earlier) < MAX_EARLIER)

    def awaits(self, nonce: str) -> bool:
        """Say whether this is the nonce of a response whose answer counts."""
        return nonce in self.earlier or (self.pending is not None and nonce == self.pending.nonce)

    def acknowledge(self, nonce: str) -> None:
        """Note that the client applied a response that is awaited."""
        pending = self._take(nonce)
        self._note_held(pending)
        for name, resource in pending.sent.items():
            if self.wants(name):
                self._accept(name, resource)
        for name in pending.removed:
            self.accepted.pop(name, None)
            if name in self.current:
                self.dirty.add(name)  # it was taken back to be tried again, or came back meanwhile
            else:
                self.rejected.pop(name, None)
        if pending.sent:
            self.batch_limit = 2 * self.batch_limit if self.dirty else 0

    def _accept(self, name: str, resource: Resource) -> None:
        if not self._is_repair(resource):
            self.rejected.pop(name, None)
        self.suspects.discard(name)
        if self.type_url == CLUSTER:
            self.accepted[name] = resource
        if name not in self.current:
            self.dirty.add(name)  # a repair of what has left meanwhile

    def refuse(self, nonce: str, error: str, refused: Mapping[str, str] = NO_REASONS) -> None:
        """Find out which resource of a response that is awaited the client refused; the others go again."""
        pending = self._take(nonce)
        told = pending.sent.keys() | pending.superseded
        reasons = reasons_of(error, refused, sent=told, removed=pending.removed)
        for name in pending.sent.keys() & reasons.keys():
            self._reject(pending.sent[name], reasons[name])
        self.unsure |= reasons.keys() & pending.supersedes
        others = pending.sent.keys() - reasons.keys()
        # Some of the others may have been applied: their state is unknown, so they go again.
        removed = [name for name in pending.removed if name not in self.rejected]
        self._again(others, removed)
        if not reasons and others:
            self.batch_limit = max(1, len(others) // 2)
        for name in removed:
            if name in reasons and name not in self.current:
                self.rejected[name] = Rejection(GONE, reasons[name])

    def retry(self) -> None:
        """Send again what was refused."""
        self.dirty |= self.rejected.keys()
        self.rejected.clear()

    def expire(self) -> None:
        """No ACK came in time: take new clusters back, since one of them may be what never warms.

        They are tried again, fewer at a time; one that fails alone twice is not. Other types wait on.
        """
        self.late = True
        if self.type_url != CLUSTER or self.pending is None:
            return
        new = {name for name in self.pending.sent if name not in self.held}
        if not new:
            return
        pending = self._take_pending()
        self.late = True
        if len(new) == 1 and new <= self.suspects:
            (name,) = new
            self._reject(pending.sent[name], "not acknowledged in time")
        else:
            self.repairs.extend(sorted(new))
            self.batch_limit = max(1, len(new) // 2)
        self.suspects |= new
        self._again(pending.sent.keys() - new, pending.removed)

    @property
    def awaited_since(self) -> float | None:
        """Since when an ACK is awaited; None when none is, or when its deadline has passed."""
        return None if self.pending is None or self.late else self.pending.since

    @property
    def holds_back(self) -> bool:
        """Whether there is something to be looked at again that may have to wait."""
        return self.pending is None and bool(self.dirty)

    @property
    def settled(self) -> bool:
        """True when nothing is under way, and nothing is left to send but removals."""
        return not self._is_under_way() and not self._has_additions()

    @property
    def synced(self) -> bool:
        """True when the client has acknowledged all that it should have, but what it refused."""
        return not self._is_under_way() and not any(map(self._is_due, self.dirty))

    def unacked(self, of: Resources) -> AbstractSet[str]:
        """Return the names whose ACK is missing before the client has `of`, but for what it refuses of it."""
        step = diff(self.current, of)
        names = {*filter(self._is_due, self.dirty), *step.changed, *step.removed, *self._names_under_way()}
        asked = names if self.wildcard else names & (self.names | self.held.keys())
        return asked - self.refusals(of).keys() if self.rejected else asked

    def refusals(self, of: Resources | None = None) -> Mapping[str, str]:
        """Return name -> reason of what is refused in its version in `of` (or else the current), or to go."""
        shown = versions(self.current if of is None else of)
        return {
            name: rejection.reason
            for name, rejection in self.rejected.items()
            if rejection.version == shown.get(name, GONE)
        }

    def _has_additions(self) -> bool:
        return any(
            (resource := self.current.get(name)) is not None
            and self.wants(name)
            and self._must_send(resource)
            for name in self.dirty
        )

    def _is_due(self, name: str) -> bool:
        resource = self.current.get(name) if self.wants(name) else None
        return self._must_remove(name) if resource is None else self._must_send(resource)

    def _must_send(self, resource: Resource) -> bool:
        rejection = self.rejected.get(resource.name)
        if rejection is not None and rejection.version == resource.version:
            return False
        told = resource.name in self.forced or resource.name in self.unsure
        return told or self.held.get(resource.name) != resource.version

    def _must_remove(self, name: str) -> bool:
        if not self.wants(name):
            return False
        rejection = self.rejected.get(name)
        if rejection is not None and rejection.version == GONE:
            return False
        if self._may_hold(name):
            if self.only_adds:
                return False
            return bool(self.current) or self.type_url not in NEVER_EMPTIED
        return name in self.forced

    def _again(self, resources: AbstractSet[str], removed: Iterable[str]) -> None:
        """Send again what was in a response of which some may have been applied."""
        self.dirty |= resources
        self.forced |= resources
        for name in removed:
            self.dirty.add(name)
            if name in self.held:
                self.has[name] = UNKNOWN

    def _note_held(self, applied: Pending) -> None:
        if self._holds_all_with(applied):
            self.has.take_all(self.current)
            return
        self.unsure -= {*applied.sent, *applied.removed}
        for name, resource in applied.sent.items():
            if self.wants(name):
                self.has[name] = resource.version
        for name in applied.removed:
            self.has.drop(name)

    def _holds_all_with(self, applied: Pending) -> bool:
        """Say whether the client has all that it should have now, and nothing else."""
        if not self.wildcard or self.dirty or self.rejected or not self.current or self.only_adds:
            return False
        if self.pending is not None or self.earlier or self.unsure:
            return False
        now = versions(self.current)
        as_current = all(now.get(name) == each.version for name, each in applied.sent.items())
        return as_current and not any(name in now for name in applied.removed)

    def _is_repair(self, resource: Resource) -> bool:
        """Say whether this is what the client has because it refused what it should have."""
        rejection, current = self.rejected.get(resource.name), self.current.get(resource.name)
        if rejection is None or current is None:
            return False
        return rejection.version == current.version != resource.version

    def _clean(self, name: str) -> None:
        self.dirty.discard(name)
        self.forced.discard(name)
        for names in (self.dirty, self.forced):
            if not names:
                names.clear()  # a set that is emptied one by one keeps its room, and is as slow to go through

    def _is_under_way(self) -> bool:
        return self.pending is not None or bool(self.earlier or self.repairs)

    def _names_under_way(self) -> AbstractSet[str]:
        under_way = (*self.earlier.values(), *([] if self.pending is None else [self.pending]))
        return {name for pending in under_way for name in (*pending.sent, *pending.removed)}

    def _take(self, nonce: str) -> Pending:
        return self.earlier.pop(nonce) if nonce in self.earlier else self._take_pending()

    def _take_pending(self) -> Pending:
        assert self.pending is not None
        pending, self.pending, self.late = self.pending, None, False
        return pending

    def _reject(self, resource: Resource, reason: str) -> None:
        accepted = self.accepted.get(resource.name)
        if accepted is not None and accepted.version == resource.version:
            return  # a repair that is refused itself: there is nothing better to send
        self.rejected[resource.name] = Rejection(resource.version, reason)
        # Envoy keeps a cluster that it refused warming, and holds back every later ACK for it.
        known = resource.name in self.accepted or resource.name not in self.held
        if self.type_url == CLUSTER and known:
            self.repairs.append(resource.name)

    def _repair(self) -> Batch:
        names, self.repairs = self.repairs, []
        resources = tuple(self.accepted[name] for name in names if name in self.accepted)
        return Batch(resources, tuple(name for name in names if name not in self.accepted))
