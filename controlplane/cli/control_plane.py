"""The control plane's API from a terminal: whichever replica can be reached answers."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import grpc

from controlplane.admin.problem_codec import problem_from_message
from controlplane.cli.failed import Failed
from controlplane.cli.options import Address
from controlplane.cli.problems import printable
from controlplane.cli.reach import SOMETHING_ELSE, UNREACHABLE, no_connection, nobody_there
from controlplane.problems import Problem
from controlplane.rules.workspace import read_workspace
from lightbulb.rpc.channels import open_channel
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc

PUBLISH_SECONDS = 60.0
CALL_SECONDS = 10.0

Addresses = tuple[Address, ...]
T = TypeVar("T")


class CallFailed(Failed):
    """No replica did what was asked; the message says why and what to do."""


def stub(channel: grpc.Channel) -> pb_grpc.ControlPlaneStub:
    """Return the control plane's API on a channel."""
    return pb_grpc.ControlPlaneStub(channel)


def call(addresses: Addresses, work: Callable[[pb_grpc.ControlPlaneStub], T]) -> T:
    """Return what `work` does at the first replica that can be reached; raises CallFailed.

    What changes something carries a request id, so that it may well be tried at another replica when the
    answer of the first was lost.
    """
    return call_on(addresses, lambda channel: work(stub(channel)))


def call_on(addresses: Addresses, work: Callable[[grpc.Channel], T]) -> T:
    """Return the same of what works on a channel, for another service than the control plane's."""
    failures: list[CallFailed] = []
    for address in addresses:
        with open_channel(str(address)) as channel:
            try:
                return work(channel)
            except grpc.RpcError as error:
                failures.append(failure(error, address))
                if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                    break
    raise all_failed(failures)


def all_failed(failures: Sequence[CallFailed]) -> CallFailed:
    """Return what to say when no replica did it: why each didn't, and the last one's remedy."""
    *before, last = failures
    return CallFailed(last.code, "\n".join([*map(str, before), last.message]), last.remedy)


def failure(error: grpc.RpcError, control_plane: Address) -> CallFailed:
    """Return what to say when a call to the control plane failed."""
    code, details = error.code(), printable(error.details() or "")
    reason = no_connection(details)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        reason = "it doesn't answer in time"
    elif code is grpc.StatusCode.UNIMPLEMENTED:
        reason = SOMETHING_ELSE
    if reason:
        message, remedy = nobody_there("control plane", control_plane, reason, "--control-plane")
        return CallFailed(UNREACHABLE, message, remedy)
    return CallFailed(code.name, f"the control plane at {control_plane} says {code.name}: {details}")


def user_name() -> str:
    """Return who runs this command, be it a user without an entry in the system's list of users."""
    try:
        return _as_text(getpass.getuser())
    except (KeyError, OSError):  # Python before 3.13; since then
        return f"uid {os.getuid()}"


def publish_request(
    folder: Path, message: str = "", revision: str = "", author: str = ""
) -> pb.PublishRequest:
    """Return the request that publishes the workspace in `folder`; raises WorkspaceError."""
    files = read_workspace(folder).files
    return pb.PublishRequest(
        files=[pb.WorkspaceFile(path=_as_text(path), content=files[path]) for path in sorted(files)],
        author=author or user_name(),
        message=message,
        source_revision=revision or git_revision(folder),
        request_id=request_id(),
    )


def _as_text(name: str) -> str:
    """Return a name that can be sent: one that isn't text has a ? for each byte that is none."""
    return name.encode("utf-8", "replace").decode()


def request_id() -> str:
    """Return an id that no other request has."""
    return uuid4().hex


def git_revision(folder: Path) -> str:
    """Return the commit that a folder is checked out at, with a + when it was edited since; else ""."""
    try:
        # Only what concerns this folder: it may well be a part of a larger repository.
        head = _git(folder, "rev-parse", "--short=12", "HEAD")
        edited = _git(folder, "status", "--porcelain", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{head}+" if edited else head


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - the command is ours
        ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the author has
        capture_output=True,
        text=True,
        timeout=CALL_SECONDS,
        check=True,
    )
    return done.stdout.strip()


def problems_of(response: pb.PublishResponse) -> tuple[Problem, ...]:
    """Return the problems that a publish was answered with."""
    return tuple(map(problem_from_message, response.problems))


def warnings_of(response: pb.PublishResponse) -> tuple[Problem, ...]:
    """Return the warnings about what was published."""
    return tuple(map(problem_from_message, response.warnings))


def phase_name(phase: pb.Phase) -> str:
    """Return a phase as people write it."""
    return pb.Phase.Name(phase).removeprefix("PHASE_").lower()
