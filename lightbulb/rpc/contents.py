"""Where tensors of the Open Inference Protocol have their data, and how it is read without numpy. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

CONTENTS_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "BOOL": "bool_contents",
        "INT8": "int_contents",
        "INT16": "int_contents",
        "INT32": "int_contents",
        "INT64": "int64_contents",
        "UINT8": "uint_contents",
        "UINT16": "uint_contents",
        "UINT32": "uint_contents",
        "UINT64": "uint64_contents",
        "FP32": "fp32_contents",
        "FP64": "fp64_contents",
        "BYTES": "bytes_contents",
    }
)
"""Datatype -> the field of InferTensorContents that carries it. FP16 and BF16 are always raw."""

_FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "BOOL": "?",
        "INT8": "b",
        "INT16": "h",
        "INT32": "i",
        "INT64": "q",
        "UINT8": "B",
        "UINT16": "H",
        "UINT32": "I",
        "UINT64": "Q",
        "FP16": "e",
        "BF16": "H",
        "FP32": "f",
        "FP64": "d",
    }
)
"""Datatype -> how `struct` calls one element of the raw form."""


def first_elements(datatype: str, contents: Any, raw: bytes | None, count: int) -> tuple[Any, ...]:
    """Return up to `count` elements of a tensor, raw or typed; none of a datatype that isn't known here."""
    if raw is None:
        field = CONTENTS_FIELDS.get(datatype)
        return () if field is None else tuple(getattr(contents, field)[:count])
    if datatype == "BYTES":
        return tuple(islice(_split(raw), count))
    if datatype not in _FORMATS:
        return ()
    size = struct.calcsize(f"<{_FORMATS[datatype]}")
    count = min(count, len(raw) // size)
    elements = struct.unpack_from(f"<{count}{_FORMATS[datatype]}", raw)
    if datatype == "BF16":  # the upper half of an FP32
        return struct.unpack(f"<{count}f", b"".join(b"\0\0" + struct.pack("<H", each) for each in elements))
    return elements


def _split(raw: bytes) -> Iterator[bytes]:
    """Yield BYTES elements, each of which has its length before it, up to the first that is cut off."""
    position = 0
    while position + 4 <= len(raw):
        (length,) = struct.unpack_from("<I", raw, position)
        position += 4
        if position + length > len(raw):
            return
        yield raw[position : position + length]
        position += length
