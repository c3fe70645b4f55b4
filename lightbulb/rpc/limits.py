"""Whether a context is one that a Lightbulb would take, found without a call. Pure.

What is plain, as most contexts are, is checked here for a microsecond. All else is written as a request and
read again, as a Lightbulb would, so that the result and the errors are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeVar

from lightbulb.model import RequestContext
from lightbulb.rpc.answer import Query
from lightbulb.rpc.messages import (
    MAX_ATTRIBUTE,
    MAX_ATTRIBUTES,
    MAX_FIELD,
    MAX_USER_ID,
    NOT_ATTRIBUTES,
    context_from_proto,
    request_to_proto,
)
from lightbulb.rpc.writable import INT64

MAX_KNOWN = 4_096
"""So many are remembered of names, and of what a context's fields have."""

_known_fields: set[tuple[str, str, str, str]] = set()
_known_names: set[str] = set()
"""Those that were found to be plain. Few are different, so that a look-up takes the place of most checks."""


def checked_context(context: RequestContext, objective: str, override_model: str) -> RequestContext:
    """Return the context as a Lightbulb reads it; raise InvalidContext as the client or Lightbulb would."""
    user = context.user_id
    if (
        type(user) is str
        and user.isascii()
        and 0 < len(user) <= MAX_USER_ID
        and type(override_model) is str
        and not context.allocations
    ):
        fields = context.country, context.device, context.locale, context.surface
        attributes = context.attributes
        try:
            if (fields in _known_fields or _are_plain_fields(fields)) and (
                not attributes or _are_plain(attributes)
            ):
                return context
        except TypeError:  # one that can't be hashed is no text
            pass
    query = Query(objective=objective, context=context, override_model=override_model)
    return context_from_proto(request_to_proto(query, "").context)


def _are_plain_fields(fields: tuple[str, str, str, str]) -> bool:
    plain = all(type(each) is str and each.isascii() and len(each) <= MAX_FIELD for each in fields)
    return plain and _known(_known_fields, fields)


def _are_plain(attributes: Mapping[str, Any]) -> bool:
    """Whether writing and reading them would change nothing, and they are within all limits."""
    if type(attributes) is not dict or len(attributes) > MAX_ATTRIBUTES:
        return False
    for name, value in attributes.items():
        if name not in _known_names and not _is_plain_name(name):
            return False
        if type(value) is str:
            if not value.isascii() or not 0 < len(value) <= MAX_ATTRIBUTE:
                return False
        elif not _is_plain_number(value):
            return False
    return True


def _is_plain_name(name: Any) -> bool:
    plain = type(name) is str and name.isascii() and 0 < len(name) <= MAX_FIELD
    return plain and name not in NOT_ATTRIBUTES and _known(_known_names, name)


def _is_plain_number(value: Any) -> bool:
    kind = type(value)
    return kind is bool or (kind is int and value in INT64) or (kind is float and isfinite(value))


T = TypeVar("T")


def _known(known: set[T], each: T) -> bool:
    """Remember one that is plain."""
    if len(known) >= MAX_KNOWN:
        known.clear()
    known.add(each)
    return True
