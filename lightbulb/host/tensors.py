"""Tensors of the Open Inference Protocol to numpy and back, typed and raw."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from lightbulb.host.errors import BadInput
from lightbulb.host.workflow import DTYPES, Array, Tensors, TensorSpec
from lightbulb.model import Value
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.rpc.contents import CONTENTS_FIELDS

_UNSUPPORTED = ("shared_memory_region", "classification")
"""Parameters of a tensor that would change where its data is, or what it means."""


def inputs_of(request: pb.ModelInferRequest, specs: Iterable[TensorSpec] | None) -> Tensors:
    """Return the input tensors by name, read-only; raises BadInput that names the tensor.

    `specs` None takes whatever tensors there are.
    """
    known = {spec.name: spec for spec in (_as_they_are(request) if specs is None else specs)}
    raw = list(request.raw_input_contents)
    if raw and len(raw) != len(request.inputs):
        raise BadInput(
            f"there are {len(request.inputs)} inputs, but {len(raw)} raw_input_contents",
            path="raw_input_contents",
        )
    tensors: dict[str, Array] = {}
    for index, tensor in enumerate(request.inputs):
        spec = known.get(tensor.name)
        if spec is None:
            raise BadInput(
                f"tensor {tensor.name} is unknown; this model takes {', '.join(known) or 'none'}",
                path=f"tensor {tensor.name}",
            )
        if tensor.name in tensors:
            raise BadInput(f"tensor {tensor.name} is there twice", path=f"tensor {tensor.name}")
        values = _read(tensor, raw[index] if raw else None, spec)
        values.flags.writeable = False
        tensors[tensor.name] = values
    for name, spec in known.items():
        if name not in tensors and not spec.optional:
            raise BadInput(
                f"tensor {name} is missing: {spec.datatype} of shape {list(spec.shape)}",
                path=f"tensor {name}",
            )
    return tensors


def _as_they_are(request: pb.ModelInferRequest) -> Iterator[TensorSpec]:
    """Yield what a request's own tensors are; raises BadInput for a datatype that there isn't."""
    for tensor in request.inputs:
        if tensor.datatype not in DTYPES:
            raise BadInput(f"tensor {tensor.name} is {tensor.datatype or 'of no datatype'}")
        yield TensorSpec(name=tensor.name, datatype=tensor.datatype, shape=(-1,) * len(tensor.shape))


def outputs_wanted(request: pb.ModelInferRequest, specs: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Return the outputs that a request asks for, in the model's order: all when it names none."""
    declared = {spec.name: spec for spec in specs}
    wanted = {output.name for output in request.outputs}
    for output in request.outputs:
        if output.name not in declared:
            raise BadInput(
                f"output {output.name} is unknown; this model gives {', '.join(declared)}",
                path=f"output {output.name}",
            )
        _check_parameters(f"output {output.name}", output.parameters)
    return tuple(spec for name, spec in declared.items() if not wanted or name in wanted)


def wants_raw(request: pb.ModelInferRequest, wanted: Iterable[TensorSpec] = ()) -> bool:
    """Say whether the answer is to be raw: as the inputs are, and raw when there are none.

    Half precision has no other form, and all outputs of an answer have the same.
    """
    half = any(spec.datatype not in CONTENTS_FIELDS for spec in wanted)
    return half or bool(request.raw_input_contents) or not request.inputs


def write_outputs(
    response: pb.ModelInferResponse, outputs: Tensors, specs: Iterable[TensorSpec], *, raw: bool
) -> None:
    """Add the output tensors of `specs` to a response, raw or typed."""
    for spec in specs:
        values = outputs[spec.name]
        tensor = response.outputs.add(name=spec.name, datatype=spec.datatype, shape=values.shape)
        if not raw:
            getattr(tensor.contents, CONTENTS_FIELDS[spec.datatype]).extend(values.ravel().tolist())
        elif spec.datatype == "BYTES":
            parts = (struct.pack("<I", len(element)) + element for element in values.ravel())
            response.raw_output_contents.append(b"".join(parts))
        elif spec.datatype == "BF16":
            response.raw_output_contents.append(_to_bf16(values))
        else:
            response.raw_output_contents.append(values.tobytes())


