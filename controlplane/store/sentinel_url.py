"""URLs of a Redis whose primary is named by Sentinels: redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/SERVICE.

Options: `db`, and `sentinel_username` and `sentinel_password` where the Sentinels ask for these.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

SCHEME = "redis+sentinel"
PORT = 26_379
_OPTIONS = frozenset({"db", "sentinel_username", "sentinel_password"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelUrl:
    """Where Sentinels listen, and the name under which they know the primary; empty texts aren't given."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    database: int = 0
    username: str = ""
    password: str = ""
    sentinel_username: str = ""
    sentinel_password: str = ""

    @property
    def place(self) -> str:
        """The URL without users, passwords and options."""
        hosts = (f"[{host}]" if ":" in host else host for host, _ in self.sentinels)
        where = ",".join(f"{host}:{port}" for host, (_, port) in zip(hosts, self.sentinels, strict=True))
        return f"{SCHEME}://{where}/{self.service}"


def is_sentinel_url(url: str) -> bool:
    """Say whether Sentinels are asked for the primary."""
    return url.partition(":")[0] == SCHEME


def sentinel_url(url: str) -> SentinelUrl:
    """Return what a URL says; raises ValueError, which shows no password, when it can't be understood."""
    rest, _, query = url.removeprefix(f"{SCHEME}://").partition("?")
    where, _, service = rest.partition("/")
    user, _, hosts = where.rpartition("@")
    username, _, password = user.partition(":")
    options = parse_qs(query, strict_parsing=True) if query else {}
    database = options.get("db", ["0"])[-1]
    sentinels = tuple(map(_address, hosts.split(",")))
    odd = "@" in rest.rpartition("@")[2] or "/" in service or not service or options.keys() - _OPTIONS
    if odd or not database.isdecimal() or None in sentinels:
        raise ValueError(
            f"the URL that begins with {SCHEME}: isn't understood; write "
            f"{SCHEME}://USER:PASSWORD@HOST:PORT,HOST:PORT/SERVICE?db=NUMBER, and any of / ? # % @ : in a "
            "password as %2F %3F %23 %25 %40 %3A"
        )
    return SentinelUrl(
        sentinels=tuple(each for each in sentinels if each is not None),
        service=unquote(service),
        database=int(database),
        username=unquote(username),
        password=unquote(password),
        sentinel_username=options.get("sentinel_username", [""])[-1],
        sentinel_password=options.get("sentinel_password", [""])[-1],
    )


def _address(text: str) -> tuple[str, int] | None:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        return None
    return host, int(port)
