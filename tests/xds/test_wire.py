"""A response is, byte for byte, what protobuf makes of the message; a request is read as it was said."""

from dataclasses import replace

from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.any_pb2 import Any
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.ads.client import session
from lightbulb.ads.client.wire import request_to_bytes
from lightbulb.ads.messages import DeltaResponse
from lightbulb.ads.server import wire
from lightbulb.ads.values import CLUSTER, NO_STAMP, ROUTE, CommitStamp, Node, Resource

texts = st.text(max_size=200)
bodies = st.binary(max_size=20) | st.integers(100, 20_000).map(bytes)
resources = st.builds(Resource, name=texts, version=texts, body=bodies)
responses = st.builds(
    DeltaResponse,
    type_url=st.sampled_from([CLUSTER, ROUTE]) | texts,
    nonce=texts,
    resources=st.lists(resources, max_size=4).map(tuple),
    removed=st.lists(texts, max_size=4).map(tuple),
    stamp=st.just(NO_STAMP) | st.builds(CommitStamp, texts, st.integers(0, 2**64)),
)


@given(responses)
def test_a_delta_response_is_the_message_that_it_says(response: DeltaResponse) -> None:
    message = discovery_pb2.DeltaDiscoveryResponse(
        system_version_info=str(response.stamp),
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


@given(
    st.dictionaries(texts, texts, min_size=100, max_size=120),
    st.none() | st.builds(Node, id=texts, metadata=st.just({"kind": "sidecar"})),
)
def test_a_request_says_the_same_however_often_it_was_said(held: dict[str, str], node: Node | None) -> None:
    said = session.DeltaRequest(type_url=ROUTE, node=node, subscribe=("*",), initial_versions=held)
    reordered = replace(said, initial_versions=dict(reversed(held.items())))
    first, again = map(wire.delta_request, map(request_to_bytes, (said, reordered)))
    assert first == again
    assert (first.type_url, first.subscribe, first.initial_versions) == (ROUTE, ("*",), held)
    assert (first.node is None) == (node is None)
