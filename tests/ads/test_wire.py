"""A response is, byte for byte, what protobuf makes of the message; a request is read as it was said."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor import Descriptor
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.ads import wire
from lightbulb.ads.messages import DeltaRequest, DeltaResponse
from lightbulb.ads.values import CLUSTER, ROUTE, Node, Resource
from lightbulb.discovery import discovery_pb2 as ours

texts = st.text(max_size=200)
bodies = st.binary(max_size=20) | st.integers(100, 20_000).map(bytes)
resources = st.builds(Resource, name=texts, version=texts, body=bodies)
responses = st.builds(
    DeltaResponse,
    type_url=st.sampled_from([CLUSTER, ROUTE]) | texts,
    nonce=texts,
    resources=st.lists(resources, max_size=4).map(tuple),
    removed=st.lists(texts, max_size=4).map(tuple),
    stamp=texts,
)


@given(responses)
def test_a_delta_response_is_the_message_that_it_says(response: DeltaResponse) -> None:
    message = discovery_pb2.DeltaDiscoveryResponse(
        system_version_info=response.stamp,
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
    assert wire.encode_delta_response(response) == message.SerializeToString()
    assert wire.encode_delta_response_once(response) == message.SerializeToString()
    assert wire.decode_delta_response(message.SerializeToString()) == response


@pytest.mark.parametrize("name", list(ours.DESCRIPTOR.message_types_by_name))
def test_our_messages_are_envoys_field_by_field(name: str) -> None:
    mine, theirs = (
        ours.DESCRIPTOR.message_types_by_name[name],
        discovery_pb2.DESCRIPTOR.message_types_by_name[name],
    )
    assert mine.full_name == theirs.full_name
    assert fields(mine) == {number: each for number, each in fields(theirs).items() if number in fields(mine)}
    node = theirs.fields_by_name.get("node")
    if node is not None:
        assert fields(mine.fields_by_name["node"].message_type).items() <= fields(node.message_type).items()


def fields(message: Descriptor) -> Mapping[int, tuple[object, ...]]:
    return {
        each.number: (
            each.name,
            each.type,
            each.is_repeated,
            each.message_type.full_name if each.message_type else None,
        )
        for each in message.fields
    }


@given(
    st.dictionaries(texts, texts, min_size=100, max_size=120),
    st.none() | st.builds(Node, id=texts, metadata=st.just({"kind": "sidecar"})),
)
def test_a_request_says_the_same_however_often_it_was_said(held: dict[str, str], node: Node | None) -> None:
    said = DeltaRequest(type_url=ROUTE, node=node, subscribe=("*",), initial_versions=held)
    reordered = replace(said, initial_versions=dict(reversed(held.items())))
    first, again = map(wire.decode_delta_request, map(wire.encode_delta_request, (said, reordered)))
    assert first == again
    assert (first.type_url, first.subscribe, first.initial_versions) == (ROUTE, ("*",), held)
    assert (first.node is None) == (node is None)


nodes = st.builds(Node, id=texts, cluster=texts, metadata=st.dictionaries(texts, texts, max_size=3))
requests = st.builds(
    DeltaRequest,
    type_url=texts,
    node=st.none()
    | st.builds(Node, id=texts, cluster=texts, metadata=st.dictionaries(texts, texts, max_size=3)),
    subscribe=st.lists(texts, max_size=4).map(tuple),
    unsubscribe=st.lists(texts, max_size=4).map(tuple),
    initial_versions=st.dictionaries(texts, texts, max_size=4),
    nonce=texts,
    error=st.none() | texts,
)


@given(requests, st.dictionaries(texts, texts, max_size=4))
def test_a_request_is_read_as_it_was_said(said: DeltaRequest, refused: dict[str, str]) -> None:
    said = replace(said, refused=refused if said.error is not None else {})
    assert wire.decode_delta_request(wire.encode_delta_request(said)) == said


def test_a_refusal_is_read_by_those_who_know_envoys_messages_alone() -> None:
    nack = DeltaRequest(type_url=ROUTE, nonce="7", error="a: no", refused={"a": "no"})
    message = discovery_pb2.DeltaDiscoveryRequest.FromString(wire.encode_delta_request(nack))
    assert (message.error_detail.code, message.error_detail.message) == (3, "a: no")
    (detail,) = message.error_detail.details
    assert detail.type_url == "type.googleapis.com/google.rpc.BadRequest"
    assert detail.value == b"\x0a\x07\x0a\x01a\x12\x02no"


def test_a_detail_of_another_type_is_left_alone() -> None:
    message = discovery_pb2.DeltaDiscoveryRequest(type_url=ROUTE, response_nonce="7")
    message.error_detail.message = "no"
    message.error_detail.details.add(type_url="type.googleapis.com/google.rpc.Help", value=b"\xff")
    request = wire.decode_delta_request(message.SerializeToString())
    assert (request.error, request.refused) == ("no", {})


def test_a_locator_of_a_name_alone_is_the_name_and_one_with_parameters_a_variant() -> None:
    plain = discovery_pb2.ResourceLocator(name="plain")
    variant = discovery_pb2.ResourceLocator(name="variant", dynamic_parameters={"env": "prod"})
    delta = discovery_pb2.DeltaDiscoveryRequest(
        type_url=ROUTE,
        resource_names_subscribe=["a"],
        resource_locators_subscribe=[plain, variant],
        resource_locators_unsubscribe=[plain, variant],
    )
    request = wire.decode_delta_request(delta.SerializeToString())
    assert (request.subscribe, request.unsubscribe) == (("a", "plain"), ("plain",))
    assert request.variants == ("variant", "variant")
    sotw = discovery_pb2.DiscoveryRequest(type_url=ROUTE, resource_locators=[plain, variant])
    asked = wire.decode_sotw_request(sotw.SerializeToString())
    assert (asked.names, asked.variants) == (("plain",), ("variant",))


def test_a_refusal_by_name_is_read_in_either_form() -> None:
    said = DeltaRequest(type_url=ROUTE, nonce="1", error="no", refused={"a": "too long"})
    delta = discovery_pb2.DeltaDiscoveryRequest.FromString(wire.encode_delta_request(said))
    sotw = discovery_pb2.DiscoveryRequest(type_url=ROUTE, error_detail=delta.error_detail)
    assert wire.decode_sotw_request(sotw.SerializeToString()).refused == {"a": "too long"}
