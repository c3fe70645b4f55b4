"""What is desired in each state: every live generation's keys, models and tables, and nothing else."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import Plan
from controlplane.rollout.desired_state import (
    ReadyAddresses,
    desired_state,
    models_by_shard,
    ready_addresses,
    sidecar_states,
    tables,
)
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import Generation, Phase, Rollout
from lightbulb.model import DEFAULT_TENANT, NO_GENERATION, ObjectiveTable, SidecarState
from tests.lightbulb.tables import TABLE
from tests.rollout.rollouts import POLICY, alone, generation, plan, rollout

GENERATIONS = {1: generation(1, "a"), 2: generation(2, "b"), 3: generation(3, "b")}
NOW = 100.0


def desired(state: Rollout):
    return desired_state(alone(state), GENERATIONS, "store")


@pytest.mark.parametrize(
    ("phase", "keys"),
    [
        (Phase.LOADING, {"o|m|1": "a", "o|m|2": "b", "o|same|1": "b"}),
        (Phase.ROUTING, {"o|m|1": "a", "o|m|2": "b", "o|m|3": "b", "o|same|1": "b"}),
    ],
)
def test_sidecars_are_shown_a_generation_once_its_models_are_loaded(
    phase: Phase, keys: dict[str, str]
) -> None:
    assert {rule.key: rule.vip for rule in desired(rollout(phase)).rules[DEFAULT_TENANT]} == keys


def test_a_key_that_moved_goes_where_the_generation_that_was_active_last_has_it() -> None:
    rolled_back = rollout(Phase.RETIRING, active=1, live=(2, 1))
    assert {rule.key: rule.vip for rule in desired(rolled_back).rules[DEFAULT_TENANT]}["o|same|1"] == "a"


def test_hosts_keep_what_leaves_until_it_is_unloaded() -> None:
    unloading = rollout(Phase.UNLOADING, live=(2,), leaving=(1,))
    models = {shard: [model.id for model in own] for shard, own in desired(unloading).models.items()}
    assert models == {"shard-a": ["m@1", "same@1"], "shard-b": ["m@2", "same@1"]}
    assert set(desired(replace(unloading, phase=Phase.SETTLED, leaving=())).models) == {"shard-b"}
    assert models_by_shard(()) == {}


def test_lightbulb_keeps_the_tables_of_what_leaves_until_it_is_unloaded() -> None:
    generations = {
        number: Generation(number=number, content_hash="", plan=replace(plan(number), tables=(own,)))
        for number, own in enumerate((table("o", 1), table("o", 2), table("o", 3)), 1)
    }
    unloading = rollout(Phase.UNLOADING, live=(2,), leaving=(1,))
    (told,) = desired_state(alone(unloading), generations, "store").tables[DEFAULT_TENANT]
    assert [(each.since, each.table) for each in told.tables] == [(0, table("o", 1)), (2, table("o", 2))]
    settled = replace(unloading, phase=Phase.SETTLED, leaving=())
    (told,) = desired_state(alone(settled), generations, "s").tables[DEFAULT_TENANT]
    assert [(each.since, each.table) for each in told.tables] == [(0, table("o", 2))]


def test_lightbulb_is_told_what_is_active_and_what_may_still_be_held() -> None:
    active = desired(rollout(Phase.RETIRING, live=(1, 2), held=(1, 2), oldest=1, fence=7)).active[
        DEFAULT_TENANT
    ]
    assert (active.number, active.content_hash, active.fence, active.store) == (2, "hash-2", 7, "store")
    assert active.oldest == 1
    assert desired(rollout(Phase.LOADING, active=0, live=(), held=())).active == {}


def table(objective: str, lifetime: int) -> ObjectiveTable:
    return replace(TABLE, objective=objective, cache_lifetime=float(lifetime))


SHARED = {(name, lifetime): table(name, lifetime) for name in ("o", "p", "q") for lifetime in (1, 2)}

contents = st.lists(
    st.dictionaries(st.sampled_from(["o", "p", "q"]), st.sampled_from([1, 2])), min_size=1, max_size=6
)


@given(contents)
def test_every_generations_tables_can_be_told_apart(plans: list[dict[str, int]]) -> None:
    generations = [
        Generation(
            number=10 * position + 5,
            content_hash="",
            plan=replace(plan(1), tables=tuple(SHARED[each] for each in sorted(content.items()))),
        )
        for position, content in enumerate(plans)
    ]
    found = {each.objective: each.tables for each in tables(tuple(generations))}
    for entries in found.values():
        assert entries[0].since == 0
        assert all(one.table is not other.table for one, other in pairwise(entries))
    for one in generations:
        here = {each.objective: each for each in one.plan.tables}
        for objective, entries in found.items():
            last = [entry for entry in entries if entry.since <= one.number][-1]
            assert last.table is here.get(objective)


def host(name: str, shard: str, port: int, *loaded: str, **more) -> Consumer:
    return Consumer(
        id=name, kind="host", shard=shard, address=("127.0.0.1", port), loaded=frozenset(loaded), **more
    )


def addresses(*hosts: Consumer, now: float = NOW) -> dict[str, list[int]]:
    found = ready_addresses(desired(rollout()), hosts, now, POLICY)
    return {vip: [port for _, port in each] for vip, each in found.items()}


def test_a_host_gets_traffic_once_it_has_everything_that_is_routed_to_it() -> None:
    ready = host("h1", "shard-a", 1, "m@1", "same@1", "x@1")
    assert addresses(ready, host("h2", "shard-a", 2, "m@1"), host("h3", "shard-b", 3)) == {"a": [1], "b": []}


def test_a_host_that_left_gets_no_more_traffic_unless_nobody_else_is_there() -> None:
    left = host("h1", "shard-a", 1, "m@1", "same@1", disconnected=True, since=NOW - 1)
    assert addresses(left)["a"] == [1]
    assert addresses(left, host("h2", "shard-a", 2, "m@1", "same@1"))["a"] == [2]
    longer_gone = host("h3", "shard-a", 3, "m@1", "same@1", disconnected=True, since=NOW - 50)
    assert addresses(left, longer_gone)["a"] == [1]


def test_a_host_whose_replica_ended_goes_on_getting_traffic() -> None:
    orphan = host("h1", "shard-a", 1, "m@1", "same@1", disconnected=True, orphaned=True, since=NOW)
    other = host("h2", "shard-a", 2, "m@1", "same@1")
    assert addresses(orphan, other)["a"] == [1, 2]
    assert addresses(orphan, other, now=NOW + POLICY.reconnect)["a"] == [2]


def test_addresses_found_again_and_again_are_those_found_at_once() -> None:
    first, second = host("h1", "shard-a", 1, "m@1", "same@1"), host("h2", "shard-a", 2, "m@1", "same@1")
    third = host("h3", "shard-b", 3, "m@2", "same@1")
    orphan = first.lost(NOW, orphaned=True)
    back = replace(first, address=("127.0.0.1", 9))
    fewer, more = desired(rollout()), desired(rollout(live=(1, 2, 3), active=3))
    ready, found = ReadyAddresses(), []
    for shown, hosts, now in (
        (fewer, (first, second), NOW),
        (fewer, (first, second), NOW + 1),
        (fewer, (orphan, second), NOW + 1),
        (fewer, (orphan, second), NOW + POLICY.reconnect),
        (fewer, (back, second), NOW + 20),
        (fewer, (replace(back, loaded=frozenset()), second), NOW + 20),
        (fewer, (back, second, third), NOW + 21),
        (more, (back, second, third), NOW + 21),
        (more, (back, second, host("h3", "shard-b", 3, "m@2", "m@3", "same@1")), NOW + 21),
        (more, (second,), NOW + 22),
    ):
        found.append(ready.of(shown, hosts, now, POLICY))
        assert found[-1] == ready_addresses(shown, hosts, now, POLICY)
    assert [[port for _, port in each["a"]] for each in found] == [
        *([1, 2],) * 3, [2], [2, 9], [2], [2, 9], [2, 9], [2, 9], [2],
    ]  # fmt: skip
    assert [[port for _, port in each["b"]] for each in found[-4:]] == [[3], [], [3], []]


def test_a_shard_whose_vip_changed_is_reached_by_both() -> None:
    renamed = {
        **GENERATIONS,
        2: Generation(number=2, content_hash="", plan=_renamed(GENERATIONS[2].plan, "c")),
    }
    moved = desired_state(alone(rollout(live=(1, 2, 3), active=3)), {**renamed, 1: GENERATIONS[2]}, "store")
    assert moved.vips == {"b": "shard-b", "c": "shard-b"}
    all_of_it = host("h", "shard-b", 1, "m@2", "m@3", "same@1")
    assert ready_addresses(moved, [all_of_it], NOW, POLICY) == {
        "b": (("127.0.0.1", 1),),
        "c": (("127.0.0.1", 1),),
    }


def _renamed(plan: Plan, vip: str) -> Plan:
    (assignment,) = plan.assignments
    routes = tuple(replace(rule, vip=vip) for rule in plan.routes)
    return replace(plan, routes=routes, assignments=(replace(assignment, vip=vip),))


def states(*routes: tuple[str, tuple[int, ...]], active: int = 3) -> dict[str, int]:
    state = rollout(Phase.RETIRING, live=(1, 2, 3), active=active, held=(2, 3))
    consumers = [Consumer(id=name, kind="sidecar", routes=numbers) for name, numbers in routes]
    found = sidecar_states(alone(state), consumers)
    assert all(isinstance(each, SidecarState) for each in found.values())
    return {name: each.generation for name, each in found.items()}


def test_a_sidecars_clients_are_answered_from_the_newest_generation_that_it_routes() -> None:
    assert states(("synced", (1, 2, 3)), ("lags", (1, 2)), ("lost", (7,)), ("new", ())) == {
        "synced": 0,
        "lags": 2,
        "lost": NO_GENERATION,
    }


def test_what_is_told_of_a_sidecar_holds_before_and_after_a_rollback() -> None:
    """A Lightbulb hears of sidecars first, and what 0 means changes once it hears what is active."""
    lags = Consumer(id="lags", kind="sidecar", routes=(1, 2))
    published = rollout(Phase.RETIRING, live=(1, 2, 3), active=3, held=(2, 3))
    rolled_back = rollout(Phase.RETIRING, live=(1, 3, 2), active=2, held=(3, 2))
    for state in (published, rolled_back):
        assert sidecar_states(alone(state), [lags]) == {"lags": SidecarState(generation=2)}


def test_a_sidecar_with_two_streams_is_as_far_as_the_last() -> None:
    assert states(("s", (1, 2, 3)), ("s", (2, 3))) == states(("s", (2, 3)), ("s", (1, 2, 3))) == {"s": 3}
    assert states(("s", (1, 2, 3)), ("s", (1, 2))) == {"s": 2}
    assert states(("s", (1,)), ("s", (1, 2, 3))) == {"s": 1}
    assert states(("s", (1, 2, 3)), ("s", ())) == {"s": NO_GENERATION}
