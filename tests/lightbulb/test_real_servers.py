"""The client in the workers of real gunicorn and uvicorn: each answers, follows, and ends without a trace."""

import asyncio
import contextlib
import http.client
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from controlplane.cli.processes import free_ports
from tests.lightbulb.lightbulb_server import publish
from tests.lightbulb.tables import TABLE
from tests.lightbulb.test_in_process import OTHER, system
from tests.waiting import PAUSE, SECONDS

APPLICATION = textwrap.dedent("""
    import atexit, contextlib, os, threading
    from pathlib import Path

    @atexit.register  # before the client's own, so that it runs after that
    def ended():
        left = [each.name for each in threading.enumerate() if "lightbulb" in each.name]
        Path(os.environ["ENDED"], str(os.getpid())).write_text(" ".join(left))

    from lightbulb.client import RequestContext
    from lightbulb.client.in_process import AsyncInProcessClient, InProcessClient

    WHERE = {"tables": os.environ["TABLES"], "state": Path(os.environ["STATE"])}
    ASKED = "ContinueWatchingRanking", RequestContext(user_id="u")
    client = InProcessClient(**WHERE)

    def told(answer):
        return f"{os.getpid()} {answer.generation} {answer.origin.name}".encode()

    def wsgi(environ, start_response):
        client.wait_ready(60)
        start_response("200 OK", [])
        return [told(client.resolve(*ASKED))]

    async def asgi(scope, receive, send):
        if scope["type"] == "lifespan":
            async with AsyncInProcessClient(**WHERE) as scope["state"]["client"]:
                for step in ("startup", "shutdown"):
                    await receive()
                    if step == "startup":
                        await send({"type": "lifespan.startup.complete"})
            ended()  # uvicorn ends its workers by a signal, past atexit
            await send({"type": "lifespan.shutdown.complete"})
            return
        await scope["state"]["client"].wait_ready(60)
        body = told(await scope["state"]["client"].resolve(*ASKED))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
""")

SERVERS = {
    "gunicorn": ("gunicorn", "application:wsgi", "--workers=2", "--bind=127.0.0.1:{port}"),
    "gunicorn, preload": (
        "gunicorn",
        "application:wsgi",
        "--workers=2",
        "--bind=127.0.0.1:{port}",
        "--preload",
    ),
    "uvicorn": ("uvicorn", "application:asgi", "--workers=2", "--host=127.0.0.1", "--port={port}"),
}


class Serving:
    """A server whose workers are asked until what they say is right."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self._port, self.process = port, process

    async def until(self, what: str, seen: Callable[[set[int]], bool], generation: int) -> set[int]:
        """Ask until `seen` holds for the workers that answered so, and return them."""
        workers: set[int] = set()
        async with asyncio.timeout(SECONDS):
            while not seen(workers):
                assert self.process.returncode is None, what
                said = await asyncio.to_thread(self._ask)
                if said[1:] == (str(generation), "TABLES"):
                    workers.add(int(said[0]))
                await asyncio.sleep(PAUSE)
        return workers

    def _ask(self) -> tuple[str, ...]:
        asking = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        try:
            asking.request("GET", "/", headers={"Connection": "close"})
            return tuple(asking.getresponse().read().decode().split())
        except (OSError, http.client.HTTPException):  # it isn't there yet, or the worker was killed
            return ("", "", "")
        finally:
            asking.close()


@contextlib.asynccontextmanager
async def serving(kind: str, folder: Path, tables: str) -> AsyncIterator[Serving]:
    (folder / "application.py").write_text(APPLICATION)
    (folder / "ended").mkdir()
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *(each.format(port=port) for each in SERVERS[kind])),
        cwd=folder,
        env=os.environ | {"TABLES": tables, "STATE": str(folder / "state"), "ENDED": str(folder / "ended")},
        start_new_session=True,
    )
    try:
        yield Serving(port, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@pytest.mark.parametrize("kind", SERVERS)
def test_each_worker_answers_follows_is_replaced_and_ends_cleanly(kind: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with system() as made, serving(kind, tmp_path, made.tables) as server:
            first = await server.until("two workers", lambda seen: len(seen) == 2, 1)
            publish(made.script, 2, TABLE, OTHER)
            await server.until("both to follow", lambda seen: seen == first, 2)

            killed = min(first)
            os.kill(killed, signal.SIGKILL)
            second = await server.until("another in its place", lambda seen: bool(seen - first), 2)
            os.kill(server.process.pid, signal.SIGHUP)
            third = await server.until("new workers", lambda seen: len(seen - first - second) == 2, 2)

            server.process.terminate()
            async with asyncio.timeout(SECONDS):
                assert await server.process.wait() in (0, -signal.SIGTERM)
            ended = {int(each.name): each.read_text() for each in (tmp_path / "ended").iterdir()}
            assert third - first - second <= ended.keys()
            assert killed not in ended
            assert set(ended.values()) == {""}

    asyncio.run(run())
