"""Whatever happens in whatever order: an ACK of the relay never lies, and in the end Envoy has it all."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from lightbulb.ads.client.held import versions
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.values import CLUSTER, LISTENER, ROUTE, SCOPED_ROUTE, Resource
from tests.ads.test_convergence import fleets
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


@settings(max_examples=300, deadline=None)
@given(fleets, rough)
def test_in_the_end_envoy_has_it_all_and_so_has_the_disk(
    start: Snapshot, script: list[Snapshot | str]
) -> None:
    chain = Chain(start)
    run(chain, script)
    assert_synced(chain)


@settings(max_examples=200, deadline=None)
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


@settings(max_examples=300, deadline=None)
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
