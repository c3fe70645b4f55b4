"""Users at another model through a real Envoy: taken back by hand, not one request more, or by a guard.

Or a model that answers what users ask another one, and that they hear nothing of.
"""

import contextlib
import json
import re
import shutil
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from chaos.load import request_for
from lightbulb.client.client import BlockingLightbulbClient
from lightbulb.client.interceptor import RoutingInterceptor, routed
from lightbulb.model import RequestContext, model_id
from lightbulb.oip import open_inference_pb2_grpc as oip_grpc
from lightbulb.rpc.answer import Answer
from lightbulb.rpc.call_headers import call_headers
from lightbulb.rpc.enrich import enrich
from tests.e2e.conftest import ROOT, Up, running
from tests.e2e.hanging_models import CANDIDATE

pytestmark = pytest.mark.envoy

OBJECTIVE, MODEL = "PaymentFraudDetection", "payment-fraud-model"
RANKING = "ContinueWatchingRanking"
USERS = [f"user-{number}" for number in range(40)]
GUARDED = ("--guard", "errors:1.25x", "--interval", "1s", "--min-sample", "20")
ALL_FAILED = r"errors: ([\d,]+) of \1 \(100.0 %\) against ([\d,]+) of \2 \(100.0 %\), e = "
FAILED = r"at 25 %: by its guard errors: [\d,]+ of [\d,]+ \([\d.]+ %\) against [\d,]+ of [\d,]+ \([\d.]+ %\)"


class Service:
    """A client service that keeps what it was answered for as long as it may."""

    def __init__(self, up: Up) -> None:
        self.again = 0
        self.kept: dict[str, tuple[Answer, float]] = {}
        self._client = BlockingLightbulbClient(up.lightbulb, timeout=60)
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

    def fail(self, *versions: str) -> None:
        """Ask for each user; those whose model is of one of these versions have it refuse its input."""
        for user in USERS:
            context = RequestContext(user_id=user)
            request, answer = request_for(OBJECTIVE, context), self._resolve(OBJECTIVE, context)
            fails = answer.objective_config.model_version in versions
            if fails:
                request.inputs[0].contents.fp64_contents[0] = 1e13
            refused = pytest.raises(grpc.RpcError, match="no number within")
            with routed(OBJECTIVE, context), refused if fails else contextlib.nullcontext():
                self._stub.ModelInfer(request, timeout=30)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One whose rules shift nobody, and whose answers may be kept for ten seconds."""
    folder = tmp_path_factory.mktemp("shifts")
    rules = folder / "shifting nobody"
    shutil.copytree(ROOT / "rules", rules)
    for name, was, now in [
        ("payment_fraud.js", "percent: 10", "percent: 0"),
        ("objectives.yaml", "cache_lifetime: 30s", "cache_lifetime: 10s"),
    ]:
        text = (rules / name).read_text()
        assert was in text
        (rules / name).write_text(text.replace(was, now))
    with running(folder, "--rules", str(rules), models="tests.e2e.hanging_models") as system:
        yield system


def stands(up: Up) -> bool:
    return f"{OBJECTIVE}: shift" in up.status()


def aborted(up: Up, objective: str) -> list[str]:
    """What events say of an objective's shifts that were aborted, the newest first."""
    events = up.told("events")["events"]
    return [
        each["detail"] for each in events if each["kind"] == "shift_aborted" and objective in each["detail"]
    ]


@pytest.fixture
def service(up: Up) -> Iterator[Service]:
    """A client service, while no shift stands: one that another test left is taken away."""
    if stands(up):
        up.run("shift", "abort", OBJECTIVE, "--control-plane", up.control_plane)
        up.wait_for("the shift to be over", lambda: not stands(up))
    it = Service(up)
    try:
        yield it
    finally:
        it.close()


def test_half_of_the_users_go_to_a_model_and_after_an_abort_not_one_request_does(
    up: Up, service: Service
) -> None:
    def counted() -> int:
        return sum(int(arm["requests"]) for arm in up.told("figures", OBJECTIVE)["arms"])

    where = ("--lightbulb", up.lightbulb, "--sidecar-address", up.sidecar)
    started = up.done("shift", OBJECTIVE, "--to", f"{MODEL}@2", "--percent", "50", "-m", "try it")
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

    service.kept.clear()
    assert service.versions() == before  # answers that are held a while yet, however long counting took
    undone = up.done("shift", "abort", OBJECTIVE, "-m", "it was worse")
    assert "sidecars refuse its key until" in undone
    assert "aborted: sidecars refuse it until" in up.status()
    assert set(service.versions().values()) == {"1"}
    assert 0 < service.again <= len(moved)  # those who held an answer still were refused
    up.wait_for("the shift to be over", lambda: not stands(up))
    events = up.done("events")
    assert re.search(r"shift aborted +\w+ +PaymentFraudDetection: .* at 50 %: it was worse", events)


