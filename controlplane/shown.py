"""What is shown now, as the snapshots that streams are served from. Pure but for what it remembers.

Only what changed is rebuilt: a part of a Snapshot whose values are equal to the last is the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.model import RoutingRule
from controlplane.rollout.activation import Generation
from controlplane.rollout.views import Address, ModelsByShard
from controlplane.xds.resources import (
    Endpoint,
    assignment_resources,
    listener,
    sidecar_snapshot,
    table_resources,
)
from controlplane.xds.snapshot import EMPTY_SNAPSHOT, Snapshot
from lightbulb.ads.values import ACTIVE_GENERATION, LISTENER, MODEL_ASSIGNMENT, OBJECTIVE_TABLE, Node
from lightbulb.model import ActiveGeneration


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Everything that consumers are to see. `active` is None before the first generation is."""

    rules: tuple[RoutingRule, ...]
    vips: tuple[str, ...]
    addresses: Mapping[str, tuple[Address, ...]]
    models: ModelsByShard
    active: Generation | None
