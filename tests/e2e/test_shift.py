"""Half of the users at another model through a real Envoy; then, at once, not one request."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from chaos.load import request_for
from lightbulb.client.client import BlockingLightbulbClient
from lightbulb.client.interceptor import RoutingInterceptor, routed
from lightbulb.model import RequestContext
from lightbulb.oip import open_inference_pb2_grpc as oip_grpc
from lightbulb.rpc.answer import Answer
from tests.e2e.conftest import Up

pytestmark = pytest.mark.envoy

OBJECTIVE, MODEL = "PaymentFraudDetection", "payment-fraud-model"
USERS = [f"user-{number}" for number in range(40)]


class Service:
    """A client service that keeps what it was answered for as long as it may."""

    def __init__(self, up: Up) -> None:
        self.again = 0
        self.kept: dict[str, tuple[Answer, float]] = {}
        self._client = BlockingLightbulbClient(up.lightbulb, timeout=10)
        interceptor = RoutingInterceptor(self._resolve, resolve_again=self._resolve_again)
        self._channel = grpc.insecure_channel(up.sidecar)
        self._stub = oip_grpc.GRPCInferenceServiceStub(grpc.intercept_channel(self._channel, interceptor))

    def close(self) -> None:
        self._channel.close()
        self._client.close()

    def _resolve(self, objective: str, context: RequestContext, **more: object) -> Answer:
        user = context.user_id
        answer, until = self.kept.get(user, (None, 0.0))
        if answer is None or time.monotonic() > until:
            answer = self._client.resolve(objective, context, **more)
            self.kept[user] = answer, time.monotonic() + answer.cache_lifetime
        return answer

    def _resolve_again(self, objective: str, context: RequestContext, **more: object) -> Answer:
        self.again += 1
        self.kept.pop(context.user_id)
        return self._resolve(objective, context, **more)

    def versions(self) -> dict[str, str]:
        """Ask for each user, and return which version of the model answered."""
        found = {}
        for user in USERS:
            with routed(OBJECTIVE, RequestContext(user_id=user)):
                response = self._stub.ModelInfer(
                    request_for(OBJECTIVE, RequestContext(user_id=user)), timeout=30
                )
            found[user] = response.parameters["lightbulb_model"].string_param.partition("@")[2]
        return found


@pytest.fixture
def service(up: Up, tmp_path: Path) -> Iterator[Service]:
    """One whose rules shift nobody, until the end of the test."""
    folder = tmp_path / "rules"
    shutil.copytree(up.rules, folder)
    rules = folder / "payment_fraud.js"
    rules.write_text(rules.read_text().replace("percent: 10", "percent: 0"))
    objectives = folder / "objectives.yaml"
    objectives.write_text(objectives.read_text().replace("cache_lifetime: 30s", "cache_lifetime: 10s"))
    published = up.run("publish", str(folder), "--control-plane", up.control_plane)
    assert published.returncode == 0, published.stderr
    it = Service(up)
    try:
        yield it
    finally:
        it.close()
        published = up.run("publish", str(up.rules), "--control-plane", up.control_plane)
        assert published.returncode == 0, published.stderr


def test_half_of_the_users_go_to_a_model_and_after_an_abort_not_one_request_does(
    up: Up, service: Service
) -> None:
    def shift(*arguments: str) -> str:
        done = up.run("shift", *arguments, "--control-plane", up.control_plane)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def counted() -> int:
        told = up.run("figures", OBJECTIVE, "--control-plane", up.control_plane, "--output", "json").stdout
        return sum(int(arm["requests"]) for arm in json.loads(told)["arms"])

    where = ("--lightbulb", up.lightbulb, "--sidecar-address", up.sidecar)
    started = shift(OBJECTIVE, "--to", f"{MODEL}@2", "--percent", "50", "-m", "try it")
    assert re.search(r"shift \d+ to payment-fraud-model@2: 50 % of the users at every Lightbulb", started)
    before = service.versions()
    moved = {user for user, version in before.items() if version == "2"}
    assert 8 < len(moved) < 32
    assert service.again == 0
    assert up.run("infer", OBJECTIVE, "--user", min(moved), *where).returncode == 0
    assert service.versions() == before
    up.wait_for("both rounds to be counted", lambda: counted() >= 2 * len(USERS))
    assert counted() == 2 * len(USERS)  # not the trial, which comes between them
    explained = up.run("explain", OBJECTIVE, "--user", min(moved), "--lightbulb", up.lightbulb).stdout
    assert re.search(r"yes shift +operator: shift \d+: bucket \d+ of 10000, shifted below 5000", explained)

    aborted = shift("abort", OBJECTIVE, "-m", "it was worse")
    assert "sidecars refuse its key until" in aborted
    assert "aborted: sidecars refuse it until" in up.status()
    assert set(service.versions().values()) == {"1"}
    assert 0 < service.again <= len(moved)  # those who held an answer still were refused
    up.wait_for("the shift to be over", lambda: "shift" not in up.status())
    events = up.run("events", "--control-plane", up.control_plane).stdout
    assert re.search(r"shift aborted +\w+ +PaymentFraudDetection: .* at 50 %: it was worse", events)
