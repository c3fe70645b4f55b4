"""How a server ends: what a test sees of it from outside."""

import os
import re
import signal
import socket
import subprocess
import sys


def refuses(port: int) -> bool:
    """Say whether nobody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def ends_in_order(program: str, listens: str, number: signal.Signals) -> None:
    """Run a program, and send it a signal once it logs what matches `listens`: it stops, and says so."""
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            while not re.search(listens, line := process.stderr.readline()):
                assert line, "the process ended before it listened"
            os.kill(process.pid, number)
            _, rest = process.communicate(timeout=60)
            assert process.returncode == 0
            assert rest.rstrip().endswith("stopped")
        finally:
            process.kill()
