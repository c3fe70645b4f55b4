"""What the relay says to an Envoy while it doesn't know all yet, and what it waits for."""

from collections.abc import Mapping

import pytest

from lightbulb.ads.messages import DeltaRequest, DeltaResponse
from lightbulb.ads.server.delta import DeltaSession
from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, Snapshot, make_resource
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE
from lightbulb.sidecar.envoy_acks import has_arrived, is_known

GUARDED = (CLUSTER, LISTENER, SCOPED_ROUTE)


def patient(snapshot: Snapshot) -> DeltaSession:
    """What a relay opens to its Envoy."""
    return DeltaSession(snapshot, knows=is_known)


def ask(session: DeltaSession, type_url: str, *names: str, **had: str) -> tuple[DeltaResponse, ...]:
    versions: Mapping[str, str] = had
    request = DeltaRequest(type_url=type_url, subscribe=names, initial_versions=versions)
    return session.on_request(request, 0.0)


def ack(session: DeltaSession, response: DeltaResponse) -> tuple[DeltaResponse, ...]:
    return session.on_request(DeltaRequest(type_url=response.type_url, nonce=response.nonce), 0.0)


def some(snapshot: Snapshot, type_url: str, *names: str) -> Snapshot:
    return snapshot.replace(type_url, [make_resource(name, name.encode()) for name in names])


@pytest.mark.parametrize("type_url", GUARDED)
def test_there_is_nothing_is_never_an_answer(type_url: str) -> None:
    session = patient(EMPTY_SNAPSHOT)
    assert ask(session, type_url) == ()
    assert session.on_snapshot(some(EMPTY_SNAPSHOT, type_url), 0.0) == ()
    (response,) = session.on_snapshot(some(EMPTY_SNAPSHOT, type_url, "a"), 0.0)
    assert [each.name for each in response.resources] == ["a"]


def test_listeners_wait_though_clusters_are_there() -> None:
    session = patient(some(EMPTY_SNAPSHOT, CLUSTER, "a"))
    (clusters,) = ask(session, CLUSTER)
    assert ack(session, clusters) == ()
    assert ask(session, LISTENER) == ()
    known = some(session.snapshot or EMPTY_SNAPSHOT, LISTENER, "in")
    assert [each.type_url for each in session.on_snapshot(known, 0.0)] == [LISTENER]


def test_an_envoy_that_has_all_is_told_nothing_while_the_relay_learns_it_again() -> None:
    world = EMPTY_SNAPSHOT
    for type_url in (*GUARDED, ENDPOINTS, ROUTE):
        world = some(world, type_url, "a")
    session = patient(EMPTY_SNAPSHOT)
    for type_url in (*GUARDED, ENDPOINTS, ROUTE):
        names = () if type_url in GUARDED else ("a",)
        assert ask(session, type_url, *names, a=world.of(type_url)["a"].version) == ()
    learned = EMPTY_SNAPSHOT
    for type_url in (CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE):
        learned = Snapshot({**learned.by_type, type_url: world.of(type_url)})
        assert session.on_snapshot(learned, 0.0) == ()
        assert session.on_tick(60.0) == ()
    assert session.unsynced(learned) == ()


def test_endpoints_have_arrived_though_a_cluster_is_warming() -> None:
    """A host that is gone must not wait for some other cluster."""
    world = some(some(EMPTY_SNAPSHOT, CLUSTER, "a", "warming"), ENDPOINTS, "a")
    session = patient(world)
    ask(session, CLUSTER)
    (endpoints,) = ask(session, ENDPOINTS, "a")
    assert not has_arrived(ENDPOINTS, session.subscriptions, world)
    ack(session, endpoints)
    assert has_arrived(ENDPOINTS, session.subscriptions, world)
    assert not has_arrived(CLUSTER, session.subscriptions, world)


def test_an_envoy_that_isnt_there_has_nothing() -> None:
    assert not any(has_arrived(type_url, {}, EMPTY_SNAPSHOT) for type_url in (*GUARDED, ENDPOINTS, ROUTE))


def test_an_envoy_that_has_only_begun_to_ask_has_no_routes_yet() -> None:
    world = EMPTY_SNAPSHOT
    for type_url in (*GUARDED, ENDPOINTS, ROUTE):
        world = some(world, type_url, "a")
    session = patient(world)
    (clusters,) = ask(session, CLUSTER)
    ack(session, clusters)
    assert has_arrived(CLUSTER, session.subscriptions, world)
    assert not any(
        has_arrived(each, session.subscriptions, world) for each in (LISTENER, SCOPED_ROUTE, ROUTE)
    )
