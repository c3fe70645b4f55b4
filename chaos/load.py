"""Steady load, in a process of its own: asks, calls, and writes down what came of each request, a line each.

Each worker is a client service of its own, beside one of the sidecars, and knows the sidecar's name. They ask
for the objectives that the command line names, or for those of the repository's rules.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from lightbulb.client.client import LightbulbClient
from lightbulb.client.interceptor import AsyncRoutingInterceptor, routed
from lightbulb.errors import LightbulbError
from lightbulb.model import RequestContext, model_id
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.oip import open_inference_pb2_grpc as pb_grpc
from lightbulb.rpc.answer import Answer
from lightbulb.rpc.channels import open_aio_channel
from lightbulb.signals import stop_at_signals

OBJECTIVES = ("ContinueWatchingRanking", "PaymentFraudDetection")
USERS = 500
CALL_SECONDS = 8.0
"""How long a caller waits, at the usual pace."""

TRANSACTION = 30
"""Numbers in a payment's row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One request: when it began and ended (Unix seconds), what was resolved, who answered, or why not."""

    began: float
    ended: float
    sidecar: str
    objective: str
    user: str
    generation: int
    resolved: str
    answered_by: str
    shard: str
    error: str


def request_for(objective: str, user: RequestContext) -> pb.ModelInferRequest:
    """Return what a client service would send: it knows its use case, and no model."""
    request = pb.ModelInferRequest()
    if "Fraud" in objective:
        tensor = request.inputs.add(name="transaction", datatype="FP64", shape=[1, TRANSACTION])
        start = sum(user.user_id.encode())
        tensor.contents.fp64_contents.extend((start * (column + 1)) % 97 / 7 for column in range(TRANSACTION))
    return request


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a worker asks, how long it waits for an answer, and how long between two requests."""

    lightbulbs: str
    sidecar: str
    address: str
    seconds: float
    pause: float
    objectives: tuple[str, ...]


async def work(number: int, place: Place, out: Any, stop: asyncio.Event) -> None:
    name, seconds = place.sidecar, place.seconds
    async with LightbulbClient(
        place.lightbulbs, client_name="chaos", timeout=seconds, sidecar=name
    ) as client:
        answers: list[Answer] = []

        async def resolve(*arguments: Any, **named: Any) -> Answer:
            answers.append(await client.resolve(*arguments, **named))
            return answers[-1]

        options = [("grpc.max_reconnect_backoff_ms", 500)]
        interceptors = [AsyncRoutingInterceptor(resolve)]
        async with open_aio_channel(place.address, options=options, interceptors=interceptors) as channel:
            stub = pb_grpc.GRPCInferenceServiceStub(channel)
            for turn in count(number):
                if stop.is_set():
                    return
                answers.clear()
                outcome = await _ask(stub, turn, place, answers)
                out.write(json.dumps(asdict(outcome)) + "\n")
                out.flush()
                await asyncio.sleep(place.pause)


async def _ask(
    stub: pb_grpc.GRPCInferenceServiceStub, turn: int, place: Place, answers: list[Answer]
) -> Outcome:
    objective = place.objectives[turn % len(place.objectives)]
    user = RequestContext(user_id=f"user-{turn * 7 % USERS}", country="US", device="web", surface="home")
    began, answered_by, shard, error = time.time(), "", "", ""
    try:
        with routed(objective, user):
            response = await stub.ModelInfer(request_for(objective, user), timeout=place.seconds)
        answered_by = response.parameters["lightbulb_model"].string_param
        shard = response.parameters["lightbulb_shard"].string_param
    except LightbulbError as failed:
        error = f"not resolved: {type(failed).__name__}: {failed}"
    except grpc.aio.AioRpcError as failed:
        error = f"{failed.code().name}: {failed.details()}"
    config = answers[-1].objective_config if answers else None
    return Outcome(
        began=began,
        ended=time.time(),
        sidecar=place.sidecar,
        objective=objective,
        user=user.user_id,
        generation=answers[-1].generation if answers else 0,
        resolved=model_id(config.model, config.model_version) if config else "",
        answered_by=answered_by,
        shard=shard,
        error=error,
    )


async def main() -> None:
    lightbulbs, sidecars, path, workers, pause, pace, *objectives = sys.argv[1:]
    stop = stop_at_signals()
    places = [
        Place(
            lightbulbs=lightbulbs,
            sidecar=name,
            address=address,
            seconds=CALL_SECONDS * float(pace),
            pause=float(pause),
            objectives=tuple(objectives) or OBJECTIVES,
        )
        for name, address in (each.split("=") for each in sidecars.split(","))
    ]
    with Path(path).open("w", buffering=1) as out:
        async with asyncio.TaskGroup() as group:
            for number in range(int(workers)):
                group.create_task(work(number, places[number % len(places)], out, stop))


if __name__ == "__main__":
    asyncio.run(main())
