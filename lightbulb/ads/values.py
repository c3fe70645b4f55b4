"""Names and values of the ADS protocol that both its ends share. No protobuf, no sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lightbulb.model import DEFAULT_TENANT

_PREFIX = "type.googleapis.com/"

CLUSTER = _PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINTS = _PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER = _PREFIX + "envoy.config.listener.v3.Listener"
SCOPED_ROUTE = _PREFIX + "envoy.config.route.v3.ScopedRouteConfiguration"
ROUTE = _PREFIX + "envoy.config.route.v3.RouteConfiguration"
MODEL_ASSIGNMENT = _PREFIX + "lightbulb.v1.ModelAssignment"
OBJECTIVE_TABLES = _PREFIX + "lightbulb.v1.ObjectiveTables"
OBJECTIVE_CONTROL = _PREFIX + "lightbulb.v1.ObjectiveControl"
SIDECAR_STATE = _PREFIX + "lightbulb.v1.SidecarState"
ACTIVE_GENERATION = _PREFIX + "lightbulb.v1.ActiveGeneration"

_ACTIVE = "active"


def active_name(tenant: str) -> str:
    """Return the name of the resource that says which generation of a tenant is active."""
    return _ACTIVE if tenant == DEFAULT_TENANT else f"{_ACTIVE}/{tenant}"


GOODBYE = _PREFIX + "lightbulb.v1.Goodbye"
"""No resource type: a consumer's last request has it in place of one, when it ends in order. A server can't
tell otherwise: it sees the same of a stream that its client closed and of a process that was killed."""

LOAD_PROGRESS = _PREFIX + "lightbulb.v1.LoadProgress"
"""No resource type either: a host tells by it how far it is with what it loads, and is answered nothing."""

HEARTBEAT = _PREFIX + "lightbulb.v1.Heartbeat"
"""No resource type either: a host says by it that its event loop goes on, and is answered nothing."""

PUSH_ORDER = (
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    SCOPED_ROUTE,
    ROUTE,
    MODEL_ASSIGNMENT,
    OBJECTIVE_TABLES,
    OBJECTIVE_CONTROL,
    SIDECAR_STATE,
    ACTIVE_GENERATION,
)
"""The order MATTERS: a resource comes after those it refers to, and the generation's number after
the tables that carry it and the sidecars that don't route it yet. Removals go in the opposite order,
after every addition."""

LISTENER_NAME = "lightbulb"
"""The one listener of a sidecar."""

STAMP = "fence"
"""Metadata key: the last stamp that a node was sent, as it was sent. A server that is behind it waits."""

TENANTS = "tenants"
"""Metadata key of a Lightbulb that knows of tenants. Others are shown what is the default one's."""

CLIENT = "client"
"""Metadata key of a sidecar: the client service that it is beside."""

SIDECAR = "sidecar"
"""Metadata key of a client that resolves in its own process: the sidecar that its requests go through."""

CONTROLS = "controls"
"""Metadata key of a Lightbulb that obeys what operators decide about single objectives."""

TAKES_OBJECTIVES, TAKES_TENANTS = "takes_objectives", "takes_tenants"
"""Metadata keys of a sidecar or Lightbulb that takes a part alone: names, with commas between them."""

SIDE_BY_SIDE = "side_by_side"
"""Metadata key of a node that takes a response while it is at earlier ones, of the type that it asks for
first; it answers each once it is done with it. Others are sent one at a time."""

BEATS = "heartbeat"
"""Metadata key of a node that says HEARTBEAT: every so many seconds. Others aren't judged by it."""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Receive limit of both ends: `initial_resource_versions` of ~93k resources exceeds gRPC's 4 MiB."""

NO_METADATA: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One named resource; `version` is the content hash of `body` (the serialized message, no Any).

    `refers` are the names of clusters that a route sends requests to: it isn't sent before them.
    """

    name: str
    version: str
    body: bytes
    refers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Who opened a stream; metadata values are text here.

    Keys of ours: kind ("sidecar", "lightbulb" or "host"); for a host shard, address, port and
    memory_mib, and heartbeat; for a sidecar listen_address and listen_port.
    """

    id: str
    cluster: str = ""
    metadata: Mapping[str, str] = field(default_factory=lambda: NO_METADATA)

    @property
    def kind(self) -> str:
        """What sort of consumer this is; a node that doesn't say is a sidecar."""
        return self.metadata.get("kind", "sidecar")


@dataclass(frozen=True, slots=True)
class CommitStamp:
    """A number that rises with every change of what is shown, and the store that it was counted in."""

    store: str = ""
    number: int = 0

    def __str__(self) -> str:
        return f"{self.store}:{self.number}" if self.store else ""


NO_STAMP = CommitStamp()


def read_stamp(text: str) -> CommitStamp:
    """Return a stamp as it was written; NO_STAMP for what is none."""
    store, _, number = text.rpartition(":")
    return CommitStamp(store, int(number)) if store and number.isdecimal() else NO_STAMP


class BadNode(ValueError):
    """A node that doesn't say what it must; the message names the key and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """What a consumer takes: these objectives, and all of these tenants. Both empty: everything there is."""

    objectives: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Say whether it is a part."""
        return bool(self.objectives or self.tenants)

    @property
    def metadata(self) -> Mapping[str, str]:
        """What its node says of it."""
        said = {TAKES_OBJECTIVES: self.objectives, TAKES_TENANTS: self.tenants}
        return {key: ",".join(sorted(names)) for key, names in said.items() if names}


EVERYTHING = Takes()
