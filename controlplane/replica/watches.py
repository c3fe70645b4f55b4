"""What this replica has learnt of guarded shifts while it leads, and what whoever led before left of that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from controlplane.lifecycle.state import Control
from controlplane.lifecycle.watching import Judged, Told, Watch, watch, watched

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

    def look(
        self,
        controls: Iterable[Control],
        kept: Mapping[int, Kept],
        told: Callable[[Control], Told],
        now: float,
    ) -> Mapping[str, Judged]:
        """Return, by objective, what the guards of each guarded shift say by now."""
        guarded = [each for each in controls if each.shift.guards.each]
        following: dict[int, Watch] = {}
        for control in guarded:
            shift = control.shift
            before = self._by_shift.get(shift.number)
            if before is None:
                before = watch(shift, kept.get(shift.number, NOTHING_KEPT).body, now)
            # Until an interval is over, nothing is looked at that was told.
            is_due = now - before.at >= shift.guards.interval
            following[shift.number] = watched(before, shift, told(control) if is_due else Told(), now)
        self._by_shift = following
        return {each.objective: following[each.shift.number].judged for each in guarded}

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
