"""Input tensors for a request: made up after what a model says that it takes, or given by hand. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.rpc.contents import CONTENTS_FIELDS

Tensor = pb.ModelInferRequest.InferInputTensor
Metadata = pb.ModelMetadataResponse.TensorMetadata

MAX_ELEMENTS = 1_000_000
"""Of a tensor that is made up."""


class BadTensor(ValueError):
    """A tensor that can't be made; the message says why."""


def sample_inputs(specs: Iterable[Metadata], user: str) -> tuple[Tensor, ...]:
    """Return a tensor for each that a model takes, the same for the same user. Raises BadTensor.

    A dimension of any size is 1; the values are small and positive.
    """
    return tuple(_sample(spec, user) for spec in specs)


def given_inputs(texts: Sequence[str], specs: Iterable[Metadata]) -> tuple[Tensor, ...]:
    """Return the tensors that NAME=JSON texts give, with the datatypes that a model wants. Raises BadTensor.

    One that the model doesn't name is of the datatype that JSON has for it.
    """
    datatypes = {spec.name: spec.datatype for spec in specs}
    return tuple(_given(text, datatypes) for text in texts)


def _sample(spec: Metadata, user: str) -> Tensor:
    shape = [1 if size < 0 else size for size in spec.shape]
    count = math.prod(shape)
    if count > MAX_ELEMENTS:
        raise BadTensor(f"tensor {spec.name} of {count} elements is too large to be made up")
    start = int.from_bytes(blake2b(f"{spec.name} {user}".encode(), digest_size=4).digest(), "big")
    numbers = (start * (index + 1) % 97 for index in range(count))
    return _tensor(spec.name, spec.datatype, shape, (_made_up(spec.datatype, number) for number in numbers))


def _made_up(datatype: str, number: int) -> Any:
    """Return an element of a datatype that stands for a number from 0 to 96."""
    if datatype == "BYTES":
        return f"sample {number}"
    if datatype == "BOOL":
        return bool(number % 2)
    return number / 7 if datatype.startswith("FP") else number


def _given(text: str, datatypes: Mapping[str, str]) -> Tensor:
    name, separator, written = text.partition("=")
    if not separator or not name:
        raise BadTensor(f"{text!r} is not NAME=JSON")
    try:
        value = json.loads(written)
        shape = _shape(value)
    except ValueError as error:
        raise BadTensor(f"{name}: {written!r} is no tensor in JSON ({error})") from error
    except RecursionError as error:
        raise BadTensor(f"{name}: it is nested too deeply") from error
    elements = tuple(_flat(value, len(shape)))
    return _tensor(name, datatypes.get(name) or _datatype(elements), shape, elements)


def _shape(value: Any) -> tuple[int, ...]:
    """Return the shape of nested lists; raise ValueError when they aren't a tensor."""
    if not isinstance(value, list):
        return ()
    shapes = {_shape(each) for each in value}
    if len(shapes) > 1:
        raise ValueError("its rows differ in length")
    return (len(value), *(shapes.pop() if shapes else ()))


def _flat(value: Any, depth: int) -> Iterator[Any]:
    if depth:
        for each in value:
            yield from _flat(each, depth - 1)
    else:
        yield value


def _datatype(elements: Sequence[Any]) -> str:
    kinds = {type(each) for each in elements}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int}:
        return "INT64"
    return "FP64" if kinds <= {int, float} else "BYTES"


def _tensor(name: str, datatype: str, shape: Sequence[int], values: Iterable[Any]) -> Tensor:
    field = CONTENTS_FIELDS.get(datatype)
    if field is None:
        raise BadTensor(f"tensor {name} is {datatype}, which can't be written as text")
    tensor = Tensor(name=name, datatype=datatype, shape=shape)
    try:
        getattr(tensor.contents, field).extend(
            each.encode() if isinstance(each, str) else each for each in values
        )
    except (TypeError, ValueError) as error:
        raise BadTensor(f"tensor {name} has an element that is no {datatype} ({error})") from error
    return tensor
