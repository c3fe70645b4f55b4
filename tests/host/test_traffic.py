"""What a call is for, and that a copy is answered by the shadow's model, and by nobody else's leave."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import grpc
import pytest

from lightbulb.host.errors import BadInput, Busy
from lightbulb.host.inference import inference_of
from lightbulb.host.traffic import LIVE, Call, Traffic, call_of
from lightbulb.host.workers import Workers
from lightbulb.host.workflow import Array, Inference, Supplies, Workflow
from lightbulb.oip import open_inference_pb2 as pb
from tests.host.hosts import infer, running
from tests.host.workflows import Echo, assign, gate

SEEN: list[tuple[str, Traffic, bool]] = []


class Watching(Echo):
    """Notes what it is asked for."""

    def prepare(self, request: Inference) -> Array:
        if request.context.user_id == "user-1":
            SEEN.append((type(self).__name__, request.traffic, request.shadow))
        return super().prepare(request)


class Primary(Watching):
    """The users' own model."""


class Candidate(Watching):
    """The shadow's."""


MODELS: Mapping[str, type[Workflow]] = {"primary@1": Primary, "candidate@2": Candidate}
COPY = (("x-shadow", "17"), ("x-lightbulb-model", "candidate@2"), ("x-lightbulb-traffic", "shadow"))


def test_a_copy_is_answered_by_the_shadows_model_which_knows_that_it_is_one() -> None:
    async def scenario() -> None:
        async with running(MODELS) as it:
            await it.assign(*map(assign, MODELS))

            async def ask(*metadata: tuple[str, str]) -> str:
                answer = await it.stub.ModelInfer(infer("primary@1", 1), metadata=metadata)
                return f"{answer.model_name}@{answer.model_version}"

            assert await ask() == "primary@1"
            assert await ask(*COPY) == "candidate@2"
            assert await ask(*COPY[1:]) == "primary@1"  # of no shadow
            assert await ask(("x-lightbulb-traffic", "test")) == "primary@1"
            assert await ask(("x-shadow", "17n")) == "primary@1"  # a noise floor
            call = it.stub.ModelStreamInfer(iter([infer("primary@1", 1)]), metadata=COPY)
            assert (await call.read()).infer_response.model_name == "candidate"
            with pytest.raises(grpc.aio.AioRpcError, match="gone"):
                await ask(*COPY[:1], ("x-lightbulb-model", "gone@1"))
            async for ready in it.stub.ModelStreamInfer(iter([infer("primary@1", 1)])):
                assert isinstance(ready, pb.ModelStreamInferResponse)

    SEEN.clear()
    asyncio.run(scenario())
    assert SEEN == [
        ("Primary", Traffic.LIVE, False),
        ("Candidate", Traffic.SHADOW, True),
        ("Primary", Traffic.LIVE, False),
        ("Primary", Traffic.TEST, False),
        ("Primary", Traffic.SHADOW, True),
        ("Candidate", Traffic.SHADOW, True),
        ("Primary", Traffic.LIVE, False),
    ]


@pytest.mark.parametrize(
    ("metadata", "meant"),
    [
        (None, LIVE),
        ([("user-agent", "x")], LIVE),
        ([("x-lightbulb-traffic", "shadow")], LIVE),
        ([("x-lightbulb-traffic", "replay")], Call(traffic=Traffic.REPLAY)),
        ([("x-lightbulb-model", "m@1")], LIVE),
        (
            [("x-lightbulb-compare", "17,17n"), ("x-request-id", "r")],
            Call(compared=("17", "17n"), request_id="r"),
        ),
        (
            [("x-shadow", "17"), ("x-lightbulb-model", "m@1"), ("x-lightbulb-compare", "18")],
            Call(traffic=Traffic.SHADOW, shadow="17", model="m@1"),
        ),
        ([("x-lightbulb-parameters", "{}")], LIVE),
        (
            [("x-shadow", "17"), ("x-lightbulb-parameters", "{}")],
            Call(traffic=Traffic.SHADOW, shadow="17", parameters="{}"),
        ),
        ([("x-request-id", "r" * 9_000)], Call(request_id="r" * 512)),
        ([("x-request-id", b"r")], LIVE),
    ],
)
def test_headers_say_what_a_call_is_for(metadata: list[tuple[str, str | bytes]] | None, meant: Call) -> None:
    assert call_of(metadata) == meant


def test_a_shadows_model_gets_its_own_parameters_in_place_of_the_primarys() -> None:
    request = infer("primary@1", 1)
    for name, value in (("k", 10), ("theirs", 1), ("callers", 3)):
        request.parameters[name].int64_param = value
    others = '{"k": 5, "own": "50 %", "theirs": null, "lightbulb_context_user_id": "somebody"}'
    copy = inference_of(request, Echo(Supplies(facts={}, models={})), replace(LIVE, parameters=others))
    assert copy.parameters == {"k": 5, "own": "50 %", "callers": 3}
    assert copy.context.user_id == "user-1"
    for no_object in ("{", "1", "[]"):
        with pytest.raises(BadInput, match="no JSON object"):
            inference_of(request, Echo(Supplies(facts={}, models={})), replace(LIVE, parameters=no_object))


def test_copies_have_a_share_of_the_room_and_leave_the_rest() -> None:
    workers = Workers("shared", count=1, limit=8)
    with gate() as held:
        workers.submit(held.wait, share=4)
        workers.submit(held.wait, share=4)
        with pytest.raises(Busy, match="2 requests are under way"):
            workers.submit(held.wait, share=4)
        for _ in range(6):
            workers.submit(held.wait)
        with pytest.raises(Busy, match="8 requests"):
            workers.submit(held.wait)
    workers.close()
