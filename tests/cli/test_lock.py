"""`lightbulb rules lock` writes which users each cell has, moves few, and writes whole files or none."""

import json
import re
from pathlib import Path

import pytest

from controlplane.rules.lock_file import LOCK
from tests.cli.commands import run


def reweigh(folder: Path, cells: str) -> None:
    path = folder / "experiments.yaml"
    path.write_text(re.sub(r"id: 12345\n    cells: {.*}", f"id: 12345\n    cells: {cells}", path.read_text()))


def test_weights_are_changed_by_two_calls(folder: Path) -> None:
    first = run("rules", "lock", str(folder))
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines()[0] == (
        "test 12345 is new here; it goes on as it was dealt without a lock file"
    )
    assert first.stdout.splitlines()[-1] == f"{LOCK} is written"
    assert run("rules", "check", str(folder)).exit_code == 0
    reweigh(folder, "{1: 40, 2: 60}")
    refused = run("rules", "check", str(folder))
    assert (refused.exit_code, "LOCK_STALE" in refused.stderr) == (1, True)
    second = run("rules", "lock", str(folder))
    assert second.stdout.splitlines() == [
        "test 12345 has other weights; 10% change their cell: 10% from 1 to 2",
        f"{LOCK} is written",
    ]
    assert run("rules", "check", str(folder)).exit_code == 0


def test_what_is_up_to_date_is_left_alone(folder: Path) -> None:
    run("rules", "lock", str(folder))
    (folder / LOCK).chmod(0o444)
    before = (folder / LOCK).stat().st_ctime_ns
    again = run("rules", "lock", str(folder))
    assert (again.exit_code, again.stdout) == (0, f"{LOCK} is up to date\n")
    assert (folder / LOCK).stat().st_ctime_ns == before
    assert run("rules", "lock", str(folder), "--check").exit_code == 0


def test_a_check_writes_nothing_and_fails_when_something_would_be_written(folder: Path) -> None:
    missing = run("rules", "lock", str(folder), "--check")
    assert (missing.exit_code, (folder / LOCK).exists()) == (1, False)
    run("rules", "lock", str(folder))
    before = (folder / LOCK).read_text()
    reweigh(folder, "{1: 40, 2: 60}")
    stale = run("rules", "lock", str(folder), "--check")
    assert (stale.exit_code, (folder / LOCK).read_text()) == (1, before)
    assert "10% from 1 to 2" in stale.stdout
    assert "run `lightbulb rules lock`, look at who moves, and commit" in stale.stderr


def test_programs_are_told_who_moves(folder: Path) -> None:
    run("rules", "lock", str(folder))
    reweigh(folder, "{1: 40, 2: 60}")
    told = json.loads(run("rules", "lock", str(folder), "--output", "json").stdout)
    moves = [{"from": 1, "to": 2, "percent": 10.0}]
    assert told == {"changed": True, "tests": [{"test": "12345", "cause": "weights", "moves": moves}]}
    assert json.loads(run("rules", "lock", str(folder), "--output", "json").stdout) == {
        "changed": False,
        "tests": [],
    }


def test_a_damaged_file_is_refused_and_left_as_it_is(folder: Path) -> None:
    run("rules", "lock", str(folder))
    path = folder / LOCK
    path.write_text(path.read_text().replace("0-5000: 1", "0-5000: 2"))
    before = path.read_bytes()
    refused = run("rules", "lock", str(folder))
    assert refused.exit_code == 1
    assert f"{LOCK}:4 LOCK_DAMAGED: the entry of test 12345 was changed by hand" in refused.stderr
    assert refused.stderr.splitlines()[-1] == "1 problem; nothing was written"
    assert path.read_bytes() == before


def test_a_merge_that_was_resolved_to_one_side_is_brought_up_to_date(folder: Path) -> None:
    run("rules", "lock", str(folder))
    path = folder / LOCK
    reweigh(folder, "{1: 40, 2: 60}")
    run("rules", "lock", str(folder))
    published = path.read_text()
    begin, end = published.index("      0-4000"), published.index("    check")
    ours, theirs = published[begin:end], "      0-5500: 1\n      5500-10000: 2\n"
    path.write_text(
        f"{published[:begin]}<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs\n{published[end:]}"
    )
    for command in ("check", "lock"):
        refused = run("rules", command, str(folder))
        assert f"{LOCK}:7 LOCK_DAMAGED: two versions of it were merged" in refused.stderr
    path.write_text(published)
    reweigh(folder, "{1: 45, 2: 55}")
    resolved = run("rules", "lock", str(folder))
    assert "5% change their cell: 5% from 2 to 1" in resolved.stdout


def test_a_folder_that_cannot_be_written_to_keeps_its_file(folder: Path) -> None:
    run("rules", "lock", str(folder))
    before = (folder / LOCK).read_bytes()
    reweigh(folder, "{1: 40, 2: 60}")
    (folder / f"{LOCK}.new").mkdir()
    refused = run("rules", "lock", str(folder))
    assert (refused.exit_code, refused.stderr.startswith("error: can't write ")) == (1, True)
    assert (folder / LOCK).read_bytes() == before


def test_a_file_that_is_a_link_stays_one(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    real = tmp_path_factory.mktemp("elsewhere") / "shared.yaml"
    run("rules", "lock", str(folder))
    (folder / LOCK).rename(real)
    (folder / LOCK).symlink_to(real)
    reweigh(folder, "{1: 40, 2: 60}")
    assert run("rules", "lock", str(folder)).exit_code == 0
    assert (folder / LOCK).is_symlink()
    assert "0-4000: 1" in real.read_text()


def test_only_the_tests_need_be_readable(folder: Path) -> None:
    (folder / "models.yaml").write_text("not yet written")
    (folder / "rules.js").write_text("function (")
    assert run("rules", "lock", str(folder)).exit_code == 0
    (folder / "experiments.yaml").write_text("experiments: 5")
    refused = run("rules", "lock", str(folder))
    assert (refused.exit_code, "experiments.yaml:1 TYPE" in refused.stderr) == (1, True)
