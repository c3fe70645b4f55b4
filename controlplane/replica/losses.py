"""Whether the store has all that was ever seen of it: by this replica, by others, by their consumers.

Nobody sees what isn't committed. So what was seen before the head is read, a store that lost nothing has.
"""

from __future__ import annotations

import logging

from controlplane.replica.reports import Heard
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.loss import (
    MARGIN,
    NOTHING_SEEN,
    Loss,
    Seen,
    continues,
    is_above,
    most,
    newest_number,
)
from controlplane.rollout.registry import Report

log = logging.getLogger(__name__)


class Losses:
    """What is lost now. `note` is for the event loop; all else for one thread at a time."""

    def __init__(self, name: str) -> None:
        """Have seen nothing."""
        self.loss: Loss | None = None
        self.generation = 0
        """The highest number of a generation that this replica ever knew."""
        self._me = f"control plane {name}"
        self._known = 0
        self._noted = NOTHING_SEEN
        self._forked = NOTHING_SEEN

    @property
    def own(self) -> Seen:
        """What this replica, or a consumer of its, has seen. Threads may ask."""
        return most(Seen(self._known, self._me), self._noted, self._forked)

    def note(self, seen: Seen) -> None:
        """Take note of what a consumer of this replica has seen."""
        self._noted = most(self._noted, seen)

    def know(self, version: int, lanes: Lanes) -> None:
        """Take note of what this replica knows."""
        self._known, self.generation = version, max(self.generation, newest_number(lanes))

    def seen(self, heard: Heard) -> Seen:
        """Return the highest version that anybody has seen, as far as was heard."""
        return most(self.own, *map(_told, heard.parsed.values()))

    def newest_number(self, heard: Heard) -> int:
        """Return the highest number of a generation that any replica knows of, or has a sidecar route."""
        reports = heard.parsed.values()
        routed = (number for report in reports for each in report.consumers for number in each.routes)
        return max(self.generation, *(report.generation for report in reports), *routed, 0)

    def fork(self, version: int) -> None:
        """Take note that the head of `version` didn't come of what is known: others may be at it still.

        They stop as soon as they hear of this.
        """
        if version >= self._forked.version:
            self._forked = Seen(version + MARGIN, self._me, is_fork=True)

    def is_another(self, version: int, before: Lanes, after: Lanes, *, same: bool) -> bool:
        """Say whether a head of `version` didn't come of the one that is known, whose lanes are `before`.

        `same`: whether the generations that tell are those that the store has: see `witnesses`.
        """
        if is_above(after, self._known):
            return False  # all was set anew, above what was known
        if same and continues(before, self._known, after):
            return False
        self.fork(version)
        return True

    def judge(self, version: int, seen: Seen) -> bool:
        """Compare the head's version with what was `seen` before; return whether a loss was mended."""
        before, self.loss = self.loss, Loss(version=version, seen=seen) if seen.version > version else None
        if self.loss is not None and str(self.loss) != str(before):
            log.warning("%s", self.loss)
        if self.loss is None and before is not None:
            log.info("the store goes on at version %d, above all that was seen", version)
        return before is not None and self.loss is None


def _told(report: Report) -> Seen:
    by = f"control plane {report.replica}"
    return Seen(max(report.version, report.seen), by, is_fork=report.forked and report.seen > report.version)
