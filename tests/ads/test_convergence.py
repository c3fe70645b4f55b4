"""Whatever happens in whatever order: routes never dangle, and in the end each has what it should."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from lightbulb.ads.messages import SotwRequest, SotwResponse
from lightbulb.ads.server.diff import versions
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.server.sotw import SotwSession
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, Resource
from tests.ads.sidecars import WILDCARDS, Sidecar
from tests.ads.worlds import LIMITS, fleet, of, res
from tests.depth import examples, is_deep

fleets = st.builds(
    fleet,
    st.dictionaries(st.sampled_from("opq"), st.sets(st.sampled_from("abc"), min_size=1), min_size=1),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
)
steps = st.lists(st.one_of(fleets, st.sampled_from(["server", "sidecar", "reconnect"])), max_size=60)


def run(sidecar: Sidecar, script: list[Snapshot | str]) -> None:
    for step in script:
        match step:
            case "server":
                sidecar.server_reads()
            case "sidecar":
                sidecar.sidecar_reads()
            case "reconnect":
                sidecar.connect()
            case Snapshot():
                sidecar.publish(step)
    sidecar.settle()


SEEN: Counter[str] = Counter()

REACHED = (
    "a reconnect with something held",
    "a stale nonce",
    "an ACK that is late",
    "a NACK",
    "a cluster taken back",
    "a cluster given up",
    "an update taken back",
    "clusters taken away",
    "a search by halves",
    "a removal held back",
    "a route held back",
    "news for a type that is under way",
    "routes asked for late",
    "clusters asked for last",
    "an answer without news",
)
"""What a run must have come through, or it has shown nothing. Each is reached many times in a run."""


class Deliveries(RuleBasedStateMachine):
    """A sidecar, and a server that it may leave, be silent to, refuse, or answer with what is stale."""

    @initialize(start=fleets)
    def begin(self, start: Snapshot) -> None:
        self.bad: frozenset[bytes] = frozenset()
        self.sidecar = Sidecar(start, lambda resource: resource.body in self.bad)
        self.sidecar.seen = SEEN

    @rule(snapshot=fleets)
    def publish(self, snapshot: Snapshot) -> None:
        self.sidecar.publish(snapshot)

    @rule(count=st.integers(1, 12))
    def go_on(self, count: int) -> None:
        for _ in range(count):
            self.sidecar.server_reads()
            self.sidecar.sidecar_reads()

    @rule()
    def server_reads(self) -> None:
        self.sidecar.server_reads()

    @rule()
    def sidecar_reads(self) -> None:
        self.sidecar.sidecar_reads()

    @rule()
    def wait(self) -> None:
        self.sidecar.wait()

    @rule()
    def reconnect(self) -> None:
        self.sidecar.connect()

    @rule(snapshot=fleets, count=st.integers(1, 3))
    def lose_the_stream(self, snapshot: Snapshot, count: int) -> None:
        """While it takes what is new, of which clusters may still warm."""
        self.sidecar.settle()
        self.publish(snapshot)
        self.go_on(count)
        self.reconnect()

    @rule(snapshot=fleets, count=st.integers(1, 4))
    def reconnect_to_one_that_stands_still(self, snapshot: Snapshot, count: int) -> None:
        """A server that reads some of the first requests, and the others once much time has passed."""
        self.sidecar.publish(snapshot)
        self.sidecar.connect()
        for _ in range(count):
            self.sidecar.server_reads()
        self.sidecar.wait()

    @rule(kind=st.sampled_from([CLUSTER, ENDPOINTS, ROUTE]))
    def repeat_itself(self, kind: str) -> None:
        self.sidecar.repeat_itself(kind)

    @rule(name=st.sampled_from("abcd"), count=st.integers(0, 20))
    def refuse_what_is_new(self, name: str, count: int) -> None:
        """The next version of a cluster that it has, or a cluster that it hasn't."""
        clusters = dict(self.sidecar.snapshot.of(CLUSTER))
        version = 1 if name not in clusters else clusters[name].version
        clusters[name] = res(name, f"bad after {version[:6]}" if name in clusters else "bad")
        self.bad |= {clusters[name].body}
        self.sidecar.publish(self.sidecar.snapshot.replace(CLUSTER, clusters.values()))
        self.go_on(count)

    @rule(names=st.frozensets(st.sampled_from("abcd"), max_size=2), snapshot=fleets)
    def never_warm(self, names: frozenset[str], snapshot: Snapshot) -> None:
        self.sidecar.cold = names - self.sidecar.world[CLUSTER].keys()
        self.sidecar.publish(snapshot)
        for _ in range(4):
            self.go_on(12)
            self.sidecar.wait()

    def teardown(self) -> None:
        """Once all is mended it has what it should; what was refused it is sent on another stream."""
        if not hasattr(self, "sidecar"):
            return
        sidecar = self.sidecar
        sidecar.settle()
        self.bad, sidecar.cold = frozenset(), frozenset()
        sidecar.connect()
        sidecar.settle()
        for kind in (CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE):
            assert sidecar.world[kind] == dict(sidecar.snapshot.of(kind)), kind
            assert sidecar.session.held(kind) == versions(sidecar.snapshot.of(kind)), kind
        assert sidecar.session.unsynced(sidecar.snapshot) == ()


