"""Each phase waits for those whose acknowledgement it needs, and for nobody else."""

from dataclasses import replace

import pytest

from controlplane.rollout.failure import Laggard, Refusal
from controlplane.rollout.gates import progress
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import Phase
from lightbulb.ads.values import LISTENER, LISTENER_NAME, ROUTE
from lightbulb.model import ModelAssignment
from tests.rollout.rollouts import POLICY, rollout

NOW = 100.0
MODEL = ModelAssignment(name="m", version="1", memory_mib=1)
HOST = Consumer(id="h", kind="host", shard="a", waiting_for=("t",), since=NOW)
SIDECAR = Consumer(id="s", kind="sidecar", waiting_for=("t",), routes=(1,), since=NOW)
LIGHTBULB = Consumer(id="l", kind="lightbulb", waiting_for=("t",), since=NOW)
EVERYBODY = (HOST, SIDECAR, LIGHTBULB)


def refused(kind: str, consumer: str, name: str, reason: str, resource_type: str = "") -> Refusal:
    return Refusal(
        consumer_kind=kind, consumer_id=consumer, resource_type=resource_type, resource=name, reason=reason
    )


def lagging(phase: Phase, *consumers: Consumer, now: float = NOW) -> tuple[str, ...]:
    return tuple(map(str, progress(rollout(phase), {"a": (MODEL,)}, consumers, now, POLICY).lagging))


@pytest.mark.parametrize(
    ("phase", "names"),
    [
        (Phase.WAITING, ("lightbulb l", "sidecar s")),
        (Phase.RELEASING, ("sidecar s",)),
        (Phase.LOADING, ("host h",)),
        (Phase.ROUTING, ("lightbulb l", "sidecar s")),
        (Phase.RETIRING, ("lightbulb l", "sidecar s")),
        (Phase.UNLOADING, ("lightbulb l", "sidecar s")),
        (Phase.SETTLED, ()),
    ],
)
def test_a_phase_waits_for_its_own_consumers(phase: Phase, names: tuple[str, ...]) -> None:
    assert lagging(phase, *EVERYBODY) == names


def test_who_is_waited_for_is_told_with_what_it_owes() -> None:
    found = progress(rollout(Phase.ROUTING), {}, EVERYBODY, NOW, POLICY)
    assert found.lagging == (
        Laggard(consumer_kind="lightbulb", consumer_id="l", resource_types=("t",)),
        Laggard(consumer_kind="sidecar", consumer_id="s", resource_types=("t",)),
    )


def test_loading_waits_for_what_the_new_models_say_and_no_other_phase_does() -> None:
    slow = replace(MODEL, load_timeout=600.0)
    found = [
        progress(rollout(phase), {"a": (slow,)}, (HOST,), NOW, POLICY, live={"a": live}).load_seconds
        for phase, live in (
            (Phase.LOADING, frozenset[str]()),
            (Phase.LOADING, frozenset({"m@1"})),
            (Phase.ROUTING, frozenset[str]()),
        )
    ]
    assert found == [610.0, 10.0, 0.0]


def test_a_shard_in_use_needs_a_host() -> None:
    assert lagging(Phase.LOADING) == ("a host for shard a",)
    assert progress(rollout(Phase.LOADING), {"a": ()}, (), NOW, POLICY).lagging == ()


def test_refusals_are_told_with_their_reasons() -> None:
    refusal = refused("host", "h", "m@1", "no such fact")
    refusing = Consumer(id="h", kind="host", shard="a", refusals=(refusal,))
    found = progress(rollout(Phase.LOADING), {"a": (MODEL,)}, (refusing, SIDECAR), NOW, POLICY)
    assert found.refused == (refusal,)
    assert str(refusal) == "host h: m@1: no such fact"
    assert found.total == 1


def test_what_was_refused_before_and_isnt_needed_now_stops_nothing() -> None:
    broken = Consumer(
        id="h", kind="host", shard="a", refusals=(refused("host", "h", "old@1", "no such fact"),)
    )
    found = progress(rollout(Phase.LOADING), {"a": (MODEL,)}, (broken,), NOW, POLICY)
    assert (found.refused, found.lagging) == ((), ())


