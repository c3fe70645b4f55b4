"""The one place where protobuf's ADS messages meet ours: both directions, both ends.

Their names say whose they are: a client encodes requests and decodes responses, a server the other way round.
Every decoder raises google.protobuf.message.DecodeError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from google.protobuf.struct_pb2 import Value

from lightbulb.ads.messages import NO_REASONS, DeltaRequest, DeltaResponse, SotwRequest, SotwResponse
from lightbulb.ads.values import Node, Resource
from lightbulb.discovery import discovery_pb2 as pb
from lightbulb.discovery.node_pb2 import Node as NodeMessage
from lightbulb.discovery.status_pb2 import BadRequest, Status
from lightbulb.memo import Memo

MAX_RESOURCES, MAX_NAME = 50_000, 256
"""Resources whose framing is remembered: more than a large control plane has. One whose name has that many
characters takes a kilobyte; of a longer one it is made each time."""

MAX_REQUEST_BYTES, SMALL, LARGE = 32 * 1024 * 1024, 4 * 1024, 1024 * 1024
"""What remembered requests may take, and between how many bytes one has on the wire: an ACK is less."""

PARSED = 8
"""Bytes that a parsed request takes for each of its bytes on the wire, about: its names are objects."""

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
DELTA_METHOD = "DeltaAggregatedResources"
SOTW_METHOD = "StreamAggregatedResources"
METHODS = (DELTA_METHOD, SOTW_METHOD)

_INVALID_ARGUMENT = 3  # google.rpc.Code of every NACK
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"

Framing = Callable[[str, str, str, int], tuple[bytes, bytes]]
"""Type, name, version and length of a body -> what stands before it in a response, and after it."""


def encode_delta_request(request: DeltaRequest) -> bytes:
    """Return a DeltaDiscoveryRequest; an equal one has equal bytes, which a server may know already."""
    message = pb.DeltaDiscoveryRequest(
        type_url=request.type_url,
        resource_names_subscribe=request.subscribe,
        resource_names_unsubscribe=request.unsubscribe,
        initial_resource_versions=request.initial_versions,
        response_nonce=request.nonce,
    )
    if request.node is not None:
        _write_node(message.node, request.node)
    if request.error is not None:
        _write_error(message.error_detail, request.error, request.refused)
    return message.SerializeToString(deterministic=True)


def decode_delta_request(data: bytes) -> DeltaRequest:
    """Return the request in `data`.

    A thousand sidecars that reconnect say the same of what they hold, in the same bytes: it is parsed once.
    """
    return _remembered(data) if SMALL < len(data) < LARGE else _delta_request(data)


def decode_sotw_request(data: bytes) -> SotwRequest:
    """Return the request in `data`."""
    message = pb.DiscoveryRequest.FromString(data)
    nack = message.error_detail if message.HasField("error_detail") else None
    return SotwRequest(
        type_url=message.type_url,
        node=_node(message.node) if message.HasField("node") else None,
        names=(*message.resource_names, *_plain(message.resource_locators)),
        variants=_variants(message.resource_locators),
        version=message.version_info,
        nonce=message.response_nonce,
        error=None if nack is None else nack.message,
        refused=NO_REASONS if nack is None else _refused(nack),
    )


def encode_delta_response(response: DeltaResponse) -> bytes:
    """Return a DeltaDiscoveryResponse; how its resources are framed is remembered.

    A thousand streams are sent the same resources, so their bodies are not made into messages again each
    time: a serialized message is its fields one after the other, each element of a repeated one too.
    """
    return _delta_response(response, _remembered_framing)


def encode_delta_response_once(response: DeltaResponse) -> bytes:
    """Return the same bytes, and remember nothing: for a server of one stream."""
    return _delta_response(response, _framing)


def decode_delta_response(data: bytes) -> DeltaResponse:
    """Return the response in `data`; a resource of another type than the response's is `unreadable`."""
    message = pb.DeltaDiscoveryResponse.FromString(data)
    mistyped = {
        r.name: f"is a {r.resource.type_url or 'resource without a body'} in a response of {message.type_url}"
        for r in message.resources
        if r.resource.type_url != message.type_url
    }
    return DeltaResponse(
        type_url=message.type_url,
        nonce=message.nonce,
        stamp=message.system_version_info,
        resources=tuple(
            Resource(name=r.name, version=r.version, body=r.resource.value)
            for r in message.resources
            if r.name not in mistyped
        ),
        removed=tuple(message.removed_resources),
        unreadable=mistyped,
    )


