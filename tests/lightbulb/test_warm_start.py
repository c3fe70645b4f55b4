"""A Lightbulb that was told once starts again by itself, and goes on from there."""

import asyncio
from dataclasses import replace
from pathlib import Path

import grpc.aio
import pytest

from lightbulb.ads.client.held import Held
from lightbulb.ads.client.last_known_good import LastKnownGood, decode, encode
from lightbulb.ads.values import ACTIVE_GENERATION, OBJECTIVE_CONTROL, OBJECTIVE_TABLES
from lightbulb.client.client import LightbulbClient
from lightbulb.errors import UnknownObjective
from lightbulb.model import ObjectiveControl, OperatorShift, RequestContext
from lightbulb.resolution.codec import control_to_bytes
from lightbulb.service.server import LightbulbServer
from lightbulb.tables.live import LiveTables
from tests.ads.scripted_server import ScriptedServer, resource, scripted_server
from tests.lightbulb.lightbulb_server import health, lightbulb, publish, settings, sidecars
from tests.lightbulb.tables import MODELS, OBJECTIVE, TABLE
from tests.waiting import eventually

OTHER = replace(TABLE, objective="Other")
USER = RequestContext(user_id="u", country="US")
NOBODY = "127.0.0.1:1"


async def take(script: ScriptedServer, state: Path, number: int = 5) -> None:
    """Let a Lightbulb take a generation of two objectives, keep it, and end."""
    async with lightbulb(script, state=state) as server:
        sidecars(script, behind=4)
        publish(script, number, TABLE, OTHER, fence=9, store="ours", oldest=3)
        await script.acked(ACTIVE_GENERATION, 1)
        assert server.feed.ready


def kept(state: Path) -> Held:
    path = LastKnownGood(state, "lightbulb-1").path
    return decode("lightbulb-1", path.read_bytes()) if path.exists() else {}


