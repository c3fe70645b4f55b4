"""The control plane's gRPC API: protobuf in, Publisher calls, protobuf out."""

from __future__ import annotations

import asyncio
from collections import Counter

import grpc
import grpc.aio

from controlplane.model import Workspace
from controlplane.problems import Problem, WorkspaceError
from controlplane.publisher import Published, Publisher
from controlplane.rollout.activation import Activation, Busy, Phase
from controlplane.xds.resources import Inconsistent
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc

MAX_FILES = 2_000

_PHASES = {phase: getattr(pb, f"PHASE_{phase.name}") for phase in Phase}


class ControlPlaneService(pb_grpc.ControlPlaneServicer):
    """Publish and GetStatus, as protos/lightbulb/v1/control_plane.proto says."""

    def __init__(self, publisher: Publisher) -> None:
        """Take publishes one at a time: they are rare and heavy."""
        self._publisher = publisher
        self._one_at_a_time = asyncio.Lock()

    async def Publish(  # noqa: N802 - gRPC's name
        self,
        request: pb.PublishRequest,
        context: grpc.aio.ServicerContext[pb.PublishRequest, pb.PublishResponse],
    ) -> pb.PublishResponse:
        """Evaluate, compile, plan and begin to activate; answer with all problems when there are any."""
        if len(request.files) > MAX_FILES:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"{len(request.files)} files; at most {MAX_FILES}"
            )
        workspace = Workspace(files={file.path: file.content for file in request.files})
        if len(workspace.files) < len(request.files):
            twice = Counter(file.path for file in request.files).most_common(1)[0][0]
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"the file {twice!r} is there more than once"
            )
        try:
            async with self._one_at_a_time:
                published = await self._publisher.publish(workspace)
        except WorkspaceError as error:
            return pb.PublishResponse(problems=map(_problem, error.problems))
        except Busy as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except Inconsistent as error:
            await context.abort(
                grpc.StatusCode.INTERNAL, f"no sidecar could serve this; nothing has changed: {error}"
            )
        return _response(published)

    async def GetStatus(  # noqa: N802 - gRPC's name
        self,
        request: pb.GetStatusRequest,  # noqa: ARG002
        context: grpc.aio.ServicerContext[pb.GetStatusRequest, pb.GetStatusResponse],  # noqa: ARG002
    ) -> pb.GetStatusResponse:
        """Return what is active and what each connected consumer has acknowledged."""
        response = _status(self._publisher.activation)
        for consumer in self._publisher.consumers():
            response.consumers.add(
                node_id=consumer.id,
                kind=consumer.kind,
                waiting_for=consumer.waiting_for,
                rejected=consumer.rejected,
            )
        return response


def _response(published: Published) -> pb.PublishResponse:
    return pb.PublishResponse(
        generation=published.generation.number,
        content_hash=published.generation.content_hash,
        unchanged=published.unchanged,
    )


def _status(activation: Activation | None) -> pb.GetStatusResponse:
    if activation is None:
        return pb.GetStatusResponse(detail="nothing has been published")
    active = activation.active
    return pb.GetStatusResponse(
        active_generation=0 if active is None else active.number,
        content_hash="" if active is None else active.content_hash,
        phase=_PHASES[activation.phase],
        detail=activation.detail,
    )


def _problem(problem: Problem) -> pb.Problem:
    return pb.Problem(
        file=problem.file,
        line=problem.line,
        rule=problem.rule,
        code=problem.code,
        message=problem.message,
        remedy=problem.remedy,
    )
