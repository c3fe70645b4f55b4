"""Equal values in other objects give the same result: that two are one object only saves work."""

import random
from dataclasses import replace

import pytest

from controlplane.model import Plan, ShardAssignment
from controlplane.rollout.codec import plan_from_bytes, plan_to_bytes, shard_from_bytes
from controlplane.rollout.desired_state import Recent, desired_state, models_by_shard, tables
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import Generation, Phase
from lightbulb.model import DEFAULT_TENANT, ModelAssignment
from lightbulb.resolution.codec import objective_tables_to_bytes, table_from_bytes
from tests.lightbulb.tables import TABLE, target
from tests.rollout.rollouts import alone, generation, plan, rollout


def again(of: Plan) -> Plan:
    """An equal plan that shares nothing."""
    return plan_from_bytes(plan_to_bytes(of, ""), table_from_bytes, shard_from_bytes)


def generations(*, shared: bool) -> dict[int, Generation]:
    """Three, of which the first two differ in a key only, and the third has another table."""
    other = replace(TABLE, cache_lifetime=7.0)
    plans = {1: plan(1), 2: plan(2), 3: replace(plan(3), tables=(other,))}
    return {
        number: Generation(number=number, content_hash=f"hash-{number}", plan=each if shared else again(each))
        for number, each in plans.items()
    }


@pytest.mark.parametrize("phase", list(Phase))
def test_what_is_shown_is_the_same_whatever_the_generations_share(phase: Phase) -> None:
    of = [
        desired_state(alone(rollout(phase)), generations(shared=shared), "store") for shared in (True, False)
    ]
    assert of[0] == of[1]


def test_an_equal_table_of_the_next_generation_is_no_change() -> None:
    one, other, changed = generations(shared=False).values()
    assert one.plan.tables[0] is not other.plan.tables[0]
    (found,) = tables((one, other, changed))
    assert [entry.since for entry in found.tables] == [0, 3]


def test_tables_that_are_equal_and_differ_on_the_wire_are_two() -> None:
    whole, fraction = (replace(TABLE, models=(target("m", limit=limit),)) for limit in (1, 1.0))
    assert whole == fraction
    both = [
        Generation(number=number, content_hash="", plan=replace(plan(1), tables=(table,)))
        for number, table in ((1, whole), (2, fraction))
    ]
    (found,) = tables(tuple(both))
    assert [entry.since for entry in found.tables] == [0, 2]
    alone = [objective_tables_to_bytes(tables((each,))[0]) for each in both]
    assert alone[0] != alone[1]


def test_a_shards_models_are_merged_alike_whether_or_not_generations_share_them() -> None:
    one, other = plan(1), plan(2)
    merged = [
        models_by_shard(
            tuple(
                Generation(number=number, content_hash="", plan=each)
                for number, each in enumerate((one, other, third), start=1)
            )
        )
        for third in (one, again(one))
    ]
    assert merged[0] == merged[1]


def test_recent_products_are_the_same_objects_and_nothing_that_left_is_held() -> None:
    recent, known = Recent(), generations(shared=True)
    first = desired_state(alone(rollout()), known, "store", recent)
    desired_state(alone(rollout(Phase.ROUTING)), known, "store", recent)
    again_ = desired_state(alone(rollout()), known, "store", recent)
    assert again_.rules[DEFAULT_TENANT] is first.rules[DEFAULT_TENANT]
    assert again_.tables[DEFAULT_TENANT] is first.tables[DEFAULT_TENANT]
    recent.forget([known[1], known[2]])
    assert all(one is not known[3] for _, of in recent._made for one in of)
    assert (
        desired_state(alone(rollout()), known, "store", recent).rules[DEFAULT_TENANT]
        is first.rules[DEFAULT_TENANT]
    )
    for number in range(2 * Recent.MAX):
        recent.made(lambda of, number=number: number, (known[1],))
        recent.forget(known.values())
        assert len(recent._made) <= Recent.MAX


def test_a_lane_is_gone_through_again_only_if_something_of_it_is_another() -> None:
    recent, known = Recent(), {number: generation(number) for number in range(1, 7)}
    other = rollout(active=5, oldest=5, live=(4, 5), held=(5,))
    before = desired_state(Lanes({"a": rollout(), "b": other}), known, "store", recent)
    for phase in Phase:
        lanes = Lanes({"a": rollout(phase), "b": other})
        shown = desired_state(lanes, known, "store", recent)
        assert shown == desired_state(lanes, known, "store")
        for name in ("rules", "loaded", "tables", "active"):
            assert getattr(shown, name)["b"] is getattr(before, name)["b"], name
        assert (shown.vips is before.vips) == (shown.vips == before.vips)
        before = shown
    known[5] = generation(6, "elsewhere")
    assert desired_state(lanes, known, "store", recent) == desired_state(lanes, known, "store")
    assert desired_state(alone(rollout()), known, "store", recent) == desired_state(
        alone(rollout()), known, "store"
    )


def placed(on: dict[str, tuple[ModelAssignment, ...]], tenant: str, number: int) -> Generation:
    assignments = tuple(
        ShardAssignment(shard=shard, vip=shard, memory_mib=100, models=models) for shard, models in on.items()
    )
    of = Plan(tables=(), routes=(), assignments=assignments)
    return Generation(number=number, content_hash="", plan=of, tenant=tenant)


def test_what_many_tenants_load_is_put_together_as_from_scratch_and_what_nobody_changed_is_the_same() -> None:
    chance, recent = random.Random(7), Recent()
    models = [
        tuple(ModelAssignment(name=f"m{name}", version="1", memory_mib=mib) for name in range(first, last))
        for mib in (1, 2)
        for first, last in ((0, 0), (0, 2), (1, 3), (2, 3))
    ]
    live: dict[str, list[Generation]] = {}
    merged: dict[str, tuple[ModelAssignment, ...]] = {}
    seen: dict[str, int] = {"a new shard": 0, "a shard that is gone": 0, "the same": 0, "another": 0}
    for number in range(300):
        tenant = chance.choice("abc")
        own = live.setdefault(tenant, [])
        if chance.random() < 0.5:
            shards = chance.sample("wxyz", chance.randrange(4))
            own.append(placed({shard: chance.choice(models) for shard in shards}, tenant, number))
        else:
            del own[: chance.randrange(6)]
        of = tuple(each for name in sorted(live) for each in live[name])
        before, merged = merged, dict(recent.models_by_shard(recent.placed(of)))
        needed = recent.required(recent.placed(of))
        assert merged == models_by_shard(of)
        assert needed == {shard: {each.id for each in own} for shard, own in merged.items()}
        changed = (
            {each.shard for each in own[-1].plan.assignments} if own and own[-1].number == number else None
        )
        for shard in merged.keys() & before.keys():
            assert changed is None or shard in changed or merged[shard] is before[shard]
            seen["the same" if merged[shard] is before[shard] else "another"] += 1
        seen["a new shard"] += len(merged.keys() - before.keys())
        seen["a shard that is gone"] += len(before.keys() - merged.keys())
    assert all(seen.values()), seen
