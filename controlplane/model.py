"""The control plane's values: what a workspace says, and what follows from it.

    Workspace files -> RuleSet -> Plan -> xds.snapshot

Frozen, ordered, and free of time and randomness: the same files give the same values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from lightbulb.model import Condition, ModelAssignment, ObjectiveTable

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Names go into routing keys, headers and names of resources."""

NAME_RULE = "use up to 128 letters, digits, '.', '_' and '-'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Files of a workspace: relative path -> content. Only *.yaml and *.js count."""

    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where something stands in a workspace; lines from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A business use case that the platform defines (objectives.yaml). Times in seconds."""

    name: str
    input_type: str
    owner: str
    deadline: float
    cache_lifetime: float
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A version of a model (models.yaml). `depends_on` holds "name@version".

    `load_timeout` is in seconds; 0.0: it doesn't say.
    """

    name: str
    version: str
    memory_mib: int
    facts: tuple[str, ...]
    depends_on: tuple[str, ...]
    load_timeout: float = 0.0
    location: Location

    @property
    def id(self) -> str:
        """Its name and version as one: "name@version"."""
        return f"{self.name}@{self.version}"


Owner = TypeVar("Owner", int, str)
"""The number of a test's cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets(Generic[Owner]):
    """The buckets from `begin` to the one before `end`, and who has them."""

    begin: int
    end: int
    owner: Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class CellWeight:
    """A cell of an A/B test and its weight in basis points."""

    number: int
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An A/B test (experiments.yaml). `layer` is empty when it has none.

    `unit` is the attribute whose value is hashed; empty: the user's id. `buckets` divide all buckets, in
    their order; each cell has as many as it weighs.
    """

    id: str
    salt: str
    cells: tuple[CellWeight, ...]
    buckets: tuple[Buckets[int], ...]
    layer: str
    layer_begin: int
    layer_end: int
    eligible: Condition | None
    unit: str = ""
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedSegment:
    """A condition with a name (segments.yaml)."""

    name: str
    when: Condition
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Hosts that load the same models behind one VIP (fleet.yaml). Memory is one host's.

    `models` ("name@version") are those that are to be placed here and nowhere else.
    """

    name: str
    vip: str
    memory_mib: int
    models: tuple[str, ...] = ()
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLayer:
    """A layer of one tenant that others may put tests into."""

    name: str
    shared_with: tuple[str, ...]


PLATFORM = "platform"
"""The name under which the platform's own workspace is published; no tenant's."""

MAX_SHOWN = 40
"""Characters of a name that an error shows."""


def misnamed(what: str, name: str) -> str:
    """Return why something can't have a name, such as "a tenant"; empty when it can."""
    if NAME.fullmatch(name):
        return ""
    # Escaped, so that one sees what looks like another letter, or like none.
    shown = ascii(name[:MAX_SHOWN]) + ("…" if len(name) > MAX_SHOWN else "")
    return f"{shown} is no name of {what}: {NAME_RULE}, a letter or digit first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A team that publishes by itself (tenants.yaml).

    `shards` that it may use; empty: all. `memory_mib` that it may have loaded, a rollback's included; 0: no
    limit. `publishers` are the authors that may publish for it; empty: everybody. `layers` are those of its
    own that others may put tests into.
    """

    name: str
    owner: str
    shards: tuple[str, ...] = ()
    memory_mib: int = 0
    publishers: tuple[str, ...] = ()
    layers: tuple[SharedLayer, ...] = ()
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What all tenants share, and who they are; both sorted by name."""

    shards: tuple[Shard, ...]
    tenants: tuple[Tenant, ...]

    def tenant(self, name: str) -> Tenant | None:
        """Return a tenant by its name."""
        return next((each for each in self.tenants if each.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """A compiled workspace: consistent, and complete for planning. All tuples are sorted by name."""

    objectives: tuple[Objective, ...]
    models: tuple[Model, ...]
    shards: tuple[Shard, ...]
    tables: tuple[ObjectiveTable, ...]
    """One per objective that has rules; their models all stand in `models`."""


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class RoutingRule:
    """Where one routing key goes."""

    objective: str
    key: str
    vip: str


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class ShardAssignment:
    """What every host of a shard loads, sorted by model id. Memory is one host's."""

    shard: str
    vip: str
    memory_mib: int
    models: tuple[ModelAssignment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The three products of a RuleSet on a fleet."""

    tables: tuple[ObjectiveTable, ...]
    routes: tuple[RoutingRule, ...]
    assignments: tuple[ShardAssignment, ...]
    """One per shard, also for a shard with nothing on it."""
