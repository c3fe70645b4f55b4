"""`lightbulb init`, and what is done where there is no workspace."""

from pathlib import Path

import pytest

from controlplane.cli import template
from controlplane.cli.template import TEMPLATE, make_workspace, workspace_here
from tests.cli.commands import run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_workspace_is_made_and_is_good(here: Path) -> None:
    made = run("init")
    assert (made.exit_code, made.stderr) == (0, "")
    assert names(here / "rules") == names(TEMPLATE)
    assert "try: lightbulb rules check rules; lightbulb up --rules rules\n" in made.stdout
    checked = run("rules", "check")
    assert checked.exit_code == 0, checked.output
    assert "ok: 1 objective, no problems" in checked.stdout
    assert "1001" in checked.stdout


def test_what_is_there_is_named_and_left_alone(here: Path) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "models.yaml").write_text("mine")
    refused = run("init", "mine")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "error: mine isn't empty: models.yaml; name a new folder\n"
    assert (names(here / "mine"), (here / "mine" / "models.yaml").read_text()) == (["models.yaml"], "mine")
    (here / "file").touch()
    assert run("init", "file").stderr.startswith("error: can't make a workspace in file (Not a directory)")


def test_a_folder_that_only_git_has_touched_will_do(here: Path) -> None:
    (here / "new" / ".git").mkdir(parents=True)
    assert run("init", "new").exit_code == 0
    assert names(here / "new") == sorted([".git", *names(TEMPLATE)])


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("step", ["copyfile", "rename"])
def test_a_workspace_is_never_half_made(
    here: Path, monkeypatch: pytest.MonkeyPatch, step: str, *, there: bool
) -> None:
    folder = here / "new"
    if there:
        folder.mkdir()
    calls = []
    place = template.shutil if step == "copyfile" else Path
    real = getattr(place, step)

    def third_fails(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(place, step, third_fails)
    refused = run("init", "new")
    assert (refused.exit_code, len(calls)) == (1, 3)
    assert "can't make a workspace in new (No space left on device)" in refused.stderr
    assert folder.exists() == there
    assert not there or names(folder) == []


def test_the_template_is_used_where_there_is_no_workspace(here: Path) -> None:
    assert workspace_here() == TEMPLATE
    make_workspace(Path())
    assert workspace_here() == Path()
    make_workspace(here / "rules")
    assert workspace_here() == Path("rules")


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_start_that_fails_leaves_nothing_behind(here: Path, command: str) -> None:
    missing = run(command, "--rules", "nowhere")
    assert missing.exit_code == 1
    assert "nowhere MISSING_FILE: there is no such folder" in missing.stderr
    assert run(command, "--hosts", "1").exit_code == 2
    assert names(here) == []
