"""`infer` against a real Lightbulb and a real host: who answered, and what went wrong where.

The host stands in the sidecar's place: its address is all that `infer` knows of one. With an Envoy between
them: tests/e2e/test_infer.py.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from click.testing import Result

from lightbulb.host.workflow import Workflow
from tests.cli.commands import run
from tests.host.hosts import running
from tests.host.workflows import Echo, assign, fails_to_answer, gate, slow_to_answer
from tests.lightbulb.lightbulb_server import serving
from tests.lightbulb.tables import OBJECTIVE, TABLE, target

NOBODY = "127.0.0.1:1"


@dataclass(frozen=True, kw_only=True)
class Place:
    lightbulb: str
    sidecar: str

    async def infer(self, *arguments: str) -> Result:
        """Run the command in a thread, since the servers are in this process."""
        command = ("infer", OBJECTIVE, "--user", "u", "--lightbulb", self.lightbulb)
        asked = (*command, "--sidecar-address", self.sidecar, *arguments)
        return await asyncio.to_thread(run, *asked)


@contextlib.asynccontextmanager
async def place(model: type[Workflow] = Echo, *loaded: str) -> AsyncIterator[Place]:
    """A Lightbulb whose answer is always echo@1, and a host that has it (or what is `loaded`)."""
    table = replace(
        TABLE,
        models=(target("echo"),),
        default_model=0,
        overrides=(),
        ab_rules=(),
        context_rules=(),
        shifts=(),
    )
    async with serving(table) as lightbulb, running({"echo@1": model, "other@1": Echo}) as host:
        await host.assign(*map(assign, loaded or ("echo@1",)))
        yield Place(lightbulb=lightbulb, sidecar=f"127.0.0.1:{host.host.port}")


def test_who_answered_is_told_and_what() -> None:
    async def scenario() -> None:
        async with place() as it:
            told = await it.infer("--input", "numbers=[3,1,2]")
            assert (told.exit_code, told.stderr) == (0, "")
            lines = told.stdout.splitlines()
            assert lines[:4] == [
                "answered by  echo@1 on host-1, shard shard-a",
                f"resolved to  {OBJECTIVE}|echo|1 in generation 1, by default",
                "input        numbers INT64 [3]",
                "output       numbers INT64 [3]  3, 1, 2",
            ]
            assert len(lines) == 5

    asyncio.run(scenario())


def test_a_model_that_wants_tensors_is_sent_some_that_it_takes() -> None:
    async def scenario() -> None:
        async with place() as it:
            told = await it.infer("--output", "json")
            assert told.exit_code == 0, told.output
            answered = json.loads(told.stdout)
            assert answered["inputs"] == [{"name": "numbers", "datatype": "INT64", "shape": [1]}]
            assert (answered["model"], answered["host"], answered["stand_in"]) == ("echo", "host-1", False)

    asyncio.run(scenario())


def error_of(result: Result, code: int = 1) -> tuple[str, str, str]:
    assert result.exit_code == code, result.output
    error = json.loads(result.stdout)["error"]
    return error["code"], error["message"], error["remedy"]


def test_each_stage_tells_what_went_wrong_in_it_and_what_to_do() -> None:
    async def scenario() -> None:
        async with place() as it:
            nobody = await replace(it, lightbulb=NOBODY).infer("--output", "json")
            code, message, remedy = error_of(nobody)
            assert (code, message) == ("UNREACHABLE", f"no Lightbulb at {NOBODY} (Connection refused)")
            assert remedy.endswith("say where it is with --lightbulb")
            nobody = await replace(it, sidecar=NOBODY).infer("--output", "json")
            code, message, remedy = error_of(nobody)
            assert (code, message) == ("UNREACHABLE", f"no sidecar at {NOBODY} (Connection refused)")
            assert remedy.endswith("say where it is with --sidecar-address")
            other = await replace(it, sidecar=it.lightbulb).infer("--output", "json")
            code, message, _ = error_of(other)
            assert message == f"no sidecar at {it.lightbulb} (what listens there is something else)"
            code, message, remedy = error_of(
                await it.infer("--input", 'numbers=["a"]', "--output", "json"), 2
            )
            assert code == "USAGE"
            assert "'--input': tensor numbers has an element that is no INT64" in message
            code, message, remedy = error_of(await it.infer("--input", "letters=[1]", "--output", "json"))
            assert code == "INVALID_ARGUMENT"
            assert message.startswith("echo@1 can't work with this request: ")
            assert remedy == "say what to send with --input"
        async with place(Echo, "other@1") as it:
            code, message, remedy = error_of(await it.infer("--output", "json"))
            assert (code, message) == (
                "ABORTED",
                "no host had echo@1: host-1: model echo@1 is not loaded; resolve again",
            )
            assert "`lightbulb status`" in remedy
        async with place(fails_to_answer(RuntimeError("no"))) as it:
            code, message, remedy = error_of(await it.infer("--output", "json"))
            assert (code, remedy) == ("INTERNAL", "its host's log says why")
            assert message.startswith("echo@1 failed: INTERNAL: ")
        with gate() as closed:
            async with place(slow_to_answer(closed)) as it:
                slow = await it.infer("--timeout", "0.5", "--output", "json")
                assert error_of(slow) == (
                    "DEADLINE_EXCEEDED",
                    "echo@1 didn't answer in time",
                    "give it longer with --timeout",
                )
                closed.open()

    asyncio.run(scenario())