def test_a_sidecar_never_has_a_route_to_nowhere_and_ends_with_what_it_should_have() -> None:
    SEEN.clear()
    run_state_machine_as_test(
        Deliveries,
        settings=settings(
            max_examples=examples(120), stateful_step_count=40, derandomize=not is_deep(), deadline=None
        ),
    )
    missed = [what for what in REACHED if not SEEN[what]]
    assert not missed, SEEN


@settings(max_examples=examples(100), deadline=None)
@given(fleets, steps)
def test_a_sidecar_that_refuses_nothing_ends_with_what_it_should_have_on_one_stream(
    start: Snapshot, script: list[Snapshot | str]
) -> None:
    sidecar = Sidecar(start)
    run(sidecar, script)
    for kind in (CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE):
        assert sidecar.world[kind] == dict(sidecar.snapshot.of(kind)), kind
        assert sidecar.session.held(kind) == versions(sidecar.snapshot.of(kind)), kind
    assert sidecar.session.unsynced(sidecar.snapshot) == ()


@settings(deadline=None)
@given(fleets, fleets)
def test_what_synced_sidecars_hold_is_kept_once(start: Snapshot, following: Snapshot) -> None:
    one, other = sidecars = Sidecar(start), Sidecar(start)
    for sidecar in sidecars:
        sidecar.settle()
        sidecar.publish(following)
    for _ in range(2):
        for sidecar in sidecars:
            sidecar.settle()
        for kind in WILDCARDS:
            # What is the same is one mapping, which equal ones of a test are not.
            same = start.of(kind) == following.of(kind)
            assert same or one.session.held(kind) is other.session.held(kind), kind
        other.connect()


@settings(max_examples=examples(200), deadline=None)
@given(fleets, steps, st.sets(st.sampled_from("abc"), min_size=1))
def test_refused_clusters_hold_back_the_routes_to_them_and_nothing_else(
    start: Snapshot, script: list[Snapshot | str], poisoned: set[str]
) -> None:
    sidecar = Sidecar(start)
    sidecar.settle()  # what it has from better times, it keeps
    sidecar.refuses = lambda resource: resource.name in poisoned - start.of(CLUSTER).keys()
    run(sidecar, script)
    clusters = sidecar.world[CLUSTER]
    for name, route in sidecar.snapshot.of(ROUTE).items():
        if route.refers <= clusters.keys():
            assert sidecar.world[ROUTE][name] == route
    assert sidecar.snapshot.of(CLUSTER).keys() - clusters.keys() <= poisoned


