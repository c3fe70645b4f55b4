"""Inference calls find their model: through real channels, to a server that says what reached it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256

import grpc
import grpc.aio
import pytest

from lightbulb.client.client import BlockingLightbulbClient, LightbulbClient
from lightbulb.client.interceptor import AsyncRoutingInterceptor, RoutingInterceptor, routed
from lightbulb.errors import NotRouted, TimedOut, UnknownObjective
from lightbulb.model import (
    ARM_HEADER,
    ROUTING_KEY_HEADER,
    SIDECAR_TIMEOUT_HEADER,
    USER_HEADER,
    RequestContext,
)
from lightbulb.oip import open_inference_pb2 as oip
from lightbulb.oip.open_inference_pb2_grpc import (
    GRPCInferenceServiceServicer,
    GRPCInferenceServiceStub,
    add_GRPCInferenceServiceServicer_to_server,
)
from lightbulb.rpc.answer import Answer
from lightbulb.rpc.call_headers import call_headers
from tests.lightbulb.lightbulb_server import serving
from tests.lightbulb.tables import OBJECTIVE, TABLE
from tests.lightbulb.test_enrich import ANSWER

CELL_2 = RequestContext(user_id="u", country="US", allocations={"12345": 2})
CELL_3 = replace(CELL_2, allocations={"12345": 3})
PROMISED = 50.0
REQUEST = oip.ModelInferRequest(id="42", raw_input_contents=[b"data"])


class Recorder(GRPCInferenceServiceServicer):
    """Keeps what reached it; answers with the model that was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[oip.ModelInferRequest, dict[str, str], float | None]] = []

    async def ModelInfer(self, request, context):  # noqa: N802 - gRPC's name
        self.calls.append((request, dict(context.invocation_metadata()), context.time_remaining()))
        return oip.ModelInferResponse(model_name=request.model_name, id=request.id)

    async def ServerLive(self, request, context):  # noqa: N802 - gRPC's name
        return oip.ServerLiveResponse(live=ROUTING_KEY_HEADER not in dict(context.invocation_metadata()))


