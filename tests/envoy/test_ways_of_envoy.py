"""What Envoy itself does, whoever serves it: the ground that the sessions are built on.

Should a later Envoy behave differently, these say so. Numbers are those of the protocol's cases.
"""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from controlplane.xds import resources
from controlplane.xds.listener import listener
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE
from tests.envoy import broken
from tests.envoy.lab import Lab
from tests.envoy.raw import Unmannered
from tests.waiting import until

pytestmark = pytest.mark.envoy

KEY = "Rank|m|1"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    for name in ("vip-a", "vip-b"):
        made.upstream(name)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def raw(lab: Lab) -> Iterator[Unmannered]:
    """A server without manners, and an Envoy that serves KEY from vip-a."""
    server = Unmannered(lab.plane.port)
    try:
        lab.sidecar.start()
        serve(lab, server, lab.world({KEY: "vip-a"}))
        yield server
    finally:
        server.close()


def serve(lab: Lab, raw: Unmannered, world: Snapshot) -> None:
    raw.subscription(CLUSTER)
    clusters = raw.post(CLUSTER, world.of(CLUSTER).values())
    raw.subscription(ENDPOINTS, "vip-a")
    assert is_ack(raw.send(ENDPOINTS, world.of(ENDPOINTS).values()))
    assert is_ack(raw.answer(clusters))
    raw.subscription(LISTENER)
    listening = raw.post(LISTENER, [listener(*lab.sidecar.settings.listen, "homepage")])
    raw.subscription(SCOPED_ROUTE)
    assert is_ack(raw.send(SCOPED_ROUTE, world.of(SCOPED_ROUTE).values()))
    raw.subscription(ROUTE, "Rank")
    assert is_ack(raw.send(ROUTE, world.of(ROUTE).values()))
    assert is_ack(raw.answer(listening))
    until("an answer", lambda: lab.call(KEY).text == "vip-a")


def is_ack(request) -> bool:
    return not request.HasField("error_detail")


def refusal(request) -> str:
    assert request.HasField("error_detail")
    return request.error_detail.message


def test_10_of_a_refused_response_some_may_be_applied(lab: Lab, raw: Unmannered) -> None:
    nonce = raw.post(CLUSTER, [broken.no_source("bad"), *resources.clusters(["good"])])
    raw.subscription(ENDPOINTS, "good")  # it is there, and wants its endpoints
    assert is_ack(raw.send(ENDPOINTS, resources.endpoints({"good": ()})))
    assert "bad: cannot create an EDS cluster" in refusal(raw.answer(nonce))


def test_12_a_cluster_that_cant_be_built_goes_on_warming_and_holds_back_every_later_ack(
    lab: Lab, raw: Unmannered
) -> None:
    assert "maglev must be prime number" in refusal(raw.send(CLUSTER, [broken.not_built("ghost")]))
    later = raw.post(CLUSTER, resources.clusters(["good"]))
    raw.subscription(ENDPOINTS, "good")
    (good,) = resources.endpoints({"good": ()})
    assert is_ack(raw.send(ENDPOINTS, [good]))  # warm: its ACK would come before this one's, were it not held
    assert is_ack(raw.send(LISTENER, []))
    assert not raw.answered(later)
    removal = raw.post(CLUSTER, [], ["ghost"])
    assert is_ack(raw.answer(later))
    assert is_ack(raw.answer(removal))


def test_13_a_name_twice_in_one_response_is_refused(lab: Lab, raw: Unmannered) -> None:
    (once,) = resources.clusters(["twice"])
    assert "duplicate name twice found" in refusal(raw.send(CLUSTER, [once, once]))
    (routes,) = lab.world({KEY: "vip-b"}).of(ROUTE).values()
    assert "duplicate" in refusal(raw.send(ROUTE, [routes, routes])).lower()
    assert lab.call(KEY).text == "vip-a"


def test_15_endpoints_that_nobody_asked_for_are_acknowledged_and_ignored(lab: Lab, raw: Unmannered) -> None:
    unasked = resources.endpoints({"vip-b": (("127.0.0.1", lab.upstreams["vip-b"].port),)})
    assert is_ack(raw.send(ENDPOINTS, unasked))
    clusters = raw.post(CLUSTER, resources.clusters(["vip-b"]))
    raw.subscription(ENDPOINTS, "vip-b")  # it doesn't have them: that ACK proved nothing
    assert not raw.answered(clusters)
    assert is_ack(raw.send(ENDPOINTS, unasked))
    assert is_ack(raw.answer(clusters))


