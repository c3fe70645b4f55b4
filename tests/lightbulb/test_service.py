"""The service: real gRPC in front, a control plane's stream behind, and an orderly end."""

import asyncio
import signal
from dataclasses import replace

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from lightbulb.ads.values import ACTIVE_GENERATION, OBJECTIVE_TABLES
from lightbulb.client.client import RESOLVE
from lightbulb.errors import CannotListen
from lightbulb.rpc.details import NAME_BYTES, ErrorInfo, error_info
from lightbulb.rpc.status import DOMAIN
from lightbulb.service.server import SERVICE, LightbulbServer
from lightbulb.v1 import lightbulb_pb2 as pb
from lightbulb.v1 import lightbulb_pb2_grpc
from tests.ads.scripted_server import resource, scripted_server
from tests.lightbulb.ending import ends_in_order, refuses
from tests.lightbulb.garbage import refuses_garbage
from tests.lightbulb.lightbulb_server import health, lightbulb, publish, serving, settings
from tests.lightbulb.tables import OBJECTIVE, TABLE, tables_to_bytes
from tests.waiting import eventually

REQUEST = pb.ResolveRequest(objective=OBJECTIVE, context=pb.RequestContext(user_id="u"))


@pytest.fixture(params=[False, True], ids=["grpcio", "native"])
def native(request: pytest.FixtureRequest) -> bool:
    """Which transport brings the calls."""
    return request.param


async def status(call: grpc.aio.UnaryUnaryCall) -> tuple[grpc.StatusCode, str]:
    return await call.code(), await call.details()


def told(reason: str, path: str = "", **about: str) -> ErrorInfo:
    return ErrorInfo(reason=reason, domain=DOMAIN, path=path, about=about)


