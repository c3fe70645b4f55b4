"""What plain HTTP requests meet at a real sidecar."""

from dataclasses import replace

import httpx
import pytest

from lightbulb.client.http import RoutingTransport, openai
from lightbulb.client.interceptor import routed
from lightbulb.model import REASON_HEADER, UNKNOWN_ROUTING_KEY
from tests.envoy.lab import Lab
from tests.lightbulb.test_enrich import ANSWER, CONTEXT

pytestmark = pytest.mark.envoy


@pytest.mark.parametrize(
    "keys", [("Rank|m|3", "Rank|m|4"), ("Nobody|m|1", "Nobody|m|2")], ids=["key", "scope"]
)
def test_a_plain_request_learns_that_its_key_isnt_known_and_is_resolved_again(lab: Lab, keys) -> None:
    lab.upstream("vip-a")
    lab.start(lab.world({"Rank|m|1": "vip-a"}))
    host, port = lab.sidecar.settings.listen
    resolved = iter(keys)
    transport = RoutingTransport(lambda *_, **__: replace(ANSWER, routing_key=next(resolved)), form=openai)
    with (
        httpx.Client(base_url=f"http://{host}:{port}", transport=transport, timeout=60) as client,
        routed("Rank", CONTEXT),
    ):
        response = client.post("/v1/completions", json={})
    assert list(resolved) == []
    assert response.text == f"routing key '{keys[1]}' isn't known here; resolve again"
    assert response.headers[REASON_HEADER] == UNKNOWN_ROUTING_KEY
