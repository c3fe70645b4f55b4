"""What a real Envoy refuses is known by name and reason, is repaired, and stops nothing else."""

import signal
import socket
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from controlplane.xds import resources
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.server.tracks import SessionLimits
from lightbulb.ads.values import CLUSTER, LISTENER, LISTENER_NAME, ROUTE, SCOPED_ROUTE, Resource
from lightbulb.sidecar.process import Sidecar
from tests.envoy import broken
from tests.envoy.lab import Lab, failures, load
from tests.waiting import until

pytestmark = pytest.mark.envoy

KEY, OTHER = "Rank|m|1", "Fraud|m|1"
MANY = {f"O{number}|m|1": "vip-a" for number in range(12)}


def started(lab: Lab, keys: dict[str, str] | None = None) -> Lab:
    """KEY and OTHER on vip-a; vip-b is there."""
    for name in ("vip-a", "vip-b"):
        lab.upstream(name)
    lab.start(lab.world(keys or {KEY: "vip-a", OTHER: "vip-a"}))
    return lab


def changed(snapshot: Snapshot, kind: str, *resources: Resource) -> Snapshot:
    """The snapshot with resources of one kind added, or in place of those of their names."""
    return snapshot.replace(kind, {**snapshot.of(kind), **{each.name: each for each in resources}}.values())


def refused(lab: Lab, snapshot: Snapshot, names: Iterable[str]) -> dict[str, str]:
    """Show a snapshot; return what is refused of it once exactly `names` are, and the rest is there."""
    lab.plane.show(snapshot)
    until(f"refusals of {names}", lambda: lab.plane.rejected().keys() == set(names))
    return dict(lab.plane.rejected())


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (broken.not_built, "The table size of maglev must be prime number"),
        (broken.no_source, "cannot create an EDS cluster without an EDS config"),
        (broken.invalid, "connect_timeout"),
    ],
)
def test_12_a_new_cluster_that_is_refused_stops_neither_others_nor_later_ones(
    lab: Lab, make, reason: str
) -> None:
    started(lab)
    with load(lab, KEY, OTHER) as counts:
        world = lab.world({KEY: "vip-b", OTHER: "vip-a", "New|m|1": "vip-b"})
        reasons = refused(lab, changed(world, CLUSTER, make("bad")), {"bad"})
        assert reason in reasons["bad"]
        until("the others' change", lambda: lab.call(KEY).text == "vip-b")
        until("the new key", lambda: lab.call("New|m|1").text == "vip-b")
        lab.upstream("vip-c")
        later = changed(lab.world({KEY: "vip-c", OTHER: "vip-a"}), CLUSTER, make("bad"))
        lab.plane.settle(later)
        assert lab.plane.rejected().keys() == {"bad"}
        assert lab.call(KEY).text == "vip-c"
        lab.plane.settle(lab.world({KEY: "vip-c", OTHER: "vip-a"}))  # withdrawn
        assert lab.plane.rejected() == {}
    assert failures(counts) == {}


def test_12_a_cluster_that_is_mended_is_taken_and_then_routed_to(lab: Lab) -> None:
    started(lab)
    lab.upstream("vip-c")
    good = lab.world({KEY: "vip-c", OTHER: "vip-b"})
    refused(lab, changed(good, CLUSTER, broken.not_built("vip-c")), {"vip-c"})
    until("the others' change", lambda: lab.call(OTHER).text == "vip-b")
    assert lab.call(KEY).text == "vip-a"  # its new routes wait for the cluster, and the old cluster for them
    lab.plane.settle(good)
    assert (lab.plane.rejected(), lab.call(KEY).text) == ({}, "vip-c")


