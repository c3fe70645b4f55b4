"""What a test or a shift deals its cells to: users, or the values of an attribute. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from lightbulb.rpc.messages import MAX_FIELD

USER = "user"

_ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {USER: "", "session": "session_id", "device": "device_id", "account": "account_id"}
)
"""What an author writes -> the attribute that clients send. (The field `device` is a kind of device.)"""

UNITS = tuple(_ATTRIBUTES)


def read_unit(text: str, complain: Callable[[str, str], Exception]) -> str:
    """Return the attribute whose value is hashed, empty for the user's id; raise what `complain` returns."""
    if text == "user_id":
        raise complain("user_id is no attribute", "write user")
    if len(text) > MAX_FIELD:
        raise complain(f"{len(text)} characters; an attribute's name has up to {MAX_FIELD}", "shorten it")
    return _ATTRIBUTES.get(text, text)


def unit_text(attribute: str) -> str:
    """Return a unit as an author writes it."""
    return next((text for text, name in _ATTRIBUTES.items() if name == attribute), attribute)
