"""Sends one request as a client service would: resolved at a Lightbulb, routed by a sidecar.

It is a trial, and says so: a shift isn't judged by it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace

import click
import grpc

from controlplane.cli.actions.ask import Question, resolve_failure
from controlplane.cli.failed import Failed
from controlplane.cli.inference_report import Served, lines_of, make_report
from controlplane.cli.inputs import BadTensor, Metadata, Tensor, given_inputs, sample_inputs
from controlplane.cli.options import Address
from controlplane.cli.output import print_json
from controlplane.cli.problems import printable
from controlplane.cli.reach import SOMETHING_ELSE, UNREACHABLE, no_connection, nobody_there
from controlplane.cli.variables import bad_value
from lightbulb.client.client import BlockingLightbulbClient
from lightbulb.client.interceptor import RoutingInterceptor, routed
from lightbulb.errors import LightbulbError
from lightbulb.model import ROUTING_KEY_HEADER, TRAFFIC_HEADER, RequestContext, model_id
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.oip import open_inference_pb2_grpc as pb_grpc
from lightbulb.rpc.answer import Answer
from lightbulb.rpc.channels import open_channel


@dataclass(slots=True)
class Asked:
    """What the Lightbulb has answered, the newest last, and how long that took, in seconds."""

    client: BlockingLightbulbClient
    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0.0

    def resolve(
        self, objective: str, context: RequestContext, *, override_model: str, timeout: float | None
    ) -> Answer:
        """Resolve as the client does, but that no arm of a shift counts the call. Raises LightbulbError."""
        began = time.monotonic()
        answer = self.client.resolve(objective, context, override_model=override_model, timeout=timeout)
        self.answers.append(replace(answer, arm=""))
        self.seconds += time.monotonic() - began
        return self.answers[-1]


def infer(  # noqa: PLR0913 - the options of a command
    question: Question,
    lightbulb: Address,
    sidecar: Address,
    *,
    inputs: Sequence[str],
    seconds: float,
    as_json: bool,
) -> None:
    """Send one request, and print who answered. Raises Failed."""
    with (
        BlockingLightbulbClient(
            str(lightbulb), client_name=question.client, sidecar=question.sidecar, timeout=seconds
        ) as client,
        open_channel(str(sidecar)) as channel,
    ):
        asked = Asked(client)
        stub = pb_grpc.GRPCInferenceServiceStub(
            grpc.intercept_channel(channel, RoutingInterceptor(asked.resolve))
        )
        try:
            served = _send(stub, asked, question, inputs, seconds)
        except LightbulbError as error:
            raise resolve_failure(error, lightbulb) from error
        except BadTensor as error:
            raise bad_value("--input", str(error)) from error
        except grpc.RpcError as error:
            raise _failure(error, sidecar, asked.answers[-1]) from error
    report = make_report(served)
    if as_json:
        print_json(asdict(report))
    else:
        for line in lines_of(report):
            click.echo(printable(line))


def _send(
    stub: pb_grpc.GRPCInferenceServiceStub,
    asked: Asked,
    question: Question,
    inputs: Sequence[str],
    seconds: float,
) -> Served:
    """Return a request that was answered. Raises LightbulbError, BadTensor and grpc.RpcError."""
    deadline = time.monotonic() + seconds
    tensors: tuple[Tensor, ...] = ()
    if inputs:
        answer = asked.resolve(
            question.objective, question.context, override_model=question.override, timeout=seconds
        )
        tensors = given_inputs(inputs, _metadata(stub, answer, deadline))
    while True:
        request = pb.ModelInferRequest(inputs=tensors)
        began, resolved = time.monotonic(), asked.seconds
        try:
            with routed(question.objective, question.context, override_model=question.override):
                response = stub.ModelInfer(
                    request, timeout=max(0.001, deadline - began), metadata=((TRAFFIC_HEADER, "test"),)
                )
        except grpc.RpcError as error:
            if tensors or error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
            tensors = sample_inputs(_metadata(stub, asked.answers[-1], deadline), question.context.user_id)
            if not tensors:
                raise
            continue
        resolving = asked.seconds - resolved
        return Served(
            answer=asked.answers[-1],
            request=request,
            response=response,
            resolving=resolving,
            inferring=time.monotonic() - began - resolving,
        )


def _metadata(stub: pb_grpc.GRPCInferenceServiceStub, answer: Answer, deadline: float) -> Iterable[Metadata]:
    """Return what a model says that it takes. Raises grpc.RpcError."""
    config = answer.objective_config
    described: pb.ModelMetadataResponse = stub.ModelMetadata(
        pb.ModelMetadataRequest(name=config.model, version=config.model_version),
        metadata=((ROUTING_KEY_HEADER, answer.routing_key),),
        timeout=max(0.001, deadline - time.monotonic()),
    )
    return described.inputs


def _failure(error: grpc.RpcError, sidecar: Address, answer: Answer) -> Failed:
    """Return what to say when a request that was resolved wasn't answered."""
    code, details = error.code(), printable(error.details() or "")
    model = model_id(answer.objective_config.model, answer.objective_config.model_version)
    reason = SOMETHING_ELSE if code is grpc.StatusCode.UNIMPLEMENTED else no_connection(details)
    if reason:
        message, remedy = nobody_there("sidecar", sidecar, reason, "--sidecar-address")
        return Failed(UNREACHABLE, message, remedy)
    status = "`lightbulb status` says who has which generation"
    match code:
        case grpc.StatusCode.NOT_FOUND:
            message = f"the sidecar doesn't know routing key {answer.routing_key}: {details}"
            remedy = f"{status}; if this one lags, name it with --sidecar NODE_ID"
        case grpc.StatusCode.ABORTED:
            message, remedy = f"no host had {model}: {details}", status
        case grpc.StatusCode.UNAVAILABLE:
            message, remedy = f"the sidecar reached no host of {model}: {details}", status
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            message, remedy = f"{model} didn't answer in time", "give it longer with --timeout"
        case grpc.StatusCode.INVALID_ARGUMENT:
            message, remedy = (
                f"{model} can't work with this request: {details}",
                "say what to send with --input",
            )
        case _:
            message, remedy = f"{model} failed: {code.name}: {details}", "its host's log says why"
    return Failed(code.name, message, remedy)
