"""An activation takes its steps in order, each gated on its consumers, and never drops what is live."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import Plan, RoutingRule, ShardAssignment
from controlplane.rollout.activation import (
    MAX_RETAINED,
    Activation,
    Busy,
    Generation,
    Phase,
    Progress,
    Timings,
    advance,
    begin,
    retire_after,
)
from controlplane.rollout.views import (
    Host,
    layout,
    loaded,
    models_by_shard,
    ready_addresses,
    routed,
    routing_rules,
)
from lightbulb.model import ModelAssignment
from tests.lightbulb.tables import TABLE

TIMINGS = Timings(loading=10, routing=5, unload=2, margin=1)
DONE = Progress()
LAGGING = Progress(lagging=("sidecar s1",))
REFUSED = Progress(refused=("host h1: m@2: no such fact",))


def generation(number: int, vip: str = "a") -> Generation:
    model = ModelAssignment(name="m", version=str(number), memory_mib=1)
    key = f"o|m|{number}"
    plan = Plan(
        tables=(TABLE,),
        routes=(
            RoutingRule(objective="o", key=key, vip=vip),
            RoutingRule(objective="o", key="o|same|1", vip=vip),
        ),
        assignments=(ShardAssignment(shard=f"shard-{vip}", vip=vip, models=(model,)),),
    )
    return Generation(number=number, content_hash=str(number), plan=plan)


def activation(phase: Phase, **changes: object) -> Activation:
    start = Activation(target=generation(2, "b"), previous=generation(1, "a"), phase=phase, entered=0.0)
    return replace(start, **changes)


KEEP_OLD = 60.0 + 0.25 + 1  # the table's cache lifetime, its deadline, the margin


@pytest.mark.parametrize(
    ("phase", "progress", "now", "expected"),
    [
        (Phase.LOADING, LAGGING, 9.9, Phase.LOADING),
        (Phase.LOADING, LAGGING, 10.0, Phase.FAILED),
        (Phase.LOADING, REFUSED, 0.0, Phase.FAILED),
        (Phase.LOADING, DONE, 0.0, Phase.ROUTING),
        (Phase.ROUTING, LAGGING, 4.9, Phase.ROUTING),
        (Phase.ROUTING, LAGGING, 5.0, Phase.FAILED),
        (Phase.ROUTING, REFUSED, 0.0, Phase.FAILED),
        (Phase.ROUTING, DONE, 0.0, Phase.RETIRING),
        (Phase.RETIRING, DONE, KEEP_OLD - 0.1, Phase.RETIRING),
        (Phase.RETIRING, LAGGING, KEEP_OLD + 100, Phase.RETIRING),
        (Phase.RETIRING, DONE, KEEP_OLD, Phase.UNLOADING),
        (Phase.UNLOADING, LAGGING, 100.0, Phase.UNLOADING),
        (Phase.UNLOADING, DONE, 1.9, Phase.UNLOADING),
        (Phase.UNLOADING, DONE, 2.0, Phase.SETTLED),
        (Phase.SETTLED, REFUSED, 100.0, Phase.SETTLED),
        (Phase.FAILED, DONE, 100.0, Phase.FAILED),
    ],
)
def test_a_step_is_taken_when_its_gate_opens(
    phase: Phase, progress: Progress, now: float, expected: Phase
) -> None:
    assert advance(activation(phase), progress, TIMINGS, now).phase is expected


def test_the_first_generation_waits_for_as_long_as_it_takes() -> None:
    first = begin(generation(1), None, 0.0)
    for progress in (LAGGING, REFUSED):
        waiting = advance(first, progress, TIMINGS, 1e6)
        assert waiting.phase is Phase.LOADING
        assert "s1" in waiting.detail or "no such fact" in waiting.detail
    assert retire_after(first, TIMINGS) == 0.0


def test_a_laggard_restarts_the_wait_before_retirement() -> None:
    late = advance(activation(Phase.RETIRING), LAGGING, TIMINGS, KEEP_OLD - 1)
    assert advance(late, DONE, TIMINGS, KEEP_OLD + 1).phase is Phase.RETIRING
    assert advance(late, DONE, TIMINGS, 2 * KEEP_OLD).phase is Phase.UNLOADING


@pytest.mark.parametrize("phase", [Phase.LOADING, Phase.ROUTING])
def test_a_publish_waits_until_the_one_before_is_active(phase: Phase) -> None:
    with pytest.raises(Busy, match="generation 2 is still"):
        begin(generation(3), activation(phase), 1.0)


def test_a_publish_during_retirement_holds_what_is_being_retired() -> None:
    follow_up = begin(generation(3), activation(Phase.RETIRING), 1.0)
    assert [held.number for held in follow_up.old] == [1, 2]
    assert begin(generation(3), activation(Phase.SETTLED), 1.0).old == (generation(2, "b"),)


def test_a_failed_publish_still_holds_what_clients_may_have_cached() -> None:
    follow_up = begin(generation(3), activation(Phase.RETIRING), 1.0)
    failed = advance(follow_up, REFUSED, TIMINGS, 2.0)
    assert failed.active == generation(2, "b")
    assert [held.number for held in routed(failed)] == [1, 2]
    assert [held.number for held in begin(generation(4), failed, 3.0).old] == [1, 2]


def test_generations_that_wait_for_retirement_are_bounded() -> None:
    current = activation(Phase.RETIRING)
    for number in range(3, 2 + MAX_RETAINED):
        current = replace(begin(generation(number), current, 0.0), phase=Phase.RETIRING)
    with pytest.raises(Busy, match="being retired"):
        begin(generation(99), current, 0.0)


events = st.lists(
    st.tuples(
        st.sampled_from(["tick", "publish"]),
        st.sampled_from([DONE, LAGGING, REFUSED]),
        st.floats(0, 100),
    ),
    max_size=40,
)


@given(events)
def test_what_clients_may_hold_is_routed_and_what_is_routed_is_loaded(
    steps: list[tuple[str, Progress, float]],
) -> None:
    """Whatever happens in whatever order, an answer given less than a cache lifetime ago still works."""
    now, number = 0.0, 1
    current = begin(generation(1), None, now)
    handed_out: dict[int, float] = {}
    for kind, progress, passed in steps:
        if current.active is not None:  # up to this moment Lightbulb answers from it
            handed_out[current.active.number] = now + passed
        now += passed
        if kind == "publish":
            try:
                current = begin(generation(number + 1), current, now)
                number += 1
            except Busy:
                pass
        else:
            current = advance(current, progress, TIMINGS, now)
        known = {held.number for held in routed(current)}
        held_by_clients = {held for held, last in handed_out.items() if now - last < 60.0}
        assert held_by_clients <= known
        assert known <= {held.number for held in loaded(current)}
        assert current.active is None or current.active.number in known


@given(st.lists(st.floats(0, 50), min_size=40, max_size=40))
def test_with_everyone_in_step_it_always_settles(waits: list[float]) -> None:
    current, now = activation(Phase.LOADING), 0.0
    phases = [current.phase]
    for passed in [*waits, *[70.0] * 4]:
        now += passed
        current = advance(current, DONE, TIMINGS, now)
        if current.phase is not phases[-1]:
            phases.append(current.phase)
    assert phases == [Phase.LOADING, Phase.ROUTING, Phase.RETIRING, Phase.UNLOADING, Phase.SETTLED]


def test_a_key_that_moves_goes_to_its_newest_vip_and_old_keys_stay() -> None:
    rules = routing_rules(routed(activation(Phase.RETIRING)))
    assert {rule.key: rule.vip for rule in rules} == {"o|m|1": "a", "o|m|2": "b", "o|same|1": "b"}


def test_hosts_hold_both_generations_models_until_the_old_one_has_ended() -> None:
    both = {"shard-a": ("m@1",), "shard-b": ("m@2",)}
    shown = models_by_shard(loaded(activation(Phase.UNLOADING)))
    assert {shard: tuple(model.id for model in models) for shard, models in shown.items()} == both
    settled = models_by_shard(loaded(activation(Phase.SETTLED)))
    assert set(settled) == {"shard-b"}


def test_a_host_gets_traffic_once_it_has_everything_that_is_routed_to_it() -> None:
    hosts = [
        Host(id="h1", shard="shard-a", address=("127.0.0.1", 1), loaded=frozenset({"m@1", "x@1"})),
        Host(id="h2", shard="shard-a", address=("127.0.0.1", 2), loaded=frozenset()),
        Host(id="h3", shard="shard-b", address=("127.0.0.1", 3), loaded=frozenset({"m@1"})),
    ]
    ready = ready_addresses(layout(activation(Phase.ROUTING)), hosts, {})
    assert ready == {"a": (("127.0.0.1", 1),), "b": ()}


def test_a_vip_keeps_its_last_hosts_when_all_are_out_of_sight() -> None:
    last = {"a": (("127.0.0.1", 1),), "gone": (("127.0.0.1", 9),)}
    ready = ready_addresses(layout(activation(Phase.LOADING)), [], last)
    assert ready == {"a": (("127.0.0.1", 1),)}
