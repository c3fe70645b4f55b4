"""What a relay holds: what its Envoy should have, and what its Envoy has accepted. Pure.

When Envoy refuses a resource, it gets the content that it accepted last, or the resource is dropped. A relay
reads no bodies, and keeps the control plane's versions: both of its ends compare those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lightbulb.ads.client.held import NOTHING_HELD, Held, applied
from lightbulb.ads.client.session import Update
from lightbulb.ads.server.order import NEVER_EMPTIED
from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, NO_RESOURCES, Snapshot
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, Resource

TYPES = (CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE)
"""The types that a sidecar takes, in the order in which the relay subscribes to them."""

NOT_EMPTIED = "refused: it would leave none at all, and take all traffic down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """`wanted` is what Envoy should have. `accepted` is what it has acknowledged; that is kept on disk."""

    wanted: Snapshot = EMPTY_SNAPSHOT
    accepted: Held = field(default_factory=lambda: NOTHING_HELD)

    def take(self, update: Update) -> Holdings:
        """Return the holdings with `update` in `wanted`."""
        return replace(self, wanted=Snapshot(applied(self.wanted.by_type, update, {})))

    def settle(self, update: Update, refused: Mapping[str, str]) -> Holdings:
        """Return the holdings after Envoy's answer: it accepts all of `update` but what is in `refused`."""
        accepted = applied(self.accepted, update, refused)
        if not refused:
            return replace(self, accepted=accepted)
        undo = _undo(self.accepted.get(update.type_url, NO_RESOURCES), update.type_url, refused)
        return Holdings(wanted=Snapshot(applied(self.wanted.by_type, undo, {})), accepted=accepted)


def can_serve(held: Held) -> bool:
    """Say whether Envoy could serve from this: it has clusters, a listener and scopes."""
    return all(held.get(type_url) for type_url in NEVER_EMPTIED)


def start_from(kept: Held) -> Holdings:
    """Return the holdings of a relay that starts with `kept`; empty ones if Envoy can't serve from it."""
    if not can_serve(kept):
        return Holdings()
    held = MappingProxyType({type_url: kept.get(type_url, NO_RESOURCES) for type_url in TYPES})
    return Holdings(wanted=Snapshot(held), accepted=held)


def refuse_emptying(wanted: Snapshot, update: Update) -> Mapping[str, str]:
    """Return name -> reason for each removal, if they would leave nothing of a type that guards traffic."""
    if update.type_url not in NEVER_EMPTIED or update.added:
        return {}
    if wanted.of(update.type_url).keys() - frozenset(update.removed):
        return {}
    return dict.fromkeys(update.removed, NOT_EMPTIED)


def _undo(before: Mapping[str, Resource], type_url: str, refused: Mapping[str, str]) -> Update:
    """Return the update that undoes what was refused."""
    return Update(
        type_url=type_url,
        added=tuple(before[name] for name in refused if name in before),
        removed=tuple(name for name in refused if name not in before),
    )
