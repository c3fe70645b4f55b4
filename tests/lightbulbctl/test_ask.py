"""`resolve` and `explain` against a Lightbulb that runs."""

import asyncio
import json

from click.testing import CliRunner, Result

from lightbulbctl.main import main
from tests.lightbulb.ads_server import eventually, scripted_server
from tests.lightbulb.lightbulb_server import lightbulb, publish, sidecars
from tests.lightbulb.tables import OBJECTIVE, TABLE


async def ask(command: str, port: int, *arguments: str) -> Result:
    """Run a command in a thread, since the Lightbulb is in this process."""
    asked = (command, OBJECTIVE, "--user", "u", "--lightbulb", f"127.0.0.1:{port}", *arguments)
    return await asyncio.to_thread(CliRunner().invoke, main, asked)


def test_with_a_sidecar_the_answer_is_what_its_clients_get() -> None:
    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script) as server:
            sidecars(script, behind=6)
            publish(script, 7, TABLE, oldest=4)
            await asyncio.wait_for(server.feed.wait_ready(), 10)
            await eventually(lambda: bool(server.feed.tables.sidecars), "the sidecars")
            for sidecar, generation in (("", 7), ("behind", 6), ("stranger", 4)):
                named = ("--sidecar", sidecar) if sidecar else ()
                resolved = await ask("resolve", server.port, *named)
                assert json.loads(resolved.stdout)["generation"] == generation
                explained = await ask("explain", server.port, *named)
                assert f" in generation {generation}\n" in explained.stdout

    asyncio.run(scenario())