@contextlib.asynccontextmanager
async def recording() -> AsyncIterator[tuple[Recorder, str]]:
    recorder, server = Recorder(), grpc.aio.server()
    add_GRPCInferenceServiceServicer_to_server(recorder, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield recorder, f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


class Stub:
    """A stub on an intercepted asyncio channel, or (`blocking`) on a plain one, called in threads."""

    def __init__(self, stub: GRPCInferenceServiceStub, *, blocking: bool) -> None:
        self._stub = stub
        self._blocking = blocking

    async def infer(self, request: oip.ModelInferRequest = REQUEST, **options) -> oip.ModelInferResponse:
        if self._blocking:
            return await asyncio.to_thread(self._stub.ModelInfer, request, **options)
        return await self._stub.ModelInfer(request, **options)

    async def live(self) -> bool:
        request = oip.ServerLiveRequest()
        if self._blocking:
            return (await asyncio.to_thread(self._stub.ServerLive, request)).live
        return (await self._stub.ServerLive(request)).live


def with_each_stub(scenario) -> None:
    async def run() -> None:
        async with serving(replace(TABLE, deadline=PROMISED)) as lightbulb, recording() as (recorder, target):
            async with LightbulbClient(lightbulb, timeout=60.0) as client:
                interceptor = AsyncRoutingInterceptor(client.resolve)
                async with grpc.aio.insecure_channel(target, interceptors=[interceptor]) as channel:
                    await scenario(Stub(GRPCInferenceServiceStub(channel), blocking=False), recorder)
            recorder.calls.clear()
            with (
                BlockingLightbulbClient(lightbulb, timeout=60.0) as blocking,
                grpc.insecure_channel(target) as plain,
            ):
                channel = grpc.intercept_channel(plain, RoutingInterceptor(blocking.resolve))
                await scenario(Stub(GRPCInferenceServiceStub(channel), blocking=True), recorder)

    asyncio.run(run())


def test_a_routed_call_carries_its_key_and_its_config() -> None:
    async def scenario(stub: Stub, recorder: Recorder) -> None:
        before = REQUEST.SerializeToString(deterministic=True)
        with routed(OBJECTIVE, CELL_2):
            response = await stub.infer(metadata=(("x-mine", "kept"), (ARM_HEADER, "9c")))
        assert (response.model_name, response.id) == ("cell-2", "42")
        ((request, metadata, _),) = recorder.calls
        assert metadata[ROUTING_KEY_HEADER] == f"{OBJECTIVE}|cell-2|1"
        assert metadata["x-mine"] == "kept"
        assert metadata[USER_HEADER] == sha256(b"u").hexdigest()[:16]
        assert ARM_HEADER not in metadata
        assert request.parameters["lightbulb_allocations"].string_param == "12345:2"
        assert request.parameters["limit"].int64_param == 20
        assert request.raw_input_contents == [b"data"]
        assert REQUEST.SerializeToString(deterministic=True) == before

    with_each_stub(scenario)


def test_an_arm_goes_with_the_call_that_it_counts() -> None:
    assert dict(call_headers(replace(ANSWER, arm="17c"), CELL_2)) == {
        ROUTING_KEY_HEADER: ANSWER.routing_key,
        USER_HEADER: sha256(b"u").hexdigest()[:16],
        ARM_HEADER: "17c",
    }


@pytest.mark.parametrize(("timeout", "told"), [(0.25, "245"), (0.02, "18"), (0.0005, "1"), (None, None)])
def test_a_sidecar_gives_up_a_little_before_its_caller(timeout: float | None, told: str | None) -> None:
    assert dict(call_headers(ANSWER, CELL_2, timeout)).get(SIDECAR_TIMEOUT_HEADER) == told


def test_calls_at_the_same_time_keep_to_their_own_route() -> None:
    async def scenario(stub: Stub, recorder: Recorder) -> None:
        async def one(context: RequestContext) -> str:
            with routed(OBJECTIVE, context):
                return (await stub.infer()).model_name

        models = await asyncio.gather(*(one(context) for context in (CELL_2, CELL_3) * 10))
        assert models == ["cell-2", "cell-3"] * 10

    with_each_stub(scenario)


def test_an_inner_route_takes_the_place_of_the_outer_one_and_gives_it_back() -> None:
    async def scenario(stub: Stub, recorder: Recorder) -> None:
        with routed(OBJECTIVE, CELL_2):
            with routed(OBJECTIVE, CELL_3, override_model="default"):
                assert (await stub.infer()).model_name == "default"
            assert (await stub.infer()).model_name == "cell-2"

    with_each_stub(scenario)


def test_an_inference_call_that_isnt_routed_is_an_error_and_reaches_nobody() -> None:
    async def scenario(stub: Stub, recorder: Recorder) -> None:
        with pytest.raises(NotRouted, match="with routed"):
            await stub.infer()
        with routed("Nope", CELL_2), pytest.raises(UnknownObjective):
            await stub.infer()
        assert recorder.calls == []

    with_each_stub(scenario)


def test_other_methods_and_calls_that_have_a_key_pass_as_they_are() -> None:
    async def scenario(stub: Stub, recorder: Recorder) -> None:
        assert await stub.live()
        with routed(OBJECTIVE, CELL_2):
            await stub.infer(metadata=((ROUTING_KEY_HEADER, "a|b|c"),))
        ((request, metadata, _),) = recorder.calls
        assert (request, metadata[ROUTING_KEY_HEADER]) == (REQUEST, "a|b|c")

    with_each_stub(scenario)


def test_a_call_keeps_its_deadline_or_gets_the_objectives() -> None:
    async def scenario(stub: Stub, recorder: Recorder) -> None:
        with routed(OBJECTIVE, CELL_2):
            await stub.infer(timeout=20.0)
            await stub.infer()
        own, promised = (remaining for _, _, remaining in recorder.calls)
        assert own is not None
        assert promised is not None
        assert own <= 21.0
        assert 21.0 < promised <= PROMISED + 1.0

    with_each_stub(scenario)


def test_what_resolving_took_is_taken_off_the_calls_deadline() -> None:
    seconds = iter((100.0, 103.0, 200.0, 205.0))
    timeouts: list[float | None] = []

    def resolve(objective, context, *, override_model, timeout) -> Answer:
        assert timeout == 5.0
        return ANSWER

    class Succeeded:
        done = staticmethod(lambda: True)
        code = staticmethod(lambda: grpc.StatusCode.OK)

    def go_on(details, request):
        timeouts.append(details.timeout)
        return Succeeded

    interceptor = RoutingInterceptor(resolve, clock=lambda: next(seconds))
    details = grpc.aio.ClientCallDetails(
        method="/inference.GRPCInferenceService/ModelInfer",
        timeout=5.0,
        metadata=None,
        credentials=None,
        wait_for_ready=None,
    )
    with routed(OBJECTIVE, CELL_2):
        interceptor.intercept_unary_unary(go_on, details, REQUEST)
        with pytest.raises(TimedOut, match="took all of the call's 5 s"):
            interceptor.intercept_unary_unary(go_on, details, REQUEST)
    assert timeouts == [2.0]
