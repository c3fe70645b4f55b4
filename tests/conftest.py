"""What holds for every test: a world of its own, and an order that a parallel run makes the most of."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from xdist.scheduler import LoadScopeScheduling

from controlplane.cli.processes import PORTS
from lightbulb.sidecar.platforms import why_no_envoy
from tests.depth import DEEP_EXAMPLES, EXAMPLES

FIRST_PORT, LAST_PORT, BLOCK = 12_000, 32_000, 1_000

LONG = (
    "packaging",
    "chaos",
    "e2e",
    "docs",
    "rollout/test_properties.py",
    "rules/test_linear.py",
    "lifecycle/test_controls.py",
    "bench",
    "envoy",
    "rules",
    "planning",
    "controlplane",
    "ads",
    "sidecar",
    "cli",
)
"""Folders, and files of others, whose tests take long, the longest first: a parallel run begins with them."""

TOGETHER = (
    ("tests/chaos/test_short.py",),
    ("tests/docs/test_documents.py",),
    ("tests/e2e/test_distributed.py",),
    ("tests/e2e/test_shift.py",),
    (
        "tests/e2e/test_up.py",
        "tests/e2e/test_infer.py",
        "tests/e2e/test_independent_client.py",
        "tests/e2e/test_proxies.py::test_every_command",
        "tests/e2e/test_proxies.py::test_who_asks",
        "tests/e2e/test_second_up.py::test_beside",
    ),
    ("tests/envoy/test_bad_input.py", "tests/envoy/test_own_envoy.py::test_an_own_envoy"),
    ("tests/rules/test_sandbox.py::test_a_hazard",),
)
"""Beginnings of names of tests that share what takes long to set up: those of a row run in one process."""

# The tests start hundreds of processes: each would compile all modules again. Many an image sets it.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Tests run side by side, and so do hosts: the threads of one would wait for each other, busily.
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

settings.register_profile(
    "suite", deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", settings.get_profile("suite"), max_examples=DEEP_EXAMPLES)
# A mutant is noticed by a failure; that it is a small one is of no use.
settings.register_profile(
    "mutants",
    settings.get_profile("deep"),
    phases=(Phase.explicit, Phase.generate),
    database=None,
    derandomize=True,
)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what rewrites expected files."""
    parser.addoption("--golden-update", action="store_true", help="write what tests/golden expects anew")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were left out here, and what repeats the order of the others."""
    seed = getattr(terminalreporter.config.option, "randomly_seed", None)
    if seed is not None:
        terminalreporter.write_line(f"the order was that of --randomly-seed={seed}")
    if reason := why_no_envoy():
        terminalreporter.write_line(f"left out: the tests marked envoy. {reason}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what can't run here, and begin a parallel run with what takes long."""
    _leave_out_envoy(config, items)
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Take what was imported and collected for what stays, so that nobody looks for garbage in it again."""
    gc.collect()
    gc.freeze()


def _leave_out_envoy(config: pytest.Config, items: list[pytest.Item]) -> None:
    if why_no_envoy() is None:
        return
    without = [item for item in items if item.get_closest_marker("envoy") is not None]
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if item.get_closest_marker("envoy") is None]


def _turn(item: pytest.Item) -> int:
    path = item.path.relative_to(Path(__file__).parent)
    return next((turn for turn, long in enumerate(LONG) if path.is_relative_to(long)), len(LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a test logged in characters that travel between the processes of a parallel run."""
    report: Any = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Give each worker one test after the other, but for those that stay together: these come first."""
    return _Scheduler(config, log)


class _Scheduler(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return next((names[0] for names in TOGETHER if nodeid.startswith(names)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Say what `-n auto` is: one more than there are cores, as many tests wait for other processes."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.fixture(scope="session", autouse=True)
def _world_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give this process, and those it starts, their own ports, home and temporary folder."""
    home = tmp_path_factory.mktemp("home")
    with (
        pytest.MonkeyPatch.context() as patch,
        _claimed_ports() as ports,
        tempfile.TemporaryDirectory(prefix="lb-") as temporary,  # short: a socket's path has 107 bytes
    ):
        for name in [name for name in os.environ if name.startswith("LIGHTBULB_")]:
            patch.delenv(name)
        patch.setenv(PORTS, ports)
        for name, usual in (("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache")):
            patch.setenv(name, os.environ.get(name, str(Path.home() / usual)))  # where pip finds its index
        patch.setenv("HOME", str(home))
        patch.setenv("TMPDIR", temporary)
        patch.setattr(tempfile, "tempdir", temporary)
        yield


@contextlib.contextmanager
def _claimed_ports() -> Iterator[str]:
    """Give FIRST-LAST, ports that no other suite has: the one before them is bound, and so claims them."""
    for first in range(FIRST_PORT, LAST_PORT, BLOCK):
        with socket.socket() as claim:
            try:
                claim.bind(("127.0.0.1", first))
            except OSError:
                continue
            yield f"{first + 1}-{first + BLOCK - 1}"
            return
    raise OSError(f"no block of {BLOCK} ports from {FIRST_PORT} to {LAST_PORT} is free")
