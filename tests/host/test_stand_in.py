"""Stand-ins: any model, any tensors, and no doubt about what answered."""

import asyncio
import logging
import sys
from pathlib import Path

import grpc
import pytest

from lightbulb.host.catalogue import NoCatalogue, load_models
from lightbulb.host.stand_in import CATALOGUE, FACTS
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.rpc.contents import first_elements
from tests.host.hosts import Running, infer, running
from tests.host.workflows import Echo, assign


def scores(response: pb.ModelInferResponse) -> tuple[float, ...]:
    (output,) = response.outputs
    raw = response.raw_output_contents
    return first_elements(output.datatype, output.contents, raw[0] if raw else None, 100)


async def answer(host: Running, request: pb.ModelInferRequest) -> pb.ModelInferResponse:
    return await host.stub.ModelInfer(request)


def test_a_stand_in_answers_for_any_model_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with running(CATALOGUE, facts=FACTS) as host:
            some = assign("any@1", facts=("whatever",), depends_on=("other@7",))
            assert await host.assign(assign("other@7"), some) == {}
            given = await answer(host, infer("any@1", 1, 2, 3))
            assert given.parameters["lightbulb_stand_in"].bool_param is True
            assert given.parameters["lightbulb_model"].string_param == "any@1"
            assert len(scores(given)) == 3
            assert all(0 <= score < 1 for score in scores(given))
            metadata = await host.stub.ModelMetadata(pb.ModelMetadataRequest(name="any", version="1"))
            assert (list(metadata.inputs), [each.name for each in metadata.outputs]) == ([], ["scores"])

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    said = [each.getMessage() for each in caplog.records if "stand-in" in each.getMessage()]
    assert [each.split(";")[0] for each in said] == [
        "a stand-in answers in place of other@7",
        "a stand-in answers in place of any@1",
    ]


def test_the_same_request_gets_the_same_scores_and_another_gets_others() -> None:
    async def scenario() -> None:
        async with running(CATALOGUE, facts=FACTS) as host:
            await host.assign(assign("a@1"), assign("a@2"))
            asked = (
                infer("a@1", 1, 2),
                infer("a@2", 1, 2),
                infer("a@1", 1, 3),
                infer("a@1", 1, 2, user="other"),
            )
            first = [scores(await answer(host, each)) for each in asked]
            again = [scores(await answer(host, each)) for each in asked]
            assert first == again
            assert len(set(first)) == len(asked)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("datatype", "field", "elements"),
    [
        ("BOOL", "bool_contents", [True, False]),
        ("INT8", "int_contents", [1, -2]),
        ("UINT64", "uint64_contents", [1, 2]),
        ("FP32", "fp32_contents", [0.5, float("nan")]),
        ("BYTES", "bytes_contents", [b"", b"abc"]),
    ],
)
def test_it_takes_tensors_of_any_kind(datatype: str, field: str, elements: list[object]) -> None:
    async def scenario() -> None:
        async with running(CATALOGUE, facts=FACTS) as host:
            await host.assign(assign("a@1"))
            request = infer("a@1")
            for name, shape in (("x", [2, 1]), ("y", [1, 2, 1])):
                tensor = request.inputs.add(name=name, datatype=datatype, shape=shape)
                getattr(tensor.contents, field).extend(elements)
            del request.inputs[0]
            assert len(scores(await answer(host, request))) == 2
            nothing = infer("a@1")
            del nothing.inputs[:]
            assert len(scores(await answer(host, nothing))) == 10

    asyncio.run(scenario())


def test_what_is_no_tensor_is_refused() -> None:
    async def scenario() -> None:
        async with running(CATALOGUE, facts=FACTS) as host:
            await host.assign(assign("a@1"))
            for change in ({"datatype": "FP8"}, {"datatype": ""}, {"shape": [3]}, {"shape": [-1]}):
                request = infer("a@1", 1, 2)
                tensor = pb.ModelInferRequest.InferInputTensor(
                    **{"datatype": "INT64", "shape": [2], **change}
                )
                request.inputs[0].datatype = tensor.datatype
                request.inputs[0].shape[:] = tensor.shape
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await answer(host, request)
                assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    asyncio.run(scenario())


def test_a_real_models_answer_doesnt_speak_of_stand_ins() -> None:
    async def scenario() -> None:
        async with running({"echo@1": Echo}) as host:
            await host.assign(assign("echo@1"))
            assert "lightbulb_stand_in" not in (await answer(host, infer("echo@1", 1))).parameters

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module", "can't import mine: ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "can't import mine: ZeroDivisionError: division by zero"),
        ("def (", "can't import mine: SyntaxError: invalid syntax"),
        ("", "mine has no CATALOGUE, a mapping of model ids to Workflow classes"),
    ],
)
def test_a_module_without_models_is_told_in_one_line_with_the_cause(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    with pytest.raises(NoCatalogue) as caught:
        load_models("mine")
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
