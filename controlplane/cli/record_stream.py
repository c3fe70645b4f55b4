"""Reads records out of the stream of a Redis: into a file, as it stands, or what was added."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from controlplane.cli.failed import Failed
from controlplane.comparison.tails import Tail
from lightbulb.comparison.record import Record
from lightbulb.host.record_stream import FIELD, STREAM

PAGE = 1_000
SECONDS = 10.0


def fetch_records(url: str, path: Path) -> None:
    """Write the records of a stream to a file; those that come meanwhile are left out. Raises Failed."""
    try:
        with _opened(url) as client, path.open("wb") as file:
            file.writelines(line for _, line in _lines(client, "-"))
    except (redis.RedisError, OSError, ValueError) as error:
        raise _unread(url, error) from error


class StreamTail(Tail):
    """What is added to the stream of a Redis."""

    def __init__(self, url: str) -> None:
        """Begin with the oldest record that there is."""
        super().__init__()
        self._url = url
        self._first = "-"

    def skip(self) -> None:
        """Pass over what is there by now. Raises Failed."""
        try:
            with _opened(self._url) as client:
                last = client.xrevrange(STREAM, count=1)
        except (redis.RedisError, OSError, ValueError) as error:
            raise _unread(self._url, error) from error
        if last:
            self._first = _after(last[0][0])

    def records(self) -> Iterator[Record]:
        """Yield new records in the order in which hosts wrote them. Raises Failed."""
        try:
            with _opened(self._url) as client:
                for after, line in _lines(client, self._first):
                    self._first = after
                    record = self._record(line)
                    if record is not None:
                        yield record
        except (redis.RedisError, OSError, ValueError) as error:
            raise _unread(self._url, error) from error


def _opened(url: str) -> Any:
    return redis.Redis.from_url(url, socket_timeout=SECONDS)


def _lines(client: Any, first: str) -> Iterator[tuple[str, bytes]]:
    """Yield what the stream has by now, each with where to go on after it."""
    last = client.xrevrange(STREAM, count=1)
    end = last[0][0] if last else b"0"
    while page := client.xrange(STREAM, first, end, count=PAGE):
        for number, fields in page:
            first = _after(number)
            yield first, fields.get(FIELD.encode(), b"")


def _after(number: bytes) -> str:
    return f"({number.decode()}"


def _unread(url: str, error: Exception) -> Failed:
    return Failed("NO_RECORDS", f"can't read the records at {url} ({error})", "name a Redis of hosts")
