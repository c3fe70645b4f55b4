"""Who opened a stream: a node's metadata, checked. What comes from outside is typed from here on."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

from lightbulb.ads.server.claims import NUMBER, has_seen, takes_of
from lightbulb.ads.values import CLIENT, EVERYTHING, TENANTS, BadNode, Node, Takes

__all__ = ["HostNode", "Identity", "LightbulbNode", "SidecarNode", "has_seen", "identify", "takes_of"]

_NOT_IN_HEADERS = re.compile(r"[^\x21-\x7e]")
MAX_CLIENT = 128
"""Characters of a client's name."""

MAX_ADDRESSES, MAX_TEXT = 20_000, 64
"""Addresses that are remembered as they are written: a large fleet's; and the characters of one, at most."""


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
    if not NUMBER.fullmatch(text) or int(text) > 65_535:
        raise BadNode(f"{node.kind} {node.id}: metadata {key!r} is {text!r}, not a port")
    return int(text)
