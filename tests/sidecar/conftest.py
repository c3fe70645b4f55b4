"""One lab a test: an Envoy starts in a fraction of a second."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sidecar.lab import RelayLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RelayLab]:
    made = RelayLab(tmp_path)
    try:
        yield made
    finally:
        made.close()
