"""A behaviour is a folder: rules in, and out what each kind of consumer gets of them, or the problems."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.golden.pipeline import show

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_these_rules_give_these_resources(case: Path, request: pytest.FixtureRequest) -> None:
    made, out = show(case), case / "out"
    if request.config.getoption("--golden-update"):
        shutil.rmtree(out, ignore_errors=True)
        for name, text in made.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(text)
    there = {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}
    assert made == there, "if this is meant: make golden, and look at the difference in git"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_workspace_says_so_in_its_name(case: Path) -> None:
    assert case.name.startswith("bad-") == (case / "out" / "problems.txt").exists()
