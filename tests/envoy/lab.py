"""A real Envoy between a client and upstreams; the real ADS server feeds it what a test sets."""

import asyncio
import contextlib
import http.client
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from controlplane.cli.processes import free_ports
from controlplane.model import RoutingRule
from controlplane.planning.routing import targets_by_objective
from controlplane.xds import resources
from controlplane.xds.listener import listener
from controlplane.xds.nodes import SidecarNode, identify
from controlplane.xds.special_routes import SpecialRoute, check_special
from lightbulb.ads.server.form import both
from lightbulb.ads.server.server import SERVER_OPTIONS, AdsServer
from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, Snapshot
from lightbulb.ads.server.stream_status import StreamStatus
from lightbulb.ads.server.tracks import SessionLimits
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, Node
from lightbulb.model import ROUTING_KEY_HEADER
from lightbulb.sidecar.bootstrap import SidecarSettings
from lightbulb.sidecar.process import Sidecar
from tests.waiting import until

SECONDS = 60.0
METHOD = "/test.Echo/Say"


class Loop:
    """An event loop in a thread, for what is asynchronous beside a test that isn't."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(SECONDS)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(SECONDS)
        self.loop.close()


class Plane:
    """A control plane that shows every sidecar one snapshot; `port` stays when it is started again."""

    def __init__(self, loop: Loop, port: int, limits: SessionLimits | None = None) -> None:
        self._loop = loop
        self._limits = limits
        self.port = port
        self.snapshot: Snapshot | None = None
        self.listener = listener
        self.ads: AdsServer | None = None
        self.left: list[str] = []
        """Who said goodbye."""
        self.at_goodbye: Callable[[], None] = lambda: None
        self._served: dict[SidecarNode, tuple[Snapshot, Snapshot]] = {}
        self._server: grpc.aio.Server | None = None

    def start(self) -> None:
        self._loop.run(self._start())

    def stop(self) -> None:
        if self._server is not None:
            self._loop.run(self._stop())

    def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        assert self.ads is not None
        self._loop.loop.call_soon_threadsafe(self.ads.push)

    def stream(self) -> StreamStatus | None:
        async def newest() -> StreamStatus | None:
            streams = self.ads.streams() if self.ads is not None else ()
            return streams[-1] if streams else None

        return self._loop.run(newest())

    def unsynced(self) -> tuple[str, ...] | None:
        """The types that a sidecar hasn't acknowledged all of; None when none is connected."""

        async def ask() -> tuple[str, ...] | None:
            streams = self.ads.streams() if self.ads is not None else ()
            return sum((each.unsynced(self._view(each.node)) for each in streams), ()) if streams else None

        return self._loop.run(ask())

    def outgoing(self) -> int:
        """Responses that no stream has taken yet."""

        async def ask() -> int:
            assert self.ads is not None
            return sum(each.outgoing.qsize() for each in self.ads._streams.values())

        return self._loop.run(ask())

    def settle(self, snapshot: Snapshot) -> None:
        """Show a snapshot, and wait until the sidecar has acknowledged all of it."""
        self.show(snapshot)
        until("the sidecar to acknowledge everything", lambda: self.unsynced() == ())

    def rejected(self) -> Mapping[str, str]:
        async def ask() -> Mapping[str, str]:
            streams = self.ads.streams() if self.ads is not None else ()
            return streams[-1].rejected if streams else {}

        return self._loop.run(ask())

    def _view(self, node: Node) -> Snapshot | None:
        identity = identify(node)
        assert isinstance(identity, SidecarNode)
        if self.snapshot is None:
            return None
        # A new mapping each time would be a new thing to look at each time.
        known = self._served.get(identity)
        if known is None or known[0] is not self.snapshot:
            ours = self.listener(identity.address, identity.port, identity.client)
            known = self._served[identity] = (self.snapshot, self.snapshot.replace(LISTENER, [ours]))
        return known[1]

    def _part(self, _: int, node: Node) -> None:
        self.at_goodbye()
        self.left.append(node.id)

    async def _start(self) -> None:
        self.ads, self._server = (
            AdsServer(self._view, on_goodbye=self._part, forms=both(self._limits)),
            grpc.aio.server(options=SERVER_OPTIONS),
        )
        self.ads.add_to(self._server)
        assert self._server.add_insecure_port(f"127.0.0.1:{self.port}") == self.port
        await self._server.start()

    async def _stop(self) -> None:
        assert self.ads is not None
        assert self._server is not None
        await self.ads.close()
        await self._server.stop(0.2)
        self.ads = self._server = None


