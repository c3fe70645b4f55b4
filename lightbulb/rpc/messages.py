"""Maps our values to protos/lightbulb/v1/lightbulb.proto and back, for both ends of a call.

What comes in is checked here, once, against the limits below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from lightbulb.errors import InvalidContext
from lightbulb.model import EMPTY, FIXED_ATTRIBUTES, NO_CELLS, AttributeValue, RequestContext
from lightbulb.resolution.codec import (
    attribute_from_proto,
    attribute_to_proto,
    duration,
    held_back_from_proto,
    held_back_to_proto,
    seconds,
    source_from_proto,
    source_to_proto,
    value_to_proto,
    values_from_proto,
)
from lightbulb.resolution.resolve import Allocation, Reason, Step
from lightbulb.rpc.answer import Answer, ObjectiveConfig, Query
from lightbulb.rpc.writable import check_writable
from lightbulb.v1 import lightbulb_pb2 as pb
from lightbulb.v1 import table_pb2

MAX_BATCH = 256
"""Resolutions in one BatchResolve."""

MAX_USER_ID = 256
MAX_FIELD = 128
"""Characters of country, device, locale, surface, client, and of an attribute's name."""
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE = 1024
"""Characters of a string attribute."""
MAX_LIST = 64
"""Elements of an attribute that is a list."""
MAX_ALLOCATIONS = 256

NOT_ATTRIBUTES = frozenset(("user_id", *FIXED_ATTRIBUTES))
_REASONS: Mapping[Reason, Any] = {reason: pb.Reason.Value(f"REASON_{reason.name}") for reason in Reason}
_REASONS_BACK: Mapping[int, Reason] = {number: reason for reason, number in _REASONS.items()}

# For speed. RequestContext(...) takes as long as everything else in a call: a frozen dataclass calls
# object.__setattr__ for each field, which finds the slot by name. These set the slots directly.
_new_context = object.__new__
(
    _set_user_id,
    _set_country,
    _set_device,
    _set_locale,
    _set_surface,
    _set_attributes,
    _set_allocations,
) = (getattr(RequestContext, field.name).__set__ for field in fields(RequestContext))


def context_from_proto(message: pb.RequestContext) -> RequestContext:
    """Return who is asking; raise InvalidContext when there is no user, or a limit is exceeded."""
    user_id = message.user_id
    country, device = message.country, message.device
    locale, surface = message.locale, message.surface
    if not user_id:
        raise InvalidContext("context.user_id is missing: every allocation needs it", path="context.user_id")
    if len(user_id) > MAX_USER_ID:
        raise InvalidContext(
            f"context.user_id has {len(user_id)} characters; {MAX_USER_ID} are allowed",
            path="context.user_id",
        )
    if len(country) + len(device) + len(locale) + len(surface) > MAX_FIELD:
        _check_fields(message)
    attributes, cells = message.attributes, message.allocations
    context = _new_context(RequestContext)
    _set_user_id(context, user_id)
    _set_country(context, country)
    _set_device(context, device)
    _set_locale(context, locale)
    _set_surface(context, surface)
    _set_attributes(context, _attributes(attributes) if attributes else EMPTY)
    _set_allocations(context, _allocations(cells) if cells else NO_CELLS)
    return context


def _check_fields(message: pb.RequestContext) -> None:
    for name in FIXED_ATTRIBUTES:
        length = len(getattr(message, name))
        if length > MAX_FIELD:
            raise InvalidContext(
                f"context.{name} has {length} characters; {MAX_FIELD} are allowed", path=f"context.{name}"
            )


def _attributes(messages: Mapping[str, table_pb2.Value]) -> Mapping[str, AttributeValue]:
    if len(messages) > MAX_ATTRIBUTES:
        raise InvalidContext(
            f"{len(messages)} context.attributes; {MAX_ATTRIBUTES} are allowed", path="context.attributes"
        )
    if not NOT_ATTRIBUTES.isdisjoint(messages):
        repeated = ", ".join(sorted(NOT_ATTRIBUTES.intersection(messages)))
        raise InvalidContext(
            f"context.attributes repeat {repeated}: set the context's own field instead",
            path="context.attributes",
        )
    return {name: _attribute(name, messages[name]) for name in messages}


def _attribute(name: str, message: table_pb2.Value) -> AttributeValue:
    if not name or len(name) > MAX_FIELD:
        raise InvalidContext(
            f"context.attributes: the name {name[:MAX_FIELD]!r} has {len(name)} characters; "
            f"1 to {MAX_FIELD} are allowed",
            path="context.attributes",
        )
    text = message.string_value
    if not text:  # another type, or an empty text
        return _other_attribute(f"context.attributes[{name!r}]", message)
    if len(text) > MAX_ATTRIBUTE:
        raise _too_long(f"context.attributes[{name!r}]", text)
    return text