@pytest.mark.parametrize(
    ("request_", "code", "details", "info"),
    [
        (
            pb.ResolveRequest(objective="Nope"),
            "NOT_FOUND",
            "unknown objective 'Nope'",
            told("UNKNOWN_OBJECTIVE", objective="Nope", generation="1"),
        ),
        (
            pb.ResolveRequest(objective=OBJECTIVE + "s"),
            "NOT_FOUND",
            f"did you mean {OBJECTIVE}?",
            told("UNKNOWN_OBJECTIVE", objective=OBJECTIVE + "s", generation="1"),
        ),
        (
            pb.ResolveRequest(objective=OBJECTIVE),
            "INVALID_ARGUMENT",
            "context.user_id is missing",
            told("INVALID_REQUEST", path="context.user_id"),
        ),
        (
            pb.ResolveRequest(objective=OBJECTIVE, context=REQUEST.context, override_model="kids"),
            "PERMISSION_DENIED",
            "permitted: default, default@1",
            told("OVERRIDE_REFUSED", objective=OBJECTIVE, model="kids"),
        ),
        (
            pb.ResolveRequest(
                objective=OBJECTIVE, context=REQUEST.context, override_model="☂" * 9000, client="☂" * 9000
            ),
            "PERMISSION_DENIED",
            "no rule lets client",
            told("OVERRIDE_REFUSED", objective=OBJECTIVE, model="☂" * (NAME_BYTES // 3)),
        ),
        # gRPC says so itself, before anybody has read the request
        (pb.ResolveRequest(objective="x" * 1024 * 1024), "RESOURCE_EXHAUSTED", "", None),
    ],
    ids=["unknown", "misspelt", "no user", "override", "long override", "oversized"],
)
def test_a_refusal_is_the_status_that_the_protocol_documents(
    request_: pb.ResolveRequest, code: str, details: str, info: ErrorInfo | None, native: bool
) -> None:
    async def scenario() -> None:
        async with serving(native=native) as target, grpc.aio.insecure_channel(target) as channel:
            call = lightbulb_pb2_grpc.LightbulbStub(channel).Resolve(request_)
            got, text = await status(call)
            assert got is grpc.StatusCode[code]
            assert details in text
            assert error_info(await call.trailing_metadata()) == info

    asyncio.run(scenario())


def test_health_follows_the_feed_and_the_last_generation_outlives_the_control_plane(
    native: bool,
) -> None:
    async def scenario() -> None:
        async with (
            scripted_server() as script,
            lightbulb(script, native=native) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            stub = lightbulb_pb2_grpc.LightbulbStub(channel)
            assert [await health(channel, name) for name in ("", SERVICE)] == ["NOT_SERVING"] * 2
            call = stub.Resolve(REQUEST)
            assert (await status(call))[0] is grpc.StatusCode.UNAVAILABLE
            info = error_info(await call.trailing_metadata())
            assert info == replace(told("NO_CONFIGURATION"), retry_after=1.0)
            publish(script, 5, TABLE)
            await server.feed.wait_ready()
            assert (await stub.Resolve(REQUEST)).generation == 5
            assert [await health(channel, name) for name in ("", SERVICE)] == ["SERVING"] * 2
            script.break_streams()
            assert (await stub.Resolve(REQUEST)).generation == 5
            assert await health(channel) == "SERVING"

    asyncio.run(scenario())


def test_a_bad_table_is_nacked_by_name_and_the_good_ones_are_served() -> None:
    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script) as server:
            publish(script, 1, TABLE)
            await server.feed.wait_ready()
            other = replace(TABLE, objective="Other")
            script.set(
                OBJECTIVE_TABLES, resource(OBJECTIVE, b"\xff"), resource("Other", tables_to_bytes(other))
            )
            nack = await script.acked(OBJECTIVE_TABLES, 2)
            assert nack.error_detail.message.startswith(f"{OBJECTIVE}: not a lightbulb.v1.ObjectiveTables")
            assert set(server.feed.tables.objectives) == {OBJECTIVE, "Other"}
            assert script.stream.first(OBJECTIVE_TABLES).node.metadata["kind"] == "lightbulb"

    asyncio.run(scenario())


def test_a_control_plane_that_is_behind_is_refused_and_what_it_shows_is_not_served() -> None:
    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script) as server:
            publish(script, 5, TABLE, fence=9, store="ours", oldest=4)
            await server.feed.wait_ready()
            await script.acked(ACTIVE_GENERATION, 1)
            before = server.feed.tables
            script.break_streams()
            publish(script, 4, replace(TABLE, objective="Old"), fence=8, store="ours")
            await eventually("a reconnect", lambda: len(script.streams) == 2)
            nack = await script.acked(ACTIVE_GENERATION, 1)
            assert nack.error_detail.message.startswith("active: generation 4 at fence 8 is behind")
            assert server.feed.tables is before
            publish(script, 6, replace(TABLE, objective="New"), fence=10, store="ours")
            await eventually("generation 6", lambda: server.feed.tables.generation.number == 6)
            assert list(server.feed.tables.objectives) == ["New"]

    asyncio.run(scenario())


def test_reflection_names_the_services() -> None:
    async def scenario() -> None:
        async with serving() as target, grpc.aio.insecure_channel(target) as channel:
            call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
            await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            response = await call.read()
            await call.done_writing()
            names = {service.name for service in response.list_services_response.service}
            assert {SERVICE, "grpc.health.v1.Health"} <= names

    asyncio.run(scenario())


def test_a_port_in_use_is_a_clear_error(native: bool) -> None:
    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script, native=native) as first:
            listen = f"127.0.0.1:{first.port}"
            second = LightbulbServer(settings(script.target, listen=listen, native=native))
            with pytest.raises(CannotListen, match=rf"127.0.0.1:{first.port}: Address already in use"):
                await second.start()
            await second.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("_round", range(5))
def test_a_drain_shows_in_health_first_and_ends_each_call_with_an_answer_or_a_retriable_status(
    _round: int,
) -> None:
    async def scenario() -> None:
        async with scripted_server() as script:
            server = LightbulbServer(settings(script.target, grace=5.0))
            await server.start()
            publish(script, 1, TABLE)
            await server.feed.wait_ready()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                seen = await _drain_under_load(server, channel)
        assert seen["health"] == ["SERVING", "NOT_SERVING"]
        assert seen["codes"] == {"OK", "UNAVAILABLE"}

    asyncio.run(scenario())


