"""What `rules check` remembers of a folder: the same answer, from nobody else, and never in the way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.cli.remembered import MAX_FOLDERS, remembered
from controlplane.problems import WorkspaceError
from controlplane.rules.compile import compile_workspace
from controlplane.rules.file_rules import FileRules
from controlplane.rules.memory import name_of
from controlplane.rules.workspace import read_workspace
from tests.rules.workspaces import GOOD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, text in GOOD.items():
        (rules / name).write_text(text)
    return rules


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lightbulb" / "rules"


def recalls(folder: Path) -> bool:
    """Compile a folder as `rules check` does; return whether its rules were known."""
    with remembered(folder) as memory:
        known = memory.recall(FileRules, name_of("rules", "rules.js", (folder / "rules.js").read_text()))
        compile_workspace(read_workspace(folder), memory=memory)
    return known is not None


def test_what_was_found_is_known_the_next_time(folder: Path, cache: Path) -> None:
    assert [recalls(folder), recalls(folder)] == [False, True]
    (file,) = cache.iterdir()
    assert (cache.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_file_that_is_broken_for_a_while_costs_no_other(folder: Path, cache: Path) -> None:
    recalls(folder)
    good = (folder / "objectives.yaml").read_text()
    (folder / "objectives.yaml").write_text("objectives: {")
    with pytest.raises(WorkspaceError):
        recalls(folder)
    (folder / "objectives.yaml").write_text(good)
    assert recalls(folder)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 100, None])
def test_what_is_not_whole_is_replaced(content: bytes | None, folder: Path, cache: Path) -> None:
    recalls(folder)
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:-9] if content is None else content)
    assert [recalls(folder), recalls(folder)] == [False, True]


def test_what_others_may_have_written_is_not_read(folder: Path, cache: Path, tmp_path: Path) -> None:
    recalls(folder)
    (file,) = cache.iterdir()
    file.chmod(0o666)
    assert not recalls(folder)  # and has replaced it
    assert recalls(folder)
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert not recalls(folder)
    cache.chmod(0o777)
    assert not recalls(folder)


def test_folders_that_were_checked_long_ago_are_forgotten(folder: Path, cache: Path) -> None:
    recalls(folder)
    first = next(cache.iterdir())
    os.utime(first, (0, 0))
    for number in range(MAX_FOLDERS):
        with remembered(folder / str(number)) as memory:
            memory.remember(name_of(str(number)), number)
    assert len(list(cache.iterdir())) == MAX_FOLDERS
    assert not first.exists()


def check(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "controlplane", "rules", "check", str(folder)]
    plain = {name: value for name, value in os.environ.items() if name not in {"HOME", "XDG_CACHE_HOME"}}
    return subprocess.run(
        command, env=plain | environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_command_works_without_a_place_to_remember(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    usual = check(folder, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert usual.returncode == 0
    for place in ({"HOME": "/dev/null"}, {"HOME": "/proc"}, {"XDG_CACHE_HOME": str(tmp_path / "file")}):
        told = check(folder, **place)
        assert (told.returncode, told.stdout, told.stderr) == (0, usual.stdout, usual.stderr)


def test_two_at_once_leave_a_whole_memory(folder: Path, cache: Path) -> None:
    command = [sys.executable, "-m", "controlplane", "rules", "check", str(folder)]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [each.wait(60) for each in both] == [0, 0]
    assert len(list(cache.iterdir())) == 1
    assert recalls(folder)