def _other_attribute(path: str, message: table_pb2.Value) -> AttributeValue:
    try:
        value = attribute_from_proto(message)
    except ValueError as error:
        raise InvalidContext(f"{path} is {error}", path=path) from error
    if isinstance(value, tuple):
        if len(value) > MAX_LIST:
            raise InvalidContext(f"{path} has {len(value)} elements; {MAX_LIST} are allowed", path=path)
        for index, each in enumerate(value):
            if isinstance(each, str) and len(each) > MAX_ATTRIBUTE:
                raise _too_long(f"{path}[{index}]", each)
    return value


def _too_long(path: str, text: str) -> InvalidContext:
    return InvalidContext(f"{path} has {len(text)} characters; {MAX_ATTRIBUTE} are allowed", path=path)


def _allocations(cells: Mapping[str, int]) -> Mapping[str, int]:
    if len(cells) > MAX_ALLOCATIONS:
        raise InvalidContext(
            f"{len(cells)} context.allocations; {MAX_ALLOCATIONS} are allowed", path="context.allocations"
        )
    return dict(cells)


def request_to_proto(query: Query, client: str, sidecar: str = "") -> pb.ResolveRequest:
    """Return the wire form of a query; raise InvalidContext when the context can't be written.

    `client` is the caller's name, and `sidecar` the node id of its sidecar, if it has one.
    """
    check_writable(query)
    context = query.context
    try:
        return pb.ResolveRequest(
            objective=query.objective,
            context=pb.RequestContext(
                user_id=context.user_id,
                country=context.country,
                device=context.device,
                locale=context.locale,
                surface=context.surface,
                attributes={name: attribute_to_proto(value) for name, value in context.attributes.items()},
                allocations=context.allocations,
            ),
            override_model=query.override_model,
            client=client,
            explain=query.explain,
            sidecar=query.sidecar or sidecar,
        )
    except (TypeError, ValueError) as error:  # from protobuf: a cell beyond 32 bits, say
        raise InvalidContext(f"context can't be written: {error}", path="context") from error


def answer_to_proto(answer: Answer) -> pb.ResolveResponse:
    """Return the wire form of an answer."""
    config = answer.objective_config
    return pb.ResolveResponse(
        routing_key=answer.routing_key,
        objective_config=pb.ObjectiveConfig(
            objective=config.objective,
            model=config.model,
            model_version=config.model_version,
            model_type=config.model_type,
            input_type=config.input_type,
            parameters={name: value_to_proto(value) for name, value in config.parameters.items()},
            allocations=(pb.Allocation(test_id=a.test_id, cell=a.cell) for a in config.allocations),
        ),
        generation=answer.generation,
        cache_lifetime=duration(answer.cache_lifetime),
        reason=_REASONS[answer.reason],
        deadline=duration(answer.deadline) if answer.deadline else None,
        steps=map(_step_to_proto, answer.steps),
        tests=answer.tests,
        arm=answer.arm,
        held_back=None if answer.held_back is None else held_back_to_proto(answer.held_back),
    )


def answer_from_proto(message: pb.ResolveResponse) -> Answer:
    """Return an answer; raise ValueError when its reason or a parameter is unknown here."""
    config = message.objective_config
    return Answer(
        routing_key=message.routing_key,
        objective_config=ObjectiveConfig(
            objective=config.objective,
            model=config.model,
            model_version=config.model_version,
            model_type=config.model_type,
            input_type=config.input_type,
            parameters=values_from_proto(config.parameters) if config.parameters else EMPTY,
            allocations=tuple(Allocation(test_id=a.test_id, cell=a.cell) for a in config.allocations),
        ),
        generation=message.generation,
        cache_lifetime=seconds(message.cache_lifetime),
        deadline=seconds(message.deadline),
        reason=_reason(message.reason),
        steps=tuple(map(_step_from_proto, message.steps)),
        tests=tuple(message.tests),
        arm=message.arm,
        held_back=held_back_from_proto(message.held_back) if message.HasField("held_back") else None,
    )


def _step_to_proto(step: Step) -> pb.Step:
    return pb.Step(
        stage=_REASONS[step.stage],
        source=source_to_proto(step.source),
        decided=step.decided,
        detail=step.detail,
    )


def _step_from_proto(message: pb.Step) -> Step:
    return Step(
        stage=_reason(message.stage),
        source=source_from_proto(message.source),
        decided=message.decided,
        detail=message.detail,
    )


def _reason(number: int) -> Reason:
    reason = _REASONS_BACK.get(number)
    if reason is None:
        raise ValueError(f"unknown reason {number}; a newer Lightbulb than this client?")
    return reason
