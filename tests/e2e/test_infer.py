"""`lightbulb infer` through a real Envoy."""

import asyncio
import json

import pytest

from tests.e2e.conftest import Up
from tests.lightbulb.lightbulb_server import serving
from tests.lightbulb.tables import OBJECTIVE


def infer(up: Up, *arguments: str, lightbulb: str = "") -> tuple[int, dict[str, object]]:
    at = ("--lightbulb", lightbulb or up.lightbulb, "--sidecar-address", up.sidecar)
    done = up.run("infer", *arguments, *at, "--output", "json")
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


@pytest.mark.envoy
def test_the_model_that_the_rules_call_for_answers(up: Up) -> None:
    for objective, inputs in (("ContinueWatchingRanking", []), ("PaymentFraudDetection", ["transaction"])):
        code, answered = infer(up, objective, "--user", "user-3", "--country", "US")
        resolved = json.loads(
            up.run(
                "resolve", objective, "--user", "user-3", "--country", "US", "--lightbulb", up.lightbulb
            ).stdout
        )
        assert code == 0
        for name in ("model", "model_version", "routing_key", "generation"):
            assert answered[name] == resolved[name]
        assert [each["name"] for each in answered["inputs"]] == inputs  # type: ignore[attr-defined]
        assert (answered["stand_in"], bool(answered["outputs"])) == (False, True)


@pytest.mark.envoy
def test_a_key_that_the_sidecar_doesnt_know_is_told_of(up: Up) -> None:
    async def scenario() -> None:
        async with serving() as lightbulb:  # another system's: it answers keys that aren't routed here
            code, told = await asyncio.to_thread(
                infer, up, OBJECTIVE, "--user", "u", "--country", "FR", lightbulb=lightbulb
            )
        assert code == 1
        error = told["error"]
        assert isinstance(error, dict)
        assert error["code"] == "NOT_FOUND"
        assert error["message"].startswith(f"the sidecar doesn't know routing key {OBJECTIVE}|")
        assert "--sidecar NODE_ID" in error["remedy"]

    asyncio.run(scenario())
