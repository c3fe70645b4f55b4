"""Whatever happens in whatever order: an ACK of the relay never lies, and in the end Envoy has it all."""

from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from lightbulb.ads.client.held import versions
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.values import CLUSTER, LISTENER, ROUTE, SCOPED_ROUTE, Resource
from tests.ads.test_convergence import fleets
from tests.depth import examples, is_deep
from tests.sidecar.chain import Chain

moves = st.sampled_from(["upstream", "relay", "work", "envoy"])
breaks = st.sampled_from(["reconnect", "envoy restarts", "relay restarts", "relay forgets"])
calm = st.lists(st.one_of(fleets, *[moves] * 4), max_size=80)
rough = st.lists(st.one_of(fleets, *[moves] * 6, breaks), max_size=80)


def forget(chain: Chain) -> None:
    chain.kept = {}
    chain.start_relay()


DO: dict[str, Callable[[Chain], object]] = {
    "upstream": Chain.upstream_reads,
    "relay": Chain.relay_reads,
    "work": Chain.relay_works,
    "envoy": Chain.envoy_link,
    "reconnect": Chain.reconnect,
    "envoy restarts": Chain.start_envoy,
    "relay restarts": Chain.start_relay,
    "relay forgets": forget,
}


def run(chain: Chain, script: list[Snapshot | str]) -> None:
    for step in script:
        if isinstance(step, Snapshot):
            chain.publish(step)
        else:
            DO[step](chain)
    chain.settle()


def assert_synced(chain: Chain) -> None:
    assert chain.stream.session.unsynced(chain.snapshot) == ()
    shown = versions(chain.snapshot.by_type)
    assert versions(chain.envoy.world) == versions(chain.holdings.accepted) == shown
    assert versions(chain.kept) == shown


SEEN: Counter[str] = Counter()

REACHED = (
    "a relay that starts from what it kept",
    "an Envoy that ends while an update is applied",
    "a reconnect that loses what was on its way",
    "an answer to a stream that has ended",
    "a response of a stream that has ended",
    "a NACK, told upstream",
    "what is kept changes",
)
"""What a run must have come through, or it has shown nothing. Each is reached many times in a run."""


class Relays(RuleBasedStateMachine):
    """A relay between a control plane and an Envoy, each of which may go and come back at any time."""

    @initialize(start=fleets, bad=st.frozensets(st.sampled_from(["a=1", "d=1"]), max_size=1))
    def begin(self, start: Snapshot, bad: frozenset[str]) -> None:
        self.bad = bad  # whatever Envoy is started
        self.chain = Chain(start, lambda resource: resource.body.decode() in self.bad)
        self.chain.seen = SEEN

    @rule(snapshot=fleets)
    def publish(self, snapshot: Snapshot) -> None:
        self.chain.publish(snapshot)

    @rule(move=moves, count=st.integers(1, 3))
    def one_moves(self, move: str, count: int) -> None:
        for _ in range(count):
            DO[move](self.chain)

    @rule(snapshot=fleets, count=st.integers(0, 3), move=moves, event=breaks)
    def publish_and_break(self, snapshot: Snapshot, count: int, move: str, event: str) -> None:
        self.chain.publish(snapshot)
        self.go_on(count)
        DO[move](self.chain)
        DO[event](self.chain)

    @rule(count=st.integers(1, 20))
    def go_on(self, count: int) -> None:
        for _ in range(count):
            for move in ("upstream", "relay", "work", "envoy", "envoy"):
                DO[move](self.chain)

    @rule(event=breaks)
    def breaks(self, event: str) -> None:
        DO[event](self.chain)

    def teardown(self) -> None:
        if not hasattr(self, "chain"):
            return
        self.chain.settle()
        self.bad = frozenset()
        self.chain.start_envoy()
        self.chain.start_relay()
        self.chain.settle()
        assert_synced(self.chain)


def test_in_the_end_envoy_has_it_all_and_so_has_the_disk() -> None:
    SEEN.clear()
    run_state_machine_as_test(
        Relays,
        settings=settings(
            max_examples=examples(100), stateful_step_count=40, derandomize=not is_deep(), deadline=None
        ),
    )
    missed = [what for what in REACHED if not SEEN[what]]
    assert not missed, SEEN


@settings(max_examples=examples(200), deadline=None)
@given(fleets, fleets, rough)
def test_what_is_kept_is_enough_to_start_from_and_the_control_plane_sends_the_rest(
    start: Snapshot, other: Snapshot, script: list[Snapshot | str]
) -> None:
    chain = Chain(start)
    run(chain, script)
    chain.start_envoy()
    chain.start_relay()
    chain.snapshot = other
    while chain.envoy_link():
        pass
    assert all(chain.envoy.world[kind] for kind in (CLUSTER, LISTENER, SCOPED_ROUTE, ROUTE))
    chain.settle()
    assert_synced(chain)


@settings(max_examples=examples(300), deadline=None)
@given(fleets, calm, st.sets(st.sampled_from("abcd"), min_size=1))
def test_what_envoy_refuses_is_told_by_name_and_stops_nothing_else(
    start: Snapshot, script: list[Snapshot | str], poisoned: set[str]
) -> None:
    had = start.of(CLUSTER).keys()

    def refuses(resource: Resource) -> bool:
        return resource.name in poisoned and resource.body.endswith(b"=1") and resource.name not in had

    chain = Chain(start, refuses)
    chain.settle()
    run(chain, script)
    told = chain.stream.session.subscriptions[CLUSTER].refusals().keys()
    wanted = chain.snapshot.of(CLUSTER)
    assert told == {name for name, each in wanted.items() if refuses(each)}
    assert not chain.envoy.world[CLUSTER].keys() & told
    assert chain.envoy.world[CLUSTER].keys() >= wanted.keys() - told  # old ones wait for held back routes
    for name, route in chain.snapshot.of(ROUTE).items():
        if not route.refers & told:
            assert chain.envoy.world[ROUTE][name].version == route.version
