"""The Open Inference Protocol over grpc.aio: calls in, the repository's models, statuses out.

What each refusal looks like to a caller stands in `lightbulb.host.status`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import Future
from functools import partial
from typing import Any

import grpc
import grpc.aio

from lightbulb.host.errors import Busy, CannotLoad, HostError, NotAssigned, NotLoaded
from lightbulb.host.inference import Origin, infer
from lightbulb.host.model_config import config_of
from lightbulb.host.recorder import Recorder, Seen
from lightbulb.host.repository import Entry, Repository, State
from lightbulb.host.status import abort, status_of
from lightbulb.host.traffic import Call, call_of
from lightbulb.host.workers import Workers
from lightbulb.host.workflow import TensorSpec
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.oip import open_inference_pb2_grpc as pb_grpc
from lightbulb.rpc.details import CallStatus

WORKERS = 2
SHADOWS_SHARE = 4
"""Copies are refused while a quarter of what a host takes is under way: the rest is for those who wait."""

SERVER_NAME = "lightbulb-host"
SERVER_VERSION = "1"
EXTENSIONS = ("model_repository", "model_configuration")
PLATFORM = "lightbulb-workflow"

_Context = grpc.aio.ServicerContext[Any, Any]


class InferenceService(pb_grpc.GRPCInferenceServiceServicer):
    """GRPCInferenceService of one host. `ready` is for its owner to set."""

    def __init__(
        self,
        repository: Repository,
        origin: Origin,
        *,
        max_in_flight: int,
        recorder: Recorder | None = None,
    ) -> None:
        """Score in a few threads, so that a slow model doesn't hold up health and metadata."""
        self._recorder = recorder
        self._repository = repository
        self._origin = origin
        self._workers = Workers("score", count=WORKERS, limit=max_in_flight)
        self.ready = False

    async def ServerLive(self, request: pb.ServerLiveRequest, context: _Context) -> pb.ServerLiveResponse:  # noqa: N802, ARG002 - gRPC's form
        """Answer at all."""
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(self, request: pb.ServerReadyRequest, context: _Context) -> pb.ServerReadyResponse:  # noqa: N802, ARG002 - gRPC's form
        """Say whether the first assignment has been applied, and the host isn't leaving."""
        return pb.ServerReadyResponse(ready=self.ready)

    async def ModelReady(self, request: pb.ModelReadyRequest, context: _Context) -> pb.ModelReadyResponse:  # noqa: N802, ARG002 - gRPC's form
        """Say whether a model is loaded; without a version, whether any version of it is."""
        versions = {entry.assignment.version for entry in self._loaded(request.name)}
        return pb.ModelReadyResponse(ready=request.version in versions if request.version else bool(versions))

    async def ServerMetadata(  # noqa: N802 - gRPC's form
        self,
        request: pb.ServerMetadataRequest,  # noqa: ARG002 - gRPC's form
        context: _Context,  # noqa: ARG002 - gRPC's form
    ) -> pb.ServerMetadataResponse:
        """Say what this server is."""
        return pb.ServerMetadataResponse(name=SERVER_NAME, version=SERVER_VERSION, extensions=EXTENSIONS)

    async def ModelMetadata(  # noqa: N802 - gRPC's form
        self, request: pb.ModelMetadataRequest, context: _Context
    ) -> pb.ModelMetadataResponse:
        """Describe a loaded model's tensors."""
        try:
            entry = self._repository.find(request.name, request.version)
        except HostError as error:
            await abort(context, self._status(error))
        assert entry.workflow is not None
        return pb.ModelMetadataResponse(
            name=request.name,
            versions=sorted(each.assignment.version for each in self._loaded(request.name)),
            platform=PLATFORM,
            inputs=map(_describe, entry.workflow.inputs or ()),
            outputs=map(_describe, entry.workflow.outputs),
        )

    async def ModelInfer(  # noqa: N802, RET503 - gRPC's form; `abort` raises
        self, request: pb.ModelInferRequest, context: _Context
    ) -> pb.ModelInferResponse:
        """Run a model's workflow on a request."""
        call = call_of(context.invocation_metadata())
        seen = self._recorder.see(call, request) if self._recorder is not None else None
        try:
            answer = await self._infer(request, call, seen)
        except HostError as error:
            status = self._status(error)
        except asyncio.CancelledError:
            self._record(seen, grpc.StatusCode.CANCELLED)
            raise
        else:
            self._record(seen, grpc.StatusCode.OK)
            return answer
        self._record(seen, status.code)
        # gRPC keeps what `abort` raises, and so this frame, until the garbage collector comes round:
        # a caller's large requests must not pile up, so it holds neither the request nor the error.
        del request
        await abort(context, status)

    async def ModelStreamInfer(  # noqa: N802 - gRPC's form
        self, requests: AsyncIterator[pb.ModelInferRequest], context: _Context
    ) -> AsyncIterator[pb.ModelStreamInferResponse]:
        """Answer each request of a stream, in order; one that fails says why, and the stream goes on.

        It ends where a model isn't loaded (any more): the stream's routing key is out of date then.
        """
        call = call_of(context.invocation_metadata())
        async for request in requests:
            try:
                yield pb.ModelStreamInferResponse(infer_response=await self._infer(request, call))
                continue
            except HostError as error:
                status = self._status(error)
                ends = isinstance(error, NotLoaded)
            if ends:
                del request  # see ModelInfer
                await abort(context, status)
            failed = pb.ModelInferResponse(id=request.id)
            yield pb.ModelStreamInferResponse(error_message=status.details, infer_response=failed)

    async def ModelConfig(  # noqa: N802 - gRPC's form
        self, request: pb.ModelConfigRequest, context: _Context
    ) -> pb.ModelConfigResponse:
        """Describe a loaded model as Triton does."""
        try:
            entry = self._repository.find(request.name, request.version)
        except HostError as error:
            await abort(context, self._status(error))
        assert entry.workflow is not None
        return pb.ModelConfigResponse(config=config_of(request.name, entry.workflow, PLATFORM))

    async def RepositoryIndex(  # noqa: N802 - gRPC's form
        self,
        request: pb.RepositoryIndexRequest,
        context: _Context,  # noqa: ARG002 - gRPC's form
    ) -> pb.RepositoryIndexResponse:
        """List what is assigned, and why what isn't ready isn't."""
        return pb.RepositoryIndexResponse(
            models=[
                pb.RepositoryIndexResponse.ModelIndex(
                    name=entry.assignment.name,
                    version=entry.assignment.version,
                    state=entry.state.value,
                    reason=entry.reason,
                )
                for _, entry in sorted(self._repository.entries.items())
                if entry.state is State.READY or not request.ready
            ]
        )

    async def RepositoryModelLoad(  # noqa: N802 - gRPC's form
        self, request: pb.RepositoryModelLoadRequest, context: _Context
    ) -> pb.RepositoryModelLoadResponse:
        """Try again to load an assigned model that failed; what is loaded stays as it is."""
        try:
            failed = await self._repository.retry(request.model_name)
            if failed:
                reasons = "; ".join(f"{model}: {reason}" for model, reason in sorted(failed.items()))
                raise CannotLoad(reasons, model=request.model_name)
        except HostError as error:
            await abort(context, self._status(error))
        return pb.RepositoryModelLoadResponse()

    async def RepositoryModelUnload(  # noqa: N802 - gRPC's form
        self, request: pb.RepositoryModelUnloadRequest, context: _Context
    ) -> pb.RepositoryModelUnloadResponse:
        """Refuse: what is assigned stays loaded, and what isn't isn't here."""
        assigned = self._repository.is_assigned(request.model_name)
        what = "is assigned to this host, and stays" if assigned else "is not assigned to this host"
        error = NotAssigned(
            f"{request.model_name} {what}; the control plane assigns models", model=request.model_name
        )
        await abort(context, self._status(error))

    def close(self) -> None:
        """End the scoring threads once they are done with what they have. Returns at once."""
        self._workers.close()

    def _loaded(self, name: str) -> list[Entry]:
        return [
            entry
            for entry in self._repository.entries.values()
            if entry.assignment.name == name and entry.state is State.READY
        ]

    def _status(self, error: HostError) -> CallStatus:
        """Return how a call ends; where a model isn't loaded, only this host can say."""
        host = self._origin.node_id
        if isinstance(error, NotLoaded):
            error = NotLoaded(f"{host}: {error}", **(error.about | {"host": host}))
        return status_of(error)

    def _record(self, seen: Seen | None, status: grpc.StatusCode) -> None:
        if seen is not None and self._recorder is not None:
            self._recorder.done(seen, status.name)

    async def _infer(
        self, request: pb.ModelInferRequest, call: Call, seen: Seen | None = None
    ) -> pb.ModelInferResponse:
        # Without a name for the future: the traceback of its exception would hold the future.
        return await asyncio.wrap_future(self._submit(request, call, seen))

    def _submit(
        self, request: pb.ModelInferRequest, call: Call, seen: Seen | None
    ) -> Future[pb.ModelInferResponse]:
        """Return the answer to come; raises NotLoaded, BadInput and Busy."""
        entry = self._repository.hold(*call.target(request.model_name, request.model_version))
        try:
            answer = self._workers.submit(
                partial(infer, entry, self._origin, request, call, seen.take if seen is not None else None),
                share=SHADOWS_SHARE if call.shadow else 1,
            )
        except Busy:
            self._repository.release(entry)
            raise
        loop = asyncio.get_running_loop()

        def done(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody counts any more
                loop.call_soon_threadsafe(self._repository.release, entry)

        # When the work is done, not when the call is: a caller that gives up doesn't end it.
        answer.add_done_callback(done)
        return answer


def _describe(spec: TensorSpec) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.shape)
