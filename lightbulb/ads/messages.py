"""The ADS messages as values, the same at both ends: what a session is given, and what it answers.

No protobuf: that is `wire`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lightbulb.ads.values import Node, Resource

WILDCARD = "*"
"""The name that stands for all resources of a type."""

NO_VERSIONS: Mapping[str, str] = MappingProxyType({})
NO_REASONS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaRequest:
    """A DeltaDiscoveryRequest. `node` is on a stream's first alone.

    `error` makes it a NACK, and is text for people; None in any other request. `refused` is name -> reason
    of each resource that is refused, when the client says it: ours do, Envoy has the text alone.
    """

    type_url: str
    node: Node | None = None
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: Mapping[str, str] = field(default_factory=lambda: NO_VERSIONS)
    nonce: str = ""
    error: str | None = None
    refused: Mapping[str, str] = field(default_factory=lambda: NO_REASONS)
    variants: tuple[str, ...] = ()
    """Names that it wants, or wants no more, in a certain variant: there are none, so it is sent none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaResponse:
    """A DeltaDiscoveryResponse.

    `stamp` tells how new it is: the text of the server's CommitStamp, which its client gives back as it is.
    `unreadable` is name -> reason of resources that a client can't take, since they aren't of the type.
    """

    type_url: str
    nonce: str
    resources: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()
    stamp: str = ""
    unreadable: Mapping[str, str] = field(default_factory=lambda: NO_REASONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SotwRequest:
    """A DiscoveryRequest; `error` and `refused` are as in a DeltaRequest."""

    type_url: str
    node: Node | None = None
    names: tuple[str, ...] = ()
    version: str = ""
    nonce: str = ""
    error: str | None = None
    refused: Mapping[str, str] = field(default_factory=lambda: NO_REASONS)
    variants: tuple[str, ...] = ()
    """As in a DeltaRequest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SotwResponse:
    """A DiscoveryResponse: for CDS and LDS the whole world, for other types what was asked for."""

    type_url: str
    nonce: str
    version: str
    resources: tuple[Resource, ...] = ()


Request = DeltaRequest | SotwRequest
Response = DeltaResponse | SotwResponse
