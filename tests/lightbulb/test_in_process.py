"""Clients that resolve in their own process: from a real Lightbulb's tables, through outages, over forks."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.cli.processes import free_ports
from lightbulb.ads.client.held import Held
from lightbulb.ads.client.last_known_good import LastKnownGood, encode
from lightbulb.ads.values import ACTIVE_GENERATION, OBJECTIVE_TABLES
from lightbulb.client import Answer, Fallback, Origin, RequestContext
from lightbulb.client.following import Following
from lightbulb.client.in_process import AsyncInProcessClient, InProcessClient
from lightbulb.errors import InvalidContext, Unavailable, UnknownObjective
from lightbulb.model import NO_GENERATION, ActiveGeneration, ObjectiveTable
from lightbulb.resolution.codec import generation_to_bytes
from lightbulb.service.server import LightbulbServer
from tests.ads.scripted_server import ScriptedServer, resource, scripted_server
from tests.lightbulb.lightbulb_server import lightbulb, publish, settings, sidecars
from tests.lightbulb.tables import OBJECTIVE, TABLE, tables_to_bytes
from tests.waiting import PAUSE, SECONDS, eventually, until

USER = RequestContext(user_id="u", country="US")
SPARE = {OBJECTIVE: Fallback(model="spare", version="3")}
OTHER = replace(TABLE, objective="Other")


class System:
    """A control plane's script, and a Lightbulb that serves tables."""

    def __init__(self, script: ScriptedServer, server: LightbulbServer) -> None:
        self.script, self.server = script, server
        self.tables = f"127.0.0.1:{server.tables_port}"
        self.lightbulb = f"127.0.0.1:{server.port}"


@contextlib.asynccontextmanager
async def system() -> AsyncIterator[System]:
    async with scripted_server() as script, lightbulb(script, tables="127.0.0.1:0") as server:
        publish(script, 1, TABLE, OTHER)
        await asyncio.wait_for(server.feed.wait_ready(), SECONDS)
        yield System(script, server)


@contextlib.contextmanager
def no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    until("threads to end", lambda: not [t for t in threading.enumerate() if t.name == "lightbulb-tables"])
    assert not [each for each in set(threading.enumerate()) - before if not each.daemon]


def test_it_answers_from_tables_and_follows_a_publish() -> None:
    async def run() -> None:
        async with system() as made:
            with InProcessClient(made.tables, client_name="lab") as client:
                assert await asyncio.to_thread(client.wait_ready, SECONDS)
                answer = client.resolve(OBJECTIVE, USER)
                assert (answer.origin, answer.generation, answer.age) == (Origin.TABLES, 1, 0.0)
                overridden = client.resolve(OBJECTIVE, USER, override_model="next")
                assert overridden.objective_config.model == "next"
                assert client.resolve(OBJECTIVE, USER, explain=True).steps
                publish(made.script, 2, replace(TABLE, default_model=3, ab_rules=(), shifts=()), OTHER)
                await eventually("the publish", lambda: client.resolve(OBJECTIVE, USER).generation == 2)
                assert client.resolve(OBJECTIVE, USER).objective_config.model == "kids"
                with pytest.raises(UnknownObjective, match="did you mean"):
                    client.resolve(f"{OBJECTIVE}s", USER)
                with pytest.raises(InvalidContext):
                    client.resolve(OBJECTIVE, RequestContext(user_id=""))

    with no_thread_left():
        asyncio.run(run())


def test_it_is_sent_what_it_takes_and_obeys_its_sidecar() -> None:
    async def run() -> None:
        async with system() as made:
            sidecars(made.script, mine=NO_GENERATION)
            await eventually("the sidecar", lambda: "mine" in made.server.feed.tables.sidecars)
            with InProcessClient(
                made.tables, objectives=["Other"], sidecar="mine", lightbulb=made.lightbulb
            ) as client:
                assert await asyncio.to_thread(client.wait_ready, SECONDS)
                with pytest.raises(Unavailable, match="routes no live generation"):
                    client.resolve("Other", USER)
                sidecars(made.script, mine=1)

                def is_routed() -> bool:
                    try:
                        return client.resolve("Other", USER).origin is Origin.TABLES
                    except Unavailable:
                        return False

                await eventually("its sidecar to route", is_routed)
                assert client.resolve(OBJECTIVE, USER).origin is Origin.LIGHTBULB

    asyncio.run(run())


