"""Ends a process whose orderly end takes too long.

A sidecar without its Envoy takes no requests, and is started anew only once it has ended. What libraries
wait for as they shut down has no deadline, so this is one.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading

log = logging.getLogger(__name__)


def end_within(seconds: float, code: int) -> None:
    """Exit with `code` after so many seconds if this process is there still, and say what it waited for.

    Call it in the event loop. An interpreter that is too far gone for this exits with 1, a little later.
    """
    timer = threading.Timer(seconds, _end, (seconds, code, asyncio.get_running_loop()))
    timer.daemon = True
    timer.start()
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(seconds + 5.0, exit=True, file=sys.__stderr__)


def _end(seconds: float, code: int, loop: asyncio.AbstractEventLoop) -> None:
    try:
        log.error(
            "Envoy has ended, but this process hasn't within %g s, so it exits; it waited for:", seconds
        )
        for task in asyncio.all_tasks(loop):
            task.print_stack()
        faulthandler.dump_traceback()
    finally:
        os._exit(code)
