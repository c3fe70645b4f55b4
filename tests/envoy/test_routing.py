"""What a client's requests meet at a real sidecar."""

import threading

import grpc
import pytest

from controlplane.xds.listener import INTERNAL_HEADERS
from controlplane.xds.resources import IN_A_ROW
from controlplane.xds.special_routes import Mirror, SpecialRoute
from lightbulb.model import (
    ARM_HEADER,
    CLIENT_HEADER,
    COMPARE_HEADER,
    REASON_HEADER,
    ROUTING_KEY_HEADER,
    SHADOW_HEADER,
    SIDECAR_TIMEOUT_HEADER,
    TRAFFIC_HEADER,
    UNKNOWN_ROUTING_KEY,
)
from tests.envoy.lab import Lab
from tests.waiting import until

pytestmark = pytest.mark.envoy

KEYS = {"Rank|m|1": "vip-a", "Rank|m|2": "vip-b", "Fraud|m|1": "vip-b"}


@pytest.fixture
def serving(either_lab: Lab) -> Lab:
    for name in ("vip-a", "vip-b"):
        either_lab.upstream(name)
    either_lab.start(either_lab.world(KEYS))
    return either_lab


def test_a_key_leads_to_its_vip_and_no_other_key_anywhere(serving: Lab) -> None:
    assert {key: serving.call(key).text for key in KEYS} == KEYS
    for key in ("Rank|m|3", "rank|m|1", "Nobody|m|1", "Rank", "|", "vip-a"):
        answer = serving.call(key)
        assert answer.code is grpc.StatusCode.NOT_FOUND, key
        assert answer.text == f"routing key '{key}' isn't known here; resolve again"


def test_a_request_without_a_key_is_told_so(serving: Lab) -> None:
    answer = serving.call()
    assert answer.code is grpc.StatusCode.NOT_FOUND
    assert answer.text == "the header x-routing-key is missing; resolve the objective, and send the key"


def test_two_keys_are_no_key_even_if_each_would_be(serving: Lab) -> None:
    said = "the header x-routing-key is there more than once; send one key, and no comma in it"
    for first in ("Rank|m|1", "Nobody|m|1"):
        for second in ("Rank|m|2", first):
            answer = serving.call(first, (ROUTING_KEY_HEADER, second))
            assert (answer.code, answer.text) == (grpc.StatusCode.NOT_FOUND, said)
            assert "x-lightbulb-reason" not in answer.trailers  # to resolve again would not help
    assert serving.call("Rank|m|1,Rank|m|1").text == said


def test_headers_that_are_ours_alone_are_stripped_and_others_pass(serving: Lab) -> None:
    forged = (*((name, "forged") for name in INTERNAL_HEADERS), (CLIENT_HEADER, "somebody-else"))
    assert serving.call("Rank|m|1", *forged, ("x-mine", "2"), (ARM_HEADER, "17c")).text == "vip-a"
    headers = serving.upstreams["vip-a"].headers
    assert headers.keys().isdisjoint(INTERNAL_HEADERS)
    assert (headers["x-mine"], headers[ARM_HEADER]) == ("2", "17c")
    assert headers[ROUTING_KEY_HEADER] == "Rank|m|1"
    assert headers[CLIENT_HEADER] == "homepage"
    assert serving.call("Rank|m|1", (SIDECAR_TIMEOUT_HEADER, "2000")).text == "vip-a"
    assert SIDECAR_TIMEOUT_HEADER not in serving.upstreams["vip-a"].headers
    for said, arrives in {"test": "test", "replay": "replay", "shadow": "live", "": None}.items():
        assert serving.call("Rank|m|1", *([(TRAFFIC_HEADER, said)] if said else [])).text == "vip-a"
        assert serving.upstreams["vip-a"].headers.get(TRAFFIC_HEADER) == arrives


def test_envoy_counts_by_status_and_by_what_went_wrong(serving: Lab) -> None:
    for _ in range(3):
        serving.call("Rank|m|1")
    serving.call("Rank|m|1", body=b"refuse")
    serving.call("Nobody|m|1")
    # Envoy writes it down once it has answered, so that it may be a moment later.
    until("the counts", lambda: sum(serving.stats("lightbulb.requests").values()) == 5)
    assert serving.stats("lightbulb.requests") == {
        "lightbulb.requests.route..grpc.0.flags.-": 3,
        "lightbulb.requests.route..grpc.10.flags.-": 1,
        "lightbulb.requests.route..grpc.5.flags.NR": 1,
    }