def test_an_outage_costs_no_error_and_is_over_when_it_is_back(tmp_path: Path) -> None:
    short = replace(TABLE, cache_lifetime=1e-6)

    async def run() -> None:
        async with scripted_server() as script:
            publish(script, 1, short)
            tables, asked = (f"127.0.0.1:{port}" for port in free_ports(2))
            both = settings(script.target, listen=asked, tables=tables)
            server = LightbulbServer(both)
            await server.start()
            async with AsyncInProcessClient(
                tables, state=tmp_path, lightbulb=asked, fallbacks=SPARE
            ) as client:
                assert await client.wait_ready(SECONDS)
                before = await client.resolve(OBJECTIVE, USER)
                await eventually("the file", lambda: any(tmp_path.glob("*.last-known-good")))
                await server.stop()

                stale = await answered(client.resolve, Origin.STALE)
                assert (stale.routing_key, stale.generation) == (before.routing_key, 1)
                assert "no Lightbulb has been connected" in stale.why
                assert (await client.resolve_again(OBJECTIVE, USER)).origin is Origin.STALE
                server = LightbulbServer(both)
                await server.start()
                try:
                    assert (await answered(client.resolve, Origin.TABLES)).age == 0.0
                    # Its channel may wait for a moment before it connects again.
                    assert (await answered(client.resolve_again, Origin.LIGHTBULB)).generation == 1
                finally:
                    await server.stop()
            async with AsyncInProcessClient(tables, state=tmp_path, fallbacks=SPARE) as client:
                assert await client.wait_ready(SECONDS)
                from_disk = await client.resolve(OBJECTIVE, USER)
                assert (from_disk.origin, from_disk.routing_key) == (Origin.STALE, before.routing_key)

    with no_thread_left():
        asyncio.run(run())


def test_with_nothing_there_is_the_fallback_or_an_error() -> None:
    with no_thread_left(), InProcessClient("127.0.0.1:1", fallbacks=SPARE) as client:
        assert not client.wait_ready(0.01)
        answer = client.resolve(OBJECTIVE, USER)
        assert (answer.origin, answer.routing_key) == (Origin.DECLARED, f"{OBJECTIVE}|spare|3")
        with pytest.raises(Unavailable, match="no tables"):
            client.resolve("Other", USER)
    with pytest.raises(Exception, match="closed"):
        client.resolve(OBJECTIVE, USER)


def test_a_state_folder_that_cant_be_written_costs_the_file_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    async def run() -> None:
        async with system() as made, AsyncInProcessClient(made.tables, state=tmp_path / "file") as client:
            assert await client.wait_ready(SECONDS)
            assert (await client.resolve(OBJECTIVE, USER)).origin is Origin.TABLES

    asyncio.run(run())


async def answered(resolve: Callable[..., Awaitable[Answer]], origin: Origin) -> Answer:
    """Return the first answer that is of an origin."""
    async with asyncio.timeout(SECONDS):
        while True:
            answer = await resolve(OBJECTIVE, USER)
            if answer.origin is origin:
                return answer
            await asyncio.sleep(PAUSE)


def held(*tables: ObjectiveTable) -> Held:
    generation = generation_to_bytes(ActiveGeneration(number=1, content_hash="h"))
    bodies = {each.objective: tables_to_bytes(each) for each in tables}
    return {
        OBJECTIVE_TABLES: {name: resource(name, body) for name, body in bodies.items()},
        ACTIVE_GENERATION: {"active": resource("active", generation)},
    }


def test_what_one_that_leads_keeps_is_followed_also_without_a_new_generation(tmp_path: Path) -> None:
    async def run() -> None:
        following = Following(tmp_path, "c")
        assert not await following.look()
        kept = LastKnownGood(tmp_path, "c")
        for tables in ((TABLE, OTHER), (replace(TABLE, default_model=3), OTHER), (OTHER,)):
            kept.keep(held(*tables))
            await kept.flush()
            assert await following.look()
            objectives = following.feed.tables.objectives
            assert {name: each.resolvers[0].table for name, each in objectives.items()} == {
                each.objective: each for each in tables
            }
        assert following.lost_at is None

    asyncio.run(run())


def test_a_file_that_takes_the_place_of_one_before_the_last_is_seen(tmp_path: Path) -> None:
    async def run() -> None:
        following = Following(tmp_path, "c")
        kept = LastKnownGood(tmp_path, "c")
        kept.keep(held(TABLE))
        await kept.flush()
        assert await following.look()
        # A file system may give the number of a file that is gone to the next one.
        kept.path.write_bytes(encode("c", held(TABLE, OTHER)))
        assert await following.look()
        assert following.feed.tables.objectives.keys() == {TABLE.objective, OTHER.objective}

    asyncio.run(run())


