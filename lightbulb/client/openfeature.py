# ruff: noqa: ARG002, FBT001 - OpenFeature's signatures
"""An OpenFeature provider: objectives, and the parameters of their models, as flags.

    from openfeature import api
    api.set_provider_and_wait(LightbulbProvider(client))
    flags = api.get_client()
    flags.get_string_value("ContinueWatchingRanking", "some-model@1", EvaluationContext("user-1"))
    flags.get_integer_value("ContinueWatchingRanking.limit", 20, EvaluationContext("user-1"))

`client` is any of ours; OpenFeature's async methods take one for asyncio too, the others one for threads. The
targeting key is the user; `country`, `device`, `locale` and `surface` are the context's own fields, all else
is an attribute. Source: https://openfeature.dev/specification/sections/providers
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import (
    ErrorCode,
    FlagNotFoundError,
    GeneralError,
    InvalidContextError,
    OpenFeatureError,
    ProviderNotReadyError,
    TargetingKeyMissingError,
    TypeMismatchError,
)
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.flag_evaluation import Reason as FlagReason
from openfeature.provider import AbstractProvider, Metadata

from lightbulb.errors import InvalidContext, LightbulbError, Unavailable, UnknownObjective
from lightbulb.model import FIXED_ATTRIBUTES, RequestContext
from lightbulb.resolution.resolve import Reason
from lightbulb.rpc.answer import Answer, Origin

READY_SECONDS = 10.0
"""How long `initialize` waits for the first tables of a client that resolves in its own process."""

Read = Callable[[str, Any], Any]
"""A flag's name and what it holds -> its value; raises TypeMismatchError."""

_REASONS: Mapping[Reason, FlagReason] = {
    Reason.OVERRIDE: FlagReason.TARGETING_MATCH,
    Reason.AB_TEST: FlagReason.SPLIT,
    Reason.CONTEXT: FlagReason.TARGETING_MATCH,
    Reason.SHIFT: FlagReason.SPLIT,
    Reason.DEFAULT: FlagReason.DEFAULT,
}
_REMEMBERED: Mapping[Origin, FlagReason] = {
    Origin.REMEMBERED: FlagReason.CACHED,
    Origin.STALE: FlagReason.STALE,
    Origin.DECLARED: FlagReason.DEFAULT,
}


