"""Become a command that the kernel kills when its parent dies: python parent_death.py PARENT_PID COMMAND...

An Envoy that outlived its relay would hold the port, and the next `lightbulb sidecar` couldn't take it.

This is a program of its own, since code between fork and exec could deadlock: on a lock that another thread
held at the fork.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Replace this process by `command`. On systems other than Linux it outlives its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent has died")  # before the kernel was asked to say so
    os.execv(command[0], command)  # noqa: S606 - the command is our parent's


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
