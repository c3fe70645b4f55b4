"""What a relay holds: what its Envoy is to have, and what its Envoy has accepted. Pure.

A resource that Envoy refuses goes back to the content that it accepted last, or is dropped if there is
none. Bodies are never read, and versions are kept as they were given: both ends of the relay compare
the control plane's own versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from controlplane.xds.order import NEVER_EMPTIED
from controlplane.xds.snapshot import EMPTY_SNAPSHOT, Resources, Snapshot
from lightbulb.ads.session import Update
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE

TYPES = (CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE)
"""What a sidecar takes, in the order in which it is asked for."""

NOT_EMPTIED = "refused: it would leave none at all, and take all traffic down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """`wanted` is what Envoy is to have; `accepted` what it has acknowledged, which is kept on disk."""

    wanted: Snapshot = EMPTY_SNAPSHOT
    accepted: Snapshot = EMPTY_SNAPSHOT

    def take(self, update: Update) -> Holdings:
        """Return the holdings with `update` wanted."""
        return replace(self, wanted=_with(self.wanted, update, frozenset()))

    def settle(self, update: Update, refused: AbstractSet[str]) -> Holdings:
        """Return the holdings after Envoy's answer: all of `update` is accepted but the names `refused`."""
        accepted = _with(self.accepted, update, refused)
        if not refused:
            return replace(self, accepted=accepted)
        resources = dict(self.wanted.of(update.type_url))
        before = self.accepted.of(update.type_url)
        for name in refused:
            if name in before:
                resources[name] = before[name]
            else:
                resources.pop(name, None)
        return Holdings(wanted=_replaced(self.wanted, update.type_url, resources), accepted=accepted)


def refuse_emptying(wanted: Snapshot, update: Update) -> Mapping[str, str]:
    """Return name -> reason for removals that would leave none of a type that guards traffic."""
    if update.type_url not in NEVER_EMPTIED or update.added:
        return {}
    if wanted.of(update.type_url).keys() - frozenset(update.removed):
        return {}
    return dict.fromkeys(update.removed, NOT_EMPTIED)


def _with(snapshot: Snapshot, update: Update, without: AbstractSet[str]) -> Snapshot:
    resources = dict(snapshot.of(update.type_url))
    resources.update({each.name: each for each in update.added if each.name not in without})
    for name in update.removed:
        if name not in without:
            resources.pop(name, None)
    return _replaced(snapshot, update.type_url, resources)


def _replaced(snapshot: Snapshot, type_url: str, resources: Resources) -> Snapshot:
    return snapshot.replace(type_url, resources.values())
