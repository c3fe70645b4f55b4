"""`make fuzz`: looks for bytes that a decoder fails on, for long; each run tries others.

python -m tests.fuzz [DECODER...] [--seconds N]      each of them (all, when none is named) for so long
python -m tests.fuzz DECODER --hex BYTES             read one input, as a find says
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.decoders import DECODERS
from tests.fuzz.finds import EXIT_FIND

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 2
START_SECONDS = 120
"""What a process may take beside its time: to start, and to make a find small."""


def main() -> int:
    """Return the exit code: 1 when there was a find."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("decoders", nargs="*", choices=[*DECODERS, []], metavar="DECODER")
    parser.add_argument("--seconds", type=int, default=60, help="for each decoder")
    parser.add_argument("--hex", help="one input to read")
    given = parser.parse_args()
    names = given.decoders or list(DECODERS)
    if given.hex is not None:
        DECODERS[names[0]].check(bytes.fromhex(given.hex))
        return 0
    with ThreadPoolExecutor(AT_ONCE) as executor:
        finds = list(executor.map(lambda name: _fuzz(name, given.seconds), names))
    print(f"{sum(finds)} of {len(names)} decoders failed")
    return 1 if any(finds) else 0


def _fuzz(name: str, seconds: int) -> bool:
    """Return whether there was a find; a crash or a loop ends a process of its own alone."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.fuzz.one", name, str(seconds), folder]
        limit = seconds + START_SECONDS
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=limit,
                check=False,
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            print(f"{name}: it hangs", flush=True)
            return True
    tried = re.search(r"number_of_executed_units: *(\d+)", done.stderr)
    if done.returncode == 0 and tried is not None:
        print(f"{name}: nothing in {int(tried[1]):,} inputs", flush=True)
    elif done.returncode == EXIT_FIND:
        print(f"{name}: {done.stdout.strip()}", flush=True)
    else:
        print(f"{name}: the process ended with {done.returncode}\n{done.stderr[-2000:]}", flush=True)
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
