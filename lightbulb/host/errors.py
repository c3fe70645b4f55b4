"""What can go wrong at a serving host. `lightbulb.host.status` maps it to gRPC."""

from __future__ import annotations

REASON_LIMIT = 1000
"""Bytes of the reason why a model doesn't load: it goes into a NACK, and into the repository's index."""


class HostError(Exception):
    """The root of all that a host refuses; the message says what, and what to do.

    For programs: `path` is the part of the request that is wrong, `about` what the error is about, for
    example model -> its id.
    """

    def __init__(self, message: str = "", *, path: str = "", **about: str) -> None:
        """Hold a message, and what programs are told beside it."""
        super().__init__(message)
        self.path = path
        self.about = about


class BadInput(HostError):
    """A request that a model can't work with; the message names the tensor or parameter."""


class NotLoaded(HostError):
    """A model that this host doesn't have, or not yet, or no longer. Resolve again and retry once."""


class Busy(HostError):
    """As many requests as this host takes are under way. Another host may have room."""


class NotAssigned(HostError):
    """A load or unload by hand of what only the control plane decides."""


class CannotLoad(HostError):
    """An assigned model that doesn't load or doesn't pass its own check; the message says why."""


class ModelFailed(HostError):
    """A fault in a model's own code while it answered. The cause is logged, and never told."""


def brief(text: str, limit: int) -> str:
    """Return `text` on one line, cut to `limit` bytes of UTF-8; lone surrogates become question marks."""
    line = " ".join(text.split()).encode("utf-8", "replace")
    return line[:limit].decode("utf-8", "ignore") + ("…" if len(line) > limit else "")
