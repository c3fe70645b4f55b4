"""Shares of users as people read them: exact ones, and those of users who were counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from controlplane.cli.main import main
from controlplane.cli.shares import moved_users
from lightbulb.v1 import control_plane_pb2 as pb
from tests.rules.workspaces import GOOD, rule


@pytest.mark.parametrize(
    ("move", "told"),
    [
        (
            pb.MovedUsers(before="a@1", after="b@1", least=0, most=34, where="country 'FR'", exact=True),
            "0-34% of users move from a@1 to b@1: 34% where country 'FR'",
        ),
        (
            pb.MovedUsers(before="a@1", after="b@1", least=12.1, most=13.4, counted=100_000),
            "between 12.1% and 13.4% of users move from a@1 to b@1 (counted, 100,000 users)",
        ),
        (
            pb.MovedUsers(least=0, most=0.0045, counted=100_000),
            "between 0% and <0.01% of users move to another model (counted, 100,000 users)",
        ),
    ],
)
def test_who_moves_is_said_exactly_or_as_it_was_counted(move: pb.MovedUsers, told: str) -> None:
    assert moved_users(move) == told


def test_where_there_are_too_many_classes_rules_check_says_that_users_were_counted(tmp_path: Path) -> None:
    functions = (
        rule(
            f'priority: {n}, model: {{name: "plain"}}, when: all({some(n)}, {some(n % 22 + 1)})',
            f"define{n}Rule",
        )
        for n in range(1, 23)
    )
    default = rule('defaultModel: {name: "fancy"}', "defineDefaultRule")
    files = {**GOOD, "rules.js": default, "more.js": "".join(functions)}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    told = CliRunner().invoke(main, ["rules", "check", str(tmp_path)], catch_exceptions=False)
    assert "can never apply" not in told.output
    lines = [line.split(maxsplit=1)[1] for line in told.output.splitlines() if "(counted" in line]
    assert [line[:8] for line in lines] == ["between "] * 2
    assert "(counted, 100,000 users)  plain@1" in lines[0]
    assert "counted: there are too many classes of contexts" in told.output
    run = CliRunner().invoke(main, ["rules", "check", str(tmp_path), "--output", "json"])
    (objective,) = json.loads(run.stdout)["objectives"]
    assert {(each["exact"], each["counted"]) for each in objective["users"]} == {(False, 100_000)}


def some(number: int) -> str:
    parts = (f'context.attribute("a{number * each % 23}").ge({number})' for each in (1, 2, 3))
    return f"any({', '.join(parts)})"
