"""What can go wrong when an objective is resolved. `lightbulb.rpc.status` maps these errors to gRPC."""

from __future__ import annotations


class LightbulbError(Exception):
    """The base of every error that Lightbulb and its client library raise.

    The message is for people. For programs: `path` is the part of the request that is wrong, `about` what the
    error is about, for example objective -> its name.
    """

    def __init__(self, message: str = "", *, path: str = "", **about: str) -> None:
        """Hold a message, and what programs are told beside it."""
        super().__init__(message)
        self.path = path
        self.about = about


class InvalidContext(LightbulbError):
    """The request is invalid everywhere: no user, a malformed context, or a limit exceeded."""


class UnknownObjective(LightbulbError):
    """There is no such objective. The message names the closest ones."""


class OverrideRefused(LightbulbError):
    """No rule permits this client to ask for that model. The message names those that it may ask for."""


class TooLarge(LightbulbError):
    """The request is larger than Lightbulb accepts."""


class Unavailable(LightbulbError):
    """Lightbulb can't be reached, or has no configuration yet. Retry."""


class SidecarNotReady(Unavailable):
    """The caller's sidecar routes no generation that is loaded. Worth a retry."""


class Overloaded(Unavailable):
    """Lightbulb has more calls than it can answer in time. Retry later, or at another one."""


class TimedOut(Unavailable):
    """Lightbulb didn't answer in time."""


class NotRouted(LightbulbError):
    """The inference call says neither which objective nor which context it is for."""


class ReservedParameter(LightbulbError):
    """A parameter of a model has a name that inference servers or Lightbulb reserve."""


class CannotListen(LightbulbError):
    """The server can't listen on an address. The message says which, and why."""
