"""Keeps records in a stream of a Redis, which is bounded: the oldest go first."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

STREAM = "lightbulb:records"
FIELD = "line"
MOST = 100_000
"""Records in the stream, about: Redis cuts it by whole nodes."""

SECONDS = 1.0
"""A call takes no longer; and after one that failed, no other is tried for so long."""


class RecordStream:
    """A stream of a Redis, by its URL, which all hosts share."""

    def __init__(self, url: str, *, most: int = MOST) -> None:
        """Connect with the first records. Raises ValueError for what is no URL of a Redis."""
        # Without retries: the client's own would make one call take seconds.
        self._redis = redis.Redis.from_url(
            url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS, retry=Retry(NoBackoff(), 0)
        )
        self._most = most
        self._not_before = 0.0
        self._fails = False

    def write(self, lines: Sequence[bytes]) -> bool:
        """Keep lines, all or none; say which."""
        if time.monotonic() < self._not_before:
            return False
        pipeline = self._redis.pipeline(transaction=True)
        for line in lines:
            pipeline.xadd(STREAM, {FIELD: line}, maxlen=self._most, approximate=True)
        try:
            pipeline.execute()
        except (redis.RedisError, OSError) as error:
            if not self._fails:
                log.warning("records can't be kept in Redis: %s", error)
            self._fails = True
            self._not_before = time.monotonic() + SECONDS
            return False
        self._fails = False
        return True

    def close(self) -> None:
        """Let go of the connection."""
        self._redis.close()
