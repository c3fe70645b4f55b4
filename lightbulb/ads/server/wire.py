"""The one place of the server where ADS protobufs meet `messages`."""

from __future__ import annotations

from functools import lru_cache

from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.any_pb2 import Any

from lightbulb.ads.messages import DeltaRequest, DeltaResponse, SotwRequest, SotwResponse
from lightbulb.ads.values import Node

MAX_RESOURCES = 50_000
"""Resources whose framing is remembered, half a kilobyte each: more than a large control plane has."""

MAX_REQUESTS, SMALL, LARGE = 16, 4 * 1024, 1024 * 1024
"""Requests that are remembered, and between how many bytes they have: an ACK is less."""

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"


def delta_request(data: bytes) -> DeltaRequest:
    """Return the request in `data`; raises google.protobuf.message.DecodeError.

    A thousand sidecars that reconnect say the same of what they hold, in the same bytes: it is parsed once.
    """
    return _remembered(data) if SMALL < len(data) < LARGE else _parse(data)


def _parse(data: bytes) -> DeltaRequest:
    message = discovery_pb2.DeltaDiscoveryRequest.FromString(data)
    return DeltaRequest(
        type_url=message.type_url,
        node=_node(message.node) if message.HasField("node") else None,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial_versions=dict(message.initial_resource_versions),
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
    )


_remembered = lru_cache(maxsize=MAX_REQUESTS)(_parse)


def sotw_request(data: bytes) -> SotwRequest:
    """Return the request in `data`; raises google.protobuf.message.DecodeError."""
    message = discovery_pb2.DiscoveryRequest.FromString(data)
    return SotwRequest(
        type_url=message.type_url,
        node=_node(message.node) if message.HasField("node") else None,
        names=tuple(message.resource_names),
        version=message.version_info,
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
    )


def delta_response(response: DeltaResponse) -> bytes:
    """Return a DeltaDiscoveryResponse.

    A thousand streams are sent the same resources, so their bodies are not made into messages again each
    time: a serialized message is its fields one after the other, each element of a repeated one too.
    """
    type_url = response.type_url
    parts = [_field(1, str(response.stamp).encode())]
    for resource in response.resources:
        head, tail = _around_body(type_url, resource.name, resource.version, len(resource.body))
        parts += (head, resource.body, tail)
    parts.append(_field(4, type_url.encode()))
    parts.append(_field(5, response.nonce.encode()))
    parts += (_element(6, name.encode()) for name in response.removed)
    return b"".join(parts)


def sotw_response(response: SotwResponse) -> bytes:
    """Return a DiscoveryResponse."""
    message = discovery_pb2.DiscoveryResponse(
        type_url=response.type_url,
        nonce=response.nonce,
        version_info=response.version,
        resources=[Any(type_url=response.type_url, value=each.body) for each in response.resources],
    )
    return bytes(message.SerializeToString())


@lru_cache(maxsize=MAX_RESOURCES)
def _around_body(type_url: str, name: str, version: str, size: int) -> tuple[bytes, bytes]:
    """Return a Resource as a response's field 2: what stands before a body of `size` bytes, and after it."""
    body = _key(2) + _varint(size) if size else b""
    packed = _field(1, type_url.encode()) + body
    before = _field(1, version.encode()) + _key(2) + _varint(len(packed) + size) + packed
    after = _field(3, name.encode())
    return _key(2) + _varint(len(before) + size + len(after)) + before, after


def _field(number: int, data: bytes) -> bytes:
    """Return a text or bytes field; an empty one isn't written."""
    return _element(number, data) if data else b""


def _element(number: int, data: bytes) -> bytes:
    return _key(number) + _varint(len(data)) + data


def _key(number: int) -> bytes:
    """Return what a field with a length begins with."""
    return bytes((number << 3 | 2,))


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _node(node: base_pb2.Node) -> Node:
    return Node(
        id=node.id,
        cluster=node.cluster,
        metadata={name: _text(value) for name, value in node.metadata.fields.items()},
    )


def _text(value: object) -> str:
    """Return a metadata value as text; numbers without a fraction as integers."""
    kind = value.WhichOneof("kind")  # type: ignore[attr-defined]
    if kind == "number_value":
        return f"{value.number_value:.15g}"  # type: ignore[attr-defined]
    if kind in {"string_value", "bool_value"}:
        return str(getattr(value, kind))
    return ""
