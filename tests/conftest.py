"""What holds for every test."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from lightbulb.sidecar.platforms import why_no_envoy


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were left out here."""
    if reason := why_no_envoy():
        terminalreporter.write_line(f"left out: the tests marked envoy. {reason}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of a real Envoy where there is none."""
    if why_no_envoy() is None:
        return
    without = [item for item in items if item.get_closest_marker("envoy") is not None]
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if item.get_closest_marker("envoy") is None]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a test logged in characters that travel between the processes of a parallel run."""
    report: Any = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report
