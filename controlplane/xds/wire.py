"""The one place of the server where ADS protobufs meet `messages`."""

from __future__ import annotations

from functools import lru_cache

from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.any_pb2 import Any

from controlplane.xds.messages import DeltaRequest, DeltaResponse, SotwRequest, SotwResponse
from lightbulb.ads.values import Node, Resource

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"


def delta_request(data: bytes) -> DeltaRequest:
    """Return the request in `data`; raises google.protobuf.message.DecodeError."""
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
    """Return a DeltaDiscoveryResponse."""
    message = discovery_pb2.DeltaDiscoveryResponse(
        type_url=response.type_url,
        nonce=response.nonce,
        resources=[_resource(response.type_url, resource) for resource in response.resources],
        removed_resources=response.removed,
        system_version_info=str(response.fence),
    )
    return bytes(message.SerializeToString())


def sotw_response(response: SotwResponse) -> bytes:
    """Return a DiscoveryResponse."""
    message = discovery_pb2.DiscoveryResponse(
        type_url=response.type_url,
        nonce=response.nonce,
        version_info=response.version,
        resources=[Any(type_url=response.type_url, value=each.body) for each in response.resources],
    )
    return bytes(message.SerializeToString())


# A push of one resource to a thousand streams wraps it once.
@lru_cache(maxsize=1024)
def _resource(type_url: str, resource: Resource) -> discovery_pb2.Resource:
    return discovery_pb2.Resource(
        name=resource.name,
        version=resource.version,
        resource=Any(type_url=type_url, value=resource.body),
    )


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