async def _drain_under_load(server: LightbulbServer, channel: grpc.aio.Channel) -> dict:
    stub = lightbulb_pb2_grpc.LightbulbStub(channel)
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    statuses = [(await watch.read()).status]
    answered: list[str] = []

    async def call_until_refused() -> None:
        code = "OK"
        while code == "OK":
            code = (await stub.Resolve(REQUEST).code()).name
            answered.append(code)

    callers = [asyncio.create_task(call_until_refused()) for _ in range(16)]
    await eventually("calls under way", lambda: len(answered) > 100)
    stopping = asyncio.create_task(server.stop())
    statuses.append((await watch.read()).status)
    watch.cancel()
    await asyncio.gather(*callers)
    await stopping
    names = health_pb2.HealthCheckResponse.ServingStatus
    return {"health": [names.Name(status) for status in statuses], "codes": set(answered)}


def test_an_open_stream_holds_a_drain_no_longer_than_the_grace() -> None:
    async def scenario() -> None:
        async with (
            scripted_server() as script,
            lightbulb(script, grace=0.2) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
            await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            await stream.read()
            await asyncio.wait_for(server.stop(), 60)
            assert await stream.code() is not grpc.StatusCode.OK


def test_who_watches_a_server_that_stops_is_told_so_and_holds_it_up_no_longer() -> None:
    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script, grace=600.0) as server:
            publish(script, 1, TABLE)
            await server.feed.wait_ready()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
                while (await watch.read()).status != health_pb2.HealthCheckResponse.SERVING:
                    pass
                await asyncio.wait_for(server.stop(), 60)
                assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
                assert await watch.code() is grpc.StatusCode.UNAVAILABLE

    asyncio.run(scenario())


def test_a_call_that_a_drain_finds_under_way_gets_its_answer(native: bool) -> None:
    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script, grace=30.0, native=native) as server:
            publish(script, 1, TABLE)
            await server.feed.wait_ready()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                call = channel.stream_unary(RESOLVE)()  # its headers go now, its request later
                await call.wait_for_connection()
                assert await health(channel) == "SERVING"  # so that the server has seen the headers
                stopping = asyncio.create_task(server.stop())
                await eventually("the drain to begin", lambda: refuses(server.port))
                await call.write(REQUEST.SerializeToString())
                await call.done_writing()
                assert pb.ResolveResponse.FromString(await call).generation == 1
                await stopping

    asyncio.run(scenario())


PROGRAM = """
import asyncio, logging
from lightbulb.service.server import LightbulbSettings, serve
logging.basicConfig(level=logging.INFO)
settings = LightbulbSettings(
    listen="127.0.0.1:0", control_plane="127.0.0.1:1", node_id="l", native=%s
)
asyncio.run(serve(settings))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_process_in_order(number: signal.Signals) -> None:
    native = number is signal.SIGTERM  # as good with either: once is enough
    ends_in_order(PROGRAM % native, r"listening on 127.0.0.1:0 \(port \d+\)", number)


def test_garbage_is_refused_by_every_method_and_leaves_no_traceback(
    caplog: pytest.LogCaptureFixture, native: bool
) -> None:
    async def scenario() -> None:
        async with serving(native=native) as target:
            streaming = () if native else (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
            files = (pb.DESCRIPTOR, *streaming)
            await refuses_garbage(target, DOMAIN, *files, caplog=caplog)

    asyncio.run(scenario())


def test_health_is_told_of_the_service_by_name_and_of_no_other(native: bool) -> None:
    async def scenario() -> None:
        async with serving(native=native) as target, grpc.aio.insecure_channel(target) as channel:
            assert {await health(channel, name) for name in ("", SERVICE)} == {"SERVING"}
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await health(channel, "nobody")
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND

    asyncio.run(scenario())
