"""Tensors of the Open Inference Protocol to numpy and back, typed and raw."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from lightbulb.model import Value
from lightbulb.oip import open_inference_pb2 as pb
from servinghost.workflow import Array, BadInput, Tensors, TensorSpec

# Datatype -> numpy's type, and the field of InferTensorContents that carries it.
_TYPES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "BOOL": ("?", "bool_contents"),
        "INT8": ("<i1", "int_contents"),
        "INT16": ("<i2", "int_contents"),
        "INT32": ("<i4", "int_contents"),
        "INT64": ("<i8", "int64_contents"),
        "UINT8": ("<u1", "uint_contents"),
        "UINT16": ("<u2", "uint_contents"),
        "UINT32": ("<u4", "uint_contents"),
        "UINT64": ("<u8", "uint64_contents"),
        "FP32": ("<f4", "fp32_contents"),
        "FP64": ("<f8", "fp64_contents"),
        "BYTES": ("O", "bytes_contents"),
    }
)


def inputs_of(request: pb.ModelInferRequest, specs: Iterable[TensorSpec]) -> Tensors:
    """Return the input tensors by name; raises BadInput that names the tensor."""
    known = {spec.name: spec for spec in specs}
    raw = list(request.raw_input_contents)
    if raw and len(raw) != len(request.inputs):
        raise BadInput(f"{len(request.inputs)} inputs, but {len(raw)} raw_input_contents")
    tensors: dict[str, Array] = {}
    for index, tensor in enumerate(request.inputs):
        spec = known.get(tensor.name)
        if spec is None:
            raise BadInput(f"tensor {tensor.name} is unknown; this model takes {', '.join(known) or 'none'}")
        tensors[tensor.name] = _read(tensor, raw[index] if raw else None, spec)
    missing = [name for name, spec in known.items() if name not in tensors and not spec.optional]
    if missing:
        raise BadInput(f"tensor {missing[0]} is missing")
    return tensors


def _read(tensor: pb.ModelInferRequest.InferInputTensor, raw: bytes | None, spec: TensorSpec) -> Array:
    name, shape = tensor.name, tuple(tensor.shape)
    if tensor.datatype != spec.datatype:
        raise BadInput(f"tensor {name} is {tensor.datatype}, not {spec.datatype}")
    fits = len(shape) == len(spec.shape) and all(
        size >= 0 and wanted in {-1, size} for size, wanted in zip(shape, spec.shape, strict=True)
    )
    if not fits:
        raise BadInput(f"tensor {name} has shape {list(shape)}, not {list(spec.shape)}")
    dtype, field = _TYPES[tensor.datatype]
    if raw is None:
        values = np.array(getattr(tensor.contents, field), dtype=dtype)
    elif tensor.datatype == "BYTES":
        values = np.array(_read_bytes(name, raw), dtype=object)
    elif len(raw) % np.dtype(dtype).itemsize:
        raise BadInput(f"tensor {name} has {len(raw)} bytes, no multiple of {np.dtype(dtype).itemsize}")
    else:
        values = np.frombuffer(raw, dtype=dtype)
    count = int(np.prod(shape, dtype=np.int64))
    if values.size != count:
        raise BadInput(f"tensor {name} has {values.size} elements; its shape {list(shape)} takes {count}")
    return values.reshape(shape)


def _read_bytes(name: str, raw: bytes) -> list[bytes]:
    """Return BYTES elements: each has its length before it, four bytes, little endian."""
    elements, position = [], 0
    while position < len(raw):
        if position + 4 > len(raw):
            raise BadInput(f"tensor {name} ends within an element's length")
        (length,) = struct.unpack_from("<I", raw, position)
        position += 4
        if position + length > len(raw):
            raise BadInput(f"tensor {name} ends within an element")
        elements.append(raw[position : position + length])
        position += length
    return elements


def write_outputs(
    response: pb.ModelInferResponse, outputs: Tensors, specs: Iterable[TensorSpec], *, raw: bool
) -> None:
    """Add the output tensors that `specs` declare to a response, raw or typed."""
    for spec in specs:
        values = outputs[spec.name]
        tensor = response.outputs.add(name=spec.name, datatype=spec.datatype, shape=values.shape)
        dtype, field = _TYPES[spec.datatype]
        if not raw:
            getattr(tensor.contents, field).extend(values.ravel().tolist())
        elif spec.datatype == "BYTES":
            parts = (struct.pack("<I", len(element)) + element for element in values.ravel())
            response.raw_output_contents.append(b"".join(parts))
        else:
            response.raw_output_contents.append(np.ascontiguousarray(values, dtype=dtype).tobytes())


def parameters_of(parameters: Mapping[str, pb.InferParameter]) -> dict[str, Value]:
    """Return request parameters as values; one without a value is left out."""
    result: dict[str, Value] = {}
    for name, parameter in parameters.items():
        kind = parameter.WhichOneof("parameter_choice")
        if kind is not None:
            result[name] = getattr(parameter, kind)
    return result
