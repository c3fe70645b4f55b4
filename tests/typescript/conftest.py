"""The real TypeScript, of the version and the bytes that package-lock.json names."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent
UNREACHABLE = re.compile(
    r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b"
)

Check = Callable[[Path], Sequence[str]]
"""Returns what `tsc` says of a folder with a jsconfig.json, a line each."""


@pytest.fixture(scope="session")
def tsc() -> Check:
    """TypeScript, fetched once a machine; what needs it is skipped only where npm can't be reached."""
    program = _installed() / "node_modules" / ".bin" / "tsc"

    def check(folder: Path) -> Sequence[str]:
        done = subprocess.run(
            [program, "--skipLibCheck", "false", "--pretty", "false", "-p", folder / "jsconfig.json"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = done.stdout.splitlines()
        assert bool(said) == bool(done.returncode), done
        assert done.stderr == ""
        return said

    return check


def _installed() -> Path:
    """Return the folder that has it, which appears as a whole."""
    files = [HERE / name for name in ("package.json", "package-lock.json")]
    name = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lightbulb" / "typescript"
    place = cache / name
    if place.exists():
        return place
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed here, and TypeScript wasn't fetched before")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as beside:
        for file in files:
            shutil.copy(file, beside)
        _install(npm, Path(beside))
        try:
            Path(beside).rename(place)
        except OSError:  # another process was faster
            assert place.exists()
        else:
            Path(beside).mkdir()  # for the end of this block
    return place


def _install(npm: str, folder: Path) -> None:
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode and UNREACHABLE.search(said):
        pytest.skip(f"npm can't be reached: {said.strip().splitlines()[0]}")
    assert done.returncode == 0, said
