"""tritonclient, an Open Inference client that isn't ours, at a host of ours through a real Envoy."""

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace

import grpc
import grpc.aio
import numpy as np
import pytest
from ml_dtypes import bfloat16
from tritonclient.grpc import InferenceServerClient, InferInput, InferResult
from tritonclient.utils import InferenceServerException

from lightbulb.client import AsyncStreamRoutingInterceptor, RoutingInterceptor, routed
from lightbulb.host.app import ServingHost
from lightbulb.host.workflow import Array, Inference, TensorSpec
from lightbulb.model import RequestContext
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.oip import open_inference_pb2_grpc as pb_grpc
from lightbulb.resolution.resolve import Reason
from lightbulb.rpc.answer import Answer, ObjectiveConfig
from tests.envoy.lab import Lab
from tests.host.hosts import Running, settings
from tests.host.workflows import VALIDATION, Echo, assign

pytestmark = pytest.mark.envoy

KEY = "Rank|echo|1"
HEADERS = {"x-routing-key": KEY}
SECONDS = 60


def halves(datatype: str) -> type[Echo]:
    """A model that echoes numbers of a half-precision type."""

    class Halves(Echo):
        inputs = outputs = (TensorSpec(name="numbers", datatype=datatype, shape=(-1,)),)

        def sample(self) -> Inference:
            numbers: Array = np.array([1, 2], dtype=np.float16 if datatype == "FP16" else np.float32)
            return Inference(context=RequestContext(user_id=VALIDATION), inputs={"numbers": numbers})

    return Halves


MODELS = {"echo@1": Echo, "fp16@1": halves("FP16"), "bf16@1": halves("BF16")}


@pytest.fixture
def sidecar(lab: Lab) -> str:
    """The address of an Envoy before a host that has MODELS."""

    async def start() -> ServingHost:
        host = ServingHost(settings(MODELS))
        await host.start()
        await Running(host=host, channel=None, stub=None).assign(*map(assign, MODELS))
        return host

    host = lab.loop.run(start())
    lab.upstreams["vip"] = SimpleNamespace(port=host.port, stop=lambda: lab.loop.run(host.stop()))
    lab.start(lab.world({KEY: "vip"}))
    address, port = lab.sidecar.settings.listen
    return f"{address}:{port}"


@pytest.fixture
def client(sidecar: str) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(sidecar) as made:
        yield made


def numbers(values: Array, datatype: str) -> InferInput:
    tensor = InferInput("numbers", list(values.shape), datatype)
    tensor.set_data_from_numpy(values)
    return tensor


SENT = [1.5, -2.0, 0.0, 96.0]


def test_fp16_is_answered(client: InferenceServerClient) -> None:
    result = client.infer("fp16", [numbers(np.array(SENT, dtype=np.float16), "FP16")], headers=HEADERS)
    assert result.as_numpy("numbers").dtype == np.float16
    assert result.as_numpy("numbers").tolist() == SENT


def test_bf16_is_answered(client: InferenceServerClient) -> None:
    result = client.infer("bf16", [numbers(np.array(SENT, dtype=bfloat16), "BF16")], headers=HEADERS)
    assert result.as_numpy("numbers").dtype == bfloat16
    assert result.as_numpy("numbers").tolist() == SENT


def test_a_models_config_is_told(client: InferenceServerClient) -> None:
    config = client.get_model_config("bf16", "1", headers=HEADERS, as_json=True)["config"]
    assert config["name"] == "bf16"
    assert config["input"] == [{"name": "numbers", "data_type": "TYPE_BF16", "dims": ["-1"]}]
    assert config["output"] == config["input"]
    with pytest.raises(InferenceServerException, match="model nobody@1 is not loaded"):
        client.get_model_config("nobody", "1", headers=HEADERS)


def test_a_stream_is_answered_in_order_and_goes_on_after_a_request_that_fails(
    client: InferenceServerClient,
) -> None:
    came: queue.Queue[tuple[InferResult | None, InferenceServerException | None]] = queue.Queue()
    client.start_stream(lambda result, error: came.put((result, error)), headers=HEADERS)
    for number in (1, 2):
        client.async_stream_infer("echo", [numbers(np.array([number]), "INT64")], request_id=f"r{number}")
    client.async_stream_infer("echo", [numbers(np.array([1.0]), "FP64")], request_id="bad")
    client.async_stream_infer("echo", [numbers(np.array([3]), "INT64")], request_id="r3")
    said = [
        str(error) if error else result.as_numpy("numbers").tolist()
        for result, error in (came.get(timeout=SECONDS) for _ in range(4))
    ]
    assert said[:2] + said[3:] == [[1], [2], [3]]
    assert "tensor numbers is FP64, not INT64" in said[2]
    client.stop_stream()


def test_a_stream_ends_where_the_model_isnt_loaded(client: InferenceServerClient) -> None:
    came: queue.Queue[InferenceServerException | None] = queue.Queue()
    client.start_stream(lambda result, error: came.put(error), headers=HEADERS)
    client.async_stream_infer("nobody", [numbers(np.array([1]), "INT64")], model_version="1")
    error = came.get(timeout=SECONDS)
    assert error is not None
    assert error.status() == "StatusCode.ABORTED"
    client.stop_stream()


ANSWER = Answer(
    routing_key=KEY,
    objective_config=ObjectiveConfig(
        objective="Rank", model="echo", model_version="1", model_type="", input_type=""
    ),
    generation=1,
    cache_lifetime=1.0,
    deadline=0.001,
    reason=Reason.DEFAULT,
)
"""The platform promises a millisecond; it is for a request, not for a stream."""


def seven() -> pb.ModelInferRequest:
    request = pb.ModelInferRequest()
    request.inputs.add(name="numbers", datatype="INT64", shape=[1]).contents.int64_contents.append(7)
    return request


def answered_by(response: pb.ModelStreamInferResponse) -> str:
    assert not response.error_message
    return response.infer_response.parameters["lightbulb_model"].string_param


def test_an_interceptor_routes_a_stream_and_enriches_each_request(sidecar: str) -> None:
    with grpc.insecure_channel(sidecar) as plain:
        routing = RoutingInterceptor(lambda *_, **__: ANSWER)
        stub = pb_grpc.GRPCInferenceServiceStub(grpc.intercept_channel(plain, routing))
        with routed("Rank", RequestContext(user_id="u1")):
            answers = list(stub.ModelStreamInfer(iter([seven(), seven()])))
    assert [*map(answered_by, answers)] == ["echo@1"] * 2


@pytest.mark.parametrize("form", ["an iterator", "an async iterator", "writes"])
def test_an_interceptor_of_asyncio_routes_a_stream(sidecar: str, form: str) -> None:
    async def resolve(*_: object, **__: object) -> Answer:
        return ANSWER

    async def later() -> AsyncIterator[pb.ModelInferRequest]:
        yield seven()
        yield seven()

    async def scenario() -> list[str]:
        interceptors = [AsyncStreamRoutingInterceptor(resolve)]
        async with grpc.aio.insecure_channel(sidecar, interceptors=interceptors) as channel:
            stub = pb_grpc.GRPCInferenceServiceStub(channel)
            given = {"an iterator": iter([seven(), seven()]), "an async iterator": later(), "writes": None}
            with routed("Rank", RequestContext(user_id="u1")):
                call = stub.ModelStreamInfer(given[form])
            if form == "writes":
                for _ in range(2):
                    await call.write(seven())
                await call.done_writing()
            return [answered_by(response) async for response in call]

    assert asyncio.run(scenario()) == ["echo@1"] * 2
