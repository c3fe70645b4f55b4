"""Who answered a request, for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controlplane.cli.inputs import Tensor
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.rpc.answer import Answer
from lightbulb.rpc.contents import first_elements

SHOWN = 10
"""Elements of an output."""

HOST = "lightbulb_host"
SHARD = "lightbulb_shard"
STAND_IN = "lightbulb_stand_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A request that was answered; times in seconds."""

    answer: Answer
    request: pb.ModelInferRequest
    response: pb.ModelInferResponse
    resolving: float
    inferring: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input tensor that was sent."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An output tensor, with its first elements."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    first_values: tuple[str | float | bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Who answered: its fields are those of `infer --output json`. `host` and `shard` are "" if not said."""

    model: str
    model_version: str
    host: str
    shard: str
    stand_in: bool
    generation: int
    reason: str
    routing_key: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    resolve_seconds: float
    infer_seconds: float


def make_report(served: Served) -> Report:
    """Return what is to be told of a request."""
    answer, response = served.answer, served.response
    said = {
        name: parameter for name, parameter in response.parameters.items() if name in {HOST, SHARD, STAND_IN}
    }
    nothing = pb.InferParameter()
    return Report(
        model=response.model_name,
        model_version=response.model_version,
        host=said.get(HOST, nothing).string_param,
        shard=said.get(SHARD, nothing).string_param,
        stand_in=said.get(STAND_IN, nothing).bool_param,
        generation=answer.generation,
        reason=answer.reason.value,
        routing_key=answer.routing_key,
        inputs=tuple(map(_input, served.request.inputs)),
        outputs=tuple(_outputs(response)),
        resolve_seconds=round(served.resolving, 6),
        infer_seconds=round(served.inferring, 6),
    )


def lines_of(report: Report) -> Iterator[str]:
    """Yield a report's lines for people."""
    host = report.host or "a host that doesn't say its name"
    yield f"answered by  {report.model}@{report.model_version} on {host}, shard {report.shard or '?'}"
    if report.stand_in:
        yield "             a stand-in: its outputs mean nothing; hosts take real models with --models"
    yield f"resolved to  {report.routing_key} in generation {report.generation}, by {report.reason}"
    for tensor in report.inputs:
        yield f"input        {tensor.name} {tensor.datatype} {list(tensor.shape)}"
    for output in report.outputs:
        shown = _shown(output.first_values)
        yield f"output       {output.name} {output.datatype} {list(output.shape)}  {shown}"
    resolve, infer = report.resolve_seconds * 1000, report.infer_seconds * 1000
    yield f"took         {resolve:.1f} ms to resolve, {infer:.1f} ms to answer"


def _input(tensor: Tensor) -> Input:
    return Input(name=tensor.name, datatype=tensor.datatype, shape=tuple(tensor.shape))


def _outputs(response: pb.ModelInferResponse) -> Iterator[Output]:
    raw = response.raw_output_contents
    for index, tensor in enumerate(response.outputs):
        found = first_elements(
            tensor.datatype, tensor.contents, raw[index] if index < len(raw) else None, SHOWN
        )
        yield Output(
            name=tensor.name,
            datatype=tensor.datatype,
            shape=tuple(tensor.shape),
            first_values=tuple(
                each.decode("utf-8", "replace") if isinstance(each, bytes) else each for each in found
            ),
        )


def _shown(values: Sequence[str | float | bool]) -> str:
    return ", ".join(f"{each:.4g}" if isinstance(each, float) else str(each)[:40] for each in values)
