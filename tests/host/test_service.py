"""The Open Inference Protocol over a real server: answers, and the status of each refusal."""

import asyncio
import contextlib
import gc
import struct
import threading
import weakref
from collections.abc import AsyncIterator, Mapping

import grpc
import grpc.aio
import pytest

from lightbulb.host.errors import BadInput
from lightbulb.host.status import DOMAIN, KINDS
from lightbulb.host.workflow import Array, Inference, Workflow
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.rpc.details import MESSAGE_BYTES, error_info
from tests.host.hosts import Running, infer, running
from tests.host.workflows import (
    VALIDATION,
    Echo,
    assign,
    fails_to_answer,
    fails_to_load,
    gate,
    slow_to_answer,
    within_deadline,
)
from tests.waiting import eventually

MODELS: Mapping[str, type[Workflow]] = {
    "echo@1": Echo,
    "echo@2": Echo,
    "single@1": Echo,
    "broken@1": fails_to_load(OSError("the file is cut short")),
    "faulty@1": fails_to_answer(ZeroDivisionError("secret")),
    "exiting@1": fails_to_answer(SystemExit(3)),
    "late@1": Echo,
}
ASSIGNED = tuple(assign(model) for model in MODELS if model != "late@1")


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Running]:
    async with running(MODELS) as it:
        await it.assign(*ASSIGNED)
        yield it


async def refusal(call: grpc.aio.UnaryUnaryCall) -> tuple[str, str]:
    return (await call.code()).name, await call.details()


def test_a_host_is_live_at_once_and_ready_once_its_first_assignment_was_tried() -> None:
    async def scenario() -> None:
        async with running(MODELS) as it:
            assert (await it.stub.ServerLive(pb.ServerLiveRequest())).live
            assert not (await it.stub.ServerReady(pb.ServerReadyRequest())).ready
            await it.assign(assign("broken@1"))
            assert (await it.stub.ServerReady(pb.ServerReadyRequest())).ready

    asyncio.run(scenario())


def test_the_server_says_what_it_is() -> None:
    async def scenario() -> None:
        async with running(MODELS) as it:
            said = await it.stub.ServerMetadata(pb.ServerMetadataRequest())
            assert (said.name, said.version, list(said.extensions)) == (
                "lightbulb-host",
                "1",
                ["model_repository", "model_configuration"],
            )

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("name", "version", "ready"),
    [
        ("echo", "1", True),
        ("echo", "", True),
        ("echo", "3", False),
        ("broken", "1", False),
        ("broken", "", False),
        ("late", "", False),
        ("", "", False),
    ],
)
def test_a_model_is_ready_when_it_is_loaded(name: str, version: str, ready: bool) -> None:
    async def scenario() -> None:
        async with serving() as it:
            answer = await it.stub.ModelReady(pb.ModelReadyRequest(name=name, version=version))
            assert answer.ready is ready

    asyncio.run(scenario())


def test_a_models_metadata_are_its_versions_and_its_tensors() -> None:
    async def scenario() -> None:
        async with serving() as it:
            said = await it.stub.ModelMetadata(pb.ModelMetadataRequest(name="echo", version="2"))
            assert (said.name, list(said.versions), said.platform) == (
                "echo",
                ["1", "2"],
                "lightbulb-workflow",
            )
            for tensors in (said.inputs, said.outputs):
                assert [(t.name, t.datatype, list(t.shape)) for t in tensors] == [("numbers", "INT64", [-1])]

    asyncio.run(scenario())


def test_the_index_lists_what_is_assigned_and_why_what_isnt_ready_isnt() -> None:
    async def scenario() -> None:
        async with serving() as it:
            index = await it.stub.RepositoryIndex(pb.RepositoryIndexRequest())
            listed = {f"{each.name}@{each.version}": (each.state, each.reason) for each in index.models}
            assert listed == {
                **{assignment.id: ("READY", "") for assignment in ASSIGNED},
                "broken@1": ("UNAVAILABLE", "OSError: the file is cut short"),
            }
            ready = await it.stub.RepositoryIndex(pb.RepositoryIndexRequest(ready=True))
            assert {f"{each.name}@{each.version}" for each in ready.models} == listed.keys() - {"broken@1"}

    asyncio.run(scenario())


def test_an_answer_says_which_model_and_host_it_is_from_and_is_typed_when_the_request_is() -> None:
    async def scenario() -> None:
        async with serving() as it:
            answer = await it.stub.ModelInfer(infer("echo@2", 3, 1, 2))
            assert (answer.model_name, answer.model_version, answer.id) == ("echo", "2", "request-1")
            assert {name: value.string_param for name, value in answer.parameters.items()} == {
                "lightbulb_model": "echo@2",
                "lightbulb_host": "host-1",
                "lightbulb_shard": "shard-a",
            }
            (output,) = answer.outputs
            assert (output.name, output.datatype, list(output.shape)) == ("numbers", "INT64", [3])
            assert list(output.contents.int64_contents) == [3, 1, 2]
            assert list(answer.raw_output_contents) == []

    asyncio.run(scenario())


