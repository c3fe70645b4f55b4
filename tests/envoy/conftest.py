"""One lab a test: an Envoy starts in a fraction of a second."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Up, running
from tests.envoy.lab import Lab


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up")) as system:
        yield system


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(params=[True, False], ids=["delta", "state-of-the-world"])
def either_lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(tmp_path, delta=request.param)
    try:
        yield made
    finally:
        made.close()
