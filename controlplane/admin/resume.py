"""Goes on with a store that lost commits, above all that was seen of it.

What this replica still knows of what was lost is put back: then consumers notice nothing. What nobody knows
is lost; its numbers are given up, and the store's own generations are loaded and routed again before anybody
is told of them. Nothing is done by itself: only people know whether the server that has it all comes back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from controlplane.admin.commits import ATTEMPTS, Caller
from controlplane.replica.replica import Replica
from controlplane.rollout.codec import lanes_from_bytes, lanes_to_bytes
from controlplane.rollout.events import EventKind
from controlplane.rollout.lanes import NO_LANES, Lanes
from controlplane.rollout.loss import MARGIN, KnowsLess, Seen, begun_again, continues, last_lost, raised
from controlplane.rollout.state import Moment
from controlplane.store.contract import Change, Conflict, Event, Head, LogEntry, NotFound, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """What going on comes to: the store `was_at` a version, and gets `version`, above what was `seen`.

    `restored` are numbers of generations that are put back, `given_up` those that nobody knows anything of.
    With `begins_again` what is active is loaded and routed again. This replica has `known` a version.
    """

    was_at: int
    seen: Seen
    version: int
    known: int
    restored: tuple[int, ...] = ()
    given_up: tuple[int, ...] = ()
    begins_again: bool = False

    @property
    def unchanged(self) -> bool:
        """Whether nothing was lost."""
        return self.version == self.was_at

    def __str__(self) -> str:
        """Say what was lost, for the audit trail."""
        parts = [f"{self.seen.by} had seen version {self.seen.version}, and the store was at {self.was_at}"]
        if self.restored:
            parts.append(f"put back: {', '.join(map(str, self.restored))}")
        if self.given_up:
            parts.append(f"lost: {self.given_up[0]} to {self.given_up[-1]}, if there were so many")
        if self.begins_again:
            parts.append("what is active is loaded and routed again")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class _Found:
    """The store as it is, its log's newest number, and whether what this replica knows came of that."""

    head: Head
    lanes: Lanes
    newest: int
    is_known: bool


async def resume(replica: Replica, caller: Caller, *, dry_run: bool) -> Resumption:
    """Go on with a store that lost commits; with `dry_run` say what would come of it.

    Raises KnowsLess when another replica knows more, and StoreError.
    """
    last: StoreError | None = None
    for _ in range(ATTEMPTS):
        await replica.look()
        found = await asyncio.to_thread(_find, replica)
        decided = _decide(replica, found)
        if dry_run or decided.unchanged:
            return decided
        _check_knows_most(replica)
        try:
            change = await asyncio.to_thread(_change, replica, found, decided, caller)
            async with replica.deciding:
                await replica.commit(change)
        except Conflict as error:
            last = error
            continue
        return decided
    raise Conflict(f"others changed the rollout {ATTEMPTS} times meanwhile; try again") from last


def _find(replica: Replica) -> _Found:
    store, known = replica.store, replica.known
    head, log = store.head(), store.log(limit=1)
    lanes = lanes_from_bytes(head.body) if head.version else NO_LANES
    newest = log[0].number if log else 0
    is_known = head.version < known.version and continues(lanes, head.version, known.lanes)
    return _Found(head, lanes, newest, is_known and _all_can_be_had(replica, newest))


def _all_can_be_had(replica: Replica, newest: int) -> bool:
    """Say whether each generation that this replica shows is in the store, or can be put back there."""
    for number, generation in replica.known.generations.items():
        if number > newest and replica.line(number) is None:
            return False
        if number <= newest and replica.store.entry(number).content_hash != generation.content_hash:
            return False
    return True


def _decide(replica: Replica, found: _Found) -> Resumption:
    head, seen = found.head, replica.seen
    nothing = Resumption(was_at=head.version, seen=seen, version=head.version, known=replica.known.version)
    if seen.version <= head.version:
        return nothing
    most_known = max(head.version, replica.most_known)
    last = last_lost(max(found.newest, replica.newest_number), most_known, seen)
    numbers = range(found.newest + 1, last + 1)
    restored = tuple(each for each in numbers if found.is_known and replica.line(each) is not None)
    return replace(
        nothing,
        version=seen.version + MARGIN,
        restored=restored,
        given_up=tuple(each for each in numbers if each not in restored),
        begins_again=not found.is_known and bool(found.lanes.rollouts),
    )


def _check_knows_most(replica: Replica) -> None:
    better = replica.who_knows_more()
    if better:
        raise KnowsLess(
            f"{better} knows more of what the store lost: ask that one, or end it if it doesn't answer"
        )


def _change(replica: Replica, found: _Found, decided: Resumption, caller: Caller) -> Change:
    """Return the change, once the content of what is put back is in the store. Blocking."""
    at = Moment(replica.now, decided.version)
    lanes = raised(replica.known.lanes, at) if found.is_known else begun_again(found.lanes, at)
    lines = sorted([*_lines(replica, decided), *_numbers(decided, caller, at)], key=lambda each: each.number)
    detail = f"{decided}: {caller.message}" if caller.message else str(decided)
    kind = EventKind.RESUMED.value
    event = Event(at=at.now, author=caller.author, action=kind, detail=detail, kind=kind)
    return Change(
        expected=found.head.version,
        version=decided.version,
        body=lanes_to_bytes(lanes),
        restored=tuple(lines),
        events=(event,),
    )


def _lines(replica: Replica, decided: Resumption) -> list[LogEntry]:
    """Put back what was lost and is still known; return its lines of the log."""
    lines = []
    for number, generation in replica.known.generations.items():
        line = replica.line(number)
        if line is not None and not _has(replica, generation.content_hash):
            replica.store.put_blob(line[1])
        if line is not None and number in decided.restored:
            lines.append(line[0])
    return lines


def _has(replica: Replica, content_hash: str) -> bool:
    try:
        replica.store.blob(content_hash)
    except NotFound:
        return False
    return True


def _numbers(decided: Resumption, caller: Caller, at: Moment) -> list[LogEntry]:
    """Return lines for numbers that are given up."""
    return [
        LogEntry(
            number=number,
            content_hash="",
            source_hash="",
            author=caller.author,
            message="given up: the store lost it",
            source_revision="",
            published_at=at.now,
        )
        for number in decided.given_up
    ]
