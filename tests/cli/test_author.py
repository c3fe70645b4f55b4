"""Who publishes, rolls back and pins: the user, also one whom the system doesn't list, or who is named."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from controlplane.cli.control_plane import user_name
from tests.cli.test_rollouts import done, workspace
from tests.controlplane.planes import run
from tests.controlplane.worlds import world

ROOT = Path(__file__).resolve().parents[2]
NOBODYS = 48_213
"""A user id without an entry in the list of users."""

NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


def nameless() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name not in NAMES}


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_a_user_that_the_system_doesnt_list_is_known_by_number() -> None:
    code = "import os; from controlplane.cli.control_plane import user_name"
    asked = f"{code}; os.setuid({NOBODYS}); print(user_name())"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=ROOT,
        env=nameless(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"uid {NOBODYS}\n", "")


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_list_without_the_user_gives_the_number(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", unknown)
    monkeypatch.setattr("os.getuid", lambda: 7)
    assert user_name() == "uid 7"


def test_who_is_named_is_in_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with world(f"sqlite:{tmp_path}/store.db") as it:
            assert (await done(it.plane, "publish", workspace(tmp_path, 2), "--author", "ada")).code == 0
            monkeypatch.setenv("LIGHTBULB_AUTHOR", "grace")
            assert (await done(it.plane, "rollback")).code == 0
            assert (await done(it.plane, "pin", "1")).code == 0
            monkeypatch.delenv("LIGHTBULB_AUTHOR")
            told = json.loads((await done(it.plane, "events", "--output", "json")).out)["events"]
            by = {each["kind"]: each["author"] for each in reversed(told)}
            assert (by["published"], by["rolled_back"], by["pinned"]) == ("ada", "grace", "grace")

    run(scenario)