def test_a_raw_request_gets_a_raw_answer_and_one_without_version_the_only_one() -> None:
    async def scenario() -> None:
        async with serving() as it:
            request = infer("single", 3)
            request.inputs[0].ClearField("contents")
            request.raw_input_contents.append(struct.pack("<q", 3))
            request.outputs.add(name="numbers")
            answer = await it.stub.ModelInfer(request)
            assert answer.parameters["lightbulb_model"].string_param == "single@1"
            assert list(answer.raw_output_contents) == [struct.pack("<q", 3)]
            assert not answer.outputs[0].HasField("contents")

    asyncio.run(scenario())


def with_output(name: str) -> pb.ModelInferRequest:
    request = infer("echo@1", 1)
    request.outputs.add(name=name)
    return request


@pytest.mark.parametrize(
    ("method", "request_", "code", "details"),
    [
        ("ModelInfer", infer("", 1), "INVALID_ARGUMENT", "model_name is missing"),
        (
            "ModelInfer",
            infer("echo", 1),
            "INVALID_ARGUMENT",
            "model_version is missing: echo is loaded as 1, 2",
        ),
        (
            "ModelInfer",
            pb.ModelInferRequest(model_name="echo", model_version="1"),
            "INVALID_ARGUMENT",
            "echo@1: tensor numbers is missing: INT64 of shape [-1]",
        ),
        ("ModelInfer", with_output("z"), "INVALID_ARGUMENT", "echo@1: output z is unknown"),
        ("ModelInfer", infer("late@1", 1), "ABORTED", "host-1: model late@1 is not loaded; resolve again"),
        (
            "ModelInfer",
            infer("broken@1", 1),
            "ABORTED",
            "host-1: model broken@1 is UNAVAILABLE; resolve again",
        ),
        ("ModelInfer", infer("late", 1), "ABORTED", "host-1: model late is not loaded; resolve again"),
        ("ModelInfer", infer("faulty@1", 1), "INTERNAL", "model faulty@1 failed; the log of host-1 says why"),
        (
            "ModelInfer",
            infer("exiting@1", 1),
            "INTERNAL",
            "model exiting@1 failed; the log of host-1 says why",
        ),
        ("ModelMetadata", pb.ModelMetadataRequest(), "INVALID_ARGUMENT", "model_name is missing"),
        (
            "ModelMetadata",
            pb.ModelMetadataRequest(name="late", version="1"),
            "ABORTED",
            "host-1: model late@1 is not loaded; resolve again",
        ),
        (
            "RepositoryModelLoad",
            pb.RepositoryModelLoadRequest(model_name="late"),
            "FAILED_PRECONDITION",
            "late is not assigned to this host; the control plane assigns models",
        ),
        (
            "RepositoryModelLoad",
            pb.RepositoryModelLoadRequest(model_name="broken"),
            "FAILED_PRECONDITION",
            "broken@1: OSError: the file is cut short",
        ),
        (
            "RepositoryModelUnload",
            pb.RepositoryModelUnloadRequest(model_name="echo"),
            "FAILED_PRECONDITION",
            "echo is assigned to this host, and stays; the control plane assigns models",
        ),
        (
            "RepositoryModelUnload",
            pb.RepositoryModelUnloadRequest(model_name="late"),
            "FAILED_PRECONDITION",
            "late is not assigned to this host; the control plane assigns models",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_refusal_has_the_status_that_is_documented_and_the_host_goes_on(
    method: str, request_: object, code: str, details: str
) -> None:
    async def scenario() -> None:
        async with serving() as it:
            call = getattr(it.stub, method)(request_)
            said = await refusal(call)
            assert said[0] == code
            assert details in said[1]
            trailers = dict(await call.trailing_metadata())
            expected = "model-not-loaded" if code == "ABORTED" else None
            assert trailers.get("x-lightbulb-reason") == expected
            info = error_info(await call.trailing_metadata())
            assert info is not None
            codes = {kind.reason: kind.code.name for kind in KINDS.values()}
            assert (info.domain, codes[info.reason]) == (DOMAIN, code)
            if code == "ABORTED":
                assert info.reason == "MODEL_NOT_LOADED"
                assert details.startswith(f"{info.about['host']}: model {info.about['model']} ")
            if code == "INVALID_ARGUMENT":
                assert info.path
            assert await it.stub.ModelInfer(infer("echo@1", 1))

    asyncio.run(scenario())


def test_a_fault_of_a_models_own_is_logged_and_never_told(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving() as it:
            _, details = await refusal(it.stub.ModelInfer(infer("faulty@1", 1)))
            assert "secret" not in details
            assert "ZeroDivisionError: secret" in caplog.text

    asyncio.run(scenario())


def test_a_refusal_that_quotes_a_long_name_still_fits_a_status() -> None:
    async def scenario() -> None:
        async with serving() as it:
            code, details = await refusal(it.stub.ModelInfer(infer("☂\n" * 50_000, 1)))
            assert code == "ABORTED"
            assert "\n" not in details
            assert len(details.encode()) <= MESSAGE_BYTES + 3

    asyncio.run(scenario())


def test_nothing_of_a_refused_request_outlives_it() -> None:
    gone = threading.Event()

    class Refusing(Echo):
        def features(self, request: Inference, candidates: Array) -> Array:
            if request.context.user_id != VALIDATION:
                weakref.finalize(request.inputs["numbers"], gone.set)
                raise BadInput("no")
            return candidates

    async def scenario() -> None:
        async with running({"refusing@1": Refusing}) as it:
            await it.assign(assign("refusing@1"))
            gc.disable()
            try:
                said = await refusal(it.stub.ModelInfer(infer("refusing@1", 1)))
                assert said == ("INVALID_ARGUMENT", "refusing@1: no")
                await eventually("the request to be forgotten", gone.is_set)
            finally:
                gc.enable()

    asyncio.run(scenario())


def test_a_request_larger_than_the_limit_is_refused_and_one_below_it_is_answered() -> None:
    async def scenario() -> None:
        async with running(MODELS, max_request_bytes=20_000) as it:
            await it.assign(assign("echo@1"))
            code, _ = await refusal(it.stub.ModelInfer(infer("echo@1", *range(20_000))))
            assert code == "RESOURCE_EXHAUSTED"
            assert await it.stub.ModelInfer(infer("echo@1", *range(1_000)))

    asyncio.run(scenario())


def test_requests_beyond_the_limit_are_refused_while_everything_else_is_answered() -> None:
    async def scenario() -> None:
        with gate() as held:
            async with running({"slow@1": slow_to_answer(held), **MODELS}, max_in_flight=3) as it:
                await it.assign(assign("slow@1"), assign("echo@1"))
                calls = [it.stub.ModelInfer(infer("slow@1", number)) for number in range(3)]
                await eventually("both threads to be at work", lambda: held.reached == 2)
                in_flight = it.host.repository._in_flight
                await eventually("the third to have come", lambda: in_flight["slow@1"] == 3)
                said = await refusal(it.stub.ModelInfer(infer("echo@1", 1)))
                assert said == ("RESOURCE_EXHAUSTED", "3 requests are under way; try another host")
                assert (await it.stub.ServerLive(pb.ServerLiveRequest())).live
                assert (await it.stub.ModelReady(pb.ModelReadyRequest(name="slow"))).ready
                held.open()
                for number, call in enumerate(calls):
                    answer = await within_deadline(call)
                    assert list(answer.outputs[0].contents.int64_contents) == [number]
                assert await it.stub.ModelInfer(infer("echo@1", 1))

    asyncio.run(scenario())


def test_a_model_stays_until_the_work_of_a_caller_who_gave_up_is_done() -> None:
    async def scenario() -> None:
        with gate() as held:
            async with running({"slow@1": slow_to_answer(held)}) as it:
                await it.assign(assign("slow@1"))
                call = it.stub.ModelInfer(infer("slow@1", 1))
                await eventually("the work to begin", lambda: held.reached)
                call.cancel()
                await it.assign(removed=("slow@1",))
                (entry,) = it.host.repository.entries.values()
                assert entry.state.value == "UNLOADING"
                assert not (await it.stub.ModelReady(pb.ModelReadyRequest(name="slow"))).ready
                held.open()
                await eventually("the model to go", lambda: not it.host.repository.entries)

    asyncio.run(scenario())


def test_an_assigned_model_that_failed_is_loaded_by_hand_once_it_can_be() -> None:
    faults = [OSError("not yet")]

    class Mended(Echo):
        def __init__(self, supplies) -> None:
            super().__init__(supplies)
            if faults:
                raise faults.pop()

    async def scenario() -> None:
        async with running({"mended@1": Mended}) as it:
            assert await it.assign(assign("mended@1")) == {"mended@1": "OSError: not yet"}
            assert (await refusal(it.stub.ModelInfer(infer("mended@1", 1))))[0] == "ABORTED"
            await it.stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="mended"))
            assert await it.stub.ModelInfer(infer("mended@1", 1))

    asyncio.run(scenario())
