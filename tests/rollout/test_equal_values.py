"""Equal values in other objects give the same result: that two are one object only saves work."""

from dataclasses import replace

import pytest

from controlplane.model import Plan
from controlplane.rollout.codec import plan_from_bytes, plan_to_bytes, shard_from_bytes
from controlplane.rollout.desired_state import Recent, desired_state, models_by_shard, tables
from controlplane.rollout.state import Generation, Phase
from lightbulb.model import DEFAULT_TENANT
from lightbulb.resolution.codec import objective_tables_to_bytes, table_from_bytes
from tests.lightbulb.tables import TABLE, target
from tests.rollout.rollouts import alone, plan, rollout


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
