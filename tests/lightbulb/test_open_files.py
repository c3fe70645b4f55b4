"""A process may open as many files as it is allowed to allow itself, and says before they run out."""

import re
import subprocess

from tests.python_after import python_after

SECONDS = 60.0

PROGRAM = """
import asyncio, contextlib, logging, os, resource
from lightbulb import open_files

async def main():
    watching = asyncio.create_task(open_files.watch(0.001))
    with contextlib.ExitStack() as held:
        for _ in range(2):
            while open_files._used() < 80:
                held.enter_context(open(os.devnull))
                await asyncio.sleep(0)
            await asyncio.sleep(0.05)  # many looks, of which one is told
            held.close()
            await asyncio.sleep(0.05)
    watching.cancel()

logging.basicConfig(format="%(message)s")
open_files.raise_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
asyncio.run(main())
"""


def test_it_is_said_once_each_time_that_the_limit_comes_near() -> None:
    done = subprocess.run(
        [*python_after("resource.setrlimit(resource.RLIMIT_NOFILE, (50, 100))"), "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert done.stdout.split() == ["100", "100"]
    told = [line for line in done.stderr.splitlines() if "files and connections are open" in line]
    assert len(told) == 2
    assert all(
        re.match(r"8\d of 100 files and connections are open; raise the limit \(ulimit -n\)", line)
        for line in told
    )
