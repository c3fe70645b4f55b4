"""What a caller sends that is no number is the caller's, whatever the model makes of it."""

import asyncio
import math

import grpc
import numpy as np
import pytest

from lightbulb.host.workflow import Array, Inference, Tensors, TensorSpec, Workflow
from lightbulb.model import RequestContext
from lightbulb.oip import open_inference_pb2 as pb
from tests.host.hosts import Running, running
from tests.host.workflows import VALIDATION, assign

REAL = TensorSpec(name="x", datatype="FP64", shape=(-1,))


class Scales(Workflow):
    """Gives each number, multiplied by the parameter `by`."""

    inputs = (REAL,)
    outputs = (REAL,)

    def prepare(self, request: Inference) -> Array:
        return request.inputs["x"] * request.parameters.get("by", 1.0)

    def features(self, request: Inference, candidates: Array) -> Array:
        return candidates * request.context.attributes.get("weight", 1.0)

    def score(self, features: Array) -> Array:
        return features

    def finish(self, request: Inference, candidates: Array, scores: Array) -> Tensors:
        return {"x": scores}

    def sample(self) -> Inference:
        return Inference(context=RequestContext(user_id=VALIDATION), inputs={"x": np.array([1.0])})


class Counts(Scales):
    """Fails by itself on what is no number."""

    def score(self, features: Array) -> Array:
        return np.array([float(int(each)) for each in features])


class Ignores(Scales):
    def score(self, features: Array) -> Array:
        return np.nan_to_num(features)


MODELS = {"scales@1": Scales, "counts@1": Counts, "ignores@1": Ignores}


def asking(model: str, *numbers: float, **parameters: float) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(model_name=model)
    request.inputs.add(name="x", datatype="FP64", shape=[len(numbers)]).contents.fp64_contents.extend(numbers)
    for name, value in parameters.items():
        request.parameters[name].double_param = value
    return request


async def refusal(host: Running, request: pb.ModelInferRequest) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await host.stub.ModelInfer(request)
    return refused.value.code(), refused.value.details() or ""


@pytest.mark.parametrize("model", ["scales", "counts"])
@pytest.mark.parametrize(
    ("numbers", "parameters", "named"),
    [
        ((1.0, math.nan), {}, "tensor x"),
        ((math.inf,), {}, "tensor x"),
        ((1.0,), {"by": math.nan}, "parameter by"),
        ((1.0,), {"lightbulb_context_weight": -math.inf}, "context.weight"),
    ],
)
def test_what_isnt_finite_is_named_where_the_model_fails_on_it(model, numbers, parameters, named) -> None:
    async def scenario() -> None:
        async with running(MODELS) as host:
            await host.assign(*(assign(each) for each in MODELS))
            code, details = await refusal(host, asking(model, *numbers, **parameters))
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert details.startswith(f"{model}@1: {named} holds NaN or infinity")

    asyncio.run(scenario())


def test_a_model_that_can_work_with_it_answers() -> None:
    async def scenario() -> None:
        async with running(MODELS) as host:
            await host.assign(*(assign(each) for each in MODELS))
            answer = await host.stub.ModelInfer(asking("ignores", math.nan, 2.0))
            assert list(answer.outputs[0].contents.fp64_contents) == [0.0, 2.0]

    asyncio.run(scenario())


def test_a_model_that_makes_infinity_of_numbers_has_failed() -> None:
    async def scenario() -> None:
        async with running(MODELS) as host:
            await host.assign(*(assign(each) for each in MODELS))
            code, _ = await refusal(host, asking("scales", 1e308, by=1e308))
            assert code is grpc.StatusCode.INTERNAL

    asyncio.run(scenario())