def test_a_candidate_that_fails_is_undone_by_its_guard_and_not_while_both_arms_fail(
    up: Up, service: Service
) -> None:
    def judged_alike() -> bool:
        service.fail("1", "2")
        (shift,) = [each for each in up.told("status")["shifts"] if each["objective"] == OBJECTIVE]
        assert shift["state"] == "running"
        (verdict,) = shift["guards"]
        alike = re.match(ALL_FAILED, verdict["text"])
        return verdict["outcome"] == "fine" and alike is not None and len(alike[1]) > 2

    def undone() -> bool:
        service.fail("2")
        return len(aborted(up, OBJECTIVE)) > before

    before = len(aborted(up, OBJECTIVE))
    up.done("shift", OBJECTIVE, "--to", f"{MODEL}@2", "--percent", "25", *GUARDED)
    up.wait_for("a hundred failures of the candidate among the control's", judged_alike)
    up.wait_for("the guard to undo it", undone)
    newest = aborted(up, OBJECTIVE)[0]
    assert re.search(FAILED, newest), newest


def test_a_candidate_answers_copies_that_nobody_waits_for_until_there_are_enough(
    up: Up, service: Service
) -> None:
    def listed() -> list[dict[str, Any]]:
        return up.told("shadow", "list")["shadows"]

    def counted() -> int:
        return sum(map(int, listed()[0]["copies"].values()))

    def over() -> bool:
        assert set(service.versions().values()) == {"1"}
        return listed() == []

    started = up.done("shadow", "start", OBJECTIVE, f"{MODEL}@2", "--percent", "100", "--until", "60pairs")
    assert re.search(
        rf"shadow \d+ of {MODEL}@2, 100 % of the requests to {MODEL}@1, at every sidecar", started
    )
    assert set(service.versions().values()) == {"1"}
    up.wait_for("the copies to be counted", lambda: counted() == len(USERS))
    assert "of 40 copies answered" in up.status()
    records = str(up.rules.parent / "state" / "up" / "state" / "records")

    def compared() -> dict[str, Any]:
        told = json.loads(up.asked("shadow", "report", records, "--output", "json").stdout)
        return told["shadows"][0] if "shadows" in told else {"requests": {"pairs": 0}}

    up.wait_for("both sides' records", lambda: compared()["requests"]["pairs"] == len(USERS))
    report = compared()
    assert (report["primary"], report["candidate"]) == (f"{MODEL}@1", f"{MODEL}@2")
    assert (report["objective"], report["compared_as"], report["users"]) == (OBJECTIVE, "score", len(USERS))
    up.wait_for("it to be over", over)
    (stopped,) = [each for each in up.told("events")["events"] if each["kind"] == "shadow_stopped"]
    assert re.search(rf"shadow \d+ of {MODEL}@2: \d+ of its copies were answered", stopped["detail"])
    assert stopped["author"] == ""


class Rankings:
    """Asks for many users at once; of those that the shift is about."""

    def __init__(self, client: BlockingLightbulbClient, channel: grpc.Channel) -> None:
        self._client = client
        self._stub = oip_grpc.GRPCInferenceServiceStub(channel)

    def ask(self, *, patience: float) -> list[grpc.StatusCode]:
        """Return how the calls to the candidate ended, which have so many seconds.

        The control's come right after them, so that both arms are counted at the same time.
        """
        contexts = [RequestContext(user_id=f"viewer-{number}") for number in range(300)]
        answers = [self._client.resolve(RANKING, context) for context in contexts]
        arms: dict[bool, list[tuple[RequestContext, Answer]]] = {True: [], False: []}
        for context, answer in zip(contexts, answers, strict=True):
            config = answer.objective_config
            if answer.arm:
                is_candidate = model_id(config.model, config.model_version) == CANDIDATE
                arms[is_candidate].append((context, answer))
        ended = self._call(arms[True], patience)
        self._call(arms[False], 30.0)
        return ended

    def _call(self, asked: list[tuple[RequestContext, Answer]], seconds: float) -> list[grpc.StatusCode]:
        calls = [
            self._stub.ModelInfer.future(
                enrich(request_for(RANKING, context), answer, context),
                timeout=seconds,
                metadata=call_headers(answer, context, seconds),
            )
            for context, answer in asked
        ]
        return [call.code() for call in calls]


def test_a_candidate_that_hangs_is_undone_by_its_guard(up: Up) -> None:
    def undone() -> bool:
        ended.append(rankings.ask(patience=0.5))
        return bool(aborted(up, RANKING))

    up.done("shift", RANKING, "--to", CANDIDATE, "--percent", "50", *GUARDED)
    ended: list[list[grpc.StatusCode]] = []
    with (
        BlockingLightbulbClient(up.lightbulb, timeout=60) as client,
        grpc.insecure_channel(up.sidecar) as channel,
    ):
        rankings = Rankings(client, channel)
        up.wait_for("the guard to undo it", undone)
        assert len(ended[0]) > 50
        assert grpc.StatusCode.OK not in ended[0]
        (detail,) = aborted(up, RANKING)
        assert re.search(r"at 50 %: by its guard errors: ", detail), detail
        up.wait_for("nobody to get it", lambda: rankings.ask(patience=30.0) == [])
