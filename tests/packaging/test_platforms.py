"""Where Lightbulb brings no Envoy: what can't run is said, and the rest goes on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.conftest import Make
from tests.packaging.environments import ROOT, SECONDS

pytestmark = pytest.mark.packaging

ELSEWHERE = "import platform, sys; platform.machine = lambda: 'arm64'; "
"""Makes a process believe that it runs where no Envoy comes with Lightbulb."""

REASON = "Lightbulb brings an Envoy for Linux on x86_64 alone, and this is Linux on arm64"


def test_the_demo_says_why_it_cannot_run_and_begins_nothing(with_extras: Make, tmp_path: Path) -> None:
    environment = with_extras("control-plane", "host")  # what `all` installs there
    demo = ELSEWHERE + "from controlplane.cli.main import main; main(['demo'])"
    done = environment.execute(environment.python, "-c", demo, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: no Envoy: {REASON}; name a binary with --envoy\n"


def test_the_tests_of_an_envoy_are_left_out_and_no_other() -> None:
    folder = "tests/sidecar"
    collect = (
        f"import pytest; sys.exit(pytest.main(['--collect-only', '-p', 'no:cacheprovider', {folder!r}]))"
    )

    def collected(code: str) -> tuple[set[str], str]:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTEST_ADDOPTS": ""},  # how the outer run prints is its own affair
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return {line for line in done.stdout.splitlines() if "::" in line}, done.stdout

    here, _ = collected("import sys; " + collect)
    there, said = collected(ELSEWHERE + collect)
    assert there < here
    assert {each.partition("::")[0] for each in here - there} >= {"tests/sidecar/test_run.py"}
    assert f"left out: the tests marked envoy. {REASON}" in said
