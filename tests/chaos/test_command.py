"""`python -m chaos`, as far as it starts nothing."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from chaos import __main__ as command
from chaos.faults import FAULTS


def test_a_fault_that_there_isnt_is_refused_with_those_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(command, "stage", started)
    kept = tmp_path / "of the last run"
    kept.touch()
    result = CliRunner().invoke(command.main, ["--only", "typo", "--folder", str(tmp_path)])
    assert result.exit_code == 2, result.output
    assert "'typo'" in result.output
    for fault in FAULTS:
        assert fault.name in result.output
    assert kept.exists()


def test_faults_are_chosen_by_a_part_of_their_name() -> None:
    assert {fault.name for fault in command.matching("relay")} == {
        "slow: a sidecar's relay",
        "cut off: a sidecar's relay",
        "partitioned: a sidecar's relay",
    }
    assert command.matching("") == FAULTS
