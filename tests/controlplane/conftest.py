from pathlib import Path

import pytest


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/store.db"


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have control planes look at the clock often, since nothing here takes as long as it does elsewhere."""
    monkeypatch.setattr("controlplane.replica.TICK_SECONDS", 0.02)
