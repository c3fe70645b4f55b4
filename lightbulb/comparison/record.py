"""A record: what one side, the primary or a shadow, made of one request. Values; nothing is read or sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from lightbulb.comparison.answers import Answer

FORMAT = 1
"""Version of the format in which records are written."""

LIVE = "live"
OK = "OK"


class Side(StrEnum):
    """Who answered."""

    PRIMARY = "primary"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a primary was asked, so that it can be asked again: a ModelInferRequest's bytes.

    `declared` is what its model says that answers mean: the names of its outputs and their bounds.
    """

    request: bytes
    declared: Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one side made of a request.

    `shadows` are the ids of the shadows that it is compared for: of a primary all that the request has, of a
    shadow its own. `at` is when it answered, in seconds since 1970; `user` a keyed hash, or empty. `status`
    is gRPC's, by name; an answer is there if that is OK, and it could be read. `asked` is there if its host
    was told to keep that.
    """

    shadows: tuple[str, ...]
    request: str
    side: Side
    at: float
    model: str
    objective: str
    traffic: str = LIVE
    user: str = ""
    status: str = OK
    microseconds: int
    answer: Answer | None = None
    asked: Asked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the process of a host has recorded since it began, and what it had to drop. The latest counts."""

    host: str
    instance: str
    records: int
    dropped: int


Line: TypeAlias = Record | Recorded
