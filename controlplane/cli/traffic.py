"""The demo's requests: through the client library and Envoy, as a client service would send them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import grpc
import grpc.aio

from controlplane.cli.expectation import Expectations, Expected
from controlplane.cli.options import Address
from controlplane.cli.tally import Outcome
from lightbulb.client.client import LightbulbClient
from lightbulb.client.interceptor import AsyncRoutingInterceptor, routed
from lightbulb.errors import LightbulbError
from lightbulb.model import RequestContext
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.oip import open_inference_pb2_grpc as pb_grpc

CONCURRENCY = 8
CALL_SECONDS = 10.0
TRANSACTION = 30
"""Numbers in a payment's row."""


def request_for(objective: str, user: RequestContext) -> pb.ModelInferRequest:
    """Return what a client service would send: it knows its use case, and no model."""
    request = pb.ModelInferRequest()
    if objective == "PaymentFraudDetection":
        tensor = request.inputs.add(name="transaction", datatype="FP64", shape=[1, TRANSACTION])
        start = sum(user.user_id.encode())
        tensor.contents.fp64_contents.extend((start * (column + 1)) % 97 / 7 for column in range(TRANSACTION))
    return request


async def send_all(
    lightbulb: Address,
    sidecar: Address,
    expectations: Expectations,
    users: Iterable[RequestContext],
    on_done: Callable[[], None],
) -> list[Outcome]:
    """Send a request of every user for every objective; return what came of each."""
    slots = asyncio.Semaphore(CONCURRENCY)
    async with LightbulbClient(
        str(lightbulb), client_name="demo", timeout=CALL_SECONDS, sidecar="sidecar"
    ) as client:
        interceptor = AsyncRoutingInterceptor(client.resolve)
        async with grpc.aio.insecure_channel(str(sidecar), interceptors=[interceptor]) as channel:
            stub = pb_grpc.GRPCInferenceServiceStub(channel)

            async def send(objective: str, user: RequestContext) -> Outcome:
                async with slots:
                    outcome = await _send(stub, objective, user, expectations.of(objective, user))
                on_done()
                return outcome

            return await asyncio.gather(
                *(send(objective, user) for user in users for objective in expectations.objectives)
            )


async def _send(
    stub: pb_grpc.GRPCInferenceServiceStub, objective: str, user: RequestContext, expected: Expected
) -> Outcome:
    began = time.perf_counter()
    try:
        with routed(objective, user):
            response = await stub.ModelInfer(request_for(objective, user), timeout=CALL_SECONDS)
        wrong = _compare(response, expected)
    except LightbulbError as error:
        wrong = f"not resolved: {error}"
    except grpc.aio.AioRpcError as error:
        wrong = f"{error.code().name}: {error.details()}"
    return Outcome(objective=objective, expected=expected, seconds=time.perf_counter() - began, wrong=wrong)


def _compare(response: pb.ModelInferResponse, expected: Expected) -> str:
    """Return what is wrong with an answer; empty when it came from the right model on the right shard."""
    model = response.parameters["lightbulb_model"].string_param
    shard = response.parameters["lightbulb_shard"].string_param
    if (model, shard) == (expected.model, expected.shard):
        return ""
    return f"answered by {model} on {shard}, not by {expected.model} on {expected.shard}"
