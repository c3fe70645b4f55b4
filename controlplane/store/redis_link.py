"""Calls to a Redis: pooled connections, a timeout on every call, errors told in the store's words.

After a failover another server answers to the name. So whenever a server refuses or doesn't answer, or a new
connection leads to another one than those before, all connections are given up, and those made then look the
name up again. It never looks at what is kept there; `redis` does.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from controlplane.store.contract import Corrupt, StoreError, Unreachable
from controlplane.store.sentinel_url import SentinelUrl, is_sentinel_url, sentinel_url

MAX_CONNECTIONS = 64
"""More threads than that wait for each other."""

WAIT_SECONDS = 1.0
"""How long a commit waits for replicas, at most."""

_RETRIES = 3

_MOVES = "name the primary in the URL; a name that moves there by itself is looked up again each second"

_REMEDIES = {
    "OOM": "it is full; raise its maxmemory, or give it a machine with more memory",
    "MISCONF": "it can't save to its disk; make room there, and see its log",
    "READONLY": f"it is a read-only replica; {_MOVES}",
    "LOADING": "it is reading its data; wait until it has",
    "MASTERDOWN": f"it is a replica without its primary; {_MOVES}",
    "UNBLOCKED": f"it has just become a replica; {_MOVES}",
    "NOREPLICAS": "it has too few replicas to write; start them, or lower its min-replicas-to-write",
    "BUSY": "a script of somebody else's holds it; end that with SCRIPT KILL",
    "NOAUTH": "put the user and the password into the URL",
    "WRONGPASS": "correct the user and the password in the URL",
    "NOPERM": "allow the URL's user every command on keys that begin with lightbulb:",
    "MOVED": "it is one of several shards; name a Redis that holds all keys",
    "CLUSTERDOWN": "its cluster is down; see its log",
}
"""By the word with which Redis begins the error; within a script, it stands further on."""

_CODES: tuple[tuple[type[redis.RedisError], str], ...] = (
    (redis.OutOfMemoryError, "OOM"),
    (redis.ReadOnlyError, "READONLY"),
    (redis.BusyLoadingError, "LOADING"),
    (redis.AuthenticationError, "WRONGPASS"),
    (redis.exceptions.NoPermissionError, "NOPERM"),
    (redis.exceptions.MovedError, "MOVED"),
    (redis.exceptions.MasterDownError, "MASTERDOWN"),  # a ClusterDownError too
    (redis.exceptions.ClusterDownError, "CLUSTERDOWN"),
)
"""redis-py takes the word away where it has a class for it."""

_WORD = re.compile(rf"\b({'|'.join(_REMEDIES)})\b")

_RUN_ID = re.compile(r"run_id:(\w+)")
"""Of one life of a server."""

_NOT_THE_PRIMARY = frozenset({"READONLY", "LOADING", "MASTERDOWN", "UNBLOCKED"})
"""Codes of a server that did nothing of what it was asked; the one that the name leads to now may do it."""


@dataclass(slots=True, eq=False)
class _Pool:
    """Connections, how many calls use them now, and the server that the first of them led to."""

    client: Any = None
    users: int = 0
    server: str = ""


class RedisLink:
    """One Redis, as its URL names it. Threads may share it."""

    def __init__(self, url: str, timeout: float) -> None:
        """Connect with the first call. `timeout` in seconds, for connecting and for each answer.

        Raises ValueError for a URL that can't be understood, without showing its password.
        """
        self._sentinels = sentinel_url(url) if is_sentinel_url(url) else None
        self.place = place_of(url) if self._sentinels is None else self._sentinels.place
        self.timeout = timeout
        self._url = url
        self._retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), _RETRIES, (redis.ConnectionError,))
        self._pool = self._new_pool()
        pool = self._pool.client.connection_pool
        try:
            pool.connection_class(**pool.connection_kwargs)  # or else the first call says so
        except (TypeError, ValueError):
            raise self._not_understood() from None
        self._idle = threading.Condition()
        self._users = 0
        self._closed = False

    def read(self, *command: str | bytes | float) -> Any:
        """Send a command that may be repeated; it is, a few times, when the connection breaks."""
        with self._in_use():
            return self._retry.call_with_retry(
                lambda: self._attempt(lambda client: client.execute_command(*command)), lambda _error: None
            )

    def run(self, script: str, keys: Sequence[str], arguments: Sequence[str | bytes | float]) -> Any:
        """Run a script, once."""
        with self._in_use():
            return self._attempt(lambda client: client.register_script(script)(keys=keys, args=arguments))

    def run_and_wait(
        self, script: str, keys: Sequence[str], arguments: Sequence[str | bytes | float], replicas: int
    ) -> tuple[Any, int]:
        """Run a script, once, and wait a moment for replicas to have what it wrote; return how many have."""

        def work(client: Any) -> Any:
            both = client.pipeline(transaction=False)  # over one connection: it is that one's writes
            client.register_script(script)(keys=keys, args=arguments, client=both)
            both.execute_command("WAIT", replicas, int(1000 * min(WAIT_SECONDS, self.timeout / 2)))
            return both.execute()

        with self._in_use():
            answer, have = self._attempt(work)
        return answer, int(have)

    def close(self) -> None:
        """Let the calls under way end, and disconnect."""
        with self._idle:
            self._closed = True
            self._idle.wait_for(lambda: not self._users, timeout=2 * self.timeout)
        self._pool.client.connection_pool.disconnect()

    def _attempt(self, work: Callable[[Any], Any]) -> Any:
        """Return what comes of `work`, which is repeated where the primary may be found elsewhere by now."""
        try:
            return self._on_current(work)
        except redis.RedisError as error:
            if _code(error) not in _NOT_THE_PRIMARY:
                raise
            return self._on_current(work)

    def _on_current(self, work: Callable[[Any], Any]) -> Any:
        """Do something over the current connections, which are given up when their server can't do it."""
        with self._idle:
            pool = self._pool
            pool.users += 1
        try:
            return work(pool.client)
        except (redis.RedisError, OSError) as error:
            if not isinstance(error, redis.ResponseError) or _code(error) is not None:
                self._give_up(pool)
            raise
        finally:
            with self._idle:
                pool.users -= 1
                unused = pool is not self._pool and not pool.users
            if unused:
                pool.client.connection_pool.disconnect()

    def _give_up(self, pool: _Pool) -> None:
        """Let calls that begin now connect anew; the last one under way closes the old connections."""
        with self._idle:
            if self._pool is pool and not self._closed:
                self._pool = self._new_pool()

    def _new_pool(self) -> _Pool:
        pool = _Pool()
        if self._sentinels is not None:
            pool.client = self._primary(self._sentinels)
            return pool
        try:
            connections = redis.BlockingConnectionPool.from_url(
                self._url,
                max_connections=MAX_CONNECTIONS,
                timeout=self.timeout,
                socket_timeout=self.timeout,
                socket_connect_timeout=self.timeout,
                retry=Retry(NoBackoff(), 0),  # a write isn't repeated: its answer may have been lost
                protocol=2,
                redis_connect_func=partial(self._connected, pool),
            )
        except (TypeError, ValueError):  # their texts may quote the URL
            raise self._not_understood() from None
        pool.client = redis.Redis(connection_pool=connections)
        return pool

    def _connected(self, pool: _Pool, connection: Any) -> None:
        """Begin a connection. If it leads elsewhere than others of its pool, the name has moved: all go.

        Else what is read of a server that was the primary would be read of it for as long as nobody writes.
        """
        connection.on_connect()
        with contextlib.suppress(redis.ResponseError):  # who may not ask goes by what is refused
            connection.send_command("INFO", "server")
            server = _RUN_ID.search(str(connection.read_response()))
            with self._idle:
                pool.server = pool.server or (server[1] if server else "")
                moved = server is not None and server[1] != pool.server
            if moved:
                self._give_up(pool)

    def _primary(self, url: SentinelUrl) -> Any:
        """Return a client of the primary: for each connection the Sentinels are asked where it is."""
        patience = {"socket_timeout": self.timeout, "socket_connect_timeout": self.timeout}
        retry = Retry(NoBackoff(), 0)  # a write isn't repeated: its answer may have been lost
        asked = {"username": url.sentinel_username or None, "password": url.sentinel_password or None}
        make: Any = redis.Sentinel  # which has no types
        sentinel = make(url.sentinels, sentinel_kwargs={**asked, **patience, "retry": retry})
        return sentinel.master_for(
            url.service,
            db=url.database,
            username=url.username or None,
            password=url.password or None,
            max_connections=MAX_CONNECTIONS,
            retry=retry,
            protocol=2,
            **patience,
        )

    def _not_understood(self) -> ValueError:
        return ValueError(f"the options in the URL of {self.place} aren't understood; correct them")

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._idle:
            if self._closed:
                raise Unreachable(f"{self.place} was closed; open it again")
            self._users += 1
        try:
            yield
        except redis.RedisError as error:
            raise _in_our_words(error, self.place) from error
        except OSError as error:  # certificates that can't be read
            raise Unreachable(f"{self.place} can't be reached ({error}); correct its URL") from error
        finally:
            with self._idle:
                self._users -= 1
                self._idle.notify_all()