@pytest.mark.parametrize("kind", ["sidecar", "lightbulb"])
@pytest.mark.parametrize(
    ("refused_of", "counts"),
    [
        (1, False),
        (2, False),
        (3, True),  # the target
        (4, True),  # one that was superseded, or withdrawn
        (0, True),  # its replica doesn't say
    ],
)
def test_a_refusal_of_what_is_live_stops_nothing_and_any_other_does(
    kind: str, refused_of: int, counts: bool
) -> None:
    refusal = refused(kind, "x", "o", "no")
    broken = Consumer(id="x", kind=kind, routes=(2,), refusals=(refusal,), refused_of=refused_of)
    found = progress(rollout(Phase.ROUTING), {}, (broken,), NOW, POLICY)
    assert found.refused == ((refusal,) if counts else ())
    assert found.lagging == ()


@pytest.mark.parametrize(
    ("resource_type", "name", "counts"),
    [
        (LISTENER, LISTENER_NAME, False),
        (LISTENER, "", False),  # told of the whole type
        ("", LISTENER_NAME, False),  # by a replica that doesn't tell the type
        (ROUTE, LISTENER_NAME, True),  # an objective of the listener's name
    ],
)
def test_a_sidecar_that_cant_listen_holds_up_no_publish(resource_type: str, name: str, counts: bool) -> None:
    refusal = refused("sidecar", "s", name, "address in use", resource_type)
    unlucky = Consumer(id="s", kind="sidecar", routes=(2,), refusals=(refusal,))
    found = progress(rollout(Phase.ROUTING), {}, (unlucky,), NOW, POLICY)
    assert (found.lagging, found.refused) == ((), (refusal,) if counts else ())


def test_one_whose_replica_hasnt_shown_it_the_newest_state_lags() -> None:
    synced = Consumer(id="s", kind="sidecar", routes=(2,))
    assert lagging(Phase.ROUTING, synced) == ()
    behind = Consumer(id="s", kind="sidecar", routes=(2,), up_to_date=False)
    assert lagging(Phase.ROUTING, behind) == ("sidecar s",)


@pytest.mark.parametrize(
    ("phase", "soon", "late"),
    [
        (Phase.WAITING, ("sidecar s (disconnected)",), ("sidecar s (disconnected)",)),
        (Phase.RELEASING, (), ()),
        (Phase.ROUTING, ("sidecar s (disconnected)",), ()),
        (Phase.RETIRING, ("sidecar s (disconnected)",), ("sidecar s (disconnected)",)),
        (Phase.UNLOADING, (), ()),
    ],
)
def test_one_that_is_out_of_sight_is_waited_for_where_it_could_still_be_hurt(
    phase: Phase, soon: tuple[str, ...], late: tuple[str, ...]
) -> None:
    gone = SIDECAR.lost(NOW, orphaned=False)
    assert lagging(phase, gone, now=NOW + POLICY.reconnect - 0.1) == soon
    assert lagging(phase, gone, now=NOW + POLICY.reconnect) == late


@pytest.mark.parametrize(
    ("routes", "waits"),
    [
        ((1, 2), False),  # it never had what leaves
        ((3, 1, 2), False),  # of what leaves it uses nothing that others have too
        ((1, 2, 3), True),  # where 3 moved a key of 2, it sends that to where 3 had it
        ((3,), False),
        ((), False),
    ],
)
def test_unloading_waits_for_a_sidecar_that_is_cut_off_and_may_use_what_leaves(
    routes: tuple[int, ...], waits: bool
) -> None:
    gone = replace(SIDECAR, routes=routes).lost(NOW, orphaned=False)
    unloading = rollout(Phase.UNLOADING, leaving=(3,))
    found = progress(unloading, {}, (gone,), NOW + POLICY.lease - 1, POLICY)
    assert tuple(map(str, found.lagging)) == (("sidecar s (disconnected)",) if waits else ())


def test_what_a_sidecar_must_route_for_retirement_is_what_is_active() -> None:
    assert lagging(Phase.RETIRING, Consumer(id="s", kind="sidecar", routes=(1, 2), waiting_for=("t",))) == ()
    assert lagging(Phase.RETIRING, Consumer(id="s", kind="sidecar", routes=(2,), disconnected=True)) == ()
    assert lagging(Phase.RETIRING, Consumer(id="s", kind="sidecar", routes=(1,), since=NOW)) == ("sidecar s",)