def test_a_lightbulb_serves_from_disk_before_and_without_any_control_plane(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scripted_server() as script:
            await take(script, tmp_path)
        server = LightbulbServer(settings(NOBODY, state=tmp_path))
        await server.start()
        target = f"127.0.0.1:{server.port}"
        async with grpc.aio.insecure_channel(target) as channel:
            await eventually("what is on disk", lambda: server.feed.ready)
            assert await health(channel) == "SERVING"
        for sidecar, number in (("", 5), ("behind", 4), ("stranger", 3)):
            async with LightbulbClient(target, sidecar=sidecar, timeout=60.0) as client:
                assert (await client.resolve(OBJECTIVE, USER)).generation == number
        await server.stop()

    asyncio.run(scenario())


def test_a_control_plane_that_has_nothing_new_sends_only_which_generation_is_active(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scripted_server() as script:
            await take(script, tmp_path)
            script.sent.clear()
            async with lightbulb(script, state=tmp_path) as server:
                await eventually("the second one's stream", lambda: len(script.streams) == 2)
                await script.acked(ACTIVE_GENERATION, 1)
                assert [each.type_url for each in script.sent] == [ACTIVE_GENERATION]
                taken = server.feed.tables
                # and from there on only what changed
                publish(script, 6, TABLE, replace(OTHER, deadline=1.0), fence=10, store="ours")
                await eventually("generation 6", lambda: server.feed.tables.generation.number == 6)
                assert server.feed.tables.objectives[OBJECTIVE] is taken.objectives[OBJECTIVE]
                (tables,) = (each for each in script.sent if each.type_url == OBJECTIVE_TABLES)
                assert [each.name for each in tables.resources] == ["Other"]

    asyncio.run(scenario())


def test_what_is_applied_is_on_disk_soon_and_without_an_orderly_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script, state=tmp_path):
            publish(script, 1, TABLE)
            await eventually("a file", lambda: kept(tmp_path).keys() == {OBJECTIVE_TABLES, ACTIVE_GENERATION})
            assert kept(tmp_path)[OBJECTIVE_TABLES].keys() == {OBJECTIVE}
            second = LightbulbServer(settings(NOBODY, state=tmp_path))
            await second.start()
            assert second.feed.tables.generation.number == 1
            await second.stop()

    asyncio.run(scenario())


def test_a_control_plane_that_is_behind_what_is_on_disk_is_refused_and_leaves_the_disk_as_it_was(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with scripted_server() as script:
            await take(script, tmp_path)
        before = kept(tmp_path)
        async with scripted_server() as stale:
            publish(stale, 6, replace(TABLE, objective="Stale"), fence=8, store="ours")
            async with lightbulb(stale, state=tmp_path) as server:
                nack = await stale.acked(ACTIVE_GENERATION, 1)
                assert "generation 6 at fence 8 is behind" in nack.error_detail.message
                async with LightbulbClient(f"127.0.0.1:{server.port}", timeout=60.0) as client:
                    assert (await client.resolve(OBJECTIVE, USER)).generation == 5
                    with pytest.raises(UnknownObjective):
                        await client.resolve("Stale", USER)
        assert kept(tmp_path) == before

    asyncio.run(scenario())


def test_a_corrupt_file_is_a_cold_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with scripted_server() as script:
            await take(script, tmp_path)
            path = LastKnownGood(tmp_path, "lightbulb-1").path
            path.write_bytes(path.read_bytes()[:-10])
            server = LightbulbServer(settings(NOBODY, state=tmp_path))
            await server.start()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                assert await health(channel) == "NOT_SERVING"
            await server.stop()
            assert f"{path} refused: its checksum doesn't match" in caplog.text
            async with lightbulb(script, state=tmp_path) as second:
                await asyncio.wait_for(second.feed.wait_ready(), 60)
                assert second.feed.tables.generation.number == 5

    asyncio.run(scenario())


def test_a_resource_on_disk_that_cant_be_used_is_named_and_asked_for_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with scripted_server() as script:
            await take(script, tmp_path)
            held = {type_url: dict(resources) for type_url, resources in kept(tmp_path).items()}
            held[OBJECTIVE_TABLES]["Other"] = resource("Other", b"\xff")
            LastKnownGood(tmp_path, "lightbulb-1").path.write_bytes(encode("lightbulb-1", held))
            async with lightbulb(script, state=tmp_path) as server:
                assert list(server.feed.tables.objectives) == [OBJECTIVE]
                assert "Other: refused: not a lightbulb.v1.ObjectiveTables" in caplog.text
                await eventually("the right one", lambda: "Other" in server.feed.tables.objectives)

    asyncio.run(scenario())


def test_a_lightbulb_goes_on_with_the_next_replica(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scripted_server() as first, scripted_server() as second:
            server = LightbulbServer(settings(f"{NOBODY},{first.target},{second.target}"))
            await server.start()
            publish(first, 1, TABLE, fence=1, store="ours")
            publish(second, 1, TABLE, fence=1, store="ours")
            await asyncio.wait_for(server.feed.wait_ready(), 60)
            assert second.streams == []
            publish(second, 2, TABLE, fence=2, store="ours")
            first.break_streams()
            await eventually("the second's generation", lambda: server.feed.tables.generation.number == 2)
            await server.stop()

    asyncio.run(scenario())


def test_a_clients_own_tables_are_there_without_any_control_plane(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scripted_server() as script:
            live = LiveTables(control_plane=script.target, node_id="checkout-7", state=tmp_path)
            await live.start()
            publish(script, 5, TABLE)
            shift = OperatorShift(number=7, key=MODELS[3].routing_key, basis_points=10_000, salt="s")
            control = ObjectiveControl(objective=OBJECTIVE, version=7, shift=shift)
            script.set(OBJECTIVE_CONTROL, resource(OBJECTIVE, control_to_bytes(control)))
            await asyncio.wait_for(live.feed.wait_ready(), 60)
            await eventually("the control", lambda: live.feed.tables.controls)
            taken = live.feed.tables
            await live.stop()
        again = LiveTables(control_plane=NOBODY, node_id="checkout-7", state=tmp_path)
        await again.start()
        assert again.feed.tables.generation == taken.generation
        resolver = again.feed.tables.resolver(OBJECTIVE, 5)
        before = taken.resolver(OBJECTIVE, 5)
        assert resolver is not None
        assert before is not None
        assert resolver.resolve(USER).target == before.resolve(USER).target
        assert resolver.resolve(USER).arm == before.resolve(USER).arm == "7c"
        await again.stop()
        await LiveTables(control_plane=NOBODY, node_id="checkout-7", state=tmp_path).stop()  # never started

    asyncio.run(scenario())


def test_a_fault_that_ends_what_keeps_tables_up_to_date_is_said_and_they_serve_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(_: object) -> None:
        raise RuntimeError("a fault of ours")

    async def scenario() -> None:
        async with scripted_server() as script:
            await take(script, tmp_path)
        monkeypatch.setattr("lightbulb.ads.client.subscriber.Subscriber.run", breaks)
        live = LiveTables(control_plane=NOBODY, node_id="lightbulb-1", state=tmp_path)
        await live.start()
        await eventually("word of the fault", lambda: "following the control plane failed" in caplog.text)
        assert "a fault of ours" in caplog.text
        assert live.feed.tables.generation.number == 5
        await live.stop()

    asyncio.run(scenario())
