"""`resolve` and `explain` against a Lightbulb that runs."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from click.testing import Result

from lightbulb.ads.values import OBJECTIVE_CONTROL, OBJECTIVE_TABLES
from lightbulb.model import HeldBack, ObjectiveControl, ObjectiveTables, TableSince
from lightbulb.resolution.codec import control_to_bytes, objective_tables_to_bytes
from tests.ads.scripted_server import resource, scripted_server
from tests.cli.commands import run
from tests.lightbulb.lightbulb_server import lightbulb, publish, serving, sidecars
from tests.lightbulb.tables import OBJECTIVE, TABLE
from tests.waiting import eventually


async def ask(command: str, port: int, *arguments: str, objective: str = OBJECTIVE) -> Result:
    """Run a command in a thread, since the Lightbulb is in this process."""
    asked = (command, objective, "--user", "u", "--lightbulb", f"127.0.0.1:{port}", *arguments)
    return await asyncio.to_thread(run, *asked)


def test_with_a_sidecar_the_answer_is_what_its_clients_get() -> None:
    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script) as server:
            sidecars(script, behind=6)
            publish(script, 7, TABLE, oldest=4)
            await asyncio.wait_for(server.feed.wait_ready(), 60)
            await eventually("the sidecars", lambda: bool(server.feed.tables.sidecars))
            for sidecar, generation in (("", 7), ("behind", 6), ("stranger", 4)):
                named = ("--sidecar", sidecar) if sidecar else ()
                resolved = await ask("resolve", server.port, *named)
                assert json.loads(resolved.stdout)["generation"] == generation
                explained = await ask("explain", server.port, *named)
                assert f" in generation {generation}\n" in explained.stdout

    asyncio.run(scenario())


def test_an_objective_that_is_held_back_is_explained_by_whose_table_answers() -> None:
    async def scenario() -> None:
        async with scripted_server() as script, lightbulb(script) as server:
            publish(script, 2, TABLE)
            newer = TableSince(since=2, table=replace(TABLE, default_model=3))
            tables = ObjectiveTables(objective=OBJECTIVE, tables=(TableSince(since=0, table=TABLE), newer))
            script.set(OBJECTIVE_TABLES, resource(OBJECTIVE, objective_tables_to_bytes(tables)))
            control = ObjectiveControl(
                objective=OBJECTIVE, version=9, held_back=HeldBack(rejected=2, answer_from=1)
            )
            script.set(OBJECTIVE_CONTROL, resource(OBJECTIVE, control_to_bytes(control)))
            await eventually("the hold-back", lambda: server.feed.tables.held_back(OBJECTIVE, 2) is not None)
            told = (await ask("explain", server.port)).stdout
            said = "operator: held back: the table of generation 2 is rejected, that of 1 answers\n"
            assert told.startswith(said)
            document = json.loads((await ask("explain", server.port, "--output", "json")).stdout)
            assert (document["generation"], document["answered_from"]) == (2, 1)
            script.set(OBJECTIVE_CONTROL)
            await eventually("it to be over", lambda: server.feed.tables.held_back(OBJECTIVE, 2) is None)
            assert "operator" not in (await ask("explain", server.port)).stdout

    asyncio.run(scenario())


def test_a_cell_of_a_test_that_no_rule_knows_is_warned_of_and_the_answer_given() -> None:
    async def scenario() -> None:
        async with serving(TABLE, replace(TABLE, objective="Other", ab_rules=())) as target:
            port = int(target.rpartition(":")[2])
            told = await ask("explain", port, "--cell", "1=2", "--cell", "12345=1")
            assert (told.exit_code, told.stderr) == (
                0,
                f"warning: --cell: no rule of {OBJECTIVE} knows test 1; the tests are 12345\n",
            )
            assert " in generation 1\n" in told.stdout
            none = await ask("explain", port, "--cell", "1=2", objective="Other")
            assert none.stderr == "warning: --cell: no rule of Other knows test 1; it has no tests\n"
            assert (await ask("explain", port, "--cell", "12345=1")).stderr == ""

    asyncio.run(scenario())


def test_a_workspace_is_asked_alike() -> None:
    rules = str(Path(__file__).resolve().parents[2] / "rules")
    asked = ("explain", "PaymentFraudDetection", "--rules", rules, "--user", "u", "--cell", "1=2")
    told = run(*asked)
    assert told.exit_code == 0
    assert told.stderr == "warning: --cell: no rule of PaymentFraudDetection knows test 1; it has no tests\n"
    assert "payment-fraud-model" in told.stdout
