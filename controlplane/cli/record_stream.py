"""Reads records out of the stream of a Redis into a file, as it stands."""

from __future__ import annotations

from pathlib import Path

import redis

from controlplane.cli.failed import Failed
from lightbulb.host.record_stream import FIELD, STREAM

PAGE = 1_000
SECONDS = 10.0


def fetch_records(url: str, path: Path) -> None:
    """Write the records of a stream to a file; those that come meanwhile are left out. Raises Failed."""
    try:
        with redis.Redis.from_url(url, socket_timeout=SECONDS) as client, path.open("wb") as file:
            last = client.xrevrange(STREAM, count=1)
            first, end = "-", last[0][0] if last else b"0"
            while page := client.xrange(STREAM, first, end, count=PAGE):
                file.writelines(fields.get(FIELD.encode(), b"") for _, fields in page)
                first = f"({page[-1][0].decode()}"
    except (redis.RedisError, OSError, ValueError) as error:
        raise Failed(
            "NO_RECORDS", f"can't read the records at {url} ({error})", "name a Redis of hosts"
        ) from error