@settings(max_examples=examples(200), deadline=None)
@given(fleets, steps, st.sets(st.sampled_from("opq"), min_size=1))
def test_what_a_sidecar_refuses_stops_nothing_else(
    start: Snapshot, script: list[Snapshot | str], poisoned: set[str]
) -> None:
    def refuses(resource: Resource) -> bool:
        return resource.name in poisoned and b"b" in resource.body  # routes to cluster b, say

    sidecar = Sidecar(start, refuses)
    run(sidecar, script)
    snapshot = sidecar.snapshot
    bad = {name for name, route in snapshot.of(ROUTE).items() if refuses(route)}
    assert sidecar.session.subscriptions[ROUTE].refusals().keys() == bad
    held = sidecar.session.held(ROUTE)
    assert held == {name: each.version for name, each in sidecar.world[ROUTE].items()}
    for name, route in snapshot.of(ROUTE).items():
        if name not in bad:
            assert sidecar.world[ROUTE][name] == route
    assert sidecar.world[SCOPED_ROUTE] == dict(snapshot.of(SCOPED_ROUTE))
    assert snapshot.of(CLUSTER).keys() == sidecar.world[CLUSTER].keys()


@settings(max_examples=examples(200), deadline=None)
@given(fleets, steps, st.sets(st.sampled_from("abcd"), min_size=1))
def test_refused_updates_of_clusters_are_known_until_they_are_mended(
    start: Snapshot, script: list[Snapshot | str], poisoned: set[str]
) -> None:
    sidecar = Sidecar(start, lambda resource: resource.body.endswith(b"=bad"))
    run(sidecar, script)
    good = sidecar.snapshot
    clusters = good.of(CLUSTER)
    bad = good.replace(
        CLUSTER, [res(name, "bad") if name in poisoned else clusters[name] for name in clusters]
    )
    run(sidecar, [bad, *(step for step in script if step != "reconnect" and isinstance(step, str))])
    assert sidecar.session.subscriptions[CLUSTER].refusals().keys() == poisoned & clusters.keys()
    assert sidecar.world[CLUSTER] == dict(clusters)  # what it had, it has
    run(sidecar, [good])
    assert sidecar.session.unsynced(good) == ()
    assert sidecar.session.subscriptions[CLUSTER].refusals() == {}
    assert sidecar.world[CLUSTER] == dict(clusters)


def settle_sotw(session: SotwSession, responses: list[SotwResponse], held: dict[str, SotwResponse]) -> None:
    names = {CLUSTER: (), ROUTE: ("o", "p", "q")}
    now = 0.0
    for _ in range(200):
        if responses:
            response = responses.pop(0)
            held[response.type_url] = response
            request = SotwRequest(
                type_url=response.type_url,
                names=names[response.type_url],
                version=response.version,
                nonce=response.nonce,
            )
            responses.extend(session.on_request(request, now))
        else:
            deadline = session.next_deadline()
            if deadline is None or deadline <= now:
                return
            now = deadline
            responses.extend(session.on_tick(now))
    raise AssertionError("it never ends")


@settings(deadline=None)
@given(st.lists(fleets, min_size=1, max_size=6))
def test_state_of_the_world_converges_too(snapshots: list[Snapshot]) -> None:
    session = SotwSession(snapshots[0], LIMITS)
    held: dict[str, SotwResponse] = {}
    responses = [*session.on_request(SotwRequest(type_url=CLUSTER), 0.0)]
    settle_sotw(session, responses, held)
    responses = [*session.on_request(SotwRequest(type_url=ROUTE, names=("o", "p", "q")), 0.0)]
    for snapshot in snapshots:
        responses.extend(session.on_snapshot(snapshot, 0.0))
    settle_sotw(session, responses, held)
    for kind in (CLUSTER, ROUTE):
        assert {r.name: r for r in held[kind].resources} == dict(snapshots[-1].of(kind))
    assert session.unsynced(snapshots[-1]) == ()


@given(st.lists(st.dictionaries(st.sampled_from("ab"), st.integers(0, 2)), max_size=5))
def test_a_slow_stream_is_owed_one_response_a_type_however_much_changes(
    changes: list[dict[str, int]],
) -> None:
    session = SotwSession(of(ROUTE, a=0), LIMITS)
    (first,) = session.on_request(SotwRequest(type_url=ROUTE, names=("a", "b")), 0.0)
    for change in changes:
        assert session.on_snapshot(of(ROUTE, **change), 0.0) == ()
    assert session.watches[ROUTE].pending == first.resources
