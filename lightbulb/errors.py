"""What can go wrong with a resolution, as its caller sees it. `lightbulb.rpc.status` maps it to gRPC."""

from __future__ import annotations


class LightbulbError(Exception):
    """The root of all that Lightbulb and its client library raise."""


class InvalidContext(LightbulbError):
    """What was asked can't be answered by anybody: no user, a malformed context, a limit exceeded."""


class UnknownObjective(LightbulbError):
    """No such objective; the message names the nearest ones."""


class OverrideRefused(LightbulbError):
    """No rule lets this client ask for that model; the message names what it may ask for."""


class TooLarge(LightbulbError):
    """The request exceeds the size that Lightbulb reads."""


class Unavailable(LightbulbError):
    """Lightbulb can't be reached, or has no configuration yet. Worth a retry."""


class TimedOut(Unavailable):
    """No answer within the time given."""


class NotRouted(LightbulbError):
    """An inference call that doesn't say which objective and context it is for."""


class ReservedParameter(LightbulbError):
    """A model's parameter has a name that inference servers, or Lightbulb, keep for themselves."""


class CannotListen(LightbulbError):
    """An address that can't be listened on; the message says which, and why."""
