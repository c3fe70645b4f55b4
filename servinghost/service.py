"""The Open Inference Protocol over gRPC: protobuf in, the repository's models, protobuf out.

A model that isn't loaded is ABORTED, with the trailing metadata `x-lightbulb-reason: model-not-loaded`:
the caller's answer is out of date, and it should resolve again and retry once. It is not NOT_FOUND,
which a sidecar says of an unknown key, and not UNAVAILABLE, which proxies retry on the same model.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
import grpc.aio

from lightbulb.enrich import CONTEXT_PREFIX, PREFIX
from lightbulb.model import FIXED_ATTRIBUTES, RequestContext, Value, model_id
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.oip import open_inference_pb2_grpc as pb_grpc
from servinghost.repository import Entry, Repository
from servinghost.tensors import inputs_of, parameters_of, write_outputs
from servinghost.workflow import BadInput, Inference, TensorSpec

log = logging.getLogger(__name__)

NOT_LOADED = (("x-lightbulb-reason", "model-not-loaded"),)
MAX_IN_FLIGHT = 256
WORKERS = 2
EXTENSIONS = ("model_repository",)

_Context = grpc.aio.ServicerContext[Any, Any]


class InferenceService(pb_grpc.GRPCInferenceServiceServicer):
    """GRPCInferenceService of one host."""

    def __init__(self, repository: Repository, *, node_id: str, shard: str) -> None:
        """Score in a few threads, so that a slow model doesn't hold up health and metadata."""
        self._repository = repository
        self._node_id = node_id
        self._shard = shard
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="score")
        self._in_flight = 0
        self.ready = False

    async def ServerLive(self, request: pb.ServerLiveRequest, context: _Context) -> pb.ServerLiveResponse:  # noqa: N802, ARG002
        """Answer at all."""
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(self, request: pb.ServerReadyRequest, context: _Context) -> pb.ServerReadyResponse:  # noqa: N802, ARG002
        """Say whether everything that was first assigned is loaded."""
        return pb.ServerReadyResponse(ready=self.ready)

    async def ModelReady(self, request: pb.ModelReadyRequest, context: _Context) -> pb.ModelReadyResponse:  # noqa: N802, ARG002
        """Say whether a model is loaded."""
        return pb.ModelReadyResponse(ready=self._repository.find(request.name, request.version) is not None)

    async def ServerMetadata(  # noqa: N802
        self,
        request: pb.ServerMetadataRequest,  # noqa: ARG002
        context: _Context,  # noqa: ARG002
    ) -> pb.ServerMetadataResponse:
        """Say what this server is."""
        return pb.ServerMetadataResponse(name="lightbulb-host", version="1", extensions=EXTENSIONS)

    async def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: _Context
    ) -> pb.ModelMetadataResponse:
        """Describe a loaded model's tensors."""
        entry = await self._entry(request.name, request.version, context)
        assert entry.workflow is not None
        return pb.ModelMetadataResponse(
            name=entry.assignment.name,
            versions=[entry.assignment.version],
            platform="lightbulb-workflow",
            inputs=map(_describe, entry.workflow.inputs),
            outputs=map(_describe, entry.workflow.outputs),
        )

    async def ModelInfer(self, request: pb.ModelInferRequest, context: _Context) -> pb.ModelInferResponse:  # noqa: N802
        """Run a model's workflow on a request."""
        if self._in_flight >= MAX_IN_FLIGHT:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{MAX_IN_FLIGHT} requests are under way; try another host",
            )
        entry = await self._entry(request.model_name, request.model_version, context)
        self._in_flight += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._workers, self._infer, entry, request)
        except BadInput as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{entry.assignment.id}: {error}")
        except Exception:
            log.exception("model %s failed", entry.assignment.id)
            await context.abort(grpc.StatusCode.INTERNAL, f"model {entry.assignment.id} failed; see its log")
        finally:
            self._in_flight -= 1

    async def RepositoryIndex(  # noqa: N802
        self,
        request: pb.RepositoryIndexRequest,
        context: _Context,  # noqa: ARG002
    ) -> pb.RepositoryIndexResponse:
        """List what is assigned, and why what isn't ready isn't."""
        entries = sorted(self._repository.entries.items())
        return pb.RepositoryIndexResponse(
            models=[
                pb.RepositoryIndexResponse.ModelIndex(
                    name=entry.assignment.name,
                    version=entry.assignment.version,
                    state=entry.state.value,
                    reason=entry.reason,
                )
                for _, entry in entries
                if entry.workflow is not None or not request.ready
            ]
        )

    async def RepositoryModelLoad(  # noqa: N802
        self, request: pb.RepositoryModelLoadRequest, context: _Context
    ) -> pb.RepositoryModelLoadResponse:
        """Try again to load an assigned model; what isn't assigned is for the control plane to assign."""
        known = [
            entry.assignment
            for entry in self._repository.entries.values()
            if entry.assignment.name == request.model_name
        ]
        if not known:
            await self._refuse(context, request.model_name, "is not assigned to this host")
        failed = await asyncio.to_thread(self._repository.load, tuple(known))
        if failed:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in sorted(failed.items()))
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, reasons)
        return pb.RepositoryModelLoadResponse()

    async def RepositoryModelUnload(  # noqa: N802
        self, request: pb.RepositoryModelUnloadRequest, context: _Context
    ) -> pb.RepositoryModelUnloadResponse:
        """Refuse: what is assigned stays loaded."""
        await self._refuse(context, request.model_name, "can't be unloaded by hand")

    def close(self) -> None:
        """End the scoring threads once they are idle."""
        self._workers.shutdown(wait=True)

    async def _refuse(self, context: _Context, model: str, why: str) -> NoReturn:
        await context.abort(
            grpc.StatusCode.FAILED_PRECONDITION, f"{model} {why}; assignments come from the control plane"
        )

    async def _entry(self, name: str, version: str, context: _Context) -> Entry:
        entry = self._repository.find(name, version)
        if entry is None:
            await context.abort(
                grpc.StatusCode.ABORTED,
                f"model {model_id(name, version) if version else name} is not loaded on {self._node_id};"
                " resolve again",
                trailing_metadata=NOT_LOADED,
            )
        return entry

    def _infer(self, entry: Entry, request: pb.ModelInferRequest) -> pb.ModelInferResponse:
        """Run in a scoring thread; raises BadInput, and whatever a model raises."""
        workflow = entry.workflow
        assert workflow is not None
        parameters = parameters_of(request.parameters)
        inference = Inference(
            context=context_of(parameters),
            inputs=inputs_of(request, workflow.inputs),
            parameters={name: value for name, value in parameters.items() if not name.startswith(PREFIX)},
        )
        outputs = workflow.run(inference)
        wanted = {output.name for output in request.outputs}
        unknown = sorted(wanted - {spec.name for spec in workflow.outputs})
        if unknown:
            raise BadInput(f"output {unknown[0]} is unknown")
        response = pb.ModelInferResponse(
            model_name=entry.assignment.name, model_version=entry.assignment.version, id=request.id
        )
        for name, value in (("model", entry.assignment.id), ("host", self._node_id), ("shard", self._shard)):
            response.parameters[PREFIX + name].string_param = value
        specs = [spec for spec in workflow.outputs if not wanted or spec.name in wanted]
        # Answer as was asked: a client that sends raw contents reads raw contents.
        typed = any(tensor.HasField("contents") for tensor in request.inputs)
        write_outputs(response, outputs, specs, raw=not typed)
        return response


def context_of(parameters: dict[str, Value]) -> RequestContext:
    """Return who is asking, from the parameters that a client's interceptor sets."""
    context = {
        name.removeprefix(CONTEXT_PREFIX): value
        for name, value in parameters.items()
        if name.startswith(CONTEXT_PREFIX)
    }
    fixed = {name: str(context.pop(name, "")) for name in ("user_id", *FIXED_ATTRIBUTES)}
    return RequestContext(
        user_id=fixed["user_id"],
        country=fixed["country"],
        device=fixed["device"],
        locale=fixed["locale"],
        surface=fixed["surface"],
        attributes=context,
    )


def _describe(spec: TensorSpec) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.shape)
