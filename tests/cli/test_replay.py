"""`lightbulb replay`: what was recorded is asked again of a candidate, as a replay, and compared."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import Result

from lightbulb.comparison.lines import line_of, read_line
from lightbulb.comparison.record import Asked
from lightbulb.host.app import Records
from lightbulb.host.comparable import Ranking
from lightbulb.host.traffic import Traffic
from lightbulb.host.workflow import Inference, Tensors
from tests.cli.commands import run
from tests.comparison.records import record
from tests.host.hosts import infer, running
from tests.host.workflows import VALIDATION, Echo, assign
from tests.waiting import eventually

USERS = 40


class Ranked(Echo):
    comparable = Ranking(ids="numbers")


class Reversed(Ranked):
    """Answers the other way round, and to replays alone."""

    def run(self, request: Inference) -> Tensors:
        assert request.context.user_id == VALIDATION or request.traffic is Traffic.REPLAY
        return {"numbers": np.array(request.inputs["numbers"][::-1])}


MODELS = {"ranked@1": Ranked, "ranked@2": Reversed}


def lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.iterdir())


def replay(records: Path, kept: Path, at: str, *more: str) -> Result:
    options = ("--keep", str(kept), "--sidecar-address", at, "--rate", "1000", "--output", "json", *more)
    return run("replay", str(records), "--model", "ranked@2", *options)


def test_a_candidate_is_asked_again_what_was_asked_and_its_answers_are_compared(tmp_path: Path) -> None:
    async def scenario() -> Any:
        async with running(MODELS, records=Records(place=tmp_path / "r", key=b"k" * 32, requests=True)) as it:
            await it.assign(*map(assign, MODELS))
            for number in range(USERS):
                said = [("x-request-id", f"r-{number}"), ("x-lightbulb-compare", "s1")]
                said.append(("x-routing-key", "Ranking|ranked|1"))
                if number == 7:
                    said.append(("x-lightbulb-traffic", "test"))
                await it.stub.ModelInfer(infer("ranked@1", 1, 2, 3, 4, user=f"u-{number}"), metadata=said)
            await eventually("all to be written", lambda: lines(tmp_path / "r") == USERS)
            return await asyncio.to_thread(
                replay, tmp_path / "r", tmp_path / "kept", f"127.0.0.1:{it.host.port}"
            )

    said = asyncio.run(scenario())
    assert said.exit_code == 0, said.output
    (report,) = json.loads(said.stdout)["shadows"]
    assert (report["candidate"], report["compared_as"], report["verdict"]) == (
        "ranked@2",
        "ranking",
        "differs",
    )
    assert (report["requests"]["pairs"], report["users"]) == (USERS - 1, USERS - 1)
    figures = {each["name"]: each["value"] for each in report["figures"]}
    assert (figures["agreement@1"], figures["agreement@all"], figures["errors, shadow"]) == (0.0, 1.0, 0.0)
    (kept,) = (tmp_path / "kept").iterdir()
    assert {read_line(line).traffic for line in kept.read_bytes().splitlines()} == {"live", "replay"}
    again = run("shadow", "report", str(tmp_path / "kept"), "--output", "json")
    assert json.loads(again.stdout)["shadows"] == [report]


def test_what_cannot_be_asked_again_is_said(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_bytes(line_of(record()))
    said = json.loads(replay(tmp_path, tmp_path / "kept", "127.0.0.1:1").stdout)["error"]
    assert (said["code"], "--records-requests" in said["remedy"]) == ("NOTHING_ASKED", True)
    assert not (tmp_path / "kept").exists()
    said = json.loads(replay(tmp_path / "nowhere", tmp_path / "kept", "127.0.0.1:1").stdout)["error"]
    assert said["code"] == "NO_RECORDS"


def test_a_candidate_that_answers_nothing_is_not_asked_for_ever(tmp_path: Path) -> None:
    asked = Asked(request=infer("ranked@1", 1).SerializeToString(), declared={"ids": "numbers"})
    lines = (line_of(record(request=f"r-{number}", asked=asked)) for number in range(100))
    (tmp_path / "one.jsonl").write_bytes(b"".join(lines))
    said = json.loads(replay(tmp_path, tmp_path / "kept", "127.0.0.1:1").stdout)["error"]
    assert (said["code"], "no sidecar" in said["message"]) == ("UNREACHABLE", True), said

    async def scenario() -> Result:
        async with running(MODELS) as it:
            return await asyncio.to_thread(replay, tmp_path, tmp_path / "kept", f"127.0.0.1:{it.host.port}")

    said = json.loads(asyncio.run(scenario()).stdout)["error"]
    assert said["code"] == "NO_ANSWER"
    assert "ranked@2 answered none of" in said["message"]
    assert "ABORTED" in said["message"]
