"""The edge of the server without grpcio: real sockets, and peers that are slow, too many, or damaged."""

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import ngh2
import pytest

from lightbulb.rpc.channels import open_channel
from lightbulb.wire.limits import Limits
from lightbulb.wire.server import Turn, WireServer
from tests.depth import is_deep
from tests.waiting import SECONDS, until
from tests.wire.calls import ECHO, framed, headers

LARGE = 500_000
METHODS = {ECHO: lambda data: data[::-1], "/test.Echo/Large": lambda _: bytes(LARGE)}
CHUNK = 65_536


@contextlib.contextmanager
def served(limits: Limits | None = None) -> Iterator[WireServer]:
    server = WireServer(METHODS, limits or Limits(), Turn())
    server.port = server.listen("127.0.0.1:0")
    server.start()
    try:
        yield server
    finally:
        asyncio.run(server.stop(0.0))


class Peer:
    """A client of HTTP/2 that reads when it is told to."""

    def __init__(self, server: WireServer) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)
        self.http = ngh2.Connection(ngh2.Role.CLIENT)
        self.http.initiate_connection({ngh2.Setting.INITIAL_WINDOW_SIZE: 2**31 - 1})
        self.http.set_local_window_size(2**31 - 1)
        self.received = 0
        self.send()

    def send(self) -> None:
        self.socket.sendall(self.http.data_to_send())

    def call(self, path: str, message: bytes = b"") -> None:
        stream = self.http.send_request(headers(path))
        self.http.send_data(stream, framed(message), end_stream=True)
        self.send()

    def read(self) -> bool:
        """Take what has come; return False at the end."""
        try:
            data = self.socket.recv(CHUNK)
        except ConnectionResetError:
            return False
        self.http.receive_data(data)
        for event in self.http.events():
            if isinstance(event, ngh2.DataReceived):
                self.received += len(event.data)
        self.send()
        return bool(data)


def echoes(server: WireServer) -> None:
    with open_channel(f"127.0.0.1:{server.port}") as channel:
        assert channel.unary_unary(ECHO)(b"abc", timeout=SECONDS, wait_for_ready=True) == b"cba"


def ends(connection: socket.socket) -> bool:
    """Say whether the peer ends a connection before it times out."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(CHUNK):
            pass
    return True


def stuck(server: WireServer) -> bool:
    return any(connection._paused is not None for connection in server.connections)


def test_a_peer_that_reads_nothing_is_read_no_more_of_and_gets_all_once_it_reads() -> None:
    calls = 100
    with served() as server:
        peer = Peer(server)
        for _ in range(calls):
            peer.call("/test.Echo/Large")
        until("the server to hold back", lambda: stuck(server))
        echoes(server)
        peer.socket.settimeout(SECONDS)
        while peer.received < calls * (LARGE + 5):
            assert peer.read()
        assert not stuck(server)
        peer.socket.close()


def test_a_peer_that_reads_nothing_for_long_is_left() -> None:
    with served(Limits(stuck=0.1)) as server:
        peer = Peer(server)
        for _ in range(100):
            peer.call("/test.Echo/Large")
        until("the server to leave it", lambda: not server.connections)
        echoes(server)
        peer.socket.close()


def test_more_connections_than_allowed_are_closed_and_there_is_room_when_one_leaves() -> None:
    with served(Limits(connections=2)) as server:
        peers = [Peer(server), Peer(server)]
        until("both to be there", lambda: len(server.connections) == 2)
        with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as third:
            assert ends(third)
        peers[0].socket.close()
        until("one to leave", lambda: len(server.connections) == 1)
        echoes(server)
        peers[1].socket.close()


def test_a_connection_that_says_nothing_is_closed() -> None:
    with (
        served(Limits(greeting=0.1)) as server,
        socket.create_connection(("127.0.0.1", server.port)) as silent,
    ):
        silent.settimeout(SECONDS)
        assert ends(silent)
        until("it to be forgotten", lambda: not server.connections)


def test_garbage_harms_nobody_else_and_leaves_no_memory_behind() -> None:
    rounds, calls = (40, 10_000) if is_deep() else (3, 300)
    chance = random.Random(1)
    sizes = []
    with served(Limits(greeting=0.5)) as server:
        well = Peer(server)
        for _ in range(rounds):
            for _ in range(50):
                with socket.create_connection(("127.0.0.1", server.port)) as peer:
                    peer.sendall(damaged(chance))
            for _ in range(calls // 50):
                before = well.received
                for _ in range(50):
                    well.call(ECHO, b"abc")
                while well.received < before + 50 * len(framed(b"abc")):
                    assert well.read()
            until("the damaged to be gone", lambda: len(server.connections) == 1)
            until("nothing to be held", lambda: server.held.bytes == 0)
            sizes.append(resident())
        well.socket.close()
    if is_deep():
        assert sizes[-1] - sizes[rounds // 4] < 4 * 2**20, sizes


def damaged(chance: random.Random) -> bytes:
    client = ngh2.Connection(ngh2.Role.CLIENT)
    client.initiate_connection({})
    for _ in range(5):
        stream = client.send_request(headers())
        client.send_data(stream, framed(b"abc" * 100), end_stream=True)
    data = bytearray(client.data_to_send())
    for _ in range(3):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data[: chance.randrange(len(data))])


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_who_is_read_late_in_a_turn_of_the_loop_has_waited_since_it_began() -> None:
    async def scenario() -> None:
        loop, turn, ages = asyncio.get_running_loop(), Turn(), []
        began = asyncio.Event()

        def read() -> None:
            turn.begin(loop)
            ages.append(turn.age())

        loop.call_soon(read)
        loop.call_soon(lambda: until("time to pass", lambda: turn.age() > 0.01))
        loop.call_soon(read)
        loop.call_soon(began.set)
        await began.wait()
        await asyncio.sleep(0)
        assert turn.age() == 0.0
        assert ages[0] < ages[1]
        assert ages[1] > 0.01

    asyncio.run(scenario())


def test_compressed_requests_of_grpcio_are_read() -> None:
    with (
        served() as server,
        open_channel(f"127.0.0.1:{server.port}", [("grpc.default_compression_algorithm", 2)]) as channel,
    ):
        echo = channel.unary_unary(ECHO)
        assert echo(b"a" * 1000 + b"b", timeout=SECONDS) == b"b" + b"a" * 1000
        with pytest.raises(grpc.RpcError) as caught:
            echo(b"a", timeout=SECONDS, compression=grpc.Compression.Deflate)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
