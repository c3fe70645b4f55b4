"""A real primary and a real replica of it, and a path that leads to one of them, as a name in DNS would."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.store.places import CLUSTER
from tests.store.redis_server import DURABLE, RedisServer
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class RedisPair:
    """Both have one port: the primary at 127.0.0.1, the replica at 127.0.0.2."""

    primary: RedisServer
    replica: RedisServer
    path: Path

    @property
    def url(self) -> str:
        """What leads to the primary, until `move`."""
        return f"unix://{self.path}"

    def synced(self) -> None:
        """Wait until the replica has all that the primary acknowledged."""

        def same() -> bool:
            said, heard = (_info(server, "master_repl_offset") for server in (self.primary, self.replica))
            return said == heard and _info(self.replica, "master_link_status") == "up"

        until("the replica to have it all", same)

    def fail_over(self) -> None:
        """Make the replica the primary, and the primary its replica. The path leads where it did."""
        self.synced()
        assert self.replica.call("REPLICAOF", "NO", "ONE") == b"+OK"
        assert self.primary.call("REPLICAOF", "127.0.0.2", str(self.primary.port)) == b"+OK"

    def part(self) -> None:
        """Have the replica take nothing more from the primary, as one that lags; it is a primary then."""
        self.synced()
        assert self.replica.call("REPLICAOF", "NO", "ONE") == b"+OK"

    def move(self, *, back: bool = False) -> None:
        """Let the path lead to the replica, or `back` to the primary."""
        lead(self.path, self.primary if back else self.replica)

    def follower_version(self) -> int:
        """Return the version of the store that the former replica has."""
        state = f"lightbulb:{{{CLUSTER}}}:state"
        return int(self.replica.call("HGET", state, "version").split()[-1])

    def clients_of_demoted(self) -> int:
        """Return how many connections the former primary has, but for its new primary's and this one."""
        clients = self.primary.call("CLIENT", "LIST", "TYPE", "normal").decode()
        return sum(" cmd=client" not in line for line in clients.splitlines() if line.startswith("id="))


def lead(path: Path, server: RedisServer) -> None:
    """Let `path` lead to a server's socket from now on."""
    new = path.with_suffix(".new")
    new.symlink_to(server.socket)
    new.replace(path)


@contextlib.contextmanager
def redis_pair(folder: Path) -> Iterator[RedisPair]:
    """Run a pair whose replica has synced."""
    with contextlib.ExitStack() as running:
        primary = running.enter_context(RedisServer(folder / "primary", *DURABLE, tcp=True))
        port = str(primary.port)
        where = ("--bind", "127.0.0.2", "--port", port, "--replicaof", "127.0.0.1", port)
        replica = running.enter_context(RedisServer(folder / "replica", *DURABLE, *where))
        pair = RedisPair(primary, replica, Path(replica.socket.parent) / "redis")
        lead(pair.path, primary)
        pair.synced()
        yield pair


def _info(server: RedisServer, name: str) -> str:
    lines = server.call("INFO", "replication").decode().splitlines()
    return next((line.removeprefix(f"{name}:") for line in lines if line.startswith(f"{name}:")), "")
