"""A process is told to stop by SIGTERM, SIGINT and SIGHUP, and waits for that or for what it runs to end."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from lightbulb.signals import ending_signals, exiting_at_signals, stop_at_signals, until

DEADLINE = 20.0


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), DEADLINE))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_either_signal_asks_to_stop(number: signal.Signals) -> None:
    async def scenario() -> None:
        stop = stop_at_signals()
        assert not stop.is_set()
        signal.raise_signal(number)
        await until(stop)
        assert stop.is_set()

    run(scenario)


def test_under_nohup_the_end_of_the_terminal_is_ignored() -> None:
    async def scenario() -> None:
        stop = stop_at_signals()
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        await until(stop)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in ending_signals()
        run(scenario)
        with exiting_at_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_leaves_a_block_as_an_error_does_and_means_what_it_did_after_it() -> None:
    before = signal.getsignal(signal.SIGHUP)
    for number in (signal.SIGTERM, signal.SIGHUP):
        with pytest.raises(SystemExit) as left, exiting_at_signals():
            signal.raise_signal(number)
        assert left.value.code == 128 + number
    assert signal.getsignal(signal.SIGHUP) is before


def test_the_end_of_a_task_is_waited_for_too_and_its_fault_left_to_its_owner() -> None:
    async def fails() -> None:
        raise ValueError("broken")

    async def scenario() -> None:
        stop, never = asyncio.Event(), asyncio.create_task(asyncio.Event().wait())
        failed = asyncio.create_task(fails())
        await until(stop, never, failed)
        assert not stop.is_set()
        assert not never.done()
        with pytest.raises(ValueError, match="broken"):
            failed.result()
        never.cancel()

    run(scenario)


def test_a_time_may_end_the_wait_with_or_without_an_event() -> None:
    async def scenario() -> None:
        stop, before = asyncio.Event(), asyncio.all_tasks()
        await until(stop, seconds=0.01)
        await until(None, seconds=0.01)
        await asyncio.sleep(0)  # what was cancelled ends
        assert not stop.is_set()
        assert asyncio.all_tasks() == before

    run(scenario)