def test_12_a_refused_update_of_a_cluster_leaves_the_old_one_and_holds_nothing_back(either_lab: Lab) -> None:
    lab = started(either_lab)
    good = lab.world({KEY: "vip-a", OTHER: "vip-a"})
    with load(lab, KEY) as counts:
        lab.plane.show(changed(good, CLUSTER, broken.not_built("vip-a")))
        until("the refusal", lab.plane.rejected)
        assert "maglev must be prime" in " ".join(lab.plane.rejected().values())
        lab.plane.settle(good)
        lab.plane.settle(lab.world({KEY: "vip-b", OTHER: "vip-b"}))
        assert (lab.plane.rejected(), lab.call(KEY).text) == ({}, "vip-b")
    assert failures(counts) == {}


def test_10_and_11_refused_routes_are_found_among_others_and_their_old_ones_serve_on(lab: Lab) -> None:
    started(lab, MANY)
    before = lab.stats("rds.O3.update_rejected", "rds.O7.update_rejected")
    world = lab.world(dict.fromkeys(MANY, "vip-b"), {"vip-a": ("vip-a",), "vip-b": ("vip-b",)})
    bad = changed(world, ROUTE, broken.without_match("O3"), broken.without_match("O7"))
    reasons = refused(lab, bad, {"O3", "O7"})
    assert all("match" in reason.lower() for reason in reasons.values())
    lab.plane.settle(bad)
    served = {key: lab.call(key).text for key in MANY}
    assert served == {**dict.fromkeys(MANY, "vip-b"), "O3|m|1": "vip-a", "O7|m|1": "vip-a"}
    tries = {name: value - before.get(name, 0) for name, value in lab.stats(*before).items()}
    assert all(count < 6 for count in tries.values()), tries  # 11: not again and again
    lab.plane.settle(world)
    assert (lab.plane.rejected(), lab.call("O3|m|1").text) == ({}, "vip-b")


def test_refused_routes_on_state_of_the_world_are_known_and_mended(tmp_path: Path) -> None:
    lab = Lab(tmp_path, delta=False)
    try:
        started(lab)
        good = lab.world({KEY: "vip-b", OTHER: "vip-b"}, {"vip-a": ("vip-a",), "vip-b": ("vip-b",)})
        lab.plane.show(changed(good, ROUTE, broken.without_match("Rank")))
        until("the refusal", lab.plane.rejected)
        assert lab.call(KEY).text == "vip-a"
        lab.plane.settle(good)
        assert (lab.plane.rejected(), lab.call(KEY).text) == ({}, "vip-b")
    finally:
        lab.close()


def test_a_refused_scope_and_a_refused_listener_leave_what_was(lab: Lab) -> None:
    started(lab)
    good = lab.world({KEY: "vip-a", OTHER: "vip-a"})
    twice = broken.scope_of("Other", "Rank", "Fraud")
    reasons = refused(lab, changed(good, SCOPED_ROUTE, twice), {"Other"})
    assert "scope key conflict" in reasons["Other"]
    assert lab.call(KEY).text == "vip-a"
    lab.plane.settle(good)
    lab.plane.listener = broken.without_prefix
    reasons = refused(lab, good.replace(LISTENER, ()), {"lightbulb"})
    assert reasons["lightbulb"]
    lab.reconnect()
    assert lab.call(KEY).text == "vip-a"


def test_12_a_cluster_that_never_warms_is_taken_back_in_time_and_others_go_on(tmp_path: Path) -> None:
    lab = Lab(tmp_path, limits=SessionLimits(ack_seconds=2.0))
    try:
        started(lab)
        world = changed(lab.world({KEY: "vip-b", OTHER: "vip-a"}), CLUSTER, broken.never_warm("ghost"))
        assert refused(lab, world, {"ghost"}) == {"ghost": "not acknowledged in time"}
        lab.plane.settle(world)
        assert lab.call(KEY).text == "vip-b"
    finally:
        lab.close()


def test_a_cluster_that_changes_is_warm_at_once_and_fails_nothing(either_lab: Lab) -> None:
    lab = started(either_lab)
    good = lab.world({KEY: "vip-a", OTHER: "vip-a"})
    took = []
    with load(lab, KEY) as counts:
        for seconds in (2, 3, 4):
            slower = broken.cluster("vip-a", lambda each, s=seconds: each.connect_timeout.FromSeconds(s))
            began = time.monotonic()
            lab.plane.settle(changed(good, CLUSTER, slower))
            took.append(time.monotonic() - began)
    # Left alone, each would wait for its endpoints until that time-out, whatever else takes time here.
    assert min(took) < resources.EDS_SECONDS
    assert failures(counts) == {}


