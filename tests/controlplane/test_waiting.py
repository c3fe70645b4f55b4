"""A store that can't be reached is waited for, and said to be once; whoever is told to stop, stops."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from controlplane.app import ControlPlaneSettings, serve
from controlplane.replica.waiting import StoppedWaiting, when_reachable
from controlplane.store.contract import Corrupt, Store
from controlplane.store.open import open_store
from tests.waiting import eventually

DEADLINE = 20.0


def url(tmp_path: Path) -> str:
    """A store in a folder that can't be made, while a file is in its place."""
    (tmp_path / "folder").write_text("in the way")
    return f"sqlite:{tmp_path}/folder/store.db"


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if "waiting for the store" in each.getMessage()]


def test_it_is_opened_once_it_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        attempts = 0

        def opened() -> Store:
            nonlocal attempts
            attempts += 1
            return open_store(where, "tests")

        where = url(tmp_path)
        waiting = asyncio.create_task(when_reachable(opened))
        await eventually("some attempts", lambda: attempts > 2)
        assert len(told(caplog)) == 1
        (tmp_path / "folder").unlink()
        store = await asyncio.wait_for(waiting, DEADLINE)
        await asyncio.to_thread(store.close)

    asyncio.run(scenario())


def test_who_is_told_to_stop_waits_no_longer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        stop = asyncio.Event()
        waiting = asyncio.create_task(when_reachable(lambda: open_store(where, "tests"), stop))
        await eventually("word of it", lambda: told(caplog))
        stop.set()
        with pytest.raises(StoppedWaiting):
            await asyncio.wait_for(waiting, DEADLINE)

    where = url(tmp_path)
    asyncio.run(scenario())


def test_a_control_plane_without_its_store_ends_when_told_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        stop = asyncio.Event()
        monkeypatch.setattr("controlplane.app.stop_at_signals", lambda: stop)
        settings = ControlPlaneSettings(address="127.0.0.1:0", store=url(tmp_path))
        serving = asyncio.create_task(serve(settings))
        await eventually("word of it", lambda: told(caplog))
        stop.set()
        await asyncio.wait_for(serving, DEADLINE)

    asyncio.run(scenario())


def test_one_that_is_no_store_of_ours_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"something else" * 1000)

    async def scenario() -> None:
        with contextlib.suppress(StoppedWaiting):
            await when_reachable(lambda: open_store(f"sqlite:{tmp_path}/store.db", "tests"))

    with pytest.raises(Corrupt):
        asyncio.run(asyncio.wait_for(scenario(), DEADLINE))
