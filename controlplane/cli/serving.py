"""Runs a server in the foreground until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from controlplane.cli.failed import Failed
from lightbulb import open_files
from lightbulb.errors import CannotListen

T = TypeVar("T")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end. Raises Failed when its port is taken."""
    try:
        run_server(main)
    except CannotListen as error:
        text = str(error)
        told = f"{text} with --listen" if text.endswith("another address") else text
        raise Failed("CANNOT_LISTEN", told) from error


def run_server(main: Coroutine[Any, Any, T]) -> T:
    """Return what a server ends with. It logs to stderr, and may open as many files as the system lets it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    open_files.raise_limit()
    return asyncio.run(_with_open_files_watched(main))


async def _with_open_files_watched(main: Coroutine[Any, Any, T]) -> T:
    watching = asyncio.create_task(open_files.watch())
    try:
        return await main
    finally:
        watching.cancel()
