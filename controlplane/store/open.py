"""The store that a URL names."""

from __future__ import annotations

from pathlib import Path

from controlplane.store.contract import Store, Unreachable
from controlplane.store.sqlite import SqliteStore

_FORMS = (
    "write sqlite:PATH, redis://HOST:PORT/NUMBER, rediss://HOST:PORT/NUMBER, "
    "redis+sentinel://HOST:PORT,HOST:PORT/SERVICE or unix://SOCKET"
)


def open_store(url: str, cluster: str, replicas: int = 0) -> Store:
    """Open the store of `cluster`, or make it: at sqlite:PATH, redis://..., rediss://... or unix://...

    Of a Redis, a commit waits a moment for `replicas` to have it. Raises ValueError for another URL, and what
    the store raises: Corrupt, WrongStore, Unreachable. Nothing of a URL but its beginning is shown, as the
    rest may hold a password.
    """
    scheme, colon, rest = url.partition(":")
    if not colon:
        raise ValueError(f"a store's URL begins with what kind it is; {_FORMS}")
    if scheme == "sqlite":
        if not rest or rest.startswith("//"):
            raise ValueError(f"sqlite: is followed by a path, as it is, without // before it; {_FORMS}")
        _make_folder(Path(rest).parent)
        return SqliteStore(rest, cluster)
    if scheme in ("redis", "rediss", "redis+sentinel", "unix"):
        return _open_redis(url, cluster, replicas)
    raise ValueError(f"there is no store of kind {scheme[:20]!r}; {_FORMS}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unreachable(f"there is no folder {folder}, and it can't be made ({error.strerror})") from error


def _open_redis(url: str, cluster: str, replicas: int) -> Store:
    try:
        from controlplane.store.redis import RedisStore  # noqa: PLC0415 - redis-py is optional
    except ModuleNotFoundError as error:
        raise ValueError(
            "a store in Redis needs redis-py; install lightbulb-routing[redis], or keep it in sqlite:PATH"
        ) from error
    return RedisStore(url, cluster, replicas=replicas)