def parameters_of(parameters: Mapping[str, pb.InferParameter]) -> dict[str, Value]:
    """Return request parameters as values; one without a value is left out."""
    result: dict[str, Value] = {}
    for name, parameter in parameters.items():
        kind = parameter.WhichOneof("parameter_choice")
        if kind is not None:
            result[name] = getattr(parameter, kind)
    return result


def _read(tensor: pb.ModelInferRequest.InferInputTensor, raw: bytes | None, spec: TensorSpec) -> Array:
    name, shape = f"tensor {tensor.name}", tuple(tensor.shape)
    _check_parameters(name, tensor.parameters)
    if tensor.datatype != spec.datatype:
        raise BadInput(f"{name} is {tensor.datatype or 'of no datatype'}, not {spec.datatype}", path=name)
    if not spec.fits(shape):
        raise BadInput(f"{name} has shape {list(shape)}, not {list(spec.shape)}", path=name)
    count = math.prod(shape)  # Python's: a product of 2**64 must not look like 0
    if raw is None:
        values = _read_typed(name, tensor.contents, spec.datatype, count)
    elif tensor.HasField("contents"):
        raise BadInput(f"{name} has both contents and raw_input_contents", path=name)
    else:
        values = _read_raw(name, raw, spec.datatype, count)
    try:
        return values.reshape(shape)
    except ValueError as error:  # nothing in it, and yet more than numpy can index
        raise BadInput(f"{name} has shape {list(shape)}, which is too large", path=name) from error


def _read_typed(name: str, contents: pb.InferTensorContents, datatype: str, count: int) -> Array:
    field = CONTENTS_FIELDS.get(datatype)
    if field is None:
        raise BadInput(f"{name} is {datatype}, which the protocol has in raw_input_contents alone", path=name)
    elements = getattr(contents, field)
    if len(elements) != count:
        raise BadInput(f"{name} has {len(elements)} elements in {field}; its shape takes {count}", path=name)
    try:
        return np.fromiter(elements, dtype=DTYPES[datatype], count=count)
    except OverflowError as error:
        raise BadInput(f"{name} has an element out of the range of {datatype}", path=name) from error


def _read_raw(name: str, raw: bytes, datatype: str, count: int) -> Array:
    if datatype == "BYTES":
        elements = _split(name, raw)
        if len(elements) != count:
            raise BadInput(f"{name} has {len(elements)} elements; its shape takes {count}", path=name)
        return np.fromiter(elements, dtype=object, count=count)
    dtype = np.dtype("<u2") if datatype == "BF16" else DTYPES[datatype]
    if len(raw) != count * dtype.itemsize:
        raise BadInput(f"{name} has {len(raw)} bytes; its shape takes {count * dtype.itemsize}", path=name)
    if datatype == "BOOL":
        # through integers: a bool made of a byte that is neither 0 nor 1 equals neither
        return np.asarray(np.frombuffer(raw, dtype=np.uint8) != 0)
    values = np.frombuffer(raw, dtype=dtype)
    return _from_bf16(values) if datatype == "BF16" else values


def _from_bf16(halves: Array) -> Array:
    """Return as FP32 what BF16 has: its upper two bytes."""
    return (halves.astype("<u4") << 16).view("<f4")


def _to_bf16(values: Array) -> bytes:
    """Return the nearest BF16 of each FP32, of two that are as near the even one. NaN stays NaN."""
    bits = np.ascontiguousarray(values).view("<u4")
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return np.where(np.isnan(values), bits >> 16 | 0x40, rounded).astype("<u2").tobytes()


def _split(name: str, raw: bytes) -> list[bytes]:
    """Return BYTES elements: each has its length before it, four bytes, little endian."""
    elements, position = [], 0
    while position < len(raw):
        if position + 4 > len(raw):
            raise BadInput(f"{name} ends within an element's length", path=name)
        (length,) = struct.unpack_from("<I", raw, position)
        position += 4
        if position + length > len(raw):
            raise BadInput(f"{name} ends within an element", path=name)
        elements.append(raw[position : position + length])
        position += length
    return elements


def _check_parameters(what: str, parameters: Mapping[str, pb.InferParameter]) -> None:
    for name in _UNSUPPORTED:
        if name in parameters:
            raise BadInput(f"{what} asks for {name}, which this host doesn't do", path=what)
