"""The forms of ADS that a server may speak: a gRPC method, the session that decides, and its messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from lightbulb.ads import wire
from lightbulb.ads.messages import DeltaResponse, Request
from lightbulb.ads.server.delta import DeltaSession, Knows, knows_all
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.server.sotw import SotwSession
from lightbulb.ads.server.tracks import SessionLimits

Session = DeltaSession | SotwSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """`open` makes the session of a stream that is to have a snapshot, or None while there is none."""

    method: str
    open: Callable[[Snapshot | None], Session]
    decode: Callable[[bytes], Request]
    encode: Callable[[Any], bytes]


def delta(
    limits: SessionLimits | None = None,
    *,
    knows: Knows = knows_all,
    encode: Callable[[DeltaResponse], bytes] = wire.encode_delta_response,
) -> Form:
    """Return delta ADS."""
    return Form(
        method=wire.DELTA_METHOD,
        open=partial(DeltaSession, limits=limits, knows=knows),
        decode=wire.decode_delta_request,
        encode=encode,
    )


def sotw(limits: SessionLimits | None = None) -> Form:
    """Return state-of-the-world ADS."""
    return Form(
        method=wire.SOTW_METHOD,
        open=partial(SotwSession, limits=limits),
        decode=wire.decode_sotw_request,
        encode=wire.encode_sotw_response,
    )


def both(limits: SessionLimits | None = None) -> tuple[Form, ...]:
    """Return delta and state of the world."""
    return delta(limits), sotw(limits)
