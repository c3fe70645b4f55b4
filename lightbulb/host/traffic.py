"""What a call is for, as its headers say: a user's, a test, a replay, or a copy for a shadow. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from lightbulb.model import (
    COMPARE_HEADER,
    MODEL_HEADER,
    PARAMETERS_HEADER,
    ROUTING_KEY_HEADER,
    SHADOW_HEADER,
    TRAFFIC_HEADER,
)

REQUEST_ID_HEADER = "x-request-id"
"""A sidecar gives each request one, and its copies the same."""

MAX_HEADER, MAX_PARAMETERS = 512, 4096
"""Characters of a header that are taken, and of that with parameters."""


class Traffic(Enum):
    """What a request is for. Nothing but LIVE is a user's."""

    LIVE = "live"
    TEST = "test"
    REPLAY = "replay"
    SHADOW = "shadow"


_CLIENTS = {each.value: each for each in (Traffic.TEST, Traffic.REPLAY)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a call's headers say.

    `shadow`: it is a copy for the shadow of that id, which `model`, as "name@version", is to answer in place
    of the model that the request names, with `parameters`, as JSON, in place of those of the request.
    `compared`: the shadows that get a copy of it. All are set by sidecars alone, which take them off whatever
    clients send.
    """

    traffic: Traffic = Traffic.LIVE
    shadow: str = ""
    model: str = ""
    parameters: str = ""
    compared: tuple[str, ...] = ()
    request_id: str = ""
    objective: str = ""

    def __str__(self) -> str:
        return f"shadow {self.shadow}" if self.shadow else self.traffic.value

    def target(self, name: str, version: str) -> tuple[str, str]:
        """Return the model that answers, and its version; the request's own unless it is a shadow."""
        if not self.model:
            return name, version
        wanted, _, its_version = self.model.rpartition("@")
        return wanted, its_version


LIVE = Call()


def call_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> Call:
    """Return what a call's headers say. Names are lower-case, as gRPC gives them."""
    said = {
        name: value[: _READ[name]]
        for name, value in metadata or ()
        if name in _READ and isinstance(value, str)
    }
    if not said:
        return LIVE
    shadow = said.get(SHADOW_HEADER, "")
    return Call(
        traffic=Traffic.SHADOW if shadow else _CLIENTS.get(said.get(TRAFFIC_HEADER, ""), Traffic.LIVE),
        shadow=shadow,
        model=said.get(MODEL_HEADER, "") if shadow else "",
        parameters=said.get(PARAMETERS_HEADER, "") if shadow else "",
        compared=tuple(filter(None, said.get(COMPARE_HEADER, "").split(","))) if not shadow else (),
        request_id=said.get(REQUEST_ID_HEADER, ""),
        objective=said.get(ROUTING_KEY_HEADER, "").partition("|")[0],
    )


_READ = dict.fromkeys(
    (
        SHADOW_HEADER,
        COMPARE_HEADER,
        MODEL_HEADER,
        TRAFFIC_HEADER,
        REQUEST_ID_HEADER,
        ROUTING_KEY_HEADER,
    ),
    MAX_HEADER,
) | {PARAMETERS_HEADER: MAX_PARAMETERS}
"""How many characters of each header are taken."""
