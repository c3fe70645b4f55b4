"""Bad input of every kind to a whole running system: a clear answer, and what was serving serves on."""

import json
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import grpc
import pytest

from controlplane.cli.processes import free_ports
from lightbulb.model import ROUTING_KEY_HEADER
from lightbulb.oip import open_inference_pb2 as oip
from lightbulb.oip import open_inference_pb2_grpc as oip_grpc
from lightbulb.rpc.messages import MAX_USER_ID
from lightbulb.sidecar.bootstrap import SidecarSettings
from lightbulb.sidecar.process import Sidecar
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc
from lightbulb.v1 import lightbulb_pb2, lightbulb_pb2_grpc
from tests.e2e.conftest import Up

pytestmark = pytest.mark.envoy

USER, OBJECTIVE = "user-3", "ContinueWatchingRanking"
BIG = [("grpc.max_send_message_length", 128 * 1024 * 1024), ("grpc.use_local_subchannel_pool", 1)]


class Running:
    """The clients of a running system, and what it serves now."""

    def __init__(self, up: Up) -> None:
        self.up = up
        self.channels = [
            grpc.insecure_channel(each, options=BIG) for each in (up.control_plane, up.lightbulb, up.sidecar)
        ]
        self.api = pb_grpc.ControlPlaneStub(self.channels[0])
        self.lightbulb = lightbulb_pb2_grpc.LightbulbStub(self.channels[1])
        self.hosts = oip_grpc.GRPCInferenceServiceStub(self.channels[2])
        self.files = {path.name: path.read_text() for path in up.rules.iterdir()}

    def publish(self, files: Mapping[str, str]) -> pb.PublishResponse:
        request = pb.PublishRequest(
            files=[pb.WorkspaceFile(path=name, content=text.encode()) for name, text in files.items()]
        )
        return self.api.Publish(request, timeout=60)

    def resolve(self, objective: str = OBJECTIVE, user: str = USER) -> lightbulb_pb2.ResolveResponse:
        context = lightbulb_pb2.RequestContext(user_id=user)
        return self.lightbulb.Resolve(
            lightbulb_pb2.ResolveRequest(objective=objective, context=context), timeout=60
        )

    def infer(self, key: str, **parts: object) -> oip.ModelInferResponse:
        model, version = key.split("|")[1:] if key.count("|") == 2 else ("m", "1")
        request = oip.ModelInferRequest(model_name=model, model_version=version, **parts)
        request.parameters["lightbulb_context_user_id"].string_param = USER
        return self.hosts.ModelInfer(request, metadata=[(ROUTING_KEY_HEADER, key)] if key else [], timeout=60)

    def serving(self) -> tuple[object, ...]:
        """What is active, what a user is told, and which model answers."""
        status = self.api.GetStatus(pb.GetStatusRequest(), timeout=60)
        answer = self.resolve()
        model = self.infer(answer.routing_key).parameters["lightbulb_model"].string_param
        return status.active_generation, status.content_hash, answer.routing_key, model


@pytest.fixture
def system(up: Up) -> Iterator[Running]:
    running = Running(up)
    before = running.serving()
    assert all(before)
    try:
        yield running
        assert running.serving() == before
    finally:
        for channel in running.channels:
            channel.close()


RULE = """function defineBadRule() {
  const common = {
    targetObjectives: ["ContinueWatchingRanking"], modelInputType: "TITLE_INPUT_TYPE", modelType: "SCORER"};
  return {...common, BODY};
}
"""


def rule(body: str) -> str:
    return RULE.replace("BODY", body)


def edited(file: str, old: str, new: str) -> Callable[[Mapping[str, str]], Mapping[str, str]]:
    def edit(files: Mapping[str, str]) -> Mapping[str, str]:
        assert old in files[file]
        return {**files, file: files[file].replace(old, new, 1)}

    return edit


def added(content: str) -> Callable[[Mapping[str, str]], Mapping[str, str]]:
    return lambda files: {**files, "bad.js": content}