def test_16_an_answer_without_news_is_acknowledged(raw: Unmannered) -> None:
    for kind in (CLUSTER, ENDPOINTS):
        assert is_ack(raw.send(kind, []))


@pytest.mark.parametrize(("gone", "then"), [(False, grpc.StatusCode.OK), (True, grpc.StatusCode.UNAVAILABLE)])
def test_16_while_a_cluster_warms_an_envoy_that_reconnects_asks_for_all_but_clusters(
    lab: Lab, raw: Unmannered, gone: bool, then: grpc.StatusCode
) -> None:
    """And it asks for them once endpoints come that it has: that there are none empties its cluster."""
    raw.post(CLUSTER, [broken.patient("vip-a")])
    assert is_ack(raw.send(LISTENER, []))  # it has read it
    raw.close()
    server = Unmannered(lab.plane.port)
    try:
        for kind in (ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE):
            server.subscription(kind)
        assert is_ack(server.send(LISTENER, []))
        assert not server.asked(CLUSTER)
        assert lab.call(KEY).text == "vip-a"
        ours = [] if gone else [lab.world({KEY: "vip-a"}).of(ENDPOINTS)["vip-a"]]
        assert is_ack(server.send(ENDPOINTS, ours, ["vip-a"] if gone else []))
        server.subscription(CLUSTER)
        until("the cluster that was changed", lambda: lab.call(KEY).code is then)
    finally:
        server.close()


@pytest.mark.parametrize("kind", [ROUTE, ENDPOINTS])
def test_17_removed_routes_and_endpoints_serve_on(lab: Lab, raw: Unmannered, kind: str) -> None:
    assert is_ack(raw.send(kind, [], [{ROUTE: "Rank", ENDPOINTS: "vip-a"}[kind]]))
    assert is_ack(raw.send(LISTENER, []))
    assert {lab.call(KEY).text for _ in range(10)} == {"vip-a"}


@pytest.mark.parametrize("kind", [CLUSTER, LISTENER, SCOPED_ROUTE])
def test_18_and_19_a_removed_cluster_listener_or_scope_bites_at_once(
    lab: Lab, raw: Unmannered, kind: str
) -> None:
    name = {CLUSTER: "vip-a", LISTENER: "lightbulb", SCOPED_ROUTE: "Rank"}[kind]
    assert is_ack(raw.send(kind, [], [name]))
    expected = grpc.StatusCode.UNAVAILABLE if kind == LISTENER else grpc.StatusCode.NOT_FOUND
    lab.reconnect()
    until("the removal to bite", lambda: lab.call(KEY, seconds=1.0).code is expected)


def test_20_an_older_version_is_taken_like_a_newer(lab: Lab, raw: Unmannered) -> None:
    raw.post(CLUSTER, resources.clusters(["vip-b"]))
    raw.subscription(ENDPOINTS, "vip-b")
    raw.send(ENDPOINTS, lab.world({KEY: "vip-b"}).of(ENDPOINTS).values())
    for vip in ("vip-b", "vip-a", "vip-b"):
        assert is_ack(raw.send(ROUTE, lab.world({KEY: vip}).of(ROUTE).values()))
        until(f"an answer by {vip}", lambda v=vip: lab.call(KEY).text == v)


def test_an_empty_map_of_keys_is_refused_and_the_old_serves_on(lab: Lab, raw: Unmannered) -> None:
    (ours,) = lab.world({KEY: "vip-a"}).of(ROUTE).values()
    assert "map" in refusal(raw.send(ROUTE, [broken.empty_map(ours)])).lower()
    assert lab.call(KEY).text == "vip-a"


def test_a_route_without_a_match_is_refused_and_the_old_serves_on(lab: Lab, raw: Unmannered) -> None:
    assert "match" in refusal(raw.send(ROUTE, [broken.without_match("Rank")])).lower()
    assert lab.call(KEY).text == "vip-a"


def test_a_second_scope_with_the_same_key_is_refused_and_the_first_serves_on(
    lab: Lab, raw: Unmannered
) -> None:
    error = refusal(raw.send(SCOPED_ROUTE, [broken.scope_of("Other", "Rank", "Other")]))
    assert "scope key conflict found, first scope is 'Rank', second scope is 'Other'" in error
    assert lab.call(KEY).text == "vip-a"


def test_a_listener_that_is_refused_leaves_the_old_one(lab: Lab, raw: Unmannered) -> None:
    listening = broken.without_prefix(*lab.sidecar.settings.listen, "homepage")
    error = refusal(raw.send(LISTENER, [listening]))
    assert "lightbulb" in error
    lab.reconnect()
    assert lab.call(KEY).text == "vip-a"
