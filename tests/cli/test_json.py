"""`--output json` is as docs/cli.md has it: every field, and its type."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from google.protobuf.message import Message

from controlplane.cli.documents import document_of
from controlplane.cli.main import main
from lightbulb.v1 import control_plane_pb2 as pb
from tests.cli.documented import check, fields, tables
from tests.cli.test_infer import place
from tests.cli.test_rollouts import done
from tests.controlplane.planes import run
from tests.controlplane.worlds import world

ROOT = Path(__file__).resolve().parents[2]
RULES = str(ROOT / "rules")
TABLES = tables()
PARTS = ("an error", "a problem", "a lane", "a failure", "a missing", "a refusal", "a laggard", "a shadow")
OTHERS = (
    "`rules check`",
    "`rules lock`",
    "`rules types`",
    "`resolve`",
    "`explain`",
    "`infer`",
    "`health`",
    "`figures`",
    "`shadow list`",
    "`shadow report`",
)
RESPONSES: Mapping[str, type[Message]] = {
    "`status`": pb.GetStatusResponse,
    "`history`": pb.GetHistoryResponse,
    "`diff`": pb.DiffResponse,
    "`events`": pb.GetEventsResponse,
    "`store resume`": pb.ResumeStoreResponse,
}


def filled(kind: Any) -> Any:
    """Return a message in which every field of every part is there once."""
    message = kind()
    for field in message.DESCRIPTOR.fields:
        of = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            of["name"] = "text"
        elif field.message_type is not None and field.is_repeated:
            one = of.add()
            one.CopyFrom(filled(type(one)))
        elif field.message_type is not None:
            of.CopyFrom(filled(type(of)))
        elif field.is_repeated:
            of.append("" if field.cpp_type == field.CPPTYPE_STRING else 0)
    return message


def asked(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(main, [*arguments, "--output", "json"])
    assert (result.exit_code, result.stderr) == (code, ""), result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("command", RESPONSES)
def test_every_field_that_the_control_plane_may_tell_is_documented(command: str) -> None:
    check(document_of(filled(RESPONSES[command])), TABLES[command], whole=True)


def test_what_a_control_plane_tells_is_as_documented(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(f"sqlite:{tmp_path}/store.db") as it:
            await it.published(2)
            it.host.hold()
            await it.plane.publish(3)
            await it.says("waiting for host h1")
            for command in RESPONSES:
                name = command.strip("`")
                told = await done(
                    it.plane, *name.split(), *(("1", "2") if name == "diff" else ()), "--output", "json"
                )
                assert (told.code, told.err) == (0, "")
                document = json.loads(told.out)
                check(document, TABLES[command])
                assert document.keys() == document_of(RESPONSES[command]()).keys()
                if name == "status":
                    assert (document["active_generation"], document["target_generation"]) == (2, 3)
                    assert document["phase"] == "loading"
                    assert document["waiting_for"]["laggards"][0]["consumer_id"] == "h1"
            it.host.release()
            await it.settled()

    run(scenario)


def test_a_value_that_only_a_newer_control_plane_has_is_told_by_number() -> None:
    assert document_of(pb.GetStatusResponse(phase=99))["phase"] == "99"  # type: ignore[arg-type]
    assert document_of(pb.GetStatusResponse(phase=pb.PHASE_SETTLED))["phase"] == "settled"


def test_what_check_tells_is_as_documented(tmp_path: Path) -> None:
    good = asked("rules", "check", RULES)
    check(good, TABLES["`rules check`"])
    assert good["problems"] == []
    shutil.copytree(RULES, tmp_path / "bad")
    (tmp_path / "bad" / "bad.js").write_text("function defineBadRule() { return Objectives.Nope }\n")
    bad = asked("rules", "check", str(tmp_path / "bad"), code=1)
    assert (bad["objectives"], bad["problems"][0]["code"]) == ([], "UNKNOWN_OBJECTIVE")
    shutil.copytree(RULES, tmp_path / "stepped")
    rule = tmp_path / "stepped" / "payment_fraud.js"
    steps = rule.read_text().replace("percent: 10", 'schedule: [5, 50], guards: ["errors:1.25x"]')
    rule.write_text(steps.replace('version: "1"}}', 'version: "1"}, guards: ["errors:1%"]}', 1))
    stepped = asked("rules", "check", str(tmp_path / "stepped"))
    assert stepped["objectives"][1]["judged_for"] == 3_600.0
    assert stepped["objectives"][1]["shifts"][0]["schedule"] == [5.0, 50.0]
    check({**stepped, "problems": bad["problems"]}, TABLES["`rules check`"], whole=True)


def test_what_lock_tells_is_as_documented(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    shutil.copytree(RULES, folder)
    told = asked("rules", "lock", str(folder))
    check(told, TABLES["`rules lock`"])
    assert told == {"changed": True, "tests": [{"test": "12345", "cause": "new", "moves": []}]}
    experiments = folder / "experiments.yaml"
    experiments.write_text(experiments.read_text().replace("{1: 34, 2: 33, 3: 33}", "{1: 20, 2: 40, 3: 40}"))
    check(asked("rules", "lock", str(folder)), TABLES["`rules lock`"], whole=True)


def test_what_types_tells_is_as_documented() -> None:
    told = asked("rules", "types", RULES, "--check")
    check(told, TABLES["`rules types`"], whole=True)
    assert told == {"changed": False}


def test_what_resolve_and_explain_tell_is_as_documented() -> None:
    kids = ("ContinueWatchingRanking", "--rules", RULES, "--user", "u", "--surface", "kids")
    tested = ("ContinueWatchingRanking", "--rules", RULES, "--user", "user-1", "--country", "US")
    context, test = asked("resolve", *kids), asked("resolve", *tested)
    assert (context["parameters"], test["allocations"]) == ({"max_titles": 20}, {"12345": 1})
    both = {**context, "allocations": test["allocations"]}
    check(both, TABLES["`resolve`"], whole=True)
    explained = asked("explain", *kids)
    check(explained, {**TABLES["`resolve`"], **TABLES["`explain`"]})
    own = {name: explained[name] for name in ("steps", "answered_from")}
    check(own, TABLES["`explain`"], whole=True)


def test_what_infer_tells_is_as_documented() -> None:
    async def scenario() -> None:
        async with place() as it:
            told = await it.infer("--output", "json")
            check(
                json.loads(told.stdout),
                {**TABLES["`infer`"], "outputs[].first_values[]": {"number"}},
                whole=True,
            )

    asyncio.run(scenario())


def test_an_error_is_as_documented(tmp_path: Path) -> None:
    (tmp_path / "rule.js").write_text("function defineARule() { return {} }\n")
    told = asked("resolve", "X", "--rules", str(tmp_path), "--user", "u", code=1)
    check(told, TABLES["an error"], whole=True)
    assert told["error"]["code"] == "BAD_WORKSPACE"
    nobody = asked("status", "--control-plane", "127.0.0.1:1", code=1)
    check(nobody, TABLES["an error"])
    assert nobody["error"]["code"] == "UNREACHABLE"


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--control-plane", "nowhere"),
        ("status", "--no-such-option"),
        ("history", "-n", "0"),
        ("diff", "1"),
        ("resolve", "X"),
        ("explain", "X", "--user", "u", "--cell", "x"),
        ("infer", "X", "--user", "u", "--timeout", "0"),
        ("rules", "check", "a", "b"),
    ],
)
def test_wrong_usage_is_an_error_in_json_too(arguments: tuple[str, ...]) -> None:
    error = asked(*arguments, code=2)["error"]
    assert error["code"] == "USAGE"
    assert error["message"]
    assert error["remedy"].startswith("see `lightbulb")
    plain = CliRunner().invoke(main, arguments)
    assert (plain.exit_code, plain.stdout) == (2, "")


def test_the_tables_hold_a_field_each_line() -> None:
    assert {*TABLES} == {*RESPONSES, *OTHERS, *PARTS}
    assert list(fields({"a": [{"b": 1}, {"b": None}], "parameters": {"x": "y"}, "c": []})) == [
        ("a[].b", "number"),
        ("a[].b", "null"),
        ("parameters{}", "text"),
    ]
