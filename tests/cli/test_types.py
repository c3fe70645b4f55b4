"""`lightbulb rules types` writes what editors know of a workspace; `rules check` says when it is stale."""

import json
from pathlib import Path

import pytest

from controlplane.rules.declarations import DECLARATIONS
from controlplane.rules.lock_file import LOCK
from tests.cli.commands import run

STALE = (
    f"{DECLARATIONS} warning STALE_TYPES: it isn't what the YAML files say\n"
    "    run `lightbulb rules types`, and commit\n"
)
MISSING = f"{DECLARATIONS} warning NO_TYPES: it is not there, so that editors know no names\n"


def add_model(folder: Path) -> None:
    models = folder / "models.yaml"
    models.write_text(models.read_text() + '  - {name: plain, version: "2", memory: 100MiB}\n')


def test_types_are_written_once_for_what_there_is(folder: Path) -> None:
    path = folder / DECLARATIONS
    first = run("rules", "types", str(folder))
    assert (first.exit_code, first.output) == (0, f"{DECLARATIONS} is written\n")
    path.chmod(0o444)
    before = path.stat().st_ctime_ns
    again = run("rules", "types", str(folder))
    assert (again.exit_code, again.output) == (0, f"{DECLARATIONS} is up to date\n")
    assert path.stat().st_ctime_ns == before
    add_model(folder)
    run("rules", "types", str(folder))
    assert '| "plain";\n      version: "1" | "2";\n' in path.read_text()
    assert not (folder / f"{DECLARATIONS}.new").exists()


def test_a_check_writes_nothing_and_fails_when_something_would_be_written(folder: Path) -> None:
    missing = run("rules", "types", str(folder), "--check")
    assert (missing.exit_code, (folder / DECLARATIONS).exists()) == (1, False)
    run("rules", "types", str(folder))
    assert run("rules", "types", str(folder), "--check").exit_code == 0
    before = (folder / DECLARATIONS).read_bytes()
    add_model(folder)
    stale = run("rules", "types", str(folder), "--check")
    assert (stale.exit_code, stale.stdout) == (1, f"{DECLARATIONS} is stale\n")
    assert "isn't what the YAML files say; run `lightbulb rules types`, and commit" in stale.stderr
    assert (folder / DECLARATIONS).read_bytes() == before


def test_programs_are_told(folder: Path) -> None:
    assert json.loads(run("rules", "types", str(folder), "--output", "json").stdout) == {"changed": True}
    assert json.loads(run("rules", "types", str(folder), "--output", "json").stdout) == {"changed": False}


def test_rules_check_says_when_they_are_stale(folder: Path) -> None:
    run("rules", "types", str(folder))
    assert DECLARATIONS not in run("rules", "check", str(folder)).output
    add_model(folder)
    rules = folder / "rules.js"
    rules.write_text(rules.read_text().replace('{name: "plain"}', '{name: "plain", version: "1"}'))
    stale = run("rules", "check", str(folder))
    assert (stale.exit_code, STALE in stale.stderr) == (0, True)
    strict = run("rules", "check", str(folder), "--strict")
    assert (strict.exit_code, f"{DECLARATIONS} STALE_TYPES" in strict.stderr) == (1, True)
    told = json.loads(run("rules", "check", str(folder), "--output", "json").stdout)["problems"]
    assert [each["severity"] for each in told if each["code"] == "STALE_TYPES"] == ["warning"]


@pytest.mark.parametrize("use", ["jsconfig.json", "tsconfig.json", "rules.js"])
def test_rules_check_misses_them_only_where_they_are_used(folder: Path, use: str) -> None:
    assert DECLARATIONS not in run("rules", "check", str(folder)).output
    path = folder / use
    reference = f'/// <reference path="{DECLARATIONS}" />\n'
    path.write_text(reference + path.read_text() if path.exists() else "{}")
    assert MISSING in run("rules", "check", str(folder)).stderr
    run("rules", "types", str(folder))
    assert DECLARATIONS not in run("rules", "check", str(folder)).output


def test_a_file_whose_lines_version_control_ended_otherwise_is_up_to_date(folder: Path) -> None:
    run("rules", "types", str(folder))
    path = folder / DECLARATIONS
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert run("rules", "types", str(folder), "--check").exit_code == 0
    assert DECLARATIONS not in run("rules", "check", str(folder)).output


def test_yaml_that_cant_be_read_is_told_and_the_types_stay(folder: Path) -> None:
    run("rules", "types", str(folder))
    before = (folder / DECLARATIONS).read_bytes()
    (folder / "models.yaml").write_text("models: [{name: plain}]\n")
    refused = run("rules", "types", str(folder))
    assert (refused.exit_code, (folder / DECLARATIONS).read_bytes()) == (1, before)
    assert "models.yaml:1" in refused.stderr
    assert refused.stderr.splitlines()[-1].endswith("; nothing was written")


def test_neither_rules_nor_lock_file_nor_fleet_need_be_right(folder: Path) -> None:
    """Types help to mend the rules. They don't know which users a cell has; and a tenant has no fleet."""
    (folder / "fleet.yaml").unlink()
    (folder / "rules.js").write_text("function (")
    (folder / LOCK).write_text("tests: [")
    assert run("rules", "types", str(folder)).exit_code == 0


def test_what_cant_be_written_is_left_as_it_was(folder: Path) -> None:
    (folder / f"{DECLARATIONS}.new").mkdir()
    refused = run("rules", "types", str(folder))
    assert (refused.exit_code, (folder / DECLARATIONS).exists()) == (1, False)
    assert "can't write" in refused.stderr
