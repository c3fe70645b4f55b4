"""What a call that failed means to who typed the command. Pure."""

from __future__ import annotations

from controlplane.cli.options import Address

_NO_CONNECTION = (
    "failed to connect to all addresses",
    "connections to all backends failing",
    "DNS resolution failed",
    "errors resolving",
    "empty address list",
)


UNREACHABLE = "UNREACHABLE"
"""The code of an error that says: nobody is there."""

SOMETHING_ELSE = "what listens there is something else"


def no_connection(details: str) -> str:
    """Return why there was no connection; empty when `details` (of a gRPC status) is about something else."""
    return details.rpartition(": ")[2].rstrip("]") if details.startswith(_NO_CONNECTION) else ""


def nobody_there(what: str, address: Address, reason: str, flag: str) -> tuple[str, str]:
    """Return what to say, and the remedy, when `what` doesn't answer at `address`, which `flag` gives."""
    remedy = f"start one, for example with `lightbulb up`, or say where it is with {flag}"
    return f"no {what} at {address} ({reason})", remedy
