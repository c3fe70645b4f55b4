"""How an answer travels in an Open Inference request: `model_name`, `model_version`, `parameters`.

    <name>                        the model's own parameters, as its rule set them
    lightbulb_objective           "ContinueWatchingRanking"
    lightbulb_generation          the generation that chose the model
    lightbulb_allocations         "test:cell" of each A/B test that led to it, comma-separated; if any
    lightbulb_model_type          for example "SCORER"
    lightbulb_input_type          for example "TITLE_INPUT_TYPE"
    lightbulb_context_user_id     who is asking
    lightbulb_context_<name>      country, device, locale, surface and each free attribute; unless empty.
                                  A list is its JSON: ["new","kids"]

Pure. It works on any protobuf class that has the protocol's fields: the request is the caller's own, be it of
`lightbulb.oip` or of tritonclient, whose messages are others. So nothing generated is imported here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, MutableMapping
from typing import Any, Protocol, Self, TypeVar

from lightbulb.errors import ReservedParameter
from lightbulb.model import FIXED_ATTRIBUTES, AttributeValue, RequestContext, Value
from lightbulb.rpc.answer import Answer

PREFIX = "lightbulb_"
OBJECTIVE = PREFIX + "objective"
GENERATION = PREFIX + "generation"
ALLOCATIONS = PREFIX + "allocations"
MODEL_TYPE = PREFIX + "model_type"
INPUT_TYPE = PREFIX + "input_type"
CONTEXT_PREFIX = PREFIX + "context_"
USER_ID = CONTEXT_PREFIX + "user_id"

RESERVED_NAMES = frozenset(
    ("sequence_id", "sequence_start", "sequence_end", "priority", "timeout", "headers", "content_type")
)
"""Parameters that have a meaning of their own in Triton and MLServer."""

RESERVED_PREFIXES = ("triton_", "binary_data", PREFIX)


class InferRequest(Protocol):
    """The fields of inference.ModelInferRequest that this module writes."""

    model_name: str
    model_version: str

    @property
    def parameters(self) -> MutableMapping[str, Any]:
        """Name -> inference.InferParameter."""

    def CopyFrom(self, other: Self, /) -> None:  # noqa: N802 - protobuf's name
        """Become a copy of `other`."""


Request = TypeVar("Request", bound=InferRequest)


def is_reserved(name: str) -> bool:
    """Say whether this name is reserved, so that a model's parameter may not have it."""
    return name in RESERVED_NAMES or name.startswith(RESERVED_PREFIXES)


def check_parameters(names: Iterable[str]) -> None:
    """Raise ReservedParameter when parameters of a model have reserved names."""
    reserved = sorted(filter(is_reserved, names))
    if reserved:
        raise ReservedParameter(
            f"parameters {', '.join(reserved)}: inference servers reserve these names; rename them"
        )


def infer_parameters(answer: Answer, context: RequestContext) -> dict[str, Value]:
    """Return all parameters of an inference request, for clients that take them as a mapping.

    Raises ReservedParameter.
    """
    config = answer.objective_config
    check_parameters(config.parameters)
    parameters = dict(config.parameters)
    parameters[OBJECTIVE] = config.objective
    parameters[GENERATION] = answer.generation
    parameters[MODEL_TYPE] = config.model_type
    parameters[INPUT_TYPE] = config.input_type
    if config.allocations:
        parameters[ALLOCATIONS] = ",".join(f"{a.test_id}:{a.cell}" for a in config.allocations)
    parameters[USER_ID] = context.user_id
    for name in FIXED_ATTRIBUTES:
        value = getattr(context, name)
        if value:
            parameters[CONTEXT_PREFIX + name] = value
    for name, attribute in context.attributes.items():
        parameters[CONTEXT_PREFIX + name] = _scalar(attribute)
    return parameters


def _scalar(attribute: AttributeValue) -> Value:
    """Return an attribute as a parameter, which can't be a list."""
    if isinstance(attribute, list | tuple):
        return json.dumps(attribute, ensure_ascii=False, separators=(",", ":"))
    return attribute


def enrich(request: Request, answer: Answer, context: RequestContext) -> Request:
    """Return a copy of an inference request for the model that was chosen. `request` stays as it is.

    The caller's own parameters stay, except those that the answer sets, and those that begin with
    `lightbulb_`, which a caller may never set. Raises ReservedParameter.
    """
    enriched = type(request)()
    enriched.CopyFrom(request)
    enriched.model_name = answer.objective_config.model
    enriched.model_version = answer.objective_config.model_version
    for name in [name for name in enriched.parameters if name.startswith(PREFIX)]:
        del enriched.parameters[name]
    for name, value in infer_parameters(answer, context).items():
        _set(enriched.parameters[name], value)
    return enriched


def _set(parameter: Any, value: Value) -> None:
    match value:
        case bool():
            parameter.bool_param = value
        case int():
            parameter.int64_param = value
        case float():
            parameter.double_param = value
        case str():
            parameter.string_param = value