BAD = {
    # what is wrong: (the change, where, code, part of the message, part of the remedy)
    "a syntax error": (
        added("function defineBadRule() {\n  return {a: 1;\n}"),
        "bad.js:2 SYNTAX",
        "Unexpected token ';'",
        "mend the JavaScript",
    ),
    "an unknown objective": (
        added("function defineBadRule() {\n  return {a: Objectives.PaymentFraud};\n}"),
        "bad.js:2 defineBadRule UNKNOWN_OBJECTIVE",
        "objective PaymentFraud is unknown",
        "did you mean PaymentFraudDetection?",
    ),
    "an unknown model": (
        edited("ab_12345.js", "model-cell-3", "model-cel-3"),
        "ab_12345.js:7 defineAB12345Rule UNKNOWN_MODEL",
        "model netflix-continue-watching-model-cel-3 is unknown",
        "did you mean netflix-continue-watching-model-cell-3?",
    ),
    "an unknown test": (
        edited("ab_12345.js", "abTestId = 12345", "abTestId = 12346"),
        "ab_12345.js:7 defineAB12345Rule UNKNOWN_TEST",
        "test 12346 is unknown",
        "did you mean 12345?",
    ),
    "weights that don't add up": (
        edited("experiments.yaml", "3: 33}", "3: 13}"),
        "experiments.yaml:4 WEIGHT_SUM",
        "weights total 80, not 100",
        "set cell 3 to 33",
    ),
    "overlapping rules": (
        added(
            rule('when: context.country.in("CA"), model: {name: "netflix-continue-watching-model-cell-3"}')
        ),
        "continue_watching.js:13 defineKidsAndTelevisionRule OVERLAPPING_RULES",
        "can apply to the same request as bad.js:1",
        "give one a higher priority",
    ),
    "a loop": (
        added("function defineBadRule() { for (;;) {} }"),
        "bad.js:1 defineBadRule TIME_LIMIT",
        "it ran for longer than it may",
        "remove the loop",
    ),
    "a memory bomb": (
        added("function defineBadRule() { const a = []; for (;;) a.push('x'.repeat(1e6) + a.length) }"),
        "bad.js:1 defineBadRule MEMORY_LIMIT",
        "out of memory",
        "build less",
    ),
    "NaN": (
        added(rule("shift: {percent: 0 / 0}")),
        "bad.js:1 defineBadRule NOT_JSON",
        ".shift.percent is NaN",
        "finite numbers",
    ),
    "an unknown key": (
        edited("models.yaml", "facts:", "fact:"),
        "models.yaml:6 UNKNOWN_KEY",
        "a model has no key fact",
        "did you mean facts?",
    ),
    "a duplicate key": (
        edited("fleet.yaml", "    vip: vip-a\n", "    vip: vip-a\n    vip: vip-c\n"),
        "fleet.yaml:5 DUPLICATE_KEY",
        "vip stands on line 4 already",
        "keep one of them",
    ),
    "a duplicate model": (
        edited("models.yaml", 'version: "2"', 'version: "1"'),
        "models.yaml:23 DUPLICATE",
        "payment-fraud-model@1 stands on line 20 already",
        "keep one of them",
    ),
    "a model that fits nowhere": (
        edited("models.yaml", "memory: 768MiB", "memory: 768GiB"),
        "models.yaml:11 DOES_NOT_FIT",
        "netflix-continue-watching-model-cell-2@1 needs 786432 MiB",
        "add memory or a shard to fleet.yaml",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_workspace_is_refused_with_file_line_rule_and_remedy(name: str, system: Running) -> None:
    change, place, message, remedy = BAD[name]
    response = system.publish(change(system.files))
    assert response.generation == 0
    places = {}
    for problem in response.problems:
        rule = f" {problem.rule}" if problem.rule else ""
        places[f"{problem.file}:{problem.line}{rule} {problem.code}"] = (problem.message, problem.remedy)
    assert places.keys() == {place}
    assert message in places[place][0]
    assert remedy in places[place][1]


def test_the_command_line_prints_all_of_it_and_fails(system: Running, tmp_path: Path) -> None:
    shutil.copytree(system.up.rules, tmp_path / "rules")
    for name in ("an unknown model", "weights that don't add up", "a duplicate key"):
        for file, content in BAD[name][0](system.files).items():
            if content != system.files.get(file):
                (tmp_path / "rules" / file).write_text(content)
    done = system.up.run("publish", str(tmp_path / "rules"), "--control-plane", system.up.control_plane)
    assert done.returncode == 1
    assert [line.partition(": ")[0] for line in done.stderr.splitlines() if not line.startswith(" ")] == [
        "ab_12345.js:7 defineAB12345Rule UNKNOWN_MODEL",
        "experiments.yaml:4 WEIGHT_SUM",
        "fleet.yaml:5 DUPLICATE_KEY",
        "3 problems; nothing was published, what was serving serves on",
    ]


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def test_a_publish_that_is_no_workspace_is_refused(system: Running) -> None:
    code, details = refused(lambda: system.publish({"big.js": " " * (65 * 1024 * 1024)}))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in details
    twice = [pb.WorkspaceFile(path="a.js"), pb.WorkspaceFile(path="a.js")]
    code, details = refused(lambda: system.api.Publish(pb.PublishRequest(files=twice), timeout=60))
    assert (code, "a.js" in details) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    for files, begins in (
        ({"big.js": " " * (5 * 1024 * 1024)}, "big.js TOO_LARGE"),
        ({"../../up.js": ""}, "'../../up.js' FILE_NAME"),
        ({}, "experiments.yaml MISSING_FILE"),
    ):
        (problem, *_) = system.publish(files).problems
        assert f"{problem.file} {problem.code}" == begins


@pytest.mark.parametrize(
    ("objective", "user", "code", "words"),
    [
        ("ContinueWatching", USER, grpc.StatusCode.NOT_FOUND, "did you mean ContinueWatchingRanking?"),
        ("", USER, grpc.StatusCode.INVALID_ARGUMENT, "objective is missing: name what to resolve"),
        (OBJECTIVE, "", grpc.StatusCode.INVALID_ARGUMENT, "context.user_id is missing"),
        (OBJECTIVE, "u" * (MAX_USER_ID + 1), grpc.StatusCode.INVALID_ARGUMENT, "256 are allowed"),
        (OBJECTIVE, "u" * 2_000_000, grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max"),
    ],
)
def test_a_resolve_that_cant_be_answered_says_why(
    system: Running, objective: str, user: str, code: grpc.StatusCode, words: str
) -> None:
    found, details = refused(lambda: system.resolve(objective, user))
    assert found is code
    assert words in details


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("ContinueWatchingRanking|nobody|1", "isn't known here; resolve again"),
        ("Nobody|nobody|1", "isn't known here; resolve again"),
        ("vip-a", "isn't known here; resolve again"),
        ("", "the header x-routing-key is missing; resolve the objective, and send the key"),
    ],
)
def test_a_key_that_envoy_doesnt_know_is_not_found(system: Running, key: str, words: str) -> None:
    code, details = refused(lambda: system.infer(key))
    assert code is grpc.StatusCode.NOT_FOUND
    assert words in details


def test_a_request_that_a_host_wont_read_is_refused_through_envoy(system: Running) -> None:
    key = system.resolve().routing_key
    code, details = refused(lambda: system.infer(key, id="x" * (17 * 1024 * 1024)))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in details
    code, details = refused(lambda: system.infer(key, inputs=[oip.ModelInferRequest.InferInputTensor()]))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details


def test_a_model_that_hosts_dont_have_is_refused_by_name_and_the_old_rules_serve_on(system: Running) -> None:
    models = system.files["models.yaml"] + '  - {name: nobody, version: "7", memory: 1MiB}\n'
    override = rule('permitOverrides: [{name: "nobody"}]')
    response = system.publish({**system.files, "models.yaml": models, "bad.js": override})
    assert (list(response.problems), response.generation > 1) == ([], True)
    status: list[str] = []

    def failed() -> bool:
        status[:] = [system.up.status()]
        return "nobody@7" in status[0] and bool(re.search(r"\bwithdrawn\b", status[0]))

    system.up.wait_for("the hosts' refusal", failed)
    assert "host host-" in status[0]
    again = system.publish(system.files)  # what is active is not published again, even so
    assert (again.unchanged, list(again.problems)) == (True, [])


def test_a_sidecar_that_refuses_is_shown_with_its_reason_and_goes_when_it_goes(
    system: Running, tmp_path: Path
) -> None:
    host, _, port = system.up.control_plane.rpartition(":")
    listen, admin = free_ports(2)
    settings = SidecarSettings(
        node_id="unlucky",
        control_plane=((host, int(port)),),
        listen=("127.0.0.1", listen),
        admin=("127.0.0.1", admin),
    )
    with Sidecar(settings, log=tmp_path / "envoy.log"), socket.create_server(("127.0.0.1", listen)):
        line = re.compile(r"sidecar +unlucky +refused lightbulb: .*Address already in use")
        system.up.wait_for("the refusal", lambda: bool(line.search(system.up.status())))
        assert re.search(r"sidecar +sidecar +synced", system.up.status())
        assert system.serving()
    gone = re.compile(r"sidecar +unlucky +disconnected")
    system.up.wait_for("its end", lambda: bool(gone.search(system.up.status())))


def test_explain_and_resolve_say_so_in_one_line(system: Running) -> None:
    for command in ("resolve", "explain"):
        done = system.up.run(command, "ContinueWatching", "--user", "u", "--lightbulb", system.up.lightbulb)
        assert (done.returncode, done.stdout) == (1, "")
        expected = "error: unknown objective 'ContinueWatching'; did you mean ContinueWatchingRanking?\n"
        assert done.stderr == expected
    asked = ("resolve", OBJECTIVE, "--user", USER, "--lightbulb", system.up.lightbulb)
    assert json.loads(system.up.run(*asked).stdout)["routing_key"] == system.resolve().routing_key
