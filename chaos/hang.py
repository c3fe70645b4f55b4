"""One of three hosts hangs: its connections stand, its kernel takes what comes, and its Python does nothing.

Callers don't wait for it here: they ask at a steady rate, with a short deadline, and some of what they ask in
the first moments fails. How much that may be is a limit, a quarter of what failed before anything was done
about it.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import grpc.aio

from chaos.fleet import Fleet, wait_for
from chaos.load import OBJECTIVES, Outcome, request_for
from chaos.plane import Plane
from chaos.scenarios import CONVERGE_SECONDS, READY_SECONDS, Row
from chaos.verdict import Verdict, judge
from chaos.workspaces import on_one_shard
from lightbulb.client import LightbulbClient, RequestContext, call_headers, enrich
from lightbulb.model import model_id
from lightbulb.oip.open_inference_pb2_grpc import GRPCInferenceServiceStub
from lightbulb.rpc.channels import open_aio_channel

NAME = "hung: one of three hosts"

HOSTS = 5
"""Dealt out to two shards in turn: three are on the first."""

HUNG = "host-3"
RATE, SECONDS = 100, 12.0
"""Requests a second, and for how long."""

BEGIN, END = 2.0, 10.0
"""When the host hangs, and goes on."""

DEADLINE = 0.25
LIMIT = 25
"""Of 1,199 requests, 102 failed when nothing was done about it. On a machine that is busy with other things
some are late anyhow: as many as are late when nothing hangs aren't counted."""


def hung(folder: Path, seed: int, pace: float) -> Row:
    """Have a host hang under a steady load, and see how much of that fails."""
    with Fleet(folder, pace=pace, hosts=HOSTS) as fleet:
        plane = Plane(fleet)
        number = plane.publish(on_one_shard(random.Random(seed)), READY_SECONDS)
        wait_for("the generation", lambda: plane.outcome(number, READY_SECONDS) == "active", READY_SECONDS)
        wait_for("everybody synced", lambda: plane.synced(number), READY_SECONDS)
        calm = judge(asyncio.run(_under_load(fleet)), plane.rules, _is_late)
        found = judge(asyncio.run(_under_load(fleet, HUNG)), plane.rules, _is_late)
        end = time.time()
        wait_for("everybody synced again", lambda: plane.synced(number), CONVERGE_SECONDS)
    return Row(
        fault=NAME,
        moment=f"{RATE} requests a second",
        verdict=_excused(found, LIMIT + calm.down),
        publish="-",
        expected="-",
        converged=time.time() - end,
    )


def _is_late(outcome: Outcome) -> bool:
    return outcome.error.startswith("DEADLINE_EXCEEDED")


def _excused(verdict: Verdict, limit: int) -> Verdict:
    """Return the verdict in which time-outs beyond a limit are failures."""
    over = verdict.down - limit
    if over <= 0:
        return verdict
    return replace(verdict, failed=verdict.failed + over, down=limit, examples={"beyond the limit": over})


async def _under_load(fleet: Fleet, hangs: str = "") -> list[Outcome]:
    loop, address = asyncio.get_running_loop(), str(fleet.layout.sidecars[0])
    async with (
        LightbulbClient(fleet.lightbulbs, client_name="chaos") as client,
        open_aio_channel(address) as channel,
    ):
        stub = GRPCInferenceServiceStub(channel)
        for turn in range(RATE):  # connections and first answers have nothing to do with it
            await _ask(client, stub, turn, DEADLINE * 40)
        began = loop.time()
        if hangs:
            loop.call_at(began + BEGIN, fleet.signal, hangs, signal.SIGUSR1)
            loop.call_at(began + END, fleet.signal, hangs, signal.SIGUSR2)
        asked = []
        for turn in range(1, int(RATE * SECONDS)):
            await asyncio.sleep(began + turn / RATE - loop.time())
            asked.append(asyncio.ensure_future(_ask(client, stub, turn, DEADLINE)))
        return list(await asyncio.gather(*asked))


async def _ask(client: LightbulbClient, stub: GRPCInferenceServiceStub, turn: int, seconds: float) -> Outcome:
    objective = OBJECTIVES[turn % len(OBJECTIVES)]
    user = RequestContext(user_id=f"user-{turn}", country="US", device="web", surface="home")
    answer = await client.resolve(objective, user)
    began, error, answered_by = time.time(), "", ""
    request = enrich(request_for(objective, user), answer, user)
    try:
        response = await stub.ModelInfer(
            request, timeout=seconds, metadata=call_headers(answer, user, seconds)
        )
        answered_by = response.parameters["lightbulb_model"].string_param
    except grpc.aio.AioRpcError as failed:
        error = f"{failed.code().name}: {failed.details()}"
    config = answer.objective_config
    return Outcome(
        began=began,
        ended=time.time(),
        sidecar="sidecar-1",
        objective=objective,
        user=user.user_id,
        generation=answer.generation,
        resolved=model_id(config.model, config.model_version),
        answered_by=answered_by,
        shard="",
        error=error,
    )
