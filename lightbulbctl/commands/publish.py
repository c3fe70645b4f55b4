"""`lightbulb publish` and `lightbulb status`: the control plane's API from a terminal."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click
import grpc
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controlplane.problems import Problem, WorkspaceError
from controlplane.rules.workspace import read_workspace
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc
from lightbulbctl.options import Address, control_plane_option, rules_argument
from lightbulbctl.problems import print_problems, printable
from lightbulbctl.reach import SOMETHING_ELSE, no_connection, nobody_there

UNPUBLISHED = "nothing was published, what was serving serves on"
MIN_WIDTH = 140
"""A narrower terminal wraps the table's lines; better than cutting names short."""
PUBLISH_SECONDS = 60.0
STATUS_SECONDS = 5.0


def stub(channel: grpc.Channel) -> pb_grpc.ControlPlaneStub:
    """Return the control plane's API on a channel."""
    return pb_grpc.ControlPlaneStub(channel)


def publish_request(folder: Path, message: str = "") -> pb.PublishRequest:
    """Return the request that publishes the workspace in `folder`; raises WorkspaceError."""
    files = read_workspace(folder).files
    return pb.PublishRequest(
        files=[pb.WorkspaceFile(path=path, content=files[path]) for path in sorted(files)],
        author=getpass.getuser(),
        message=message,
    )


def problems_of(response: pb.PublishResponse) -> tuple[Problem, ...]:
    """Return the problems that a publish was answered with."""
    return tuple(
        Problem(
            file=problem.file,
            line=problem.line,
            rule=problem.rule,
            code=problem.code,
            message=problem.message,
            remedy=problem.remedy,
        )
        for problem in response.problems
    )


def failure(error: grpc.RpcError, control_plane: Address) -> str:
    """Return what to say when a call to the control plane failed."""
    code, details = error.code(), printable(error.details() or "")
    reason = no_connection(details)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        reason = "it doesn't answer in time"
    elif code is grpc.StatusCode.UNIMPLEMENTED:
        reason = SOMETHING_ELSE
    if reason:
        return nobody_there("control plane", control_plane, reason, "--control-plane")
    return f"the control plane at {control_plane} says {code.name}: {details}"


@click.command()
@rules_argument
@control_plane_option
@click.option("-m", "--message", default="", help="What this publish is for.")
def publish(folder: Path, control_plane: Address, message: str) -> None:
    """Publish the workspace in FOLDER (default: rules)."""
    try:
        request = publish_request(folder, message)
        with grpc.insecure_channel(str(control_plane)) as channel:
            response = stub(channel).Publish(request, timeout=PUBLISH_SECONDS)
    except WorkspaceError as error:
        print_problems(error.problems, UNPUBLISHED)
        sys.exit(1)
    except grpc.RpcError as error:
        click.echo(f"error: {failure(error, control_plane)}", err=True)
        sys.exit(1)
    if response.problems:
        print_problems(problems_of(response), UNPUBLISHED)
        sys.exit(1)
    state = (
        "is active or on its way already" if response.unchanged else "is on its way; see `lightbulb status`"
    )
    click.echo(f"generation {response.generation} ({response.content_hash[:12]}) {state}")


@click.command()
@control_plane_option
def status(control_plane: Address) -> None:
    """Show what is active, and who has acknowledged it."""
    try:
        with grpc.insecure_channel(str(control_plane)) as channel:
            response = stub(channel).GetStatus(pb.GetStatusRequest(), timeout=STATUS_SECONDS)
    except grpc.RpcError as error:
        click.echo(f"error: {failure(error, control_plane)}", err=True)
        sys.exit(1)
    console = Console(width=max(Console().width, MIN_WIDTH), highlight=False)
    console.print(Text(_headline(response)), soft_wrap=True)
    console.print(_consumers(response))


def _headline(response: pb.GetStatusResponse) -> str:
    if not response.content_hash:
        return printable(response.detail or "no generation is active")
    phase = pb.Phase.Name(response.phase).removeprefix("PHASE_").lower()
    detail = f": {printable(response.detail)}" if response.detail else ""
    return f"generation {response.active_generation} ({response.content_hash[:12]}) {phase}{detail}"


def _consumers(response: pb.GetStatusResponse) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("kind", "node", "state"):
        table.add_column(column)
    for consumer in sorted(response.consumers, key=lambda consumer: (consumer.kind, consumer.node_id)):
        refused = "; ".join(f"{name}: {reason}" for name, reason in sorted(consumer.rejected.items()))
        behind = ", ".join(consumer.waiting_for)
        state = f"refused {refused}" if refused else f"behind on {behind}" if behind else "in step"
        # Text, not markup: what others wrote may look like it.
        table.add_row(*(Text(printable(each)) for each in (consumer.kind, consumer.node_id, state)))
    return table
