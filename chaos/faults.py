"""What can happen to a system, and which of its users must notice nothing of it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

from chaos.fleet import LINK, Fleet
from chaos.load import Outcome
from chaos.plane import Plane

LOST_SECONDS = 0.5
"""How much later than a host's end is ordered a request may begin and be lost with it still: the kernel takes
a moment, and so does Envoy, which sends others elsewhere as soon as it knows. 26 ms were seen."""

RETRY_SECONDS = 0.7
"""How long after its Envoy is live a client may still find a sidecar absent: its channel tries again every
0.5 s, more or less by a fifth. 0.34 s were seen."""


@dataclass(frozen=True)
class Fault:
    """`strike` breaks something and returns what mends it; `down` tells whose failures are its own.

    Mended isn't back: `back` says when it is, for a process that takes a while to start.
    """

    name: str
    strike: Callable[[Fleet, Plane], Callable[[], None]]
    down: Callable[[Outcome, float, float, float], bool] = lambda outcome, begin, back, pace: False
    """Takes an outcome, when the fault began, when what it broke was back, and the machine's pace."""
    hold: float = 2.0
    """How long it stays broken, in seconds."""
    outlasts: bool = False
    """It is to last longer than somebody waits, who waits longer on a slow machine."""
    back: Callable[[Fleet], bool] = lambda fleet: True

    def seconds(self, pace: float) -> float:
        """Return how long it stays broken on a machine of this pace."""
        return self.hold * pace if self.outlasts else self.hold


def _killed(name: str) -> Callable[[Fleet, Plane], Callable[[], None]]:
    def strike(fleet: Fleet, _: Plane) -> Callable[[], None]:
        fleet.kill(name)
        return lambda: fleet.start(name)

    return strike


def frozen(name: str, *, alone: bool) -> Callable[[Fleet, Plane], Callable[[], None]]:
    """Return what stops a part and its children, or the part `alone`, and what lets it go on."""

    def strike(fleet: Fleet, _: Plane) -> Callable[[], None]:
        fleet.signal(name, signal.SIGSTOP, alone=alone)
        return lambda: fleet.signal(name, signal.SIGCONT, alone=alone)

    return strike


def _control_plane(*, leading: bool) -> Callable[[Fleet, Plane], Callable[[], None]]:
    def strike(fleet: Fleet, plane: Plane) -> Callable[[], None]:
        leads = _driver(plane)
        other = "control-plane-2" if leads == "control-plane-1" else "control-plane-1"
        return _killed(leads if leading else other)(fleet, plane)

    return strike


def _own_sidecar(outcome: Outcome, begin: float, back: float, pace: float) -> bool:
    """The killed sidecar's own clients: it isn't there, until it is back and they have tried again."""
    absent = outcome.error.startswith("UNAVAILABLE: ") and "upstream" not in outcome.error  # Envoy's word
    own = absent and outcome.sidecar == "sidecar-2"
    return own and outcome.ended >= begin and outcome.began <= back + RETRY_SECONDS * pace


def _under_way(outcome: Outcome, begin: float, back: float, pace: float) -> bool:
    """Requests that were on the killed host."""
    del back
    lost = "UNAVAILABLE: upstream connect error or disconnect/reset before headers" in outcome.error
    return lost and outcome.began <= begin + LOST_SECONDS * pace and outcome.ended >= begin


FAULTS = (
    Fault("nothing", lambda fleet, plane: lambda: None),
    Fault("kill -9: leading control plane", _control_plane(leading=True)),
    Fault("kill -9: other control plane", _control_plane(leading=False)),
    Fault("kill -9: a Lightbulb", _killed("lightbulb-1")),
    Fault(
        "kill -9: a sidecar",
        _killed("sidecar-2"),
        _own_sidecar,
        back=lambda fleet: fleet.live("sidecar-2"),
    ),
    Fault("kill -9: a host of a shard", _killed("host-1"), _under_way),
    Fault("kill -9: Redis", _killed("redis")),
    Fault("slow: a sidecar's relay", frozen("sidecar-2", alone=True), hold=1.0),
    # Longer than anybody waits for it: the publish goes on, and its clients get what their Envoy routes.
    Fault("cut off: a sidecar's relay", frozen("sidecar-2", alone=True), hold=8.0, outlasts=True),
    # As long, but it is the network that breaks: the relay lives, and goes on serving its Envoy.
    Fault("partitioned: a sidecar's relay", frozen(LINK, alone=False), hold=8.0, outlasts=True),
    Fault(
        "frozen: leading control plane",
        lambda fleet, plane: frozen(_driver(plane), alone=False)(fleet, plane),
    ),
    Fault("frozen: Redis", frozen("redis", alone=False)),
    # Shorter than callers wait: what it was asked meanwhile may be late, and nothing of it is excused.
    Fault("frozen: a host of a shard", frozen("host-1", alone=False), hold=3.0),
)
BY_NAME = {fault.name: fault for fault in FAULTS}


def _driver(plane: Plane) -> str:
    return next((each.name for each in plane.status().replicas if each.leading), "control-plane-1")