def test_a_cluster_without_endpoints_of_its_own_holds_nothing_back(lab: Lab) -> None:
    started(lab)
    world = lab.world({KEY: "vip-b", OTHER: "vip-a"})
    lab.plane.settle(changed(world, CLUSTER, *resources.clusters(["lonely"])))
    assert (lab.plane.rejected(), lab.call(KEY).text) == ({}, "vip-b")


def test_5_a_scope_whose_routes_come_late_serves_once_they_have_come(lab: Lab) -> None:
    started(lab)
    world = lab.world({KEY: "vip-a", OTHER: "vip-a", "Late|m|1": "vip-b"})
    without = world.replace(ROUTE, [each for each in world.of(ROUTE).values() if each.name != "Late"])
    lab.plane.settle(without)
    assert lab.call("Late|m|1").text.endswith("isn't known here; resolve again")
    lab.plane.settle(world)
    until("an answer", lambda: lab.call("Late|m|1").text == "vip-b")


def test_22_two_sidecars_of_one_name_have_each_their_own_state(lab: Lab, tmp_path: Path) -> None:
    started(lab)
    (tmp_path / "other").mkdir()
    other = Lab(tmp_path / "other", plane=lab.plane)
    try:
        other.sidecar.start()
        other.sidecar.wait_ready(20)
        assert other.call(KEY).text == "vip-a"
        for vip in ("vip-b", "vip-a"):
            lab.plane.settle(lab.world({KEY: vip, OTHER: vip}))
            assert (lab.call(KEY).text, other.call(KEY).text) == (vip, vip)
    finally:
        other.close()


def test_24_a_sidecar_that_stands_still_is_owed_one_response_and_gets_the_latest(lab: Lab) -> None:
    started(lab)
    stop(lab.sidecar)
    try:
        for number in range(50):
            lab.plane.show(lab.world({KEY: "vip-a", OTHER: "vip-a", f"Rank|m|{number}": "vip-a"}))
        lab.plane.show(lab.world({KEY: "vip-b", OTHER: "vip-a"}))
        until("the push", lambda: lab.plane.unsynced() != ())
        assert lab.plane.outgoing() <= 4  # one response a type at most
    finally:
        stop(lab.sidecar, signal.SIGCONT)
    until("the sidecar to catch up", lambda: lab.plane.unsynced() == ())
    assert lab.call(KEY).text == "vip-b"


def stop(sidecar: Sidecar, number: signal.Signals = signal.SIGSTOP) -> None:
    assert sidecar._process is not None
    sidecar._process.send_signal(number)


def test_26_a_world_in_many_pieces_arrives_whole(tmp_path: Path) -> None:
    lab = Lab(tmp_path, limits=SessionLimits(response_bytes=20_000))
    try:
        lab.upstream("vip-a")
        keys = {f"Objective{number}|model|{key}": "vip-a" for number in range(100) for key in range(20)}
        world = lab.world(keys)
        assert sum(len(each.body) for each in world.of(ROUTE).values()) > 10 * 20_000
        lab.start(world)
        for key in list(keys)[:: len(keys) // 20]:
            assert lab.call(key).text == "vip-a"
    finally:
        lab.close()


def test_a_port_that_is_taken_is_refused_by_name_in_either_form(either_lab: Lab) -> None:
    either_lab.upstream("vip-a")
    either_lab.start()  # it is shown no listener yet
    with socket.socket() as other:
        other.bind(either_lab.sidecar.settings.listen)
        other.listen()
        reasons = refused(either_lab, either_lab.world({KEY: "vip-a"}), {LISTENER_NAME})
        assert "Address already in use" in reasons[LISTENER_NAME]
        until("all but the listener", lambda: either_lab.plane.unsynced() == ())
