"""The grpc shell around the sessions: real streams, hostile clients, an end that ends everything."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping

import grpc
import grpc.aio
import pytest
from envoy.service.discovery.v3 import ads_pb2_grpc
from envoy.service.discovery.v3 import discovery_pb2 as pb

from lightbulb.ads.client.subscriber import Update
from lightbulb.ads.server.form import both
from lightbulb.ads.server.server import SERVER_OPTIONS, AdsServer
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.server.tracks import SessionLimits
from lightbulb.ads.values import CLUSTER, MAX_MESSAGE_BYTES, ROUTE, BadNode, Node
from lightbulb.ads.wire import SERVICE
from tests.ads.scripted_server import subscribed
from tests.ads.worlds import of, res
from tests.waiting import eventually

DEADLINE = 60.0
OPTIONS = [("grpc.max_send_message_length", MAX_MESSAGE_BYTES), ("grpc.use_local_subchannel_pool", 1)]
BIG = "x" * 200_000


class Plane:
    """A server, what it shows, and what it was told."""

    def __init__(self, snapshot: Snapshot | None, **settings: object) -> None:
        self.snapshot = snapshot
        self.changes: list[int] = []
        self.asked: list[str] = []
        self.ads = AdsServer(self._view, on_change=self.changes.append, **settings)
        self.target = ""

    def _view(self, node: Node) -> Snapshot | None:
        self.asked.append(node.id)
        if node.metadata.get("port") == "abc":
            raise BadNode("metadata 'port' is 'abc', not a port")
        return self.snapshot

    def publish(self, snapshot: Snapshot, *kinds: str) -> None:
        self.snapshot = snapshot
        self.ads.push(*kinds)


@contextlib.asynccontextmanager
async def serving(snapshot: Snapshot | None, **settings: object) -> AsyncIterator[Plane]:
    plane, server = Plane(snapshot, **settings), grpc.aio.server(options=SERVER_OPTIONS)
    plane.ads.add_to(server)
    plane.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield plane
    finally:
        await plane.ads.close()
        await server.stop(0.5)


@contextlib.asynccontextmanager
async def connected(
    plane: Plane, sotw: bool = False
) -> AsyncIterator[Callable[[], grpc.aio.StreamStreamCall]]:
    async with grpc.aio.insecure_channel(plane.target, options=OPTIONS) as channel:
        stub = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel)
        yield stub.StreamAggregatedResources if sotw else stub.DeltaAggregatedResources


def first(
    type_url: str = ROUTE, node_id: str = "n", *names: str, **metadata: str
) -> pb.DeltaDiscoveryRequest:
    request = pb.DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=names or ("*",))
    request.node.id = node_id
    request.node.metadata.update(metadata)
    return request


def answer(response: pb.DeltaDiscoveryResponse, error: str = "") -> pb.DeltaDiscoveryRequest:
    request = pb.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
    if error:
        request.error_detail.message = error
    return request


async def read(call) -> pb.DeltaDiscoveryResponse:
    response = await asyncio.wait_for(call.read(), DEADLINE)
    assert response is not grpc.aio.EOF, "the stream ended"
    return response


async def refused(call) -> tuple[grpc.StatusCode, str]:
    code = await asyncio.wait_for(call.code(), DEADLINE)
    return code, await call.details()


def run(scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 120))


def test_an_ack_isnt_overdue_for_a_time_in_which_the_server_stood_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lightbulb.ads.server.server.TICK_SECONDS", 0.01)
    stood, asked = 0.0, 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        return stood

    async def scenario() -> None:
        nonlocal stood
        async with serving(of(CLUSTER, a=1), clock=clock) as plane, connected(plane) as open_stream:
            call = open_stream()
            await call.write(first(CLUSTER))
            clusters = await read(call)
            stood, before = 1e6, asked
            await eventually("two looks at the time", lambda: asked >= before + 2)
            await call.write(answer(clusters))
            await eventually("the ACK", lambda: plane.ads.streams()[0].acked(CLUSTER).keys() == {"a"})

    run(scenario)


def test_a_change_reaches_every_stream_and_only_what_changed() -> None:
    async def scenario() -> None:
        async with serving(of(ROUTE, a=1, b=1)) as plane, connected(plane) as open_stream:
            calls = [open_stream() for _ in range(3)]  # of one node id: each has its own state
            for call in calls:
                await call.write(first())
                await call.write(answer(await read(call)))
            await eventually(
                "the ACKs", lambda: all(s.acked(ROUTE).keys() == {"a", "b"} for s in plane.ads.streams())
            )
            assert [stream.node.id for stream in plane.ads.streams()] == ["n", "n", "n"]
            plane.publish(of(ROUTE, a=1, b=2))
            for call in calls:
                response = await read(call)
                assert [r.name for r in response.resources] == ["b"]
                assert response.resources[0].resource.value == res("b", 2).body

    run(scenario)


def test_what_one_stream_refuses_is_known_by_name_and_serves_the_others() -> None:
    async def scenario() -> None:
        async with serving(of(ROUTE, a=1)) as plane, connected(plane) as open_stream:
            good, bad = open_stream(), open_stream()
            await good.write(first(node_id="good"))
            await bad.write(first(node_id="bad"))
            await good.write(answer(await read(good)))
            await bad.write(answer(await read(bad), "a: I don't like it"))
            await eventually(
                "an ACK and a NACK",
                lambda: (
                    {s.node.id: dict(s.rejected) for s in plane.ads.streams()}
                    == {"good": {}, "bad": {"a": "I don't like it"}}
                    and next(s for s in plane.ads.streams() if s.node.id == "good").acked(ROUTE)
                ),
            )

    run(scenario)


def test_state_of_the_world_streams_are_served_beside_delta_ones() -> None:
    async def scenario() -> None:
        async with serving(of(CLUSTER, a=1)) as plane, connected(plane, sotw=True) as open_stream:
            call = open_stream()
            request = pb.DiscoveryRequest(type_url=CLUSTER)
            request.node.id = "old-style"
            await call.write(request)
            response = await read(call)
            assert [r.value for r in response.resources] == [res("a").body]
            ack = pb.DiscoveryRequest(
                type_url=CLUSTER, version_info=response.version_info, response_nonce=response.nonce
            )
            await call.write(ack)
            plane.publish(of(CLUSTER, a=2))
            assert (await read(call)).version_info != response.version_info

    run(scenario)


def test_before_there_is_anything_to_show_a_stream_waits() -> None:
    async def scenario() -> None:
        async with serving(None) as plane, connected(plane) as open_stream:
            call = open_stream()
            await call.write(first())
            await eventually("the stream", plane.ads.streams)
            plane.publish(of(ROUTE, a=1))
            assert [r.name for r in (await read(call)).resources] == ["a"]

    run(scenario)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (pb.DeltaDiscoveryRequest(type_url=ROUTE), "must carry node.id"),
        (first(port="abc"), "metadata 'port' is 'abc'"),
    ],
)
def test_a_stream_that_does_not_say_who_it_is_is_refused(request_, words: str) -> None:
    async def scenario() -> None:
        async with serving(of(ROUTE, a=1)) as plane, connected(plane) as open_stream:
            call = open_stream()
            await call.write(request_)
            code, details = await refused(call)
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert words in details
            assert plane.ads.streams() == ()

    run(scenario)


@pytest.mark.parametrize("after", [0, 1])
def test_bytes_that_are_no_request_end_their_stream_with_a_reason_and_no_other(after: int) -> None:
    async def scenario() -> None:
        async with serving(of(ROUTE, a=1)) as plane, connected(plane) as open_stream:
            bystander = open_stream()
            await bystander.write(first(node_id="bystander"))
            await bystander.write(answer(await read(bystander)))
            async with grpc.aio.insecure_channel(plane.target, options=OPTIONS) as channel:
                raw = channel.stream_stream(f"/{SERVICE}/DeltaAggregatedResources")()
                if after:
                    await raw.write(first().SerializeToString())
                    await read(raw)
                await raw.write(b"\xff\xff\xff")
                assert (await refused(raw))[0] is grpc.StatusCode.INVALID_ARGUMENT
            await eventually("the stream to be forgotten", lambda: len(plane.ads.streams()) == 1)
            plane.publish(of(ROUTE, a=2))
            assert (await read(bystander)).resources[0].name == "a"

    run(scenario)


def test_an_unknown_type_does_not_end_the_stream() -> None:
    async def scenario() -> None:
        async with serving(of(ROUTE, a=1)) as plane, connected(plane) as open_stream:
            call = open_stream()
            await call.write(first("type.googleapis.com/nobody.Knows"))
            await call.write(first())
            assert (await read(call)).type_url == ROUTE

    run(scenario)


def test_more_streams_than_allowed_are_refused_until_one_ends() -> None:
    async def scenario() -> None:
        async with serving(of(ROUTE, a=1), max_streams=1) as plane, connected(plane) as open_stream:
            one = open_stream()
            await one.write(first())
            await read(one)
            code, details = await refused(open_stream())
            assert (code, "takes 1 streams" in details) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
            one.cancel()
            await eventually("the first stream to end", lambda: not plane.ads.streams())
            again = open_stream()
            await again.write(first())
            await read(again)

    run(scenario)


def test_more_names_than_allowed_are_refused() -> None:
    async def scenario() -> None:
        forms = both(SessionLimits(names=2))
        async with serving(of(ROUTE, a=1), forms=forms) as plane, connected(plane) as open_stream:
            call = open_stream()
            await call.write(first(ROUTE, "n", "a", "b", "c"))
            code, details = await refused(call)
            assert (code, "more than 2 names" in details) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)

    run(scenario)


def test_26_and_31_names_that_nobody_has_are_answered_in_pieces_and_longer_ones_refused() -> None:
    async def scenario() -> None:
        unknown = [f"{number:05}" + "x" * 165 for number in range(40_000)]  # 6.8 MB
        async with serving(of(ROUTE, a=1)) as plane, connected(plane) as open_stream:
            call = open_stream()
            await call.write(first(ROUTE, "n", *unknown))
            removed: list[str] = []
            while len(removed) < len(unknown):
                piece = await read(call)
                assert piece.ByteSize() < 4 * 1024 * 1024  # what clients of gRPC take by default
                removed.extend(piece.removed_resources)
                await call.write(answer(piece))
            assert removed == unknown
            await call.write(pb.DeltaDiscoveryRequest(type_url=ROUTE, resource_names_subscribe=["x" * 5000]))
            code, details = await refused(call)
            assert (code, "a name of 5000 characters" in details) == (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                True,
            )

    run(scenario)


def test_a_second_node_on_a_stream_changes_nobody() -> None:
    async def scenario() -> None:
        async with serving(of(ROUTE, a=1)) as plane, connected(plane) as open_stream:
            call = open_stream()
            await call.write(first(ROUTE, "n", "a"))
            piece = await read(call)
            again = answer(piece)
            again.node.id = "another"
            again.resource_names_subscribe.append("a")
            await call.write(again)
            await read(call)
            assert [each.node.id for each in plane.ads.streams()] == ["n"]

    run(scenario)


def test_25_a_reconnect_that_names_a_hundred_thousand_resources_is_taken() -> None:
    async def scenario() -> None:
        snapshot = of(ROUTE, **{f"objective-with-a-long-name-{n}": 1 for n in range(100_000)})
        request = first()
        request.initial_resource_versions.update({r.name: r.version for r in snapshot.of(ROUTE).values()})
        del request.initial_resource_versions["objective-with-a-long-name-7"]
        assert request.ByteSize() > 4 * 1024 * 1024
        async with serving(snapshot) as plane, connected(plane) as open_stream:
            call = open_stream()
            await call.write(request)
            assert [r.name for r in (await read(call)).resources] == ["objective-with-a-long-name-7"]

    run(scenario)


def test_24_a_reader_that_stands_still_costs_one_response_and_gets_the_latest() -> None:
    async def scenario() -> None:
        async with serving(of(ROUTE, a=BIG)) as plane, connected(plane) as open_stream:
            call = open_stream()
            await call.write(first())
            await eventually("the stream", plane.ads.streams)
            (stream,) = plane.ads._streams.values()
            for version in range(50):
                before = len(plane.changes)
                plane.publish(of(ROUTE, a=f"{version}{BIG}"))
                await eventually("the push", lambda n=before: len(plane.changes) > n)
                assert stream.outgoing.qsize() <= 1
            await call.write(answer(await read(call)))
            latest = await read(call)
            assert latest.resources[0].resource.value == res("a", f"49{BIG}").body

    run(scenario)


def test_the_end_of_a_stream_and_of_the_server_are_noticed() -> None:
    async def scenario() -> None:
        async with serving(of(ROUTE, a=1)) as plane, connected(plane) as open_stream:
            leaving, staying = open_stream(), open_stream()
            for call in (leaving, staying):
                await call.write(first())
                await read(call)
            ids = plane.ads.ids()
            leaving.cancel()
            await eventually("the stream to go", lambda: len(plane.ads.ids()) == 1)
            (gone,) = set(ids) - set(plane.ads.ids())
            assert plane.ads.stream(gone) is None
            await eventually("word of it", lambda: plane.changes.count(gone) >= 2)
            await plane.ads.close()
            assert await asyncio.wait_for(staying.read(), DEADLINE) is grpc.aio.EOF

    run(scenario)


def test_a_fault_that_ends_the_pushes_is_raised_where_the_server_is_watched() -> None:
    async def scenario() -> None:
        async with serving(of(ROUTE, a=1)) as plane, connected(plane) as open_stream:
            call = open_stream()
            await call.write(first())
            await read(call)
            watching = asyncio.create_task(plane.ads.watch())
            plane.publish(None)
            await eventually("a push of nothing", lambda: not plane.ads._push_wanted.is_set())
            assert not watching.done()
            plane.publish("no snapshot")
            with pytest.raises(AttributeError):
                await asyncio.wait_for(watching, DEADLINE)

    run(scenario)


def test_what_a_subscriber_of_ours_refuses_arrives_by_name_whatever_the_reason_says() -> None:
    async def refuse_a(update: Update) -> Mapping[str, str]:
        return {each.name: "it needs b: 2, and c" for each in update.added if each.name == "a"}

    async def scenario() -> None:
        async with serving(of(ROUTE, a=1, b=1, c=1)) as plane, subscribed(plane.target, refuse_a, ROUTE):
            await eventually("the refusal", lambda: any(each.rejected for each in plane.ads.streams()))
            (stream,) = plane.ads.streams()
            await eventually("the others to be taken", lambda: stream.acked(ROUTE).keys() == {"b", "c"})
            assert stream.rejected == {"a": "it needs b: 2, and c"}

    asyncio.run(scenario())


def test_a_push_for_one_kind_of_nodes_looks_at_no_others() -> None:
    async def scenario() -> None:
        async with serving(of(CLUSTER, a=1)) as plane, connected(plane) as stub:
            calls = [stub(), stub()]
            for call, kind in zip(calls, ("sidecar", "lightbulb"), strict=True):
                await call.write(first(CLUSTER, kind, kind=kind))
                await call.write(answer(await read(call)))
            plane.asked.clear()
            plane.publish(of(CLUSTER, a=1, b=1), "lightbulb")
            assert [each.name for each in (await read(calls[1])).resources] == ["b"]
            assert plane.asked == ["lightbulb"]
            plane.publish(of(CLUSTER, a=1, c=1))
            plane.ads.push("lightbulb")  # takes nothing back of what the others are to be shown
            assert [each.name for each in (await read(calls[0])).resources] == ["c"]

    run(scenario)


def test_of_a_crowd_that_comes_at_once_no_call_is_cancelled() -> None:
    crowd = 3_500  # gRPC alone would cancel some beyond 1,000, and all beyond 3,000

    async def scenario() -> None:
        async with serving(None) as plane:
            with grpc.insecure_channel(plane.target, options=OPTIONS) as channel:
                grpc.channel_ready_future(channel).result(DEADLINE)
                method = channel.unary_unary("/nobody/Serves")
                # All of them before this server's loop has a turn, so that none was taken yet.
                calls = [method.future(b"", timeout=DEADLINE) for _ in range(crowd)]
                codes = await asyncio.to_thread(lambda: {call.code() for call in calls})
            assert codes == {grpc.StatusCode.UNIMPLEMENTED}

    run(scenario)
