"""Copies of requests through a real Envoy: the same ones to each shadow, and whatever becomes of them, the
primary pays nothing."""

import contextlib
import math
import queue
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import grpc
import pytest

from controlplane.lifecycle.shadow import Shadow, Shadowed
from controlplane.lifecycle.views import cluster_of
from controlplane.xds import resources
from controlplane.xds.special_routes import check_special, copying, special_routes
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.values import CLUSTER, ENDPOINTS, ROUTE
from lightbulb.host.traffic import Call, Traffic, call_of
from lightbulb.model import (
    ARM_HEADER,
    COMPARE_HEADER,
    MODEL_HEADER,
    PARAMETERS_HEADER,
    ROUTING_KEY_HEADER,
    SHADOW_HEADER,
    TRAFFIC_HEADER,
)
from lightbulb.sidecar.counters import COPIES, read_statistics, statistics_path
from lightbulb.sidecar.figures import get_statistics
from tests.envoy.lab import Lab, Upstream, load
from tests.waiting import until

pytestmark = pytest.mark.envoy

PARAMETERS = '{"half": "50%", "k": 5, "theirs": null}'
PRIMARY, CANDIDATE = "Rank|m|1", "Rank|next|2"


class Host(Upstream):
    """Keeps what the headers of its calls say; `hold` has it answer none until it is called."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.calls: queue.SimpleQueue[Call] = queue.SimpleQueue()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        handler = super().service(details)
        self.calls.put(call_of(details.invocation_metadata))
        return handler

    def seen(self) -> list[Call]:
        """Every call since this was last asked."""
        return [self.calls.get() for _ in range(self.calls.qsize())]


@contextlib.contextmanager
def rude(manners: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port that takes connections, and does something else with them than HTTP/2 asks for."""
    listener, taken = socket.create_server(("127.0.0.1", 0), backlog=64), list[socket.socket]()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                taken.append(connection)
                manners(connection)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # which wakes up who accepts
        accepting.join()
        for each in (listener, *taken):
            each.close()


@dataclass
class Stage:
    """A lab in which `primary` answers, and shadows are shown at will."""

    lab: Lab
    primary: Host
    last: int = 0
    ports: dict[str, int] = field(default_factory=dict)

    def shown(self, *shadows: Shadow, deadline: float = 1.0) -> Snapshot:
        """What a sidecar is shown with these shadows; each goes to its port of `ports`, 0: to no host."""
        shadowed = Shadowed(objective="Rank", primary=PRIMARY, deadline=deadline, shadows=shadows)
        special = special_routes(None, shadowed)
        names = [cluster_of(each.id) for each in shadows]
        check_special("Rank", special, names)
        snapshot = self.lab.world({PRIMARY: "primary", CANDIDATE: "candidate"})
        clusters = [
            resources.shadow_cluster(cluster_of(each.id), copying(shadowed, each)) for each in shadows
        ]
        ports = {cluster_of(each.id): self.ports[each.id] for each in shadows}
        ports |= {name: host.port for name, host in self.lab.upstreams.items()}
        addresses = {name: (("127.0.0.1", port),) if port else () for name, port in ports.items()}
        targets = ((PRIMARY, "primary"), (CANDIDATE, "candidate"))
        snapshot = snapshot.replace(CLUSTER, [*resources.clusters(self.lab.upstreams), *clusters])
        snapshot = snapshot.replace(ENDPOINTS, resources.endpoints(addresses))
        return snapshot.replace(ROUTE, [resources.route("Rank", targets, special)])

    def shadow(self, port: int, basis_points: int = 10_000, **more: object) -> Shadow:
        """A shadow of a new number, whose copies go to a port."""
        self.last += 1
        made = Shadow(
            number=self.last,
            key=CANDIDATE,
            basis_points=basis_points,
            entered=1.0,
            **more,  # type: ignore[arg-type]
        )
        self.ports[made.id] = port
        return made

    def copies(self, shadow: Shadow) -> Counter[str]:
        """What Envoy counted of a shadow's copies."""
        stats = self.lab.stats(f"cluster.{cluster_of(shadow.id)}.")
        return Counter({name: stats.get(f"cluster.{cluster_of(shadow.id)}.{name}", 0) for name in COPIES})


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    lab = Lab(tmp_path_factory.mktemp("shadow"))
    primary = Host("primary")
    lab.upstreams |= {"primary": primary, "candidate": Host("candidate")}
    try:
        it = Stage(lab, primary)
        lab.start(it.shown())
        yield it
    finally:
        lab.close()


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    made = [Host(f"shadow-{number}") for number in range(4)]
    try:
        yield made
    finally:
        for each in made:
            each.stop()


def is_so_many(count: int, of: int, share: float) -> bool:
    """Within six standard deviations, which chance leaves once in five hundred million."""
    return abs(count - of * share) <= 6 * math.sqrt(of * share * (1 - share))


