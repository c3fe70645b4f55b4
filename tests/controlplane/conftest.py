from pathlib import Path

import pytest

from tests.store.conftest import redis, shared_redis

__all__ = ["redis", "shared_redis"]


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a store that is still to be made."""
    return f"sqlite:{tmp_path}/store.db"


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have control planes look at the clock often, since nothing here takes as long as it does elsewhere."""
    monkeypatch.setattr("controlplane.replica.replica.TICK_SECONDS", 0.02)
