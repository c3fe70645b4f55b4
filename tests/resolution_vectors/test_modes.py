"""A Lightbulb by RPC and a client in its own process answer every resolution vector alike."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict

from lightbulb.ads.values import ACTIVE_GENERATION, OBJECTIVE_CONTROL, OBJECTIVE_TABLES, SIDECAR_STATE
from lightbulb.client.in_process import InProcessClient
from lightbulb.errors import LightbulbError
from lightbulb.model import AttributeValue, RequestContext
from lightbulb.rpc.channels import open_aio_channel
from lightbulb.rpc.messages import MAX_BATCH, answer_to_proto
from lightbulb.rpc.status import error_to_proto
from lightbulb.v1 import lightbulb_pb2 as pb
from lightbulb.v1 import table_pb2
from lightbulb.v1.lightbulb_pb2_grpc import LightbulbStub
from tests.ads.scripted_server import ScriptedServer, resource, scripted_server
from tests.lightbulb.lightbulb_server import lightbulb
from tests.resolution_vectors.reading import resources, vectors
from tests.waiting import SECONDS

TYPES = (OBJECTIVE_TABLES, OBJECTIVE_CONTROL, SIDECAR_STATE, ACTIVE_GENERATION)


def show(script: ScriptedServer) -> None:
    for type_url in TYPES:
        bodies = resources(type_url.rpartition(".")[2])
        script.set(type_url, *(resource(name, body) for name, body in bodies.items()))


def error_json(error: pb.ResolveError) -> dict[str, Any]:
    return {"error": MessageToDict(pb.ResolveError(code=error.code, reason=error.reason))}


def attribute(value: table_pb2.Value) -> AttributeValue:
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        return tuple(map(attribute, value.list_value.values))
    return getattr(value, kind) if kind else None


def context_of(message: pb.RequestContext) -> RequestContext:
    return RequestContext(
        user_id=message.user_id,
        country=message.country,
        device=message.device,
        locale=message.locale,
        surface=message.surface,
        attributes={name: attribute(value) for name, value in message.attributes.items()},
        allocations=dict(message.allocations),
    )


def in_process(client: InProcessClient, request: pb.ResolveRequest) -> dict[str, Any]:
    try:
        answer = client.resolve(
            request.objective, context_of(request.context), override_model=request.override_model
        )
    except LightbulbError as error:
        return error_json(error_to_proto(error))
    return {"response": MessageToDict(answer_to_proto(answer))}


def outcome(result: pb.BatchResolveResult) -> dict[str, Any]:
    if result.HasField("error"):
        return error_json(result.error)
    return {"response": MessageToDict(result.response)}


async def by_rpc(target: str, requests: Sequence[pb.ResolveRequest]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with open_aio_channel(target, ()) as channel:
        stub = LightbulbStub(channel)
        for begin in range(0, len(requests), MAX_BATCH):
            batch = pb.BatchResolveRequest(requests=requests[begin : begin + MAX_BATCH])
            found += map(outcome, (await stub.BatchResolve(batch)).results)
    return found


def in_tables(target: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return what each vector comes to in a client's process, beside what it should."""
    callers = defaultdict(list)
    for request, expected in vectors():
        callers[request.client, request.sidecar].append((request, expected))
    found = []
    for (name, sidecar), asked in callers.items():
        with InProcessClient(target, client_name=name, sidecar=sidecar) as client:
            assert client.wait_ready(SECONDS)
            found += [(in_process(client, request), expected) for request, expected in asked]
    return found


def test_each_mode_answers_all_vectors_alike() -> None:
    async def run() -> None:
        async with scripted_server() as script, lightbulb(script, tables="127.0.0.1:0") as server:
            show(script)
            await asyncio.wait_for(server.feed.wait_ready(), SECONDS)
            requests, expected = zip(*vectors(), strict=True)
            assert await by_rpc(f"127.0.0.1:{server.port}", requests) == list(expected)
            pairs = await asyncio.to_thread(in_tables, f"127.0.0.1:{server.tables_port}")
            assert [pair for pair in pairs if pair[0] != pair[1]] == []

    asyncio.run(run())
