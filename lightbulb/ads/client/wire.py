"""Delta ADS messages: our values <-> Envoy's protobuf. The one place here that knows `envoy.*`."""

from __future__ import annotations

from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2

from lightbulb.ads.client.session import DeltaRequest, DeltaResponse
from lightbulb.ads.values import Node, Resource

DELTA_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"

_INVALID_ARGUMENT = 3  # google.rpc.Code of every NACK


def request_to_bytes(request: DeltaRequest) -> bytes:
    """Serialize a request for the wire; an equal one has equal bytes, which a server may know already."""
    message = discovery_pb2.DeltaDiscoveryRequest(
        type_url=request.type_url,
        resource_names_subscribe=request.subscribe,
        initial_resource_versions=request.initial_versions,
        response_nonce=request.nonce,
    )
    if request.node is not None:
        message.node.CopyFrom(node_to_proto(request.node))
    if request.error:
        message.error_detail.code = _INVALID_ARGUMENT
        message.error_detail.message = request.error
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def response_from_bytes(data: bytes) -> DeltaResponse:
    """Parse a response; a resource of another type than the response's is named in `unreadable`.

    Raises google.protobuf.message.DecodeError.
    """
    message = discovery_pb2.DeltaDiscoveryResponse.FromString(data)
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


def node_to_proto(node: Node) -> base_pb2.Node:
    """Return the node with its metadata as a Struct of strings."""
    message = base_pb2.Node(id=node.id, cluster=node.cluster, user_agent_name="lightbulb")
    message.metadata.update(dict(node.metadata))
    return message
