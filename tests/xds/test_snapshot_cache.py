"""What is shown anew is what changed: found by value, whichever objects the values are."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from random import Random

import pytest

from controlplane.model import Plan, RoutingRule, ShardAssignment
from controlplane.planning.routing import Inconsistent
from controlplane.rollout.desired_state import DesiredState, desired_state
from controlplane.rollout.state import Generation, Phase, Rollout
from controlplane.xds.nodes import HostNode, Identity, LightbulbNode, SidecarNode
from controlplane.xds.resource_memo import ResourceMemo
from controlplane.xds.snapshot_cache import EVERYBODY, NOBODY, SnapshotCache
from lightbulb.ads.server.snapshot import make_resource
from lightbulb.ads.values import ROUTE
from lightbulb.model import DEFAULT_TENANT, ModelAssignment, SidecarState
from tests.lightbulb.tables import TABLE
from tests.rollout.rollouts import alone

ADDRESSES = {"a": (("10.0.0.1", 1),), "b": ()}
STATES = {"s1": SidecarState(generation=0), "s2": SidecarState(generation=1)}
EACH_KIND: tuple[Identity, ...] = (
    SidecarNode(address="127.0.0.1", port=1, client="s"),
    LightbulbNode(),
    HostNode(shard="shard-a", address="10.0.0.1", port=1),
)


def desired(version: int = 1, **vips: str) -> DesiredState:
    """Keys as objective -> VIP; each time of new objects."""
    routes = tuple(
        RoutingRule(objective=objective, key=f"{objective}|m|1", vip=vip)
        for objective, vip in sorted(vips.items())
    )
    models = (ModelAssignment(name="m", version="1", memory_mib=10),)
    shards = tuple(
        ShardAssignment(shard=f"shard-{vip}", vip=vip, memory_mib=100, models=models) for vip in ("a", "b")
    )
    plan = Plan(tables=(TABLE,), routes=routes, assignments=shards)
    state = Rollout(phase=Phase.SETTLED, entered=0.0, active=1, live=(1,), desired_version=version)
    generations = {1: Generation(number=1, content_hash="h", plan=deepcopy_(plan))}
    return desired_state(alone(state), generations, "store")


def deepcopy_(plan: Plan) -> Plan:
    """An equal plan, whose routes and shards are other objects."""
    return replace(plan, routes=deepcopy(plan.routes), assignments=deepcopy(plan.assignments))


def shown(cache: SnapshotCache) -> list[Mapping[str, Mapping[str, str]]]:
    """What each kind of consumer should have: type -> name -> version."""
    found = []
    for consumer in EACH_KIND:
        snapshot = cache.of(consumer)
        assert snapshot is not None
        found.append(
            {
                type_url: {name: each.version for name, each in resources.items()}
                for type_url, resources in snapshot.by_type.items()
            }
        )
    return found


def test_equal_values_in_other_objects_are_news_to_nobody() -> None:
    cache = SnapshotCache()
    first = desired(o="a", p="b")
    assert cache.show(first, ADDRESSES, STATES) == EVERYBODY
    before, held = shown(cache), [cache.of(each) for each in EACH_KIND]
    second = desired(o="a", p="b")
    assert second.rules[DEFAULT_TENANT] is not first.rules[DEFAULT_TENANT]
    assert second.models["shard-a"] is not first.models["shard-a"]
    assert cache.show(second, dict(ADDRESSES), dict(STATES)) == NOBODY
    assert shown(cache) == before
    assert [cache.of(each) for each in EACH_KIND] == held


def test_what_was_reached_by_steps_is_what_is_shown_at_once() -> None:
    stepwise, at_once = SnapshotCache(), SnapshotCache()
    for version, vips in enumerate(({"o": "a"}, {"o": "b", "p": "a"}, {"o": "a", "p": "b"}), start=1):
        stepwise.show(desired(version, **vips), ADDRESSES, STATES)
    at_once.show(desired(3, o="a", p="b"), ADDRESSES, STATES)
    assert shown(stepwise) == shown(at_once)


def test_only_the_routes_of_an_objective_that_changed_are_made_again() -> None:
    cache, consumer = SnapshotCache(), EACH_KIND[0]
    cache.show(desired(1, o="a", p="b"), ADDRESSES, STATES)
    before = cache.of(consumer)
    audience = cache.show(desired(2, o="b", p="b"), ADDRESSES, STATES)
    after = cache.of(consumer)
    assert before is not None
    assert after is not None
    assert audience.kinds == {"sidecar"}
    assert after.of(ROUTE)["p"] is before.of(ROUTE)["p"]
    assert after.of(ROUTE)["o"] != before.of(ROUTE)["o"]


def test_what_is_inconsistent_changes_nothing_that_is_shown() -> None:
    cache = SnapshotCache()
    cache.show(desired(1, o="a"), ADDRESSES, STATES)
    before = shown(cache)
    with pytest.raises(Inconsistent, match=r"o\|m\|1: no cluster for VIP 'nowhere'"):
        cache.show(desired(2, o="nowhere"), {}, {})
    assert shown(cache) == before
    assert cache.show(desired(1, o="a"), ADDRESSES, STATES) == NOBODY


def test_a_memo_of_resources_holds_what_it_made_last_and_nothing_else() -> None:
    made: list[str] = []

    def make(name: str, value: int) -> object:
        made.append(f"{name}={value}")
        return make_resource(name, f"{name}={value}".encode())

    memo = ResourceMemo(make)
    first = memo({"b": 1, "a": 1})
    assert [each.name for each in first] == ["a", "b"]
    second = memo({"a": 1, "b": 2})
    assert second[0] is first[0]
    assert memo({"b": 2}) == second[1:]
    memo({"a": 1})
    assert made == ["b=1", "a=1", "b=2", "a=1"]
    assert list(memo._made[""].resources) == ["a"]


def test_a_memo_of_resources_looks_at_no_part_that_is_as_it_was() -> None:
    looked_at: list[str] = []
    memo = ResourceMemo(lambda name, value: make_resource(name, f"{name}={value}".encode()))

    def values_of(part: tuple[str, int]) -> dict[str, int]:
        looked_at.append(part[0])
        return {part[0]: part[1], "both": part[1]}

    x, y = ("x", 1), ("y", 2)
    first = memo.of_parts({"x": x, "y": y}, values_of)
    assert [(each.name, each.body) for each in first] == [("both", b"both=2"), ("x", b"x=1"), ("y", b"y=2")]
    second = memo.of_parts({"x": x, "y": ("y", 3)}, values_of)
    assert second == memo({"both": 3, "x": 1, "y": 3})
    assert second[1] is first[1]
    assert looked_at == ["x", "y", "y"]


def test_a_memo_of_resources_gives_what_a_new_one_does_whatever_parts_share_and_change() -> None:
    def memo() -> ResourceMemo[int]:
        return ResourceMemo(lambda name, value: make_resource(name, f"{name}={value}".encode()))

    chance, known, parts = Random(1), memo(), dict[str, Mapping[str, int]]()
    for _ in range(500):
        part, names = chance.choice("xyz"), chance.choice(("ab", "cd", "de"))
        parts = {**parts, part: {name: chance.randrange(3) for name in names}}
        parts = {name: parts[name] for name in sorted(parts) if name == part or chance.random() < 0.95}
        assert known.of_parts(parts, dict) == memo().of_parts(parts, dict)
