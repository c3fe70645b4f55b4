"""Quiet calls and quiet connections through a real Envoy, to hosts as any gRPC server is.

Minutes pass here in seconds: what Envoy is told to wait is divided by SCALE, and so is what gRPC allows.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf.duration_pb2 import Duration

from controlplane.xds.listener import listener
from lightbulb.ads.server.snapshot import Snapshot, make_resource
from lightbulb.ads.values import CLUSTER, Resource
from tests.envoy.lab import METHOD, Lab, Upstream
from tests.http2 import HEADERS, PING, SilentServer, pings_answered
from tests.waiting import until

pytestmark = pytest.mark.envoy

KEY = "Rank|m|1"
SCALE = 200
ALLOWED_MS = 5 * 60 * 1000 // SCALE
"""One ping in five minutes: what a server of gRPC's allows by default while a call is quiet."""

LONG_SECONDS = 30 * 60 / SCALE
HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def shorten(duration: Duration) -> None:
    duration.FromMilliseconds(duration.ToMilliseconds() // SCALE)


def hurried_cluster(ours: Resource) -> Resource:
    """Our cluster, in which pings and the end of an idle connection come SCALE times as soon."""
    message = cluster_pb2.Cluster.FromString(ours.body)
    options = http_protocol_options_pb2.HttpProtocolOptions()
    message.typed_extension_protocol_options[HTTP].Unpack(options)
    http2 = options.explicit_http_config.http2_protocol_options
    if http2.HasField("connection_keepalive"):
        shorten(http2.connection_keepalive.interval)
    if options.common_http_protocol_options.HasField("idle_timeout"):
        shorten(options.common_http_protocol_options.idle_timeout)
    message.typed_extension_protocol_options[HTTP].Pack(options)
    return make_resource(ours.name, message.SerializeToString(deterministic=True))


def hurried_listener(address: str, port: int, client: str) -> Resource:
    """Our listener, in which a quiet call is ended, and a client pinged, SCALE times as soon."""
    ours = listener(address, port, client)
    message = listener_pb2.Listener.FromString(ours.body)
    manager = http_connection_manager_pb2.HttpConnectionManager()
    config = message.filter_chains[0].filters[0].typed_config
    config.Unpack(manager)
    shorten(manager.stream_idle_timeout)
    if manager.http2_protocol_options.HasField("connection_keepalive"):
        shorten(manager.http2_protocol_options.connection_keepalive.interval)
    config.Pack(manager)
    return make_resource(ours.name, message.SerializeToString(deterministic=True))


class Thinker(Upstream):
    """A plain gRPC server that takes its time, by its own defaults but for their scale."""

    def __init__(self) -> None:
        super().__init__("thinker")
        self.stop()
        allows = [("grpc.http2.min_ping_interval_without_data_ms", ALLOWED_MS)]
        self._server = grpc.server(futures.ThreadPoolExecutor(4), options=allows)
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        def think(request: bytes, context: grpc.ServicerContext) -> bytes:
            time.sleep(float(request))  # so long is the call
            return b"done"

        def stream(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            for request in requests:
                yield think(request, context)

        if details.method == METHOD:
            return grpc.unary_unary_rpc_method_handler(think)
        return grpc.stream_stream_rpc_method_handler(stream)


@pytest.fixture
def hurried(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    lab.plane.listener = hurried_listener
    try:
        yield lab
    finally:
        lab.close()


def begin(lab: Lab, upstream: object, hurry: Callable[[Resource], Resource] = hurried_cluster) -> None:
    """Route KEY to a server."""
    lab.upstreams["vip"] = upstream  # type: ignore[assignment] - a port is all that is asked for
    world: Snapshot = lab.world({KEY: "vip"})
    lab.start(world.replace(CLUSTER, [hurry(each) for each in world.of(CLUSTER).values()]))


def test_a_call_that_is_quiet_for_half_an_hour_is_answered(hurried: Lab) -> None:
    begin(hurried, Thinker())
    answer = hurried.call(KEY, body=f"{LONG_SECONDS}".encode(), seconds=60)
    assert (answer.code, answer.text) == (grpc.StatusCode.OK, "done")


def test_a_stream_that_is_quiet_for_half_an_hour_goes_on(hurried: Lab) -> None:
    begin(hurried, Thinker())
    call = hurried.channel.stream_stream("/test.Echo/Stream")
    asked = [b"0", f"{LONG_SECONDS}".encode(), b"0"]
    assert list(call(iter(asked), metadata=(("x-routing-key", KEY),), timeout=60)) == [b"done"] * 3


def test_a_connection_without_calls_is_closed_before_it_has_been_pinged_too_often(hurried: Lab) -> None:
    silent = SilentServer()
    silent.stop = silent.close
    begin(hurried, silent)
    assert hurried.call(KEY, seconds=0.5).code is grpc.StatusCode.DEADLINE_EXCEEDED
    until("the idle connection to be closed", lambda: silent.ended == silent.connections > 0)
    assert silent.seen[HEADERS] == 1
    assert silent.seen[PING] <= 1


def test_a_host_that_stands_still_ends_a_call_without_a_deadline(hurried: Lab) -> None:
    silent = SilentServer(frozen=True)
    silent.stop = silent.close

    def impatient(ours: Resource) -> Resource:
        message = cluster_pb2.Cluster.FromString(hurried_cluster(ours).body)
        options = http_protocol_options_pb2.HttpProtocolOptions()
        message.typed_extension_protocol_options[HTTP].Unpack(options)
        shorten(options.explicit_http_config.http2_protocol_options.connection_keepalive.timeout)
        message.typed_extension_protocol_options[HTTP].Pack(options)
        return make_resource(ours.name, message.SerializeToString(deterministic=True))

    begin(hurried, silent, impatient)
    assert hurried.call(KEY, seconds=60).code is grpc.StatusCode.UNAVAILABLE


def timers(port: int) -> set[int]:
    """The kernel's timers on connections to a port of this machine: 2 is that of keepalive."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[5].partition(":")[0]) for row in rows if row[2].endswith(f":{port:04X}")}


def test_the_kernel_watches_a_quiet_connection_to_a_host(lab: Lab) -> None:
    silent = SilentServer()
    silent.stop = silent.close
    begin(lab, silent, lambda ours: ours)
    threading.Thread(target=lab.call, args=(KEY,), kwargs={"seconds": 10.0}).start()
    until("the call to arrive", lambda: silent.seen[HEADERS])
    until("a timer of TCP's keepalive", lambda: 2 in timers(silent.port), 8)


def test_a_client_may_ping_its_sidecar_as_often_as_it_likes(lab: Lab) -> None:
    lab.upstream("vip-a")
    lab.start(lab.world({KEY: "vip-a"}))
    host, port = lab.sidecar.settings.listen
    assert pings_answered(f"{host}:{port}", 20) == 20
