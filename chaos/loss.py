"""A Redis that fails over under load, and whose replica lacks what was committed last.

The primary is killed, and its replica, which had stopped following it, takes over its address. Where a
control plane knows what is gone, the command that goes on puts it back. Where none does, since all of them
went down too, those who serve have seen more than anybody knows: all is loaded and routed again.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import grpc
import redis

from chaos.fleet import PLANES, Fleet, NotInTime, Part, wait_for
from chaos.scenarios import CONVERGE_SECONDS, Row, Stage
from chaos.teams import Teams, converge
from chaos.verdict import judge
from controlplane.cli.options import Address, joined
from controlplane.cli.redis import redis_command
from lightbulb.v1 import control_plane_pb2 as pb

FOLLOWER = "redis-follower"
REDIS_SECONDS = 5.0
COMMAND_SECONDS = 120.0


class NotRefused(Exception):
    """A publish went through on a store that lost commits."""


def fails_over(made: Stage, *, planes: bool) -> Row:
    """Lose what was published last, with all control planes or without, and go on by the command."""
    mark, began = made.taken(), time.monotonic()
    became, converged = "active", None
    try:
        _lose(made, planes=planes)
        wait_for("word of the loss", lambda: _status(made).HasField("store_loss"), CONVERGE_SECONDS)
        _check_refused(made)
        made.wait_for_requests(100)  # which everybody answers from what they have
        _resume(made.fleet)
        number = made.plane.publish(made.variant(), CONVERGE_SECONDS)
        became = made.plane.outcome(number, CONVERGE_SECONDS)
        made.settle(number)
        converged = time.monotonic() - began
    except (NotInTime, NotRefused, grpc.RpcError, subprocess.SubprocessError) as error:
        became = str(error)
    return Row(
        fault="Redis fails over, and has lost a publish",
        moment="with all control planes" if planes else "settled",
        verdict=judge(made.since(mark), made.plane.rules, lambda _: False),
        publish=became,
        converged=converged,
    )


def fails_over_with_tenants(it: Teams) -> Row:
    """Lose all control planes and one tenant's publish: each tenant is loaded and routed again on its own."""
    it.settle()
    it.share()
    made = it.made
    # No key goes with what is lost: clients would fail until Lightbulbs are told, as the documents say.
    made.settle(made.plane.publish(made.variant()))
    row = fails_over(made, planes=True)
    it.adopt()
    wrong = [] if row.publish == "active" else [row.publish]
    converged = converge(it, wrong)
    return replace(
        row,
        moment="with all control planes, of four tenants",
        publish="; ".join(wrong[:3]) or "active",
        converged=None if converged is None or row.converged is None else row.converged + converged,
    )


def _lose(made: Stage, *, planes: bool) -> None:
    """Publish what is gone then: everybody has it but the Redis that goes on."""
    fleet = made.fleet
    primary = fleet.layout.redis
    assert primary is not None
    folder, follower = _follow(fleet, primary)
    wait_for("the follower to follow", lambda: _follows(follower, primary), CONVERGE_SECONDS)
    _redis(follower).replicaof("NO", "ONE")
    made.settle(made.plane.publish(made.variant()))
    for name in PLANES if planes else ():
        fleet.kill(name)
    fleet.kill("redis")
    _redis(follower).config_set("bind", f"{primary.host} {follower.host}")
    # Should it be killed, it is started again as the only one.
    promoted = fleet.parts.pop(FOLLOWER).process
    fleet.parts["redis"] = Part("redis", redis_command(primary, folder), promoted)
    for name in PLANES if planes else ():
        fleet.start(name)


def _follow(fleet: Fleet, primary: Address) -> tuple[Path, Address]:
    """Start a follower with data and an address of its own; return both."""
    taken = len(list((fleet.folder / "state").glob(f"{FOLLOWER}-*")))
    folder = fleet.folder / "state" / f"{FOLLOWER}-{taken}"
    folder.mkdir()
    follower = Address(f"127.0.0.{2 + taken}", primary.port)  # those before it have the others
    command = [*redis_command(follower, folder), "--replicaof", primary.host, str(primary.port)]
    fleet.parts = {FOLLOWER: Part(FOLLOWER, command), **fleet.parts}
    fleet.start(FOLLOWER)
    return folder, follower


def _follows(follower: Address, primary: Address) -> bool:
    try:
        own, theirs = (_redis(each).info("replication") for each in (follower, primary))
    except redis.ConnectionError:
        return False
    up = own["master_link_status"] == "up"
    return bool(up and own["master_repl_offset"] == theirs["master_repl_offset"])


def _redis(server: Address) -> redis.Redis:
    return redis.Redis(server.host, server.port, socket_timeout=REDIS_SECONDS)


def _status(made: Stage) -> pb.GetStatusResponse:
    try:
        return made.plane.status()
    except grpc.RpcError:
        return pb.GetStatusResponse()


def _check_refused(made: Stage) -> None:
    """Raise NotRefused unless nothing can be published now."""
    try:
        made.plane.publish(made.variant(), seconds=0.0)
    except NotInTime as error:
        if "lost commits" in str(error):
            return
        raise
    raise NotRefused("the store lost commits, and took another")


def _resume(fleet: Fleet) -> None:
    """Go on as an operator does."""
    planes = joined(fleet.layout.control_planes)
    command = [sys.executable, "-m", "controlplane", "store", "resume", "--yes", "--control-plane", planes]
    subprocess.run(command, check=True, timeout=COMMAND_SECONDS, capture_output=True)
