"""`requirements/set_up.py`: when an environment is made anew, what is installed, and what is said."""

import sys
import venv
from pathlib import Path

import pytest

from tests.packaging.environments import one_at_a_time
from tests.packaging.scripts import script

set_up = script("set_up")


def environment(folder: Path, python: str) -> Path:
    """An environment whose Python is this shell script."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text(f"#!/bin/sh\n{python}\n")
    (folder / "bin" / "python").chmod(0o755)
    return folder


def test_the_environment_that_runs_this_can_be_used() -> None:
    assert set_up.why_not(Path(sys.prefix)) is None


def test_what_is_wrong_with_an_environment_is_told(tmp_path: Path) -> None:
    assert set_up.why_not(tmp_path / ".venv") == ".venv isn't there yet"
    (tmp_path / "empty").mkdir()
    assert set_up.why_not(tmp_path / "empty") == "empty is broken (its Python: No such file or directory)"
    old = environment(tmp_path / "old", "echo 3.8")
    assert set_up.why_not(old) == "old has Python 3.8, not {}.{}".format(*sys.version_info)
    ended = environment(tmp_path / "ended", "exit 3")
    assert set_up.why_not(ended) == "ended is broken (its Python: it ended at once)"
    venv.create(tmp_path / "bare", symlinks=True)
    bare = set_up.why_not(tmp_path / "bare")
    assert bare == "bare is broken (its Python: ModuleNotFoundError: No module named 'pip')"


@pytest.fixture(scope="session")
def made(shared: Path) -> Path:
    """An environment that was made in place of a broken one."""
    broken = shared / "set up" / "broken"
    with one_at_a_time(broken.parent):
        if not broken.exists():
            environment(broken, "exit 3")
            (broken / "left over").touch()
            set_up.make(broken, "broken is broken")
    return broken


def test_what_cannot_be_used_is_made_anew(made: Path) -> None:
    assert set_up.why_not(made) is None
    assert not (made / "left over").exists()


def step(lock: Path) -> object:
    return set_up.Step(lock.stem, f"packages for {lock.stem}", (lock,), ("--no-index", "-r", str(lock)))


def test_the_same_lock_is_installed_once(
    made: Path,
    wheel: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")  # pip warns of it, and nobody wants to know
    lock = tmp_path / "some.txt"
    lock.write_text(f"{wheel}\n")
    set_up.install(made, step(lock))
    assert (made / "bin" / "lightbulb").exists()
    said = capsys.readouterr().out
    assert said.startswith("installing packages for some ... ")
    assert said.count("\n") == 1
    set_up.install(made, step(lock))
    assert capsys.readouterr().out == ""
    lock.write_text(f"{wheel}\n\n")
    set_up.install(made, step(lock))
    assert capsys.readouterr().out.startswith("installing packages for some ... ")


def test_a_failure_shows_what_pip_said_last_and_is_tried_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    lock = tmp_path / "another.txt"
    lock.write_text("nothing-of-this-name==1\n")
    for _ in range(2):
        with pytest.raises(set_up.SetUpFailed) as failed:
            set_up.install(made, step(lock))
        first, *rest = str(failed.value).splitlines()
        assert first == "installing packages for another failed with exit code 1:"
        assert rest[-1] == "    ERROR: No matching distribution found for nothing-of-this-name==1"
        assert not any("/nowhere" in line for line in rest)
        assert capsys.readouterr().out.endswith("installing packages for another ... failed\n")


def test_an_older_python_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(set_up, "OLDEST", (99, 0))
    assert set_up.main(["demo"]) == 1
    assert "make PYTHON=python3.11" in capsys.readouterr().err