def place_of(url: str) -> str:
    """Return a URL without its user, password and options; raise ValueError when that can't be told."""
    scheme = url.partition(":")[0]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text may quote a part of the password
        parts, port = urlsplit(f"{scheme}:"), None
    at_end = parts.netloc[-1:] in ("", "@")  # a user at most: unix://run/socket lacks a slash
    if scheme == "unix" and parts.path and at_end and "@" not in parts.path and not parts.fragment:
        return f"unix://{parts.path}"
    if scheme == "unix" or not parts.hostname or "@" in parts.path + parts.query or parts.fragment:
        raise ValueError(
            f"the URL that begins with {scheme}: isn't understood; write redis://USER:PASSWORD@HOST:PORT/NUMBER"
            " or unix:///PATH?db=NUMBER, and any of / ? # % @ in the password as %2F %3F %23 %25 %40"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{scheme}://{host}{f':{port}' if port else ''}{parts.path}"


def _in_our_words(error: redis.RedisError, place: str) -> StoreError:
    """Return Corrupt for a key of another type, and Unreachable, with a remedy, for all else."""
    if "WRONGTYPE" in str(error):
        return Corrupt(f"{place} has other data under the store's keys ({error}); restore a backup of it")
    code = _code(error)
    if code is not None:
        return Unreachable(f"{place} refuses ({_reason(error)}): {_REMEDIES[code]}")
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError)):
        return Unreachable(f"{place} doesn't answer ({error}); see that it runs and can be reached from here")
    return Unreachable(f"{place} answers with an error ({error}); it must be Redis 5 or newer, with scripts")


def _reason(error: redis.RedisError) -> str:
    """Return what Redis says, without the place in a script, so that the same reason is told once."""
    text = str(error)
    word = _WORD.search(text)
    return (text[word.start() :] if word else text).partition(" script: ")[0]


def _code(error: redis.RedisError) -> str | None:
    """Return the word with which a Redis says why it refuses; None for other errors."""
    word = _WORD.search(str(error))
    return word[1] if word else next((code for kind, code in _CODES if isinstance(error, kind)), None)