class Upstream(grpc.GenericRpcHandler):
    """A gRPC server that answers every call with its name, and notes the headers of the last one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.at_call: Callable[[], object] = lambda: None
        self.headers: Mapping[str, str] = {}
        self._server = grpc.server(
            futures.ThreadPoolExecutor(4),
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)],
        )
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        self.headers = {key: str(value) for key, value in details.invocation_metadata}

        def say(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.at_call()
            if request == b"fail":
                context.abort(grpc.StatusCode.INTERNAL, "a fault in the model")
            if request == b"refuse":
                context.set_trailing_metadata((("x-lightbulb-reason", "model-not-loaded"),))
                context.abort(grpc.StatusCode.ABORTED, "not here; resolve again")
            return self.name.encode()

        return grpc.unary_unary_rpc_method_handler(say)

    def stop(self) -> None:
        self._server.stop(0.2).wait()


@dataclass(frozen=True)
class Answer:
    code: grpc.StatusCode
    text: str
    trailers: Mapping[str, str]


class Lab:
    """The parts, put together. Envoy starts with `start`."""

    def __init__(
        self,
        folder: Path,
        *,
        delta: bool = True,
        limits: SessionLimits | None = None,
        plane: Plane | None = None,
    ) -> None:
        """`plane` is that of another lab, to have a second sidecar of the same name there."""
        self.loop = Loop()
        port, listen, admin = free_ports(3)
        self.plane = plane or Plane(self.loop, port, limits)
        self._owns_plane = plane is None
        self.admin = ("127.0.0.1", admin)
        settings = SidecarSettings(
            node_id="sidecar-1",
            control_plane=(("127.0.0.1", self.plane.port),),
            listen=("127.0.0.1", listen),
            admin=self.admin,
            delta=delta,
            client="homepage",
        )
        self.sidecar = Sidecar(settings, log=folder / "envoy.log", concurrency=2)
        self._connect()
        self.upstreams: dict[str, Upstream] = {}

    def _connect(self) -> None:
        host, port = self.sidecar.settings.listen
        self.channel = grpc.insecure_channel(
            f"{host}:{port}", options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self._call = self.channel.unary_unary(METHOD)

    def reconnect(self) -> None:
        """Begin a new connection to the sidecar: the one that is open knows its old listener."""
        self.channel.close()
        self._connect()

    def upstream(self, name: str) -> Upstream:
        self.upstreams[name] = Upstream(name)
        return self.upstreams[name]

    def world(
        self,
        keys: Mapping[str, str],
        vips: Mapping[str, tuple[str, ...]] | None = None,
        special: tuple[SpecialRoute, ...] = (),
    ) -> Snapshot:
        """Routing key -> VIP, and VIP -> upstreams; every upstream is a VIP of its own name by default.

        `special` are of the only objective that there is then.
        """
        by_vip = {name: (name,) for name in self.upstreams} if vips is None else vips
        rules = [RoutingRule(objective=key.partition("|")[0], key=key, vip=vip) for key, vip in keys.items()]
        addresses = {
            vip: tuple(("127.0.0.1", self.upstreams[name].port) for name in names)
            for vip, names in by_vip.items()
        }
        snapshot = EMPTY_SNAPSHOT.replace(CLUSTER, resources.clusters(by_vip))
        snapshot = snapshot.replace(ENDPOINTS, resources.endpoints(addresses))
        snapshot = snapshot.replace(SCOPED_ROUTE, resources.scopes(rule.objective for rule in rules))
        if special:
            ((objective, targets),) = targets_by_objective(rules, by_vip).items()
            check_special(objective, special, by_vip)
            return snapshot.replace(ROUTE, [resources.route(objective, targets, special)])
        return snapshot.replace(ROUTE, resources.routes(rules, by_vip))

    def start(self, snapshot: Snapshot | None = None) -> None:
        self.plane.start()
        self.sidecar.start()
        if snapshot is not None:
            self.plane.show(snapshot)
            self.sidecar.wait_ready(SECONDS)
            until("the sidecar to acknowledge everything", lambda: self.plane.unsynced() == ())

    def call(
        self, key: str = "", *more: tuple[str, str], body: bytes = b"", seconds: float = SECONDS
    ) -> Answer:
        metadata = (((ROUTING_KEY_HEADER, key),) if key else ()) + more
        try:
            answer, call = self._call.with_call(body, metadata=metadata, timeout=seconds)
        except grpc.RpcError as error:
            trailers = {name: str(value) for name, value in error.trailing_metadata() or ()}
            return Answer(error.code(), error.details() or "", trailers)
        return Answer(call.code(), answer.decode(), {})

    def stats(self, *names: str) -> dict[str, int]:
        """The statistics of Envoy whose names contain one of `names`."""
        connection = http.client.HTTPConnection(*self.admin, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", "/stats")
            lines = connection.getresponse().read().decode().splitlines()
        pairs = (line.rpartition(": ") for line in lines)
        return {
            name: int(value) for name, _, value in pairs if any(n in name for n in names) and value.isdigit()
        }

    def close(self) -> None:
        self.channel.close()
        self.sidecar.stop()
        if self._owns_plane:
            self.plane.stop()
        for upstream in self.upstreams.values():
            upstream.stop()
        self.loop.close()


@contextlib.contextmanager
def load(lab: Lab, *keys: str) -> Iterator[Counter[str]]:
    """Requests for each of `keys` in turn, one after the other, from a few threads, until the block ends.

    Counts statuses and who answered: "key -> upstream", "key -> STATUS: details".
    """
    counts: Counter[str] = Counter()
    lock, stop = threading.Lock(), threading.Event()

    def ask() -> None:
        while not stop.wait(0.005):  # without it they take all that a processor has
            for key in keys:
                answer = lab.call(key)
                said = (
                    answer.text if answer.code is grpc.StatusCode.OK else f"{answer.code.name}: {answer.text}"
                )
                with lock:
                    counts[f"{key} -> {said}"] += 1

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        until("the first answers", lambda: counts.total() >= 50)
        yield counts
        already = counts.total()
        until("answers after the last change", lambda: counts.total() >= already + 50)
    finally:
        stop.set()
        for thread in threads:
            thread.join(SECONDS)


def failures(counts: Counter[str]) -> dict[str, int]:
    return {said: count for said, count in counts.items() if ": " in said}
