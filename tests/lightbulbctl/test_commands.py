"""The commands that need no server: what they print, and how they fail."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lightbulbctl.main import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
RULES = str(ROOT / "rules")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("command", [*COMMANDS, "rules check"])
def test_every_command_has_help_with_its_options_explained(command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Usage: ")
    options = [line for line in result.output.splitlines() if line.startswith("  --")]
    assert all(len(line.split("  ")) > 2 or not line.strip() for line in options if "[" not in line)


def test_the_workspace_in_the_repository_is_good() -> None:
    result = run("rules", "check", RULES)
    assert result.exit_code == 0, result.output
    assert "ok: 2 objectives, no problems" in result.output
    assert "12345" in result.output


def test_all_problems_are_printed_with_their_remedies(tmp_path: Path) -> None:
    shutil.copytree(RULES, tmp_path / "rules")
    experiments = tmp_path / "rules" / "experiments.yaml"
    experiments.write_text(experiments.read_text().replace("3: 33}", "3: 13}"))
    (tmp_path / "rules" / "bad.js").write_text("function defineBadRule() { return Objectives.Nope }\n")
    result = run("rules", "check", str(tmp_path / "rules"))
    assert result.exit_code == 1
    assert "experiments.yaml:4 WEIGHT_SUM: weights total 80, not 100" in result.stderr
    assert "set cell 3 to 33" in result.stderr
    assert "bad.js:1 defineBadRule UNKNOWN_OBJECTIVE" in result.stderr
    assert "2 problems; nothing was published" in result.stderr


def test_a_folder_that_isnt_there_is_named(tmp_path: Path) -> None:
    result = run("rules", "check", str(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert "nowhere MISSING_FILE: there is no such folder" in result.stderr


def test_explain_says_step_by_step_why() -> None:
    asked = ("explain", "PaymentFraudDetection", "--rules", RULES, "--user", "user-3")
    result = run(*asked)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("1. no  shift")
    assert "payment_fraud.js:16 definePaymentFraudShiftRule: bucket" in lines[0]
    assert lines[1].startswith("2. yes default")
    assert lines[-2:] == [
        "payment-fraud-model version 1",
        "routing key PaymentFraudDetection|payment-fraud-model|1",
    ]


def test_explain_takes_what_a_context_may_hold() -> None:
    asked = ("explain", "ContinueWatchingRanking", "--rules", RULES, "--user", "u", "--device", "tv-roku")
    result = run(*asked, "--attribute", "app_version=5.0.0", "--surface", "kids")
    assert "not eligible for test 12345" in result.output
    assert "yes context" in result.output
    named = run(*asked, "--cell", "12345=3")
    assert "the caller says cell 3" in named.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("explain", "Nope", "--rules", RULES, "--user", "u"), 2, "no rule targets 'Nope'; known: Continue"),
        (("explain", "PaymentFraudDetection", "--rules", RULES), 2, "--user"),
        (("resolve", "X", "--user", "u", "--attribute", "novalue"), 2, "'novalue' is not NAME=VALUE"),
        (("resolve", "X", "--user", "u", "--cell", "t=x"), 2, "cell 'x' of test t is not a number"),
        (("status", "--control-plane", "nowhere"), 2, "'nowhere' is not HOST:PORT"),
        (("status", "--control-plane", "127.0.0.1:1"), 1, "status of 127.0.0.1:1: UNAVAILABLE"),
        (("resolve", "X", "--user", "u", "--lightbulb", "127.0.0.1:1"), 1, "error: "),
        (("publish", RULES, "--control-plane", "127.0.0.1:1"), 1, "publish to 127.0.0.1:1: UNAVAILABLE"),
        (
            ("resolve", "PaymentFraudDetection", "--rules", RULES, "--user", "u", "--override", "x"),
            1,
            "no rule lets client '' ask for model 'x'",
        ),
        (("demo", "--hosts", "1"), 2, "--hosts"),
    ],
)
def test_wrong_use_and_failure_have_their_own_exit_codes(
    arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = run(*arguments)
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
