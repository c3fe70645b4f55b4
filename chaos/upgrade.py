"""Control planes that are upgraded one by one, under load, from the release before to this one, and back.

While there is one tenant, both read and write the same store. Once there are several the older one can't: it
says so, and leaves the store as it is.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tarfile
import time
from io import BytesIO
from pathlib import Path

from chaos.fleet import PLANES, Fleet, NotInTime, of_release, wait_for
from chaos.scenarios import CONVERGE_SECONDS, Row, Stage
from chaos.verdict import judge
from controlplane.cli.expectation import Expectations
from controlplane.replica.archive import Archive

BEFORE = "ea2d259469f0812cdf8437f5123b22173e1fb767"
"""The last commit before there were tenants."""

REFUSAL = re.compile("format [2-9]")
"""What it says of a head with tenants, or with more that is newer."""

CLONE = Path(__file__).resolve().parent.parent


class NoRelease(Exception):
    """The commit isn't in this clone."""


def checked_out(commit: str, cache: Path) -> Path:
    """Return a folder with the files of a commit of this clone. Raises NoRelease."""
    folder = cache / commit[:12]
    if folder.exists():
        return folder
    made = subprocess.run(["git", "archive", commit], cwd=CLONE, capture_output=True, check=False)
    if made.returncode:
        said = made.stderr.decode().strip()
        raise NoRelease(f"commit {commit[:12]} isn't in this clone ({said}): git fetch --unshallow")
    cache.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    with tarfile.open(fileobj=BytesIO(made.stdout)) as archive:
        archive.extractall(partial, filter="data")
    partial.rename(folder)
    return folder


def upgrade(made: Stage) -> Row:
    """Bring each control plane to this release, and again to the one before; publish after each step."""
    fleet, mark, began = made.fleet, made.taken(), time.monotonic()
    old = {name: fleet.parts[name].command for name in PLANES}
    own = {name: command[len(of_release((), fleet.folder)) :] for name, command in old.items()}
    wrong: list[str] = []
    converged: float | None = None
    try:
        for commands in (own, old):
            for name in PLANES:
                _end(fleet, name)
                fleet.parts[name].command = commands[name]
                fleet.start(name)
                wrong += _publish(made)
        converged = time.monotonic() - began
    except NotInTime as error:
        wrong.append(str(error))
    return Row(
        fault="upgrade from the release before, and back",
        moment="one by one",
        verdict=judge(made.since(mark), _as_stored(fleet), lambda _: False),
        publish="; ".join(wrong) or "active",
        converged=converged,
    )


def refuses_newer(made: Stage, before: Path) -> Row:
    """Start the release before on a store with several tenants: it names that, and writes nothing."""
    mark, fleet, began = made.taken(), made.fleet, time.monotonic()
    name, said = PLANES[0], fleet.folder / f"{PLANES[0]}.log"
    own = fleet.parts[name].command
    wrong, converged = "active", None
    try:
        for each in PLANES:
            _end(fleet, each)
        with fleet.store() as store:
            head, from_here = store.head(), said.stat().st_size
            fleet.parts[name].command = of_release(own, before)
            fleet.start(name)
            wait_for("it to refuse", lambda: REFUSAL.search(said.read_text()[from_here:]), CONVERGE_SECONDS)
            made.wait_for_requests(100)  # which its consumers answer from what they have
            if store.head() != head:
                wrong = f"the head was {head.version}, and is {store.head().version}"
        fleet.kill(name)
        fleet.parts[name].command = own
        for each in PLANES:
            fleet.start(each)
        converged = made.settle(made.plane.publish(made.variant())) and time.monotonic() - began
    except NotInTime as error:
        wrong = str(error)
    return Row(
        fault="the release before on a store of several tenants",
        moment="settled",
        verdict=judge(made.since(mark), made.plane.rules, lambda _: False),
        publish=wrong,
        converged=converged,
    )


def _as_stored(fleet: Fleet) -> dict[int, Expectations]:
    """Return what each generation calls for as the store has it: which release compiled it nobody knows.

    To some rules, a shift's say, another release gives another salt.
    """
    with fleet.store() as store:
        archive = Archive(store)
        return {each.number: Expectations(archive.read(each.number).plan) for each in store.log()}


def _publish(made: Stage) -> list[str]:
    """Publish, and wait until everybody has it; return what was wrong."""
    number = made.plane.publish(made.variant())
    became = made.plane.outcome(number, CONVERGE_SECONDS)
    if became != "active":
        return [f"{number} {became}: {made.plane.status().failure}"]
    made.settle(number)
    return []


def _end(fleet: Fleet, name: str) -> None:
    """End a part in order."""
    process = fleet.parts[name].process
    fleet.signal(name, signal.SIGTERM, alone=True)
    assert process is not None
    wait_for(f"{name} to end", lambda: process.poll() is not None, CONVERGE_SECONDS)
