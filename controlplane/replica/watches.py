"""What this replica has learnt of guarded shifts while it leads, and what whoever led before left of that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from controlplane.lifecycle.watching import Guarded, Judged, Told, Watch, watch, watched

_EVIDENCE = "/evidence"
"""Ends the name under which the evidence of a shift is kept: its number, and the token of who leads."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store has of a shift: as whoever led with `token` left it."""

    token: int
    body: bytes


NOTHING_KEPT = Kept(0, b"")


def name_of(shift: int, token: int) -> str:
    """Return the name under which the store keeps a shift's evidence: whoever leads has one of its own."""
    return f"{shift}.{token}{_EVIDENCE}"


def is_evidence(name: str) -> bool:
    """Say whether something is kept under that name that is evidence."""
    return name.endswith(_EVIDENCE)


def kept_in(raw: Mapping[str, bytes]) -> Mapping[int, Kept]:
    """Return shift -> what was kept last: under the highest token, whoever wrote later."""
    found: dict[int, Kept] = {}
    for name, body in raw.items():
        shift, token = _parts(name)
        if token > found.get(shift, NOTHING_KEPT).token:
            found[shift] = Kept(token, body)
    return MappingProxyType(found)


def outdated(
    names: Iterable[str], watched: Collection[int], standing: Collection[int], token: int
) -> tuple[str, ...]:
    """Return the names of evidence that nobody needs: of shifts that don't stand, and from before `token`.

    Of a shift that stands and isn't `watched` yet, whoever leads now has still to read it.
    """
    found = []
    for name in names:
        shift, written = _parts(name)
        if shift not in standing or (shift in watched and written != token):
            found.append(name)
    return tuple(found)


def _parts(name: str) -> tuple[int, int]:
    """Return the shift and the token that a name is made of; 0 and 0 of another."""
    shift, _, token = name.removesuffix(_EVIDENCE).partition(".")
    if is_evidence(name) and shift.isdigit() and token.isdigit():
        return int(shift), int(token)
    return 0, 0


class Watches:
    """Of one replica. In the event loop alone."""

    def __init__(self) -> None:
        """Watch nothing."""
        self._by_shift: dict[int, Watch] = {}
        self._written: dict[int, Watch] = {}
        self._left: dict[int, tuple[bytes, Judged]] = {}

    def look(
        self,
        guarded: Mapping[str, Guarded],
        kept: Mapping[int, Kept],
        told: Callable[[str], Told],
        now: float,
    ) -> Mapping[str, Judged]:
        """Return, by objective, what the guards say by now; `guarded` and `told` are by that, too."""
        following: dict[int, Watch] = {}
        for objective, each in guarded.items():
            before = self._by_shift.get(each.number)
            if before is None:
                before = watch(each, kept.get(each.number, NOTHING_KEPT).body, now)
            # Until an interval is over, nothing is looked at that was told.
            is_due = now - before.at >= each.guards.interval
            following[each.number] = watched(before, each, told(objective) if is_due else Told(), now)
        self._by_shift = following
        return {objective: following[each.number].judged for objective, each in guarded.items()}

    def left(
        self, guarded: Mapping[str, Guarded], kept: Mapping[int, Kept], now: float
    ) -> Mapping[str, Judged]:
        """Return, by objective, what the guards said, as whoever leads wrote it down last."""
        found: dict[int, tuple[bytes, Judged]] = {}
        for each in guarded.values():
            body = kept.get(each.number, NOTHING_KEPT).body
            known = self._left.get(each.number)
            if known is not None and known[0] == body:
                found[each.number] = known
            elif body:
                found[each.number] = body, watch(each, body, now).judged
        self._left = found
        return {name: found[each.number][1] for name, each in guarded.items() if each.number in found}

    def forget(self) -> None:
        """Forget all of it: another leads."""
        self._by_shift, self._written = {}, {}

    @property
    def shifts(self) -> tuple[int, ...]:
        """The shifts that are watched."""
        return tuple(self._by_shift)

    @property
    def unwritten(self) -> tuple[Watch, ...]:
        """What was learnt since it was written down."""
        return tuple(each for each in self._by_shift.values() if self._written.get(each.shift) is not each)

    def note_written(self, watches: Iterable[Watch]) -> None:
        """Note that these were written down."""
        self._written = {
            number: each for number, each in self._written.items() if number in self._by_shift
        } | {each.shift: each for each in watches}
