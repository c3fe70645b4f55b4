"""A response is, byte for byte, what protobuf makes of the message."""

from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.any_pb2 import Any
from hypothesis import given
from hypothesis import strategies as st

from controlplane.xds import wire
from controlplane.xds.messages import DeltaResponse
from controlplane.xds.snapshot import NO_FENCE, Fence
from lightbulb.ads.values import CLUSTER, ROUTE, Resource

texts = st.text(max_size=200)
bodies = st.binary(max_size=20) | st.integers(100, 20_000).map(bytes)
resources = st.builds(Resource, name=texts, version=texts, body=bodies)
responses = st.builds(
    DeltaResponse,
    type_url=st.sampled_from([CLUSTER, ROUTE]) | texts,
    nonce=texts,
    resources=st.lists(resources, max_size=4).map(tuple),
    removed=st.lists(texts, max_size=4).map(tuple),
    fence=st.just(NO_FENCE) | st.builds(Fence, texts, st.integers(0, 2**64)),
)


@given(responses)
def test_a_delta_response_is_the_message_that_it_says(response: DeltaResponse) -> None:
    message = discovery_pb2.DeltaDiscoveryResponse(
        system_version_info=str(response.fence),
        resources=[
            discovery_pb2.Resource(
                name=each.name,
                version=each.version,
                resource=Any(type_url=response.type_url, value=each.body),
            )
            for each in response.resources
        ],
        type_url=response.type_url,
        nonce=response.nonce,
        removed_resources=response.removed,
    )
    assert wire.delta_response(response) == message.SerializeToString()
