"""Where a generation that was made active at once has arrived."""

from __future__ import annotations

import time
from collections.abc import Callable

from controlplane.cli.consumers import SYNCED, is_synced, lightbulbs, state_of
from controlplane.cli.control_plane import Addresses, CallFailed, call
from controlplane.cli.problems import printable
from controlplane.rollout.failure import listed
from lightbulb.model import DEFAULT_TENANT
from lightbulb.v1 import control_plane_pb2 as pb

POLL_SECONDS = 0.05
"""Between two looks. Not a watch, which may tell of another replica's consumers a second late."""


def when_at_lightbulbs(
    addresses: Addresses, response: pb.RollbackResponse, seconds: float, tenant: str = ""
) -> pb.GetStatusResponse:
    """Return the first status in which every Lightbulb has taken the generation of a tenant's rollback.

    Or the last one, when that isn't so within `seconds`, or another generation is active by then. Raises
    CallFailed when no replica can tell.
    """
    request = pb.GetStatusRequest(tenant=tenant or DEFAULT_TENANT)

    unknown = f"generation {response.generation} is active; at which Lightbulbs isn't known"

    def ask() -> pb.GetStatusResponse:
        try:
            answer: pb.GetStatusResponse = call(
                addresses, lambda api: api.GetStatus(request, timeout=seconds)
            )
        except CallFailed as error:
            raise CallFailed(error.code, f"{unknown}:\n{error.message}", error.remedy) from error
        return answer

    return when(
        ask,
        lambda status: _is_decided(status, response.generation),
        version=response.version,
        seconds=seconds,
        behind=lambda status: f"{unknown}: the control plane {status.replica} hasn't heard of it",
    )


def when(
    ask: Callable[[], pb.GetStatusResponse],
    is_decided: Callable[[pb.GetStatusResponse], bool],
    *,
    version: int,
    seconds: float,
    behind: Callable[[pb.GetStatusResponse], str],
) -> pb.GetStatusResponse:
    """Return the first status, of a replica that has heard of `version`, that is decided.

    Or the last one, when none is within `seconds`. Raises CallFailed, with what `behind` says, when the
    replica that answers hasn't heard of it by then.
    """
    deadline = time.monotonic() + seconds
    while True:
        status = ask()
        has_heard = status.version >= version  # another replica may not have
        if has_heard and is_decided(status):
            return status
        if time.monotonic() > deadline:
            if has_heard:
                return status
            raise CallFailed("BEHIND", behind(status))
        time.sleep(POLL_SECONDS)


def _is_decided(status: pb.GetStatusResponse, generation: int) -> bool:
    return status.active_generation != generation or all(map(is_synced, lightbulbs(status)))


def not_everywhere(status: pb.GetStatusResponse, generation: int) -> str:
    """Return where a generation that was made active isn't; empty when it is at every Lightbulb."""
    if status.active_generation != generation:
        now = f"generation {status.active_generation} is active by now"
        return f"generation {generation} was made active, but {now}; see `lightbulb events`"
    behind = tuple(_behind(each) for each in lightbulbs(status) if not is_synced(each))
    if not behind:
        return ""
    text = f"generation {generation} is active, but not yet at: {listed(behind)}; see `lightbulb status`"
    return printable(text)


def _behind(lightbulb: pb.Consumer) -> str:
    state = state_of(lightbulb)
    return f"lightbulb {lightbulb.node_id} ({'not heard from yet' if state == SYNCED else state})"
