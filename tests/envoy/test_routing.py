"""What a client's requests meet at a real sidecar."""

import grpc
import pytest

from lightbulb.model import ROUTING_KEY_HEADER
from tests.envoy.lab import Lab

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
    assert serving.call("Rank|m|1", ("x-shadow", "1"), ("x-mine", "2")).text == "vip-a"
    headers = serving.upstreams["vip-a"].headers
    assert "x-shadow" not in headers
    assert headers["x-mine"] == "2"
    assert headers[ROUTING_KEY_HEADER] == "Rank|m|1"


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
