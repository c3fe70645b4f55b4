"""The control plane's answers as JSON: its protos' own fields, all of them, in snake_case.

It differs from protobuf's own JSON in two ways: 64-bit numbers are numbers, and the values of an enumeration
are short ("settled", not "PHASE_SETTLED").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message


def document_of(message: Message) -> Mapping[str, Any]:
    """Return a message as what JSON can say."""
    return {field.name: _value(field, getattr(message, field.name)) for field in message.DESCRIPTOR.fields}


def _value(field: Any, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of = field.message_type.fields_by_name["value"]
        return {str(key): _single(of, value[key]) for key in sorted(value)}
    if field.is_repeated:
        return [_single(field, each) for each in value]
    return _single(field, value)


def _single(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return document_of(value)
    if field.enum_type is not None:
        return _short(field.enum_type, value)
    return value


def _short(kind: Any, number: int) -> str:
    """Return "settled" for PHASE_SETTLED; of a value that a newer control plane has, its number."""
    if number not in kind.values_by_number:
        return str(number)
    prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.name).upper()
    name: str = kind.values_by_number[number].name
    return name.removeprefix(f"{prefix}_").lower()
