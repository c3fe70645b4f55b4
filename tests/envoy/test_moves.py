"""Nothing that the control plane does fails a request; the same changes in a naive order do."""

import pytest

from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT
from lightbulb.ads.values import CLUSTER, ENDPOINTS, ROUTE
from lightbulb.sidecar.process import is_ready
from tests.envoy.lab import Lab, failures, load
from tests.waiting import until

pytestmark = pytest.mark.envoy

KEY, OTHER = "Rank|m|1", "Fraud|m|1"


def on(lab: Lab, vip: str, **more: str):
    """Both keys on one VIP, and that VIP alone."""
    return lab.world({KEY: vip, OTHER: vip, **more}, {vip: (vip,)})


def two_upstreams(lab: Lab) -> Lab:
    for name in ("vip-a", "vip-b"):
        lab.upstream(name)
    lab.start(on(lab, "vip-a"))
    return lab


def test_18_and_23_moves_between_vips_under_load_fail_nothing(either_lab: Lab) -> None:
    lab = two_upstreams(either_lab)
    with load(lab, KEY, OTHER) as counts:
        for vip in ("vip-b", "vip-a") * 5:
            lab.plane.settle(on(lab, vip))
            until(f"answers by {vip}", lambda v=vip: lab.call(KEY).text == v)
    assert failures(counts) == {}
    assert {"vip-a", "vip-b"} <= {said.rpartition(" ")[2] for said in counts}


def test_18_a_cluster_removed_before_its_routes_fails_requests(lab: Lab) -> None:
    two_upstreams(lab)
    with load(lab, KEY) as counts:
        routes = on(lab, "vip-a").of(ROUTE).values()
        lab.plane.settle(on(lab, "vip-b").replace(ROUTE, routes))  # the clusters first: the naive order
        until("failures", lambda: failures(counts))
        lab.plane.settle(on(lab, "vip-b"))
    assert set(failures(counts)) == {
        f"{KEY} -> NOT_FOUND: routing key '{KEY}' isn't known here; resolve again"
    }


def test_17_routes_and_endpoints_that_vanish_change_nothing(lab: Lab) -> None:
    two_upstreams(lab)
    snapshot = on(lab, "vip-a")
    lab.plane.settle(snapshot.replace(ROUTE, ()).replace(ENDPOINTS, ()))
    assert {lab.call(key).text for key in (KEY, OTHER) for _ in range(5)} == {"vip-a"}


def test_19_a_control_plane_that_knows_nothing_takes_nothing_down(either_lab: Lab) -> None:
    lab = two_upstreams(either_lab)
    lab.plane.show(EMPTY_SNAPSHOT)
    until("the push", lambda: lab.plane.stream() is not None)
    assert {lab.call(KEY).text for _ in range(20)} == {"vip-a"}
    lab.plane.settle(on(lab, "vip-b"))
    assert lab.call(KEY).text == "vip-b"


def test_one_changed_objective_reloads_its_routes_and_no_others(lab: Lab) -> None:
    two_upstreams(lab)
    before = lab.stats("update_success", "config_reload")
    lab.plane.settle(on(lab, "vip-a", **{"Rank|m|2": "vip-a"}))
    after = lab.stats("update_success", "config_reload")
    changed = {name for name, value in after.items() if value != before.get(name, 0)}
    assert changed
    assert {name for name in changed if "Rank" not in name} == set()
    assert lab.call("Rank|m|2").text == "vip-a"


def test_20_a_sidecar_takes_an_older_state_as_readily_as_a_newer(lab: Lab) -> None:
    two_upstreams(lab)
    older = on(lab, "vip-a")
    lab.plane.settle(on(lab, "vip-b"))
    assert lab.call(KEY).text == "vip-b"
    lab.plane.settle(older)  # which is why only one control plane may speak, or all must agree
    assert lab.call(KEY).text == "vip-a"


def test_1_a_cold_sidecar_is_not_ready_before_it_has_routes(either_lab: Lab) -> None:
    lab = either_lab
    lab.upstream("vip-a")
    lab.start()
    until("the sidecar to connect", lambda: lab.plane.stream() is not None)
    assert not is_ready(lab.admin)
    lab.plane.settle(on(lab, "vip-a"))
    lab.sidecar.wait_ready(20)
    assert lab.call(KEY).text == "vip-a"


def test_an_outage_of_the_control_plane_fails_nothing_and_its_return_changes_nothing(either_lab: Lab) -> None:
    lab = two_upstreams(either_lab)
    updates = ("update_success", "config_reload")
    with load(lab, KEY, OTHER) as counts:
        before = lab.stats(*updates)
        lab.plane.stop()
        until(
            "the sidecar to notice",
            lambda: lab.stats("control_plane.connected_state") == {"control_plane.connected_state": 0},
        )
        lab.plane.start()
        until("the sidecar to come back", lambda: lab.plane.unsynced() == (), 60)
        assert lab.stats(*updates) == before  # 16, 21: nothing was sent
        lab.plane.settle(on(lab, "vip-b"))
    assert failures(counts) == {}


def test_16_what_changed_during_an_outage_is_made_up_for_without_a_failure(lab: Lab) -> None:
    two_upstreams(lab)
    with load(lab, KEY, OTHER) as counts:
        lab.plane.stop()
        lab.plane.snapshot = on(lab, "vip-b")
        lab.plane.start()
        until("the sidecar to make up for it", lambda: lab.plane.unsynced() == (), 60)
        stream = lab.plane.stream()
        assert stream is not None
        assert stream.acked(CLUSTER).keys() == {"vip-b"}
    assert failures(counts) == {}
    assert lab.call(KEY).text == "vip-b"
