"""Who opened a stream: a node's metadata, checked. What comes from outside is typed from here on."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

from lightbulb.ads.values import (
    CLIENT,
    EVERYTHING,
    STAMP,
    TAKES_OBJECTIVES,
    TAKES_TENANTS,
    TENANTS,
    BadNode,
    CommitStamp,
    Node,
    Takes,
)

_NUMBER = re.compile(r"[0-9]{1,20}")
"""Of so many digits as a 64-bit number has: Python refuses to read one of thousands."""

_NOT_IN_HEADERS = re.compile(r"[^\x21-\x7e]")
MAX_CLIENT = 128
"""Characters of a client's name."""

MAX_AHEAD = 1_000_000
"""Versions that a node may be ahead: no failover or backup loses more, so one that says so is mistaken."""

MAX_ADDRESSES, MAX_TEXT = 20_000, 64
"""Addresses that are remembered as they are written: a large fleet's; and the characters of one, at most."""


MAX_TAKEN = 64 * 1024
"""Characters of the names of what a consumer takes: those of a thousand objectives."""

MAX_DECLARED = 2_000
"""Declarations that are remembered as they are written: those of the clients of many services."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarNode:
    """An Envoy, the IP address and port that its listener is to have, what it takes, and whose it is.

    `client` is the client service that it is beside; its own name when it doesn't say.
    """

    address: str
    port: int
    client: str
    takes: Takes = EVERYTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNode:
    """A serving host: its shard, and the IP address and port that sidecars are to send requests to."""

    shard: str
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LightbulbNode:
    """A Lightbulb, or a client that resolves in its own process; an older one knows no tenants."""

    knows_tenants: bool = True
    takes: Takes = EVERYTHING


Identity = SidecarNode | HostNode | LightbulbNode


def identify(node: Node) -> Identity:
    """Return what a node is; raises BadNode.

    An address that is no IP address would make every sidecar refuse its shard's endpoints.
    """
    match node.kind:
        case "sidecar":
            return SidecarNode(
                address=_address(node, "listen_address", "127.0.0.1"),
                port=_port(node, "listen_port", "0"),
                client=_client(node),
                takes=takes_of(node),
            )
        case "host":
            shard = node.metadata.get("shard", "")
            if not shard:
                raise BadNode(f"host {node.id} has no metadata key 'shard'")
            return HostNode(shard=shard, address=_address(node, "address"), port=_port(node, "port"))
        case "lightbulb":
            return LightbulbNode(knows_tenants=TENANTS in node.metadata, takes=takes_of(node))
        case other:
            raise BadNode(f"node {node.id} is of kind {other!r}; it is one of sidecar, lightbulb, host")


def _client(node: Node) -> str:
    name = node.metadata.get(CLIENT, "")
    if not name:  # a request without one would be under no limit
        return _NOT_IN_HEADERS.sub("?", node.id)[:MAX_CLIENT]
    if len(name) > MAX_CLIENT or _NOT_IN_HEADERS.search(name):
        raise BadNode(
            f"sidecar {node.id}: metadata {CLIENT!r} is {name[:MAX_CLIENT]!r}; a client's name has up to "
            f"{MAX_CLIENT} characters of ASCII, and no spaces"
        )
    return name


def takes_of(node: Node) -> Takes:
    """Return what a sidecar or Lightbulb says that it takes; raises BadNode."""
    metadata = node.metadata
    if TAKES_OBJECTIVES not in metadata and TAKES_TENANTS not in metadata:
        return EVERYTHING
    return Takes(
        objectives=_names(node, TAKES_OBJECTIVES, metadata.get(TAKES_OBJECTIVES, "")),
        tenants=_names(node, TAKES_TENANTS, metadata.get(TAKES_TENANTS, "")),
    )


def _names(node: Node, key: str, text: str) -> frozenset[str]:
    if len(text) > MAX_TAKEN:
        raise BadNode(f"{node.kind} {node.id}: metadata {key!r} has more than {MAX_TAKEN} characters")
    return _split(text)


@lru_cache(maxsize=MAX_DECLARED)
def _split(text: str) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, text.split(","))))


def has_seen(stamp: CommitStamp, node: Node) -> int:
    """Return the number of the last stamp that a node was sent; 0: none.

    Raises BadNode when it doesn't compare with `stamp`, or is further ahead than any store can fall back.
    """
    text = node.metadata.get(STAMP, "")
    store, _, number = text.rpartition(":")
    if not text:
        return 0
    if not _NUMBER.fullmatch(number):
        raise BadNode(f"{node.kind} {node.id}: metadata {STAMP!r} is {text!r}, not STORE:NUMBER")
    if store != stamp.store:
        raise BadNode(
            f"{node.kind} {node.id} was configured from the store {store}, and this one is {stamp.store}: it "
            "has another control plane's address, or the store was made anew, and the node is to be "
            "restarted with an empty state folder"
        )
    if int(number) > stamp.number + MAX_AHEAD:
        raise BadNode(
            f"{node.kind} {node.id} says that it has seen version {number}, and this store shows "
            f"{stamp.number}: restart the node with an empty state folder"
        )
    return int(number)


# Each push asks for the same few again, once a stream: to parse them took a sixth of it.
_read_address = lru_cache(maxsize=MAX_ADDRESSES)(lambda text: str(ipaddress.ip_address(text)))


def _address(node: Node, key: str, default: str = "") -> str:
    text = node.metadata.get(key, default)
    if len(text) > MAX_TEXT:  # one of IPv6 may name a zone, of any length
        raise BadNode(f"{node.kind} {node.id}: metadata {key!r} has more than {MAX_TEXT} characters")
    try:
        return _read_address(text)
    except ValueError as error:
        raise BadNode(f"{node.kind} {node.id}: metadata {key!r} is {text!r}, not an IP address") from error


def _port(node: Node, key: str, default: str = "") -> int:
    text = node.metadata.get(key, default)
    if not _NUMBER.fullmatch(text) or int(text) > 65_535:
        raise BadNode(f"{node.kind} {node.id}: metadata {key!r} is {text!r}, not a port")
    return int(text)
