"""The client end of delta ADS: what it says, whatever the network does."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.ads.client.session import SubscriberSession
from lightbulb.ads.messages import DeltaRequest, DeltaResponse
from lightbulb.ads.values import STAMP, Node, Resource

A, B = "type/A", "type/B"
NODE = Node(id="n")


def response(
    *resources: str, removed: tuple[str, ...] = (), nonce: str = "1", type_url: str = A
) -> DeltaResponse:
    """Return a response with resources written as "name@version"."""
    return DeltaResponse(
        type_url=type_url,
        nonce=nonce,
        resources=tuple(
            Resource(name=name, version=version, body=b"")
            for name, version in (text.split("@") for text in resources)
        ),
        removed=removed,
    )


def take(
    session: SubscriberSession, message: DeltaResponse, rejected: Mapping[str, str] | None = None
) -> DeltaRequest:
    return session.finish(message, session.begin(message), rejected or {})


def test_a_stream_opens_with_one_wildcard_a_type_and_the_node_first() -> None:
    first, second = SubscriberSession(NODE, (A, B)).connect()
    assert (first.type_url, first.node, first.subscribe) == (A, NODE, ("*",))
    assert (second.type_url, second.node, second.subscribe) == (B, None, ("*",))


def test_what_is_applied_is_acknowledged_and_told_to_the_next_server() -> None:
    session = SubscriberSession(NODE, (A, B))
    ack = take(session, response("x@1", "y@1", nonce="n7"))
    assert (ack.type_url, ack.nonce, ack.error) == (A, "n7", None)
    assert [request.initial_versions for request in session.connect()] == [{"x": "1", "y": "1"}, {}]


def test_a_nack_names_each_rejected_resource_on_a_line_and_the_old_version_stays_held() -> None:
    session = SubscriberSession(NODE, (A,))
    take(session, response("x@1"))
    nack = take(session, response("x@2", "y@2", "z@1"), {"y": "no\nmemory", "x": "bad"})
    assert nack.error == "x: bad\ny: no memory"
    assert nack.refused == {"x": "bad", "y": "no memory"}
    assert session.held(A) == {"x": "1", "z": "1"}
    nameless = take(session, response("x@3"), {"x": " \n"})
    assert (nameless.error, nameless.refused) == ("x: rejected", {"x": "rejected"})


def test_a_rejected_removal_leaves_the_resource_held() -> None:
    session = SubscriberSession(NODE, (A,))
    take(session, response("x@1"))
    nack = take(session, response(removed=("x",)), {"x": "in use"})
    assert (nack.error, session.held(A)) == ("x: in use", {"x": "1"})


def test_a_rejected_resource_is_news_when_it_is_sent_again() -> None:
    session = SubscriberSession(NODE, (A,))
    take(session, response("x@1"), {"x": "not now"})
    assert session.begin(response("x@1")).added


@pytest.mark.parametrize(
    "message",
    [response(), response("x@1"), response(removed=("never-heard-of",))],
    ids=["nothing", "what is held", "removal of what isn't held"],
)
def test_what_changes_nothing_is_acknowledged_without_being_applied(message: DeltaResponse) -> None:
    session = SubscriberSession(NODE, (A,))
    take(session, response("x@1"))
    update = session.begin(message)
    assert not update
    assert session.finish(message, update, {}).error is None


def test_a_name_twice_in_one_response_is_refused_and_nothing_of_it_applied() -> None:
    session = SubscriberSession(NODE, (A,))
    nack = take(session, response("x@1", "x@2", "y@1"))
    assert nack.error == "x: named twice in one response"
    assert session.held(A) == {}


def test_a_reason_is_cut_to_a_bounded_line() -> None:
    nack = take(SubscriberSession(NODE, (A,)), response("x@1"), {"x": "long " * 1000})
    assert len(nack.error) < 1100


def test_what_is_being_applied_when_the_stream_is_lost_is_told_as_of_unknown_version() -> None:
    session = SubscriberSession(NODE, (A,))
    take(session, response("x@1", "y@1"))
    message = response("x@2", "z@1", removed=("y",))
    update = session.begin(message)
    assert session.connect()[0].initial_versions == {"x": "", "y": "", "z": ""}
    session.finish(message, update, {})
    assert session.connect()[0].initial_versions == {"x": "2", "z": "1"}


def test_a_type_that_is_asked_for_afresh_is_news_on_every_stream() -> None:
    session = SubscriberSession(NODE, (A, B), afresh=(B,))
    take(session, response("x@1"))
    take(session, response("y@1", type_url=B))
    assert [request.initial_versions for request in session.connect()] == [{"x": "1"}, {"y": ""}]
    update = session.begin(response("y@1", type_url=B))
    assert [each.name for each in update.added] == ["y"]
    assert session.held(B) == {"y": "1"}


def served(known: Mapping[str, str], wanted: Mapping[str, str]) -> DeltaResponse:
    """Return what a correct server sends to a client that it believes to hold `known`."""
    added = tuple(f"{name}@{version}" for name, version in wanted.items() if known.get(name) != version)
    return response(*added, removed=tuple(name for name in known if name not in wanted))


worlds = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"), max_size=4)


@given(st.lists(st.tuples(worlds, st.sets(st.sampled_from("abcd")), st.booleans()), max_size=8), worlds)
def test_a_reconnect_always_ends_with_what_the_server_has(
    past: list[tuple[dict[str, str], set[str], bool]], world: dict[str, str]
) -> None:
    """Whatever was applied, refused, or under way when streams broke."""
    session = SubscriberSession(NODE, (A,))
    for wanted, refused, broken in past:
        message = served(session.connect()[0].initial_versions, wanted)
        update = session.begin(message)
        told = session.connect()[0].initial_versions if broken else None
        session.finish(message, update, dict.fromkeys(refused, "no"))
        if told is not None:  # the next stream opened before the update was applied
            take(session, served(told, wanted))
            assert session.held(A) == wanted
    take(session, served(session.connect()[0].initial_versions, world))
    assert session.held(A) == world


def test_what_the_server_said_of_its_age_is_said_to_the_next_one() -> None:
    session = SubscriberSession(NODE, (A,))
    assert STAMP not in session.connect()[0].node.metadata
    take(session, replace(response("x@1"), stamp="store:7"))
    assert session.connect()[0].node.metadata == {**NODE.metadata, STAMP: "store:7"}
    take(session, response("x@2"))
    assert session.connect()[0].node.metadata[STAMP] == "store:7"