def test_one_that_is_connected_and_takes_nothing_is_given_up_after_its_lease() -> None:
    hung = Consumer(id="s", kind="sidecar", routes=(1,), waiting_for=("t",), unsynced_since=NOW)
    assert lagging(Phase.RETIRING, hung, now=NOW + POLICY.lease - 1) == ("sidecar s",)
    assert lagging(Phase.RETIRING, hung, now=NOW + POLICY.lease) == ()
    assert lagging(Phase.UNLOADING, hung, now=NOW + POLICY.lease - 1) == ("sidecar s",)
    assert lagging(Phase.UNLOADING, hung, now=NOW + POLICY.lease) == ()
    assert lagging(Phase.ROUTING, hung, now=NOW + POLICY.lease) == ("sidecar s",)


def test_a_hosts_replica_that_ended_leaves_it_the_time_to_reconnect() -> None:
    orphan = HOST.lost(NOW, orphaned=True)
    assert lagging(Phase.LOADING, orphan) == ("host h (disconnected)",)
    assert lagging(Phase.LOADING, HOST.lost(NOW, orphaned=False)) == ("a host for shard a",)


def test_the_last_to_come_into_step_is_when_waiting_begins() -> None:
    consumers = [Consumer(id=str(n), kind="sidecar", routes=(2,), synced_since=n) for n in (3.0, 9.0, 5.0)]
    assert progress(rollout(Phase.RETIRING), {}, consumers, NOW, POLICY).since == 9.0


OLD, NEW = "old@1", "m@1"


def serving(name: str, *refused_models: str, loaded: tuple[str, ...] = (OLD,)) -> Consumer:
    refusals = tuple(refused("host", name, each, "no room") for each in refused_models)
    return Consumer(id=name, kind="host", shard="a", refusals=refusals, loaded=frozenset(loaded))


def idle(name: str, *refused_models: str) -> Consumer:
    return serving(name, *refused_models, loaded=())


@pytest.mark.parametrize(
    ("hosts", "counting"),
    [
        ((serving("h1"), idle("h2", OLD)), ()),
        ((serving("h1"), idle("h2", OLD, NEW)), ()),
        ((serving("h1"), idle("h2", NEW)), ()),
        ((serving("h1"), serving("h2"), serving("h3", NEW)), ("h3",)),  # the shard would lose it
        ((serving("h1"), serving("h2", OLD)), ()),  # asked anew for what it has
        ((serving("h1", NEW), serving("h2", NEW)), ("h1", "h2")),
        ((serving("h1", NEW), idle("h2", OLD)), ("h1", "h2")),  # nobody is left that takes all
        ((idle("h1", OLD),), ("h1",)),  # what is new would be served by nobody
        ((replace(serving("h1"), waiting_for=("t",)), idle("h2", NEW)), ()),  # h1 may take it yet
        ((serving("h1").lost(NOW, orphaned=True), idle("h2", NEW)), ()),
        ((serving("h1").departed(NOW), idle("h2", NEW)), ("h2",)),
        ((replace(serving("h1"), shard="b"), idle("h2", NEW)), ("h2",)),
    ],
)
def test_a_hosts_refusal_counts_where_it_says_something_about_the_target(
    hosts: tuple[Consumer, ...], counting: tuple[str, ...]
) -> None:
    target = {"a": (MODEL, replace(MODEL, name="old"))}
    found = progress(rollout(Phase.LOADING), target, hosts, NOW, POLICY, live={"a": frozenset({OLD})})
    assert tuple(sorted({each.consumer_id for each in found.refused})) == counting


@pytest.mark.parametrize("alone", [False, True])
def test_what_is_refused_on_a_shard_with_nothing_new_stops_nothing(alone: bool) -> None:
    hosts = (idle("h2", OLD),) if alone else (serving("h1"), idle("h2", OLD))
    target = {"a": (replace(MODEL, name="old"),)}
    found = progress(rollout(Phase.LOADING), target, hosts, NOW, POLICY, live={"a": frozenset({OLD})})
    assert (found.refused, found.lagging) == ((), ())
