"""Far from a clone, in an empty folder: a workspace is made, checked, and served."""

from pathlib import Path

import pytest

from tests.packaging.conftest import Make

pytestmark = pytest.mark.packaging


def test_a_workspace_is_made_and_checked_where_there_is_no_envoy(with_extras: Make, tmp_path: Path) -> None:
    environment = with_extras("cli")
    made = environment.run("init", "mine", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    found = {path.name for path in (tmp_path / "mine").iterdir()}
    assert {"README.md", "jsconfig.json", "lightbulb.d.ts"} <= found
    checked = environment.run("rules", "check", "mine", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.envoy
def test_the_demo_runs_in_an_empty_folder(with_extras: Make, tmp_path: Path) -> None:
    done = with_extras("all").run("demo", "--users", "50", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "each answered by the model that its rules call for" in done.stdout
