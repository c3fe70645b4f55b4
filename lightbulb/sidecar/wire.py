"""What the relay writes to Envoy, as protobuf.

Each resource is wrapped anew. The control plane's cache is for a push to a thousand streams; of one
stream it would hold the past.
"""

from __future__ import annotations

from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.any_pb2 import Any

from lightbulb.ads.messages import DeltaResponse
from lightbulb.ads.values import Resource


def delta_response(response: DeltaResponse) -> bytes:
    """Return a DeltaDiscoveryResponse."""
    message = discovery_pb2.DeltaDiscoveryResponse(
        type_url=response.type_url,
        nonce=response.nonce,
        resources=[
            discovery_pb2.Resource(
                name=each.name,
                version=each.version,
                resource=Any(type_url=response.type_url, value=each.body),
            )
            for each in response.resources
        ],
        removed_resources=response.removed,
    )
    return bytes(message.SerializeToString())


def _wrap(type_url: str, resource: Resource) -> discovery_pb2.Resource:
    body = Any(type_url=type_url, value=resource.body)
    return discovery_pb2.Resource(name=resource.name, version=resource.version, resource=body)
