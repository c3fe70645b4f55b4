"""The ADS messages as values: what a session is given, and what it answers. No protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lightbulb.ads.values import NO_STAMP, CommitStamp, Node, Resource

NO_VERSIONS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaRequest:
    """A DeltaDiscoveryRequest. `error` is the text of error_detail; None unless it is a NACK."""

    type_url: str
    node: Node | None = None
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: Mapping[str, str] = field(default_factory=lambda: NO_VERSIONS)
    nonce: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaResponse:
    """A DeltaDiscoveryResponse; `stamp` is its snapshot's."""

    type_url: str
    nonce: str
    resources: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()
    stamp: CommitStamp = NO_STAMP


@dataclass(frozen=True, slots=True, kw_only=True)
class SotwRequest:
    """A DiscoveryRequest. `error` is the text of error_detail; None unless it is a NACK."""

    type_url: str
    node: Node | None = None
    names: tuple[str, ...] = ()
    version: str = ""
    nonce: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SotwResponse:
    """A DiscoveryResponse: for CDS and LDS the whole world, for other types what was asked for."""

    type_url: str
    nonce: str
    version: str
    resources: tuple[Resource, ...] = ()


Response = DeltaResponse | SotwResponse
