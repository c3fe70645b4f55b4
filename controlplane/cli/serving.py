"""Runs a server in the foreground until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from controlplane.cli.failed import Failed
from lightbulb.errors import CannotListen


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end. Raises Failed when its port is taken."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(main)
    except CannotListen as error:
        text = str(error)
        told = f"{text} with --listen" if text.endswith("another address") else text
        raise Failed("CANNOT_LISTEN", told) from error