def test_a_hosts_refusal_passes_with_its_reason(serving: Lab) -> None:
    answer = serving.call("Rank|m|1", body=b"refuse")
    assert (answer.code, answer.text) == (grpc.StatusCode.ABORTED, "not here; resolve again")
    assert answer.trailers["x-lightbulb-reason"] == "model-not-loaded"


def test_a_vip_without_hosts_is_unavailable_and_the_others_serve(serving: Lab) -> None:
    hosts = {"vip-a": (), "vip-b": ("vip-b",)}
    serving.plane.settle(serving.world(KEYS, hosts))
    assert serving.call("Rank|m|1").code is grpc.StatusCode.UNAVAILABLE
    assert serving.call("Rank|m|2").text == "vip-b"


def test_a_host_that_is_down_is_passed_over(serving: Lab) -> None:
    serving.plane.settle(serving.world(KEYS, {"vip-a": ("vip-a", "vip-b"), "vip-b": ("vip-b",)}))
    serving.upstreams["vip-a"].stop()
    assert {serving.call("Rank|m|1").text for _ in range(20)} == {"vip-b"}


def test_a_host_that_hangs_is_left_out_and_one_whose_model_fails_is_not(lab: Lab) -> None:
    """By failures of a model its hosts would be taken away from every other model."""
    hung, going_on = threading.Event(), {"vip-a", "vip-b"}
    for name in going_on:
        lab.upstream(name)
    hosts = {"vip": tuple(going_on)}
    lab.start(lab.world({"Rank|m|1": "vip", "Fraud|m|1": "vip"}, hosts))

    def ejected() -> int:
        return sum(lab.stats("cluster.vip.outlier_detection.ejections_active").values())

    for _ in range(40):
        assert lab.call("Rank|m|1", body=b"fail").code is grpc.StatusCode.INTERNAL
    assert ejected() == 0
    assert {lab.call("Fraud|m|1").text for _ in range(20)} == going_on
    lab.upstreams["vip-a"].at_call = lambda: hung.wait(60)
    soon = (SIDECAR_TIMEOUT_HEADER, "50")
    try:
        codes = {lab.call("Rank|m|1", soon).code for _ in range(20)}
        until("the host that hangs to be left out", lambda: ejected() == 1)
    finally:
        hung.set()
    assert codes == {grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED}


@pytest.mark.parametrize("others", [0, IN_A_ROW], ids=["in a row", "by key"])
def test_special_routes_take_what_they_are_for_and_the_others_go_on(lab: Lab, others: int) -> None:
    for name in ("vip-a", "vip-b", "shadow"):
        lab.upstream(name)
    keys = {"Rank|m|1": "vip-a", "Rank|m|2": "vip-b", "Rank|m|3": "vip-b"}
    copy = Mirror(cluster="shadow", headers=((SHADOW_HEADER, "1"), (ROUTING_KEY_HEADER, "Rank|m|2")))
    special = (
        SpecialRoute(name="never", key="Rank|m|1", basis_points=0, headers=(("x-never", "1"),)),
        SpecialRoute(name="gone", key="Rank|m|3", withdrawn=True),
        SpecialRoute(
            name="mirrored", key="Rank|m|1", arm="17c", headers=((COMPARE_HEADER, "9"),), mirrors=(copy,)
        ),
        *(SpecialRoute(name=f"other-{number}", key="Rank|m|2", arm=f"{number}c") for number in range(others)),
    )
    lab.start(lab.world(keys, special=special))
    mirror = lab.upstreams["shadow"]
    for _ in range(20):
        assert lab.call("Rank|m|1").text == "vip-a"
    assert {COMPARE_HEADER, "x-never"}.isdisjoint(lab.upstreams["vip-a"].headers)
    assert mirror.headers == {}
    assert lab.call("Rank|m|2", (ARM_HEADER, "17c")).text == "vip-b"
    gone = lab.call("Rank|m|3")
    assert (gone.code, gone.trailers[REASON_HEADER]) == (grpc.StatusCode.NOT_FOUND, UNKNOWN_ROUTING_KEY)
    assert lab.call("Rank|m|1", (ARM_HEADER, "17c")).text == "vip-a"
    until("the copy", lambda: mirror.headers)
    own = lab.upstreams["vip-a"].headers
    assert own[COMPARE_HEADER] == mirror.headers[COMPARE_HEADER] == "9"
    assert own["x-request-id"] == mirror.headers["x-request-id"]
    assert (own[ROUTING_KEY_HEADER], mirror.headers[ROUTING_KEY_HEADER]) == ("Rank|m|1", "Rank|m|2")
    assert (own.get(SHADOW_HEADER), mirror.headers[SHADOW_HEADER]) == (None, "1")
