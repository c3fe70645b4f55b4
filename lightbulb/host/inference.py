"""One inference: the request's protobuf in, a workflow run, the response's protobuf out. No sockets."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lightbulb.host.errors import BadInput, ModelFailed
from lightbulb.host.repository import Entry
from lightbulb.host.tensors import inputs_of, outputs_wanted, parameters_of, wants_raw, write_outputs
from lightbulb.host.traffic import LIVE, Call
from lightbulb.host.workflow import Inference, Tensors, TensorSpec, Workflow
from lightbulb.model import FIXED_ATTRIBUTES, PARAMETERS_HEADER, RequestContext, Value
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.rpc.enrich import CONTEXT_PREFIX, PREFIX, is_reserved

log = logging.getLogger(__name__)

MODEL = PREFIX + "model"
HOST = PREFIX + "host"
SHARD = PREFIX + "shard"
STAND_IN = PREFIX + "stand_in"
"""Parameter of a response: true when no real model gave it; else it isn't there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an answer comes from; every response says so."""

    node_id: str
    shard: str


def infer(
    entry: Entry,
    origin: Origin,
    request: pb.ModelInferRequest,
    call: Call = LIVE,
    saw: Callable[[Entry, Tensors], None] | None = None,
) -> pb.ModelInferResponse:
    """Answer a request with a loaded model. `saw` is told what it gives, all of it; and doesn't fail.

    Raises BadInput, which names the model, and ModelFailed for any fault of the model.
    """
    model = entry.assignment.id
    assert entry.workflow is not None
    given: Inference | None = None
    try:
        wanted = outputs_wanted(request, entry.workflow.outputs)
        given = inference_of(request, entry.workflow, call)
        outputs = entry.workflow.run(given)
        if saw is not None:
            saw(entry, outputs)
        return _answer(entry, origin, request, outputs, wanted)
    except BadInput as error:
        raise BadInput(f"{model}: {error}", path=error.path, model=model) from error
    except BaseException as error:  # also SystemExit: a model must not end the host
        log.exception("model %s failed (%s)", model, call)
        if given is not None and (what := _not_a_number(given)):
            raise BadInput(
                f"{model}: {what} holds NaN or infinity, with which this model gives no answer",
                path=what,
                model=model,
            ) from error
        raise ModelFailed(
            f"model {model} failed; the log of {origin.node_id} says why", model=model, host=origin.node_id
        ) from error


def inference_of(request: pb.ModelInferRequest, workflow: Workflow, call: Call = LIVE) -> Inference:
    """Return a request as a workflow takes it; raises BadInput.

    A model sees its own parameters alone: neither ours nor those that inference servers reserve.
    """
    parameters: Mapping[str, Value] = parameters_of(request.parameters)
    if call.parameters:
        parameters = _in_place(parameters, call.parameters)
    return Inference(
        context=context_of(parameters),
        inputs=inputs_of(request, workflow.inputs),
        parameters={name: value for name, value in parameters.items() if not is_reserved(name)},
        traffic=call.traffic,
    )


def _in_place(parameters: Mapping[str, Value], others: str) -> Mapping[str, Value]:
    """Return the parameters that a shadow's model gets, who has others; raises BadInput."""
    try:
        said = json.loads(others).items()
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadInput(f"{PARAMETERS_HEADER}: no JSON object", path=PARAMETERS_HEADER) from error
    own = {name: value for name, value in said if not is_reserved(name)}
    kept = {name: value for name, value in parameters.items() if name not in own}
    return kept | {name: value for name, value in own.items() if value is not None}


def context_of(parameters: Mapping[str, Value]) -> RequestContext:
    """Return who is asking, from the parameters that a client's interceptor sets; raises BadInput."""
    context = {
        name.removeprefix(CONTEXT_PREFIX): value
        for name, value in parameters.items()
        if name.startswith(CONTEXT_PREFIX)
    }
    user_id, country, device, locale, surface = (
        _text(name, context.pop(name, "")) for name in ("user_id", *FIXED_ATTRIBUTES)
    )
    return RequestContext(
        user_id=user_id, country=country, device=device, locale=locale, surface=surface, attributes=context
    )


def _text(name: str, value: Value) -> str:
    if not isinstance(value, str):
        raise BadInput(
            f"parameter {CONTEXT_PREFIX}{name} is {value!r}, not a string",
            path=f"parameter {CONTEXT_PREFIX}{name}",
        )
    return value


def _not_a_number(given: Inference) -> str:
    """Return what of a request isn't finite, if anything: a model's failure is the caller's then."""
    for name, values in given.inputs.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            return f"tensor {name}"
    numbers = {f"context.{name}": value for name, value in given.context.attributes.items()}
    numbers |= {f"parameter {name}": value for name, value in given.parameters.items()}
    return next(
        (name for name, value in numbers.items() if isinstance(value, float) and not math.isfinite(value)), ""
    )


def _answer(
    entry: Entry,
    origin: Origin,
    request: pb.ModelInferRequest,
    outputs: Tensors,
    wanted: tuple[TensorSpec, ...],
) -> pb.ModelInferResponse:
    workflow, assignment = entry.workflow, entry.assignment
    assert workflow is not None
    response = pb.ModelInferResponse(
        model_name=assignment.name, model_version=assignment.version, id=request.id
    )
    response.parameters[MODEL].string_param = assignment.id
    response.parameters[HOST].string_param = origin.node_id
    response.parameters[SHARD].string_param = origin.shard
    if workflow.is_stand_in:
        response.parameters[STAND_IN].bool_param = True
    write_outputs(response, outputs, wanted, raw=wants_raw(request, wanted))
    return response
