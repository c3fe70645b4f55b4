"""A real Envoy behind a relay behind a real control plane: what each of the three sees of the others."""

import pytest

from lightbulb.ads.values import CLUSTER, ENDPOINTS
from tests.envoy.lab import failures, load
from tests.sidecar.lab import KEY, OTHER, UPDATES, RelayLab, on, two_upstreams, unbuildable, with_cluster
from tests.waiting import until

pytestmark = pytest.mark.envoy


def test_requests_are_routed_through_the_relays_envoy(lab: RelayLab) -> None:
    two_upstreams(lab)
    assert (lab.call(KEY).text, lab.call(OTHER).text) == ("vip-a", "vip-a")
    stream = lab.plane.stream()
    assert stream is not None
    assert stream.node == lab.sidecar.settings.node


def test_moves_through_the_relay_fail_nothing(lab: RelayLab) -> None:
    two_upstreams(lab)
    with load(lab, KEY, OTHER) as counts:
        for vip in ("vip-b", "vip-a") * 10:
            lab.plane.settle(on(lab, vip))
            assert lab.call(KEY).text == vip
    assert failures(counts) == {}
    assert {f"{KEY} -> vip-a", f"{KEY} -> vip-b"} <= counts.keys()


def test_versions_pass_as_they_are_given(lab: RelayLab) -> None:
    two_upstreams(lab)
    stream, shown = lab.plane.stream(), lab.plane.snapshot
    assert stream is not None
    assert shown is not None
    assert stream.acked(CLUSTER) == {name: each.version for name, each in shown.of(CLUSTER).items()}


def test_a_cold_sidecar_without_a_control_plane_is_never_ready(lab: RelayLab) -> None:
    lab.start_relay()
    lab.sidecar.start()
    until("Envoy to connect", lab.connected)
    assert not lab.ready()
    lab.upstream("vip-a")
    lab.plane.start()
    lab.plane.snapshot = on(lab, "vip-a")
    lab.sidecar.wait_ready(20)
    assert lab.call(KEY).text == "vip-a"


def test_an_ack_means_that_envoy_has_it(lab: RelayLab) -> None:
    two_upstreams(lab)
    with lab.stopped_envoy():
        lab.plane.show(on(lab, "vip-a", **{"Rank|m|2": "vip-b"}))
        until("the relay to have the cluster", lambda: "vip-b" in lab.wanted())
        for _ in range(50):  # each asks the loop that the relay and the control plane run in
            assert CLUSTER in (lab.plane.unsynced() or ())
        assert "vip-b" not in lab.relay.holdings.accepted[CLUSTER]
    lab.settled()
    assert lab.call("Rank|m|2").text == "vip-b"


def test_a_cluster_that_envoy_refuses_is_named_with_the_reason_and_blocks_no_other(lab: RelayLab) -> None:
    two_upstreams(lab)
    world = on(lab, "vip-a", **{"Rank|m|2": "vip-b"})
    lab.plane.show(with_cluster(world, unbuildable("poison")))
    until("the refusal", lab.plane.rejected)
    lab.settled()
    rejected = lab.plane.rejected()
    assert rejected.keys() == {"poison"}
    assert "EDS" in rejected["poison"]
    assert lab.call("Rank|m|2").text == "vip-b"
    assert "poison" not in lab.wanted()
    lab.plane.settle(world)
    assert lab.plane.rejected() == {}


def test_the_last_good_content_of_what_envoy_refuses_is_what_the_relay_serves_on(lab: RelayLab) -> None:
    two_upstreams(lab)
    good = on(lab, "vip-a")
    lab.plane.show(good.replace(CLUSTER, [unbuildable("vip-a")]))
    until("the relay to have it", lambda: lab.wanted()["vip-a"] is not good.of(CLUSTER)["vip-a"])
    lab.settled()
    assert lab.wanted() == good.of(CLUSTER)
    assert "EDS" in lab.plane.rejected()["vip-a"]
    assert lab.call(KEY).text == "vip-a"
    lab.restart_envoy()
    lab.sidecar.wait_ready(20)
    assert lab.call(KEY).text == "vip-a"
    lab.plane.settle(on(lab, "vip-b"))
    assert lab.call(KEY).text == "vip-b"


def test_an_envoy_that_is_killed_gets_everything_again(lab: RelayLab) -> None:
    two_upstreams(lab)
    lab.plane.stop()  # it comes from the relay
    lab.restart_envoy()
    lab.sidecar.wait_ready(20)
    assert (lab.call(KEY).text, lab.call(OTHER).text) == ("vip-a", "vip-a")


def test_a_change_while_envoy_is_away_is_acknowledged_once_it_is_back(lab: RelayLab) -> None:
    two_upstreams(lab)
    lab.sidecar.stop()
    lab.plane.show(on(lab, "vip-b"))
    until("the relay to have the cluster", lambda: "vip-b" in lab.wanted())
    assert lab.plane.unsynced() != ()
    lab.sidecar.start()
    lab.settled()
    assert lab.call(KEY).text == "vip-b"


@pytest.mark.parametrize("kept", [True, False], ids=["from what was kept", "with nothing"])
def test_a_relay_that_starts_again_sends_an_envoy_that_ran_on_nothing(lab: RelayLab, kept: bool) -> None:
    two_upstreams(lab)
    before = lab.stats(*UPDATES)
    with load(lab, KEY, OTHER) as counts:
        lab.stop_relay()
        if not kept:
            lab.state = None
        until("the control plane to notice", lambda: lab.plane.stream() is None)
        assert lab.plane.left == [], "it says goodbye, and its Envoy takes requests"
        lab.start_relay()
        until("the sidecar to come back", lambda: lab.plane.unsynced() == (), 60)
        assert lab.stats(*UPDATES) == before
        lab.plane.settle(on(lab, "vip-b"))
    assert failures(counts) == {}
    assert lab.call(KEY).text == "vip-b"
    assert lab.stats(*UPDATES) != before


def test_endpoints_change_while_a_cluster_warms(lab: RelayLab) -> None:
    """A host that is gone is gone for Envoy, whatever becomes of some other cluster."""
    two_upstreams(lab)
    moved = lab.world({KEY: "vip-a", OTHER: "vip-a"}, {"vip-a": ("vip-b",)})
    lab.plane.show(with_cluster(moved, unbuildable("poison")))
    until("the requests to go to the other host", lambda: lab.call(KEY).text == "vip-b")
    lab.settled()
    stream = lab.plane.stream()
    assert stream is not None
    assert stream.acked(ENDPOINTS).keys() == {"vip-a"}
