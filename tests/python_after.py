"""A Python that begins with other limits or files than this one's."""

import sys


def python_after(line: str) -> tuple[str, ...]:
    """Return what begins a command: a Python that runs a line, and then becomes one with the arguments given.

    Done in a fork of this process, as `preexec_fn` would, it is done among what gRPC has open here: it may
    abort there.
    """
    if not line:
        return (sys.executable,)
    become = "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    return (sys.executable, "-c", f"import os, resource, sys\n{line}\n{become}")
