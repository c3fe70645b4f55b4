"""Workspaces that are made to be costly, published to a real control plane: it goes on meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import grpc
import pytest

from controlplane.cli.processes import Processes, free_ports
from controlplane.model import Workspace
from controlplane.problems import MAX_PROBLEMS, MAX_TEXT, TOO_MANY
from controlplane.rules.tables import MAX_OVERLAPS
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc
from tests.controlplane.planes import DEADLINE
from tests.controlplane.workspaces import request_of
from tests.rules.workspaces import rule, workspace
from tests.waiting import until

LARGE = 400_000
"""Characters. The square of it keeps a processor busy for hours."""

PAUSE_SECONDS = 0.02


def conditions(count: int, value: str) -> Workspace:
    """Return a workspace with rules for a plan each: `value` of a number."""
    rules = (
        rule(f"when: {{attribute: 'plan', values: [`{value}`]}}, model: {{name: 'plain'}}", name)
        for name, value in ((f"define{n}Rule", value.format(n)) for n in range(count))
    )
    return workspace(more_js="".join(rules))


WORKSPACES: Mapping[str, tuple[Workspace, set[str]]] = MappingProxyType(
    {
        "blanks": (workspace(more_js=f"/*\nfunction{' ' * LARGE}\n*/" + rule("x: 1")), {"SHAPE"}),
        "comments": (workspace(more_js="//" + "/* " * (LARGE // 3) + "\n" + rule("x: 1")), {"SHAPE"}),
        "line ends thrown": (
            workspace(more_js=rule(f"x: (() => {{ throw new Error('\\n'.repeat({LARGE})) }})()")),
            {"EVALUATION"},
        ),
        "a place thrown": (
            workspace(more_js=rule("x: (() => { throw new Error('<input>:' + '9'.repeat(5000)) })()")),
            {"EVALUATION"},
        ),
        "rules that overlap": (conditions(250, "US"), {"OVERLAPPING_RULES"}),
        "rules that don't": (conditions(1_500, "C{}"), set()),
        "long names": (
            workspace(
                more_js="".join(
                    rule(f"defaultModel: {{name: 'm'.repeat(200000) + {n}}}", f"define{n}Rule")
                    for n in range(30)
                )
            ),
            {"SHAPE"},
        ),
        "unknown keys": (
            workspace(models_yaml="models:\n" + "  - {nome: x}\n" * 3_000),
            {"UNKNOWN_KEY", "MISSING_KEY", TOO_MANY},
        ),
    }
)
"""What it is -> the workspace, and the codes of its problems."""


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pb_grpc.ControlPlaneStub]:
    """Return a client of a control plane, a process of its own, which has published one generation."""
    folder = tmp_path_factory.mktemp("hostile")
    (port,) = free_ports(1)
    with Processes(folder) as processes:
        arguments = ["--listen", f"127.0.0.1:{port}", "--store", f"sqlite:{folder}/store.db"]
        processes.start("control-plane", ["control-plane", *arguments])
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(DEADLINE)
            it = pb_grpc.ControlPlaneStub(channel)
            assert it.Publish(request_of(workspace()), timeout=DEADLINE).generation == 1
            yield it


def leaders(status: pb.GetStatusResponse) -> list[str]:
    return [each.name for each in status.replicas if each.leading and not each.silent]


@pytest.mark.parametrize("name", WORKSPACES)
def test_status_answers_and_the_lease_is_kept_whatever_is_published(
    stub: pb_grpc.ControlPlaneStub, name: str
) -> None:
    files, codes = WORKSPACES[name]
    answers: list[list[str]] = []
    responses: list[pb.PublishResponse] = []

    def leading() -> list[str]:
        return leaders(stub.GetStatus(pb.GetStatusRequest(), timeout=DEADLINE))

    def answered_meanwhile() -> bool:
        """Return whether a status was asked for and answered while a publish was under way.

        A control plane that does nothing else meanwhile answers after each publish alone; a publish may
        also be over before a status is asked for, then the next one shows it.
        """
        publishing = stub.Publish.future(request_of(files), timeout=DEADLINE)
        meanwhile = False
        while not publishing.done():
            answers.append(leading())
            meanwhile = meanwhile or not publishing.done()
            with contextlib.suppress(grpc.FutureTimeoutError):
                publishing.exception(PAUSE_SECONDS)
        responses.append(publishing.result())
        return meanwhile

    until("somebody to lead", leading)
    before = leading()
    until("a status that is answered during a publish", answered_meanwhile)
    response = responses[-1]
    assert set(map(tuple, answers)) == {tuple(before)}
    assert {each.code for each in response.problems} == codes
    assert len(response.problems) <= MAX_PROBLEMS + 1
    assert all(len(each.message) <= MAX_TEXT for each in response.problems)
    assert bool(response.generation) is not bool(codes)


def test_of_rules_that_overlap_so_many_are_told_and_that_there_are_more(
    stub: pb_grpc.ControlPlaneStub,
) -> None:
    files, _ = WORKSPACES["rules that overlap"]
    problems = stub.Publish(request_of(files), timeout=DEADLINE).problems
    assert len(problems) == MAX_OVERLAPS + 1
    assert [each.message for each in problems if "the rest wasn't compared" in each.message] == [
        f"on Ranking more rules overlap than these {MAX_OVERLAPS} pairs; the rest wasn't compared"
    ]
