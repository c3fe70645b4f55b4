"""`python -m chaos`, as far as it starts nothing."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from chaos import __main__ as command
from chaos.faults import FAULTS
from chaos.shift_states import SHIFT_FAULTS, row_name


def test_a_fault_that_there_isnt_is_refused_with_those_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(command, "stage", started)
    monkeypatch.setattr(command, "far_stage", started)
    kept = tmp_path / "of the last run"
    kept.touch()
    result = CliRunner().invoke(command.main, ["--only", "typo", "--folder", str(tmp_path)])
    assert result.exit_code == 2, result.output
    assert "'typo'" in result.output
    for name in (*(fault.name for fault in FAULTS), *map(row_name, SHIFT_FAULTS)):
        assert name in result.output
    assert kept.exists()


def test_faults_are_chosen_by_a_part_of_their_name() -> None:
    faults, in_a_shift = command.matching("relay")
    assert {fault.name for fault in faults} == {
        "slow: a sidecar's relay",
        "cut off: a sidecar's relay",
        "partitioned: a sidecar's relay",
    }
    assert [fault.name for fault in in_a_shift] == ["slow: a sidecar's relay", "cut off: a sidecar's relay"]
    assert command.matching("") == (FAULTS, SHIFT_FAULTS)
    assert command.matching("in a shift") == ((), SHIFT_FAULTS)
