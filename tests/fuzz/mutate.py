"""Valid bytes, made wrong: bits, numbers, cuts, splices, and fields of messages at any depth. Seeded."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

MAX_BYTES = 64 * 1024

_NUMBERS = (
    *(0, 1, 2, 3, 127, 128, 255, 256, 9_999, 10_000, 10_001, 65_535, 65_536, 999_999_999, 1_000_000_000),
    *(2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 + 1, 253_402_300_799, 253_402_300_800),
    *(2**63 - 1, 2**63, 2**64 - 1, 2**64 - 2),
)
_DOUBLES = (0.0, -0.0, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"), 0.1, 2.0**53 + 2)
_TEXTS = (
    *("", "0", "-1", "1e999", "nan", "9" * 5_000, "1.2.3-" + "9" * 5_000, "٣", "²", "1.٣.0", "a" * 2_000),
    *(
        "\0",
        "\n",
        "\r\n\t",
        "a|b",
        "|",
        "::1",
        "fe80::1%eth0",
        "store:" + "1" * 4_400,
        ":7",
        "\u202e",
        "\ufeff",
    ),
    *("{" * 500, "[" * 5_000, "- " * 500, "*a", "!!python/object:x", "<<: {}", "? ", '"\\ud800"', "\u2028"),
)
_LONG_NUMBER = 8


def mutate(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Return `data` changed in one to a few places, with parts of `others` now and then."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        change = random.choice(_CHANGES)
        data = change(data, others, random)[:MAX_BYTES]
    return data


def _place(data: bytes, random: Random) -> int:
    return random.randint(0, len(data))


def _part(data: bytes, random: Random) -> tuple[int, int]:
    begin = _place(data, random)
    return begin, min(len(data), begin + random.choice((1, 2, 4, 16, len(data))))


def _flip(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    if not data:
        return b"\0"
    place = random.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]


def _cut(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    begin, end = _part(data, random)
    return random.choice((data[:begin], data[begin:], data[:begin] + data[end:]))


def _repeat(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    begin, end = _part(data, random)
    return data[:begin] + data[begin:end] * random.choice((2, 3, 300)) + data[end:]


def _splice(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    other = random.choice(others)
    begin, end = _part(other, random)
    place, rest = sorted((_place(data, random), _place(data, random)))
    return data[:place] + other[begin:end] + data[rest:]


def _overwrite(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    place, new = _place(data, random), _number(random)
    return data[:place] + new + data[place + len(new) :]


def _insert(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    place = _place(data, random)
    new = random.choice((random.randbytes(random.choice((1, 4, 40))), _text(random), _number(random)))
    return data[:place] + new + data[place:]


def _number(random: Random) -> bytes:
    number, size = random.choice(_NUMBERS), random.choice((1, 2, 4, 8))
    order = random.choice(("big", "little"))
    fixed = (number % 256**size).to_bytes(size, order)
    return random.choice((fixed, varint(number), struct.pack("<d", random.choice(_DOUBLES))))


def _text(random: Random) -> bytes:
    return random.choice((random.choice(_TEXTS).encode(), b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80"))


def _field(data: bytes, others: Sequence[bytes], random: Random, depth: int = 0) -> bytes:
    """Change one field of a message, or of a message within it; what isn't one is changed as bytes are."""
    fields = read_fields(data)
    if not fields:
        return random.choice(_BYTES)(data, others, random)
    index = random.randrange(len(fields))
    number, kind, value = fields[index]
    if kind == _BYTES_KIND and depth < 10 and random.random() < 0.7:
        fields[index] = number, kind, _field(value, others, random, depth + 1)
        return write_fields(fields)
    change = random.randrange(6)
    if change == 0:
        del fields[index]
    elif change == 1:
        fields[index:index] = [fields[index]] * random.choice((1, 2, 300))
    elif change == 2:
        random.shuffle(fields)
    elif change == 3:
        fields[index] = random.randint(1, 20), kind, value
    elif change == 4:
        fields[index] = number, kind, _other_value(kind, random)
    else:
        fields[index] = number, _BYTES_KIND, _nested(number, data, random)
    return write_fields(fields)


def _other_value(kind: int, random: Random) -> bytes:
    if kind == 0:
        return varint(random.choice(_NUMBERS))
    if kind == _BYTES_KIND:
        return _text(random)
    size = 8 if kind == 1 else 4
    return random.choice((struct.pack("<d", random.choice(_DOUBLES)), b"\xff" * 8))[-size:]


def _nested(number: int, data: bytes, random: Random) -> bytes:
    """Return a field in itself, over and over."""
    for _ in range(random.choice((2, 40, 98, 99, 100, 101, 2_000))):
        data = write_fields([(number, _BYTES_KIND, data)])
        if len(data) > MAX_BYTES:
            break
    return data


_BYTES_KIND = 2
Fields = list[tuple[int, int, bytes]]
"""Number, wire type, and the value: of a text, bytes or message without its length."""


def read_fields(data: bytes) -> Fields:
    """Return the fields of a serialized message; none when it isn't one."""
    fields, place = Fields(), 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            begin, place = place, _read_varint(data, place)[1]
        elif kind == _BYTES_KIND:
            size, begin = _read_varint(data, place)
            place = begin + size
        elif kind in {1, 5}:
            begin, place = place, place + (8 if kind == 1 else 4)
        else:
            return []
        if not number or place > len(data):
            return []
        fields.append((number, kind, data[begin:place]))
    return fields


def write_fields(fields: Fields) -> bytes:
    """Return the message that has these fields."""
    parts: list[bytes] = []
    for number, kind, value in fields:
        parts.append(varint(number << 3 | kind))
        parts += (varint(len(value)), value) if kind == _BYTES_KIND else (value,)
    return b"".join(parts)


def varint(number: int) -> bytes:
    """Return a number the way that messages have it."""
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    number = 0
    for position, byte in enumerate(data[place : place + 10]):
        number |= (byte & 127) << 7 * position
        if byte < 128:
            return number, place + position + 1
    return 0, len(data) + 1


_BYTES = (_flip, _cut, _repeat, _splice, _overwrite, _insert)
_CHANGES = (*_BYTES, _field, _field, _field, _field)
