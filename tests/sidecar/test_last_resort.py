"""A process that doesn't end by itself is ended, with the code that it has, and says what it waited for."""

import subprocess
import sys

HANGS = """
import asyncio, threading
from lightbulb.sidecar.last_resort import end_within

async def main():
    end_within(0.2, 137)
    {waits}

asyncio.run(main())
{after}
"""


def ended(waits: str, after: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HANGS.format(waits=waits, after=after)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_task_that_waits_for_ever_is_named_and_ended() -> None:
    end = ended("await asyncio.Event().wait()")
    assert end.returncode == 137
    assert "within 0.2 s" in end.stderr
    assert "in main" in end.stderr


def test_a_thread_that_isnt_a_task_is_named_and_ended() -> None:
    end = ended("pass", "threading.Thread(target=threading.Event().wait).start()")
    assert end.returncode == 137
    assert "threading.py" in end.stderr


def test_one_that_ends_in_time_has_its_own_code() -> None:
    end = ended("pass", "raise SystemExit(3)")
    assert (end.returncode, end.stderr) == (3, "")