class LightbulbProvider(AbstractProvider):
    """A flag of an objective's name is its model: a text (`name@version`), or an object of all in the answer.

    `Objective.parameter` is a parameter of that model, of the type that it was declared with; an integer may
    be asked for as a float. The variant is the cell of the A/B test that decided (`test:cell`), or else the
    model. The client stays its owner's to close.
    """

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = client
        self._is_async = inspect.iscoroutinefunction(client.resolve)

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return Metadata(name="Lightbulb")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Wait for tables, if the client has its own. Raises ProviderNotReadyError."""
        wait_ready = getattr(self._client, "wait_ready", None)
        if wait_ready is None or self._is_async:
            return
        if not wait_ready(READY_SECONDS):
            raise ProviderNotReadyError(f"no tables have come within {READY_SECONDS:g} s")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Return a parameter that is a boolean."""
        return self._resolve(flag_key, evaluation_context, _boolean)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Return an objective's model, or a parameter that is a text."""
        return self._resolve(flag_key, evaluation_context, _text)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Return a parameter that is an integer."""
        return self._resolve(flag_key, evaluation_context, _integer)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Return a parameter that is a number."""
        return self._resolve(flag_key, evaluation_context, _number)

    def resolve_object_details(
        self, flag_key: str, default_value: Any, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Any]:
        """Return an objective's model, version, routing key, parameters, cells and generation."""
        return self._resolve(flag_key, evaluation_context, _whole)

    async def resolve_boolean_details_async(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Return a parameter that is a boolean."""
        return await self._resolve_async(flag_key, evaluation_context, _boolean)

    async def resolve_string_details_async(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Return an objective's model, or a parameter that is a text."""
        return await self._resolve_async(flag_key, evaluation_context, _text)

    async def resolve_integer_details_async(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Return a parameter that is an integer."""
        return await self._resolve_async(flag_key, evaluation_context, _integer)

    async def resolve_float_details_async(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Return a parameter that is a number."""
        return await self._resolve_async(flag_key, evaluation_context, _number)

    async def resolve_object_details_async(
        self, flag_key: str, default_value: Any, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Any]:
        """Return an objective's model, version, routing key, parameters, cells and generation."""
        return await self._resolve_async(flag_key, evaluation_context, _whole)

    def _resolve(
        self, flag: str, context: EvaluationContext | None, read: Read
    ) -> FlagResolutionDetails[Any]:
        if self._is_async:
            raise GeneralError("this provider's client is for asyncio: use OpenFeature's async methods")
        objective, _, _ = flag.partition(".")
        try:
            answer = self._client.resolve(objective, _context(context))
        except LightbulbError as error:
            raise _error(error) from error
        return _details(flag, answer, read)

    async def _resolve_async(
        self, flag: str, context: EvaluationContext | None, read: Read
    ) -> FlagResolutionDetails[Any]:
        if not self._is_async:
            return await asyncio.to_thread(self._resolve, flag, context, read)
        objective, _, _ = flag.partition(".")
        resolved: Awaitable[Answer] = self._client.resolve(objective, _context(context))
        try:
            answer = await resolved
        except LightbulbError as error:
            raise _error(error) from error
        return _details(flag, answer, read)


def _context(context: EvaluationContext | None) -> RequestContext:
    if context is None or not context.targeting_key:
        raise TargetingKeyMissingError("every allocation goes by the user: set the targeting key to their id")
    given = {name: _plain(value) for name, value in context.attributes.items()}
    fields = {name: given.pop(name) for name in FIXED_ATTRIBUTES if name in given}
    return RequestContext(user_id=context.targeting_key, attributes=given, **fields)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _error(error: LightbulbError) -> OpenFeatureError:
    match error:
        case UnknownObjective():
            return FlagNotFoundError(str(error))
        case InvalidContext():
            return InvalidContextError(str(error))
        case Unavailable():
            return OpenFeatureError(ErrorCode.PROVIDER_NOT_READY, str(error))
        case _:
            return GeneralError(str(error))


def _details(flag: str, answer: Answer, read: Read) -> FlagResolutionDetails[Any]:
    config = answer.objective_config
    _, dot, parameter = flag.partition(".")
    if not dot:
        held: Any = answer
    elif parameter in config.parameters:
        held = config.parameters[parameter]
    else:
        known = ", ".join(config.parameters) or "none"
        raise FlagNotFoundError(
            f"{config.model}@{config.model_version} has no parameter {parameter!r}; it has: {known}"
        )
    cells = [f"{each.test_id}:{each.cell}" for each in config.allocations]
    return FlagResolutionDetails(
        value=read(flag, held),
        reason=_REMEMBERED.get(answer.origin, _REASONS[answer.reason]),
        variant=",".join(cells) or f"{config.model}@{config.model_version}",
        flag_metadata={
            "generation": answer.generation,
            "routing_key": answer.routing_key,
            "origin": answer.origin.value,
            "age": answer.age,
            "arm": answer.arm,
        },
    )


def _mismatch(flag: str, held: Any, wanted: str) -> TypeMismatchError:
    what = "an objective: its model is a text or an object" if isinstance(held, Answer) else repr(held)
    return TypeMismatchError(f"{flag} is {what}, not {wanted}")


def _boolean(flag: str, held: Any) -> bool:
    if not isinstance(held, bool):
        raise _mismatch(flag, held, "a boolean")
    return held


def _text(flag: str, held: Any) -> str:
    if isinstance(held, Answer):
        return f"{held.objective_config.model}@{held.objective_config.model_version}"
    if not isinstance(held, str):
        raise _mismatch(flag, held, "a text")
    return held


def _integer(flag: str, held: Any) -> int:
    if isinstance(held, bool) or not isinstance(held, int):
        raise _mismatch(flag, held, "an integer")
    return held


def _number(flag: str, held: Any) -> float:
    if isinstance(held, bool) or not isinstance(held, (int, float)):
        raise _mismatch(flag, held, "a number")
    return float(held)


def _whole(flag: str, held: Any) -> Mapping[str, Any]:
    if not isinstance(held, Answer):
        raise _mismatch(flag, held, "an object")
    config = held.objective_config
    return {
        "model": config.model,
        "version": config.model_version,
        "routing_key": held.routing_key,
        "parameters": dict(config.parameters),
        "cells": {each.test_id: each.cell for each in config.allocations},
        "generation": held.generation,
    }
