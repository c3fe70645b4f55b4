"""Whether a context is one that a Lightbulb would take, found without a call. Pure.

What is plain, as most contexts are, is checked here for a microsecond. All else is written as a request and
read again, as a Lightbulb would, so that the result and the errors are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

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


def checked_context(context: RequestContext, objective: str, override_model: str) -> RequestContext:
    """Return the context as a Lightbulb reads it; raise InvalidContext as the client or Lightbulb would."""
    if type(override_model) is str and _is_plain(context):
        return context
    query = Query(objective=objective, context=context, override_model=override_model)
    return context_from_proto(request_to_proto(query, "").context)


def _is_plain(context: RequestContext) -> bool:
    """Whether writing and reading it would change nothing, and it is within all limits."""
    user = context.user_id
    try:
        fields = context.country + context.device + context.locale + context.surface
    except TypeError:  # one of them is no text
        return False
    if type(user) is not str or type(fields) is not str:
        return False
    if not user.isascii() or not fields.isascii():
        return False
    if not 0 < len(user) <= MAX_USER_ID or len(fields) > MAX_FIELD:
        return False
    return not context.allocations and (not context.attributes or _are_plain(context.attributes))


def _are_plain(attributes: Mapping[str, Any]) -> bool:
    if type(attributes) is not dict or len(attributes) > MAX_ATTRIBUTES:
        return False
    if not NOT_ATTRIBUTES.isdisjoint(attributes):
        return False
    return all(_is_name(name) and _is_value(value) for name, value in attributes.items())


def _is_name(name: Any) -> bool:
    return type(name) is str and name.isascii() and 0 < len(name) <= MAX_FIELD


def _is_value(value: Any) -> bool:
    plain = _PLAIN.get(type(value))
    return plain is not None and plain(value)


_PLAIN: Mapping[type, Callable[[Any], bool]] = {
    str: lambda text: text.isascii() and 0 < len(text) <= MAX_ATTRIBUTE,
    bool: lambda _: True,
    int: INT64.__contains__,
    float: isfinite,
}