def encode_sotw_response(response: SotwResponse) -> bytes:
    """Return a DiscoveryResponse."""
    message = pb.DiscoveryResponse(
        type_url=response.type_url, nonce=response.nonce, version_info=response.version
    )
    for each in response.resources:
        message.resources.add(type_url=response.type_url, value=each.body)
    return message.SerializeToString()


def _delta_request(data: bytes) -> DeltaRequest:
    message = pb.DeltaDiscoveryRequest.FromString(data)
    nack = message.error_detail if message.HasField("error_detail") else None
    return DeltaRequest(
        type_url=message.type_url,
        node=_node(message.node) if message.HasField("node") else None,
        subscribe=(*message.resource_names_subscribe, *_plain(message.resource_locators_subscribe)),
        unsubscribe=(*message.resource_names_unsubscribe, *_plain(message.resource_locators_unsubscribe)),
        variants=(
            *_variants(message.resource_locators_subscribe),
            *_variants(message.resource_locators_unsubscribe),
        ),
        initial_versions=dict(message.initial_resource_versions),
        nonce=message.response_nonce,
        error=None if nack is None else nack.message,
        refused=NO_REASONS if nack is None else _refused(nack),
    )


def _plain(locators: Iterable[pb.ResourceLocator]) -> tuple[str, ...]:
    """Return the names of those that any variant will do for."""
    return tuple(each.name for each in locators if not each.dynamic_parameters)


def _variants(locators: Iterable[pb.ResourceLocator]) -> tuple[str, ...]:
    return tuple(each.name for each in locators if each.dynamic_parameters)


_remembered = Memo(
    _delta_request, max_bytes=MAX_REQUEST_BYTES, size=lambda arguments, _: (1 + PARSED) * len(arguments[0])
)


def _write_error(message: Status, text: str, refused: Mapping[str, str]) -> None:
    message.code = _INVALID_ARGUMENT
    message.message = text
    if refused:
        detail = BadRequest()
        for name, reason in refused.items():
            detail.field_violations.add(field=name, description=reason)
        message.details.add(type_url=_BAD_REQUEST, value=detail.SerializeToString())


def _refused(message: Status) -> Mapping[str, str]:
    """Return name -> reason as a NACK's details say it; a detail of another type is left alone."""
    return {
        violation.field: violation.description
        for detail in message.details
        if detail.type_url == _BAD_REQUEST
        for violation in BadRequest.FromString(detail.value).field_violations
    }


def _delta_response(response: DeltaResponse, framing: Framing) -> bytes:
    type_url = response.type_url
    parts = [_field(1, response.stamp.encode())]
    for resource in response.resources:
        head, tail = framing(type_url, resource.name, resource.version, len(resource.body))
        parts += (head, resource.body, tail)
    parts.append(_field(4, type_url.encode()))
    parts.append(_field(5, response.nonce.encode()))
    parts += (_element(6, name.encode()) for name in response.removed)
    return b"".join(parts)


def _framing(type_url: str, name: str, version: str, size: int) -> tuple[bytes, bytes]:
    """Return a Resource as a response's field 2: what stands before a body of `size` bytes, and after it."""
    body = _key(2) + _varint(size) if size else b""
    packed = _field(1, type_url.encode()) + body
    before = _field(1, version.encode()) + _key(2) + _varint(len(packed) + size) + packed
    after = _field(3, name.encode())
    return _key(2) + _varint(len(before) + size + len(after)) + before, after


_short_names_framing = lru_cache(maxsize=MAX_RESOURCES)(_framing)


def _remembered_framing(type_url: str, name: str, version: str, size: int) -> tuple[bytes, bytes]:
    framing = _short_names_framing if len(name) <= MAX_NAME else _framing
    return framing(type_url, name, version, size)


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


def _write_node(message: NodeMessage, node: Node) -> None:
    message.id, message.cluster, message.user_agent_name = node.id, node.cluster, "lightbulb"
    message.metadata.update(dict(node.metadata))


def _node(message: NodeMessage) -> Node:
    return Node(
        id=message.id,
        cluster=message.cluster,
        metadata={name: _text(value) for name, value in message.metadata.fields.items()},
    )


def _text(value: Value) -> str:
    """Return a metadata value as text; numbers without a fraction as integers."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return f"{value.number_value:.15g}"
    if kind in {"string_value", "bool_value"}:
        return str(getattr(value, kind))
    return ""