WORKER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from lightbulb.client import RequestContext
    from lightbulb.client.in_process import InProcessClient

    client = InProcessClient(sys.argv[1], state=Path(sys.argv[2]))
    with client:
        assert client.wait_ready(60)
        for _ in sys.stdin:
            answer = client.resolve("ContinueWatchingRanking", RequestContext(user_id="u"))
            print(answer.generation, answer.origin.name, client._in_tables._thread.leads, flush=True)
""")


class Worker:
    """A process of a service."""

    def __init__(self, tables: str, state: Path) -> None:
        command = [sys.executable, "-c", WORKER, tables, str(state)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self) -> tuple[int, str, bool]:
        """Its answer's generation and origin, and whether it leads."""
        self.process.stdin.write("\n")
        generation, origin, leads = self.process.stdout.readline().split()
        return int(generation), origin, leads == "True"

    def close(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS)
        self.process.stdin.close()
        self.process.stdout.close()


def test_processes_that_share_a_folder_share_a_stream_and_outlive_the_one_that_leads(tmp_path: Path) -> None:
    async def run() -> None:
        async with system() as made:
            workers = [Worker(made.tables, tmp_path) for _ in range(3)]
            with contextlib.ExitStack() as stack:
                for each in workers:
                    stack.callback(each.close)

                def asked(those: list[Worker]) -> list[tuple[int, str, bool]]:
                    return [each.ask() for each in those]

                told = await asyncio.to_thread(asked, workers)
                assert {each[:2] for each in told} == {(1, "TABLES")}
                assert sum(leads for _, _, leads in told) == 1
                publish(made.script, 2, TABLE, OTHER)
                await asyncio.to_thread(
                    until, "all to have it", lambda: {each[0] for each in asked(workers)} == {2}
                )
                leader = workers[[leads for _, _, leads in told].index(True)]
                leader.process.send_signal(signal.SIGKILL)
                left = [each for each in workers if each is not leader]
                await asyncio.to_thread(
                    until, "another to lead", lambda: sum(leads for *_, leads in asked(left)) == 1
                )
                publish(made.script, 3, TABLE, OTHER)
                await asyncio.to_thread(
                    until, "both to have it", lambda: {each[0] for each in asked(left)} == {3}
                )

    asyncio.run(run())


FORKS = textwrap.dedent("""
    import os, sys, time
    from pathlib import Path
    from lightbulb.client import RequestContext
    from lightbulb.client.in_process import InProcessClient

    client = InProcessClient(sys.argv[1], state=Path(sys.argv[2]))
    if sys.argv[3] == "used":
        client.wait_ready(60)
        assert client.resolve("ContinueWatchingRanking", RequestContext(user_id="u")).generation == 1
        while not any(Path(sys.argv[2]).glob("*.last-known-good")):
            time.sleep(0.01)
    pid = os.fork()
    if pid == 0:
        assert client.wait_ready(60)
    os.write(1, b"child\\n" if pid == 0 else b"parent\\n")  # as a whole: both write to one pipe
    deadline = time.monotonic() + 60
    generation = 0
    while generation != 2 and time.monotonic() < deadline:
        if pid == 0 or client.wait_ready(60):
            generation = client.resolve("ContinueWatchingRanking", RequestContext(user_id="u")).generation
        time.sleep(0.01)
    client.close()
    if pid == 0:
        sys.exit(generation)
    _, status = os.waitpid(pid, 0)
    print(generation, os.waitstatus_to_exitcode(status), flush=True)
""")


@pytest.mark.parametrize("before", ["used", "unused"])
def test_a_fork_goes_on_with_what_came_and_follows(tmp_path: Path, before: str) -> None:
    async def run() -> None:
        async with system() as made:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", FORKS, made.tables, str(tmp_path), before, stdout=subprocess.PIPE
            )
            async with asyncio.timeout(SECONDS):
                said = {(await process.stdout.readline()).decode().strip() for _ in range(2)}
                assert said == {"child", "parent"}
                publish(made.script, 2, TABLE, OTHER)
                assert (await process.stdout.readline()).decode().split() == ["2", "2"]
                assert await process.wait() == 0

    asyncio.run(run())
