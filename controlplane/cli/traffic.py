"""The demo's requests: through the client library and Envoy, as a client service would send them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import grpc
import grpc.aio

from controlplane.cli.expectation import Expectations, Expected
from controlplane.cli.inputs import BadTensor, sample_inputs
from controlplane.cli.options import Address
from controlplane.cli.tally import Outcome
from lightbulb.client.client import LightbulbClient
from lightbulb.client.interceptor import AsyncRoutingInterceptor, routed
from lightbulb.errors import LightbulbError
from lightbulb.model import ROUTING_KEY_HEADER, RequestContext
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.oip import open_inference_pb2_grpc as pb_grpc
from lightbulb.rpc.channels import open_aio_channel

CONCURRENCY = 8
CALL_SECONDS = 10.0


class Requests:
    """What a client service would send: it knows its use case, and no model.

    Where a model wants input tensors, they are made up after what it says of itself.
    """

    def __init__(self, stub: pb_grpc.GRPCInferenceServiceStub) -> None:
        """`stub` goes to a sidecar."""
        self._stub = stub
        self._inputs: dict[str, tuple[pb.ModelMetadataResponse.TensorMetadata, ...]] = {}

    def of(self, expected: Expected, user: RequestContext) -> pb.ModelInferRequest:
        """Return a user's request that will go to a model."""
        return pb.ModelInferRequest(inputs=sample_inputs(self._inputs.get(expected.model, ()), user.user_id))

    async def learn(self, expected: Expected) -> bool:
        """Ask a model for its inputs; return whether there is anything new in that."""
        if expected.model in self._inputs:
            return False
        name, _, version = expected.model.partition("@")
        described = await self._stub.ModelMetadata(
            pb.ModelMetadataRequest(name=name, version=version),
            metadata=((ROUTING_KEY_HEADER, expected.routing_key),),
            timeout=CALL_SECONDS,
        )
        self._inputs[expected.model] = tuple(described.inputs)
        return True


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
        async with open_aio_channel(str(sidecar), interceptors=[interceptor]) as channel:
            stub = pb_grpc.GRPCInferenceServiceStub(channel)
            requests = Requests(stub)

            async def send(objective: str, user: RequestContext) -> Outcome:
                async with slots:
                    outcome = await _send(stub, requests, objective, user, expectations.of(objective, user))
                on_done()
                return outcome

            return await asyncio.gather(
                *(send(objective, user) for user in users for objective in expectations.objectives)
            )


async def _send(
    stub: pb_grpc.GRPCInferenceServiceStub,
    requests: Requests,
    objective: str,
    user: RequestContext,
    expected: Expected,
) -> Outcome:
    async def once() -> pb.ModelInferResponse:
        with routed(objective, user):
            answered: pb.ModelInferResponse = await stub.ModelInfer(
                requests.of(expected, user), timeout=CALL_SECONDS
            )
        return answered

    began = time.perf_counter()
    try:
        try:
            response = await once()
        except grpc.aio.AioRpcError as error:
            wants_other = error.code() is grpc.StatusCode.INVALID_ARGUMENT
            if not wants_other or not (await requests.learn(expected) or requests.of(expected, user).inputs):
                raise
            began = time.perf_counter()
            response = await once()
        wrong = _compare(response, expected)
    except LightbulbError as error:
        wrong = f"not resolved: {error}"
    except BadTensor as error:
        wrong = str(error)
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
