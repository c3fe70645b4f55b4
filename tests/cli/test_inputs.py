"""Input tensors: made up after a model's metadata, or given as JSON."""

from typing import Any

import pytest

from controlplane.cli.inputs import BadTensor, given_inputs, sample_inputs
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.rpc.contents import CONTENTS_FIELDS, first_elements


def spec(name: str, datatype: str, *shape: int) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(name=name, datatype=datatype, shape=shape)


def elements(tensor: pb.ModelInferRequest.InferInputTensor) -> list[Any]:
    return list(getattr(tensor.contents, CONTENTS_FIELDS[tensor.datatype]))


@pytest.mark.parametrize("datatype", sorted(CONTENTS_FIELDS))
def test_a_tensor_is_made_up_of_any_datatype_the_same_for_the_same_user(datatype: str) -> None:
    specs = [spec("x", datatype, -1, 30)]
    (one,), (again,), (other,) = (sample_inputs(specs, user) for user in ("u", "u", "v"))
    assert (one.name, one.datatype, list(one.shape), len(elements(one))) == ("x", datatype, [1, 30], 30)
    assert one == again
    assert one != other


def test_a_tensor_that_would_be_huge_or_of_no_known_kind_isnt_made_up() -> None:
    with pytest.raises(BadTensor, match="too large to be made up"):
        sample_inputs([spec("x", "FP32", 2**40)], "u")
    with pytest.raises(BadTensor, match="tensor x is FP16, which can't be written as text"):
        sample_inputs([spec("x", "FP16", 1)], "u")


@pytest.mark.parametrize(
    ("text", "datatype", "shape", "values"),
    [
        ("x=[[1, 2.5], [3, 4]]", "FP64", [2, 2], [1.0, 2.5, 3.0, 4.0]),
        ("x=[1, 2]", "INT64", [2], [1, 2]),
        ("x=[true, false]", "BOOL", [2], [True, False]),
        ('x=["a", "=b"]', "BYTES", [2], [b"a", b"=b"]),
        ("x=7", "INT64", [], [7]),
        ("x=[]", "FP64", [0], []),
        ("typed=[1, 2]", "FP32", [2], [1.0, 2.0]),
    ],
)
def test_a_tensor_is_what_json_says(text: str, datatype: str, shape: list[int], values: list[Any]) -> None:
    (tensor,) = given_inputs([text], [spec("typed", "FP32", -1)])
    assert (tensor.name, tensor.datatype, list(tensor.shape)) == (text.partition("=")[0], datatype, shape)
    assert elements(tensor) == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "'x' is not NAME=JSON"),
        ("=1", "'=1' is not NAME=JSON"),
        ("x=[1,", "no tensor in JSON"),
        ("x=[[1], [2, 3], []]", "its rows differ in length"),
        ("x=[1, [2]]", "its rows differ in length"),
        ("x=[1, null]", "an element that is no BYTES"),
        ('typed=["a"]', "an element that is no FP32"),
        ("x=" + "[" * 100_000 + "]" * 100_000, "it is nested too deeply"),
    ],
)
def test_what_is_no_tensor_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(BadTensor) as caught:
        given_inputs([text], [spec("typed", "FP32", -1)])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("datatype", "raw", "values"),
    [
        ("INT64", b"\x01" + b"\0" * 7 + b"\xff" * 8, (1, -1)),
        ("FP32", b"\0\0\x80\x3f" * 3, (1.0, 1.0)),
        ("BYTES", b"\x01\0\0\0a\x03\0\0\0b", (b"a",)),
        ("BYTES", b"\x01", ()),
        ("INT32", b"\x01\0\0", ()),
        ("FP8", b"\x01", ()),
    ],
)
def test_the_first_elements_of_raw_outputs_are_read_and_no_more(
    datatype: str, raw: bytes, values: tuple[object, ...]
) -> None:
    assert first_elements(datatype, pb.InferTensorContents(), raw, 2) == values
