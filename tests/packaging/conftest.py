"""One wheel, and one environment for each set of extras, for all the workers of a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.environments import Environment, build_wheel, make_environment, one_at_a_time

Make = Callable[..., Environment]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the workers of a parallel run share."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "packaging"


@pytest.fixture(scope="session")
def wheel(shared: Path) -> Path:
    """The wheel, as it is published."""
    folder = shared / "wheel"
    with one_at_a_time(folder):
        return next(folder.glob("*.whl"), None) or build_wheel(folder)


@pytest.fixture(scope="session")
def with_extras(shared: Path, wheel: Path) -> Make:
    """Return an environment with the wheel, these extras, and `others` beside it."""

    def make(*extras: str, others: tuple[str, ...] = ()) -> Environment:
        folder = shared / "-".join(("with", *extras, *others))
        with one_at_a_time(folder):
            if not (folder / "made").exists():
                make_environment(folder / "venv", wheel, extras, others)
                (folder / "made").touch()
        return Environment(folder / "venv")

    return make
