"""Tensors survive the wire, typed and raw; what doesn't is refused by the name of its tensor."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightbulb.host.errors import BadInput
from lightbulb.host.tensors import inputs_of, outputs_wanted, parameters_of, wants_raw, write_outputs
from lightbulb.host.workflow import DTYPES, Array, TensorSpec
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.rpc.contents import CONTENTS_FIELDS

INTEGERS = {
    name: st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    for name, dtype in DTYPES.items()
    if dtype.kind in "iu"
}
ELEMENTS = {
    **INTEGERS,
    "BOOL": st.booleans(),
    "FP16": st.floats(width=16, allow_nan=False),
    "BF16": st.integers(-128, 128).map(float),
    "FP32": st.floats(width=32, allow_nan=False),
    "FP64": st.floats(allow_nan=False),
    "BYTES": st.binary(max_size=9),
}


def spec(datatype: str, *shape: int, name: str = "t", optional: bool = False) -> TensorSpec:
    return TensorSpec(name=name, datatype=datatype, shape=shape, optional=optional)


@pytest.mark.parametrize(
    ("datatype", "raw"),
    [*((name, True) for name in DTYPES), *((name, False) for name in CONTENTS_FIELDS)],
    ids=lambda each: each if isinstance(each, str) else "raw" if each else "typed",
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
@given(st.data())
def test_what_is_written_is_what_is_read(raw: bool, datatype: str, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
    size = rows * columns
    elements = data.draw(st.lists(ELEMENTS[datatype], min_size=size, max_size=size))
    values = np.fromiter(elements, dtype=DTYPES[datatype], count=size).reshape(rows, columns)
    read = inputs_of(sent_back(values, spec(datatype, -1, -1), raw=raw), [spec(datatype, -1, -1)])["t"]
    assert (read.dtype, read.shape) == (values.dtype, values.shape)
    assert read.tolist() == values.tolist()


def sent_back(values: Array, of: TensorSpec, *, raw: bool) -> pb.ModelInferRequest:
    """Return a request with the output that the host writes for `values`, over the wire."""
    response = pb.ModelInferResponse()
    write_outputs(response, {of.name: values}, [of], raw=raw)
    assert bool(response.raw_output_contents) is raw
    request = pb.ModelInferRequest(raw_input_contents=response.raw_output_contents)
    request.inputs.add().ParseFromString(response.outputs[0].SerializeToString())
    return pb.ModelInferRequest.FromString(request.SerializeToString())


@pytest.mark.parametrize(
    ("datatype", "raw", "values"),
    [
        ("INT16", b"\x01\x00\xfe\xff", [1, -2]),
        ("UINT64", b"\xff" * 8, [2**64 - 1]),
        ("FP32", b"\x00\x00\x80\x3f", [1.0]),
        ("BOOL", b"\x00\x01\x02", [False, True, True]),
        ("BYTES", b"\x02\x00\x00\x00a\x00\x00\x00\x00\x00", [b"a\x00", b""]),
        ("FP64", b"", []),
        ("FP16", b"\x00\x3c\x00\xc0", [1.0, -2.0]),
        ("BF16", b"\x80\x3f\x00\xc0", [1.0, -2.0]),
    ],
)
def test_raw_contents_are_the_protocols_bytes(datatype: str, raw: bytes, values: list[object]) -> None:
    request = one(datatype, [len(values)], raw=raw)
    assert inputs_of(request, [spec(datatype, -1)])["t"].tolist() == values


@given(st.floats(width=32))
def test_bf16_is_the_nearest_and_nan_stays_nan(value: float) -> None:
    exact = np.array([value], dtype=np.float32)
    request = sent_back(exact, spec("BF16", -1), raw=True)
    (read,) = inputs_of(request, [spec("BF16", -1)])["t"].tolist()
    if math.isnan(value):
        assert math.isnan(read)
        return
    upper = int(exact.view(np.uint32)[0]) >> 16
    near = np.array([upper << 16, upper + 1 << 16], dtype=np.uint32).view(np.float32).tolist()
    if all(map(math.isfinite, near)):
        assert abs(read - value) == min(abs(each - value) for each in near)


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_half_precision_is_raw_whatever_the_request_was(datatype: str) -> None:
    typed = one("INT64", [1], int64_contents=[1])
    assert wants_raw(typed, [spec(datatype, -1), spec("INT64", -1)])
    assert not wants_raw(typed, [spec("INT64", -1)])
    with pytest.raises(BadInput, match=f"tensor t is {datatype}, .* raw_input_contents alone"):
        inputs_of(one(datatype, [1], fp32_contents=[1]), [spec(datatype, -1)])


def one(
    datatype: str, shape: list[int], *, raw: bytes | None = None, name: str = "t", **contents: list[object]
) -> pb.ModelInferRequest:
    """Return a request with one tensor; `contents` by the field of InferTensorContents."""
    request = pb.ModelInferRequest()
    tensor = request.inputs.add(name=name, datatype=datatype, shape=shape)
    if contents:
        tensor.contents.CopyFrom(pb.InferTensorContents(**contents))
    if raw is not None:
        request.raw_input_contents.append(raw)
    return request


def twice() -> pb.ModelInferRequest:
    request = one("INT64", [1], int64_contents=[1])
    request.MergeFrom(request.FromString(request.SerializeToString()))
    return request


def with_parameter(name: str) -> pb.ModelInferRequest:
    request = one("INT64", [1], int64_contents=[1])
    request.inputs[0].parameters[name].string_param = "somewhere"
    return request


@pytest.mark.parametrize(
    ("wanted", "request_", "said"),
    [
        (
            spec("INT64", -1),
            one("INT64", [1], name="u", int64_contents=[1]),
            "tensor u is unknown; .* takes t",
        ),
        (spec("INT64", -1), twice(), "tensor t is there twice"),
        (spec("INT64", -1), pb.ModelInferRequest(), r"tensor t is missing: INT64 of shape \[-1\]"),
        (spec("INT64", -1), one("FP32", [1], fp32_contents=[1]), "tensor t is FP32, not INT64"),
        (spec("INT64", -1), one("", [1], int64_contents=[1]), "tensor t is of no datatype, not INT64"),
        (
            spec("INT64", -1),
            one("INT64", [1, 1], int64_contents=[1]),
            r"tensor t has shape \[1, 1\], not \[-1\]",
        ),
        (
            spec("INT64", -1, 2),
            one("INT64", [1, 3], int64_contents=[1] * 3),
            r"shape \[1, 3\], not \[-1, 2\]",
        ),
        (spec("INT64", -1), one("INT64", [-1], int64_contents=[1]), r"tensor t has shape \[-1\]"),
        (
            spec("INT64", -1),
            one("INT64", [2], int64_contents=[1]),
            "tensor t has 1 elements in int64_contents; its shape takes 2",
        ),
        (
            spec("INT64", -1),
            one("INT64", [1], int_contents=[1]),
            "tensor t has 0 elements in int64_contents; its shape takes 1",
        ),
        (spec("INT8", -1), one("INT8", [1], int_contents=[128]), "tensor t .* out of the range of INT8"),
        (spec("UINT16", -1), one("UINT16", [1], uint_contents=[2**16]), "out of the range of UINT16"),
        (spec("INT64", -1), one("INT64", [1], raw=b"1234567"), "tensor t has 7 bytes; its shape takes 8"),
        (
            spec("INT64", -1),
            one("INT64", [1], raw=bytes(8), int64_contents=[1]),
            "tensor t has both contents and raw_input_contents",
        ),
        (
            spec("INT64", -1),
            pb.ModelInferRequest(raw_input_contents=[b""], inputs=[]),
            "there are 0 inputs, but 1 raw_input_contents",
        ),
        (
            spec("BYTES", -1),
            one("BYTES", [1], raw=b"\x01\x00\x00"),
            "tensor t ends within an element's length",
        ),
        (spec("BYTES", -1), one("BYTES", [1], raw=b"\x02\x00\x00\x00a"), "tensor t ends within an element"),
        (spec("BYTES", -1), one("BYTES", [2], raw=bytes(4)), "tensor t has 1 elements; its shape takes 2"),
        (
            spec("INT64", -1, -1),
            one("INT64", [2**32, 2**32], raw=b""),
            f"tensor t has 0 bytes; its shape takes {2**67}",
        ),
        (spec("INT64", -1, -1), one("INT64", [0, 2**62]), "tensor t has shape .* too large"),
        (spec("INT64", -1), with_parameter("shared_memory_region"), "tensor t asks for shared_memory_region"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_tensor_that_isnt_what_it_says_is_refused_by_name(
    wanted: TensorSpec, request_: pb.ModelInferRequest, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        inputs_of(request_, [wanted])


def test_an_optional_tensor_may_be_left_out() -> None:
    assert inputs_of(pb.ModelInferRequest(), [spec("INT64", -1, optional=True)]) == {}


@pytest.mark.parametrize("contents", [{"raw": bytes(8)}, {"int64_contents": [0]}], ids=["raw", "typed"])
def test_a_model_cant_change_its_input(contents) -> None:
    values = inputs_of(one("INT64", [1], **contents), [spec("INT64", -1)])["t"]
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 1


def test_outputs_are_given_in_the_models_order_and_all_when_none_is_named() -> None:
    specs = [spec("INT64", -1, name=name) for name in ("a", "b", "c")]
    assert names(outputs_wanted(pb.ModelInferRequest(), specs)) == ["a", "b", "c"]
    assert names(outputs_wanted(asking("c", "a"), specs)) == ["a", "c"]


def names(specs: tuple[TensorSpec, ...]) -> list[str]:
    return [each.name for each in specs]


def asking(*outputs: str) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest()
    for name in outputs:
        request.outputs.add(name=name)
    return request


def test_an_output_that_a_model_doesnt_give_is_named() -> None:
    with pytest.raises(BadInput, match="output z is unknown; this model gives a"):
        outputs_wanted(asking("a", "z"), [spec("INT64", -1, name="a")])
    classified = asking("a")
    classified.outputs[0].parameters["classification"].int64_param = 3
    with pytest.raises(BadInput, match="output a asks for classification"):
        outputs_wanted(classified, [spec("INT64", -1, name="a")])


@pytest.mark.parametrize(
    ("request_", "raw"),
    [
        (one("INT64", [1], raw=bytes(8)), True),
        (one("INT64", [1], int64_contents=[1]), False),
        (pb.ModelInferRequest(), True),
    ],
    ids=["raw", "typed", "no inputs"],
)
def test_an_answer_is_as_the_question_was(request_: pb.ModelInferRequest, raw: bool) -> None:
    assert wants_raw(request_) is raw


def test_parameters_keep_their_types_and_one_without_a_value_is_none() -> None:
    request = pb.ModelInferRequest()
    values = {
        "bool_param": True,
        "int64_param": -1,
        "string_param": "x",
        "double_param": 0.5,
        "uint64_param": 2,
    }
    for field, value in values.items():
        setattr(request.parameters[field], field, value)
    request.parameters["empty"].SetInParent()
    assert parameters_of(request.parameters) == values


def test_a_datatype_that_models_cant_use_is_named() -> None:
    with pytest.raises(ValueError, match="tensor t: datatype FP8 is none of BOOL"):
        spec("FP8", -1)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=3), st.lists(st.integers(-1, 3), max_size=3))
def test_a_shape_fits_when_every_dimension_does(shape: list[int], wanted: list[int]) -> None:
    fits: Callable[[tuple[int, ...]], bool] = spec("INT64", *wanted).fits
    assert fits(tuple(shape)) is (
        len(shape) == len(wanted)
        and math.prod(want in (-1, size) for size, want in zip(shape, wanted, strict=False)) == 1
    )
