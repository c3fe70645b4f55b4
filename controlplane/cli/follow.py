"""Follows a generation on its way, and shows how far it is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import grpc
from rich.console import Console

from controlplane.cli.control_plane import Addresses, CallFailed, all_failed, failure, phase_name, stub
from controlplane.cli.failed import Failed
from controlplane.cli.failures import how_far, why_failed
from lightbulb.rpc.channels import open_channel
from lightbulb.rpc.keepalive import COMMAND_TO_CONTROL_PLANE, pings
from lightbulb.v1 import control_plane_pb2 as pb


class Withdrawn(Failed):
    """The generation didn't become active; the message says why, and what serves."""


RETRY_SECONDS = 0.5

WATCH_SECONDS = 2.0
"""A watch tells of changes only; it is asked for anew after so long, for what was too soon for a line."""

LINE_SECONDS = 1.0
"""A log gets no more than one line in so long about the same phase."""


def follow(
    addresses: Addresses,
    response: pb.PublishResponse | pb.RollbackResponse | pb.TakeResponse,
    seconds: float,
    console: Console,
    *,
    tenant: str = "",
) -> pb.GetStatusResponse:
    """Return the status once the generation of a response is active; print each phase as it ends.

    An empty `tenant` is the default one.

    On a terminal a line shows what is waited for; elsewhere, in the log of a CI job say, one is printed for
    every change of that. Raises Withdrawn when it won't be, and CallFailed when that isn't known within
    `seconds`.
    """
    began, generation = time.monotonic(), response.generation
    with console.status(f"generation {generation} is on its way") as line:
        phase, phase_began = pb.PHASE_UNSPECIFIED, began
        doing, told = "", _Told()
        for status in _statuses(addresses, began + seconds, tenant):
            if status.version < response.version:
                continue  # another replica's, which hasn't heard of it yet
            now = time.monotonic()
            if phase not in {status.phase, pb.PHASE_UNSPECIFIED}:
                console.print(f"  {phase_name(phase):<10} {now - phase_began:.1f} s")
                phase_began = now
            if status.active_generation == generation:
                return status
            if status.target_generation != generation:
                raise Withdrawn("WITHDRAWN", _why(status, generation))
            phase = status.phase
            doing = ", ".join(filter(None, (phase_name(phase), how_far(status))))
            line.update(f"generation {generation}: {doing}")
            if not console.is_terminal and told.calls_for_another(phase, doing, now):
                console.print(f"generation {generation}: {doing}", markup=False, soft_wrap=True)
                told = _Told(phase=phase, doing=doing, at=now)
    raise CallFailed("DEADLINE_EXCEEDED", _not_in_time(generation, seconds, doing))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """The last line in a log: of which phase, what it said, and when, in seconds."""

    phase: int = pb.PHASE_UNSPECIFIED
    doing: str = ""
    at: float = 0.0

    def calls_for_another(self, phase: int, doing: str, now: float) -> bool:
        return doing != self.doing and (phase != self.phase or now - self.at >= LINE_SECONDS)


def _statuses(addresses: Addresses, deadline: float, tenant: str) -> Iterator[pb.GetStatusResponse]:
    """Yield statuses until the deadline, from whichever replica can be reached.

    Raises CallFailed when there is none at the end.
    """
    failures: list[CallFailed] = []
    while time.monotonic() < deadline:
        failures = []
        for address in addresses:
            with open_channel(str(address), options=pings(COMMAND_TO_CONTROL_PLANE)) as channel:
                try:
                    yield from _watch(channel, deadline, tenant)
                except grpc.RpcError as error:
                    failures.append(failure(error, address))
                else:
                    return
        time.sleep(RETRY_SECONDS)  # all of them, or the one that there is, may be restarting
    if failures:
        raise all_failed(failures)


def _watch(channel: grpc.Channel, deadline: float, tenant: str) -> Iterator[pb.GetStatusResponse]:
    """Yield one replica's statuses until the deadline; raise grpc.RpcError when it can't be reached."""
    heard = False
    while (left := deadline - time.monotonic()) > 0:
        watch: Iterable[pb.GetStatusResponse] = stub(channel).Watch(
            pb.WatchRequest(tenant=tenant), timeout=min(left, WATCH_SECONDS)
        )
        try:
            for status in watch:
                heard = True
                yield status
        except grpc.RpcError as error:
            # A watch goes on until its time is over: that says nothing against a replica that has answered,
            # or that had hardly time to.
            silent = not heard and left >= WATCH_SECONDS
            if silent or error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise


def _not_in_time(generation: int, seconds: float, doing: str) -> str:
    said = f"generation {generation} isn't active after {seconds:g} s"
    see = "see `lightbulb status`"
    return f"{said}: {doing}. It goes on by itself: {see}" if doing else f"{said}; {see}"


def _why(status: pb.GetStatusResponse, generation: int) -> str:
    serves = (
        f"generation {status.active_generation} serves on"
        if status.active_generation
        else "nothing serves yet"
    )
    if status.failed_generation == generation:
        reason = why_failed(status)
    elif status.target_generation:
        reason = f"superseded by generation {status.target_generation}"
    else:
        reason = "another was made active meanwhile; see `lightbulb events`"
    return f"generation {generation} was withdrawn: {reason}; {serves}"