def test_several_get_the_same_requests_in_their_shares_and_a_stop_leaves_not_one(
    stage: Stage, hosts: list[Host]
) -> None:
    shares = (2_500, 2_500, 500, 0)
    one, two, few, none = shadows = [
        stage.shadow(host.port, share, parameters=PARAMETERS)
        for host, share in zip(hosts, shares, strict=True)
    ]
    stage.lab.plane.settle(stage.shown(*shadows))
    spoofed = [
        (SHADOW_HEADER, "666"),
        (COMPARE_HEADER, "666"),
        (MODEL_HEADER, "evil@1"),
        (PARAMETERS_HEADER, "{}"),
        (TRAFFIC_HEADER, "shadow"),
    ]
    stage.primary.seen()
    requests = 2_000
    for number in range(requests):
        more = spoofed if number % 2 else [(TRAFFIC_HEADER, "test"), (ARM_HEADER, "1k")]
        assert stage.lab.call(PRIMARY, *more).text == "primary"
    calls = stage.primary.seen()
    assert {replace(each, request_id="", compared=()) for each in calls} == {
        Call(objective="Rank"),
        Call(traffic=Traffic.TEST, objective="Rank"),
    }
    assert PARAMETERS_HEADER not in stage.primary.headers
    compared = {each.id: {call.request_id for call in calls if each.id in call.compared} for each in shadows}
    assert {each for call in calls for each in call.compared} == {one.id, two.id, few.id}
    assert compared[one.id] == compared[two.id]
    assert compared[few.id] < compared[one.id]
    for each in shadows:
        assert is_so_many(len(compared[each.id]), requests, each.basis_points / 10_000), each
    for each, host in zip(shadows, hosts, strict=True):
        until("the copies", lambda host=host, each=each: host.calls.qsize() >= len(compared[each.id]))
        copies = host.seen()
        assert len(copies) == len(compared[each.id])
        assert {call.request_id for call in copies} == compared[each.id]
        assert {replace(call, request_id="") for call in copies} <= {
            Call(
                traffic=Traffic.SHADOW,
                shadow=each.id,
                model="next@2",
                parameters=PARAMETERS,
                objective="Rank",
            )
        }
        headers = {name: host.headers.get(name) for name in (ROUTING_KEY_HEADER, COMPARE_HEADER, ARM_HEADER)}
        assert not copies or list(headers.values()) == [CANDIDATE, None, None]
    everything = [replace(each, basis_points=10_000) for each in shadows]
    with load(stage.lab, PRIMARY) as counts:
        stage.lab.plane.settle(stage.shown(*everything))
        until("copies to each", lambda: all(host.calls.qsize() for host in hosts))
        stage.lab.plane.settle(stage.shown())
        # Envoy adds up what its workers counted: they have all heard of it by then.
        stage.lab.stats(PRIMARY)
        for _ in range(100):
            stage.lab.call(PRIMARY, (TRAFFIC_HEADER, "test"))
    assert counts.keys() == {f"{PRIMARY} -> primary"}
    after = [call for call in stage.primary.seen() if call.traffic is Traffic.TEST]
    assert [call.compared for call in after] == [()] * 100
    copied = {call.request_id for host in hosts for call in host.seen()}
    assert not copied & {call.request_id for call in after}
    assert none.basis_points == 0


def never_reads(_: socket.socket) -> None:
    """Leave it open."""


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def garbage(connection: socket.socket) -> None:
    connection.sendall(b"\xde\xad\xbe\xef" * 512)


SMALL, MIDDLE, JUST_COPIED, LARGE = 1_000, 100_000, 1_000_000, 30_000_000
SIZES = (LARGE, LARGE, *[JUST_COPIED] * 4, *[MIDDLE] * 20, *[SMALL] * 80)
"""The large ones first, which aren't shed; and more than may be under way at once."""


@contextlib.contextmanager
def dead() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


BROKEN: Mapping[str, Callable[[], contextlib.AbstractContextManager[int]]] = {
    "never reads": lambda: rude(never_reads),
    "resets": lambda: rude(resets),
    "garbage": lambda: rude(garbage),
    "dead": dead,
    "no host": lambda: contextlib.nullcontext(0),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_shadow_that_is_broken_costs_the_primary_nothing(stage: Stage, how: str) -> None:
    with BROKEN[how]() as port:
        shadow = stage.shadow(port)
        # A copy may last for longer than the primary's callers wait: if they waited for it, they would fail.
        stage.lab.plane.settle(stage.shown(shadow, deadline=10.0))
        for size in SIZES:
            answer = stage.lab.call(PRIMARY, body=b"x" * size, seconds=8)
            assert answer.code is grpc.StatusCode.OK, (size, answer)
        calls = stage.primary.seen()
        assert all(call.compared == (shadow.id,) for call in calls[-len(SIZES) :])
        until("what is too much to be shed, or refused", lambda: stage.copies(shadow).total() >= 20)
        assert stage.copies(shadow)["upstream_rq_2xx"] == 0


def test_a_slow_shadow_is_left_behind_and_too_large_a_body_isnt_copied(
    stage: Stage, hosts: list[Host]
) -> None:
    slow, stop = hosts[0], threading.Event()
    slow.at_call = stop.wait
    shadow = stage.shadow(slow.port)
    try:
        stage.lab.plane.settle(stage.shown(shadow))
        for _ in range(200):
            assert stage.lab.call(PRIMARY, body=b"x" * 100_000).text == "primary"
        until("what is too much to be shed", lambda: stage.copies(shadow)["upstream_rq_active_overflow"])
        until("the others to be late", lambda: stage.copies(shadow)["upstream_rq_max_duration_reached"] >= 64)
    finally:
        stop.set()
    slow.seen()
    quick = stage.shadow(hosts[1].port)
    stage.lab.plane.settle(stage.shown(quick))
    for size in (1_000, quick.max_body - 1_000, quick.max_body + 1_000, LARGE):
        assert stage.lab.call(PRIMARY, body=b"x" * size, seconds=30).text == "primary"
    until("all copies to be over", lambda: stage.copies(quick)["upstream_rq_tx_reset"] == 2)
    until("the others", lambda: stage.copies(quick)["upstream_rq_2xx"] == 2)
    assert hosts[1].calls.qsize() == 2
    told = read_statistics(get_statistics(stage.lab.admin, statistics_path([cluster_of(quick.id)])))
    assert {each.flags: count for each, count in told.items()} == {
        "upstream_rq_2xx": 2,
        "upstream_rq_tx_reset": 2,
    }
