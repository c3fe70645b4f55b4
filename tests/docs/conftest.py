"""The documents' own running system."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Up, running


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up")) as system:
        yield system
