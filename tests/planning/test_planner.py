"""Plans beside what stays loaded: as little as can be leaves, and what can't be is said with what to do."""

from dataclasses import replace

import pytest

from controlplane.admin import planner
from controlplane.admin.planner import base_of, room_for
from controlplane.model import RuleSet, Workspace
from controlplane.planning.beside import Base, definition_of, plan_beside
from controlplane.problems import WorkspaceError
from controlplane.rollout import bounds
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import MAX_LIVE, Generation, Phase, Rollout
from controlplane.rules.compile import compile_workspace
from lightbulb.model import DEFAULT_TENANT, ModelAssignment
from tests.rollout.rollouts import alone
from tests.rules.workspaces import workspace


def rules(fancy: int = 200, plain: int = 300, shards: str = "{name: a, vip: vip-a, memory: 2GiB}") -> RuleSet:
    """Two models on one shard: fancy with its base of 1 GiB, and plain; sizes in MiB."""
    compiled = compile_workspace(workspace(fleet_yaml=f"shards:\n  - {shards}\n"))
    sizes = {"base": 1024, "fancy": fancy, "plain": plain}
    models = tuple(replace(each, memory_mib=sizes.get(each.name, 300)) for each in compiled.models)
    return replace(compiled, models=models)


def version(number: int, of: RuleSet) -> RuleSet:
    """The same, with another version of each model but the base."""
    text = str(number)
    models = tuple(each if each.name == "base" else replace(each, version=text) for each in of.models)
    tables = tuple(
        replace(
            table,
            models=tuple(
                replace(each, version=text, routing_key=f"{table.objective}|{each.name}|{text}")
                for each in table.models
            ),
        )
        for table in of.tables
    )
    return replace(of, models=models, tables=tables)


def generations(*numbers: int) -> dict[int, Generation]:
    return {
        number: Generation(
            number=number, content_hash="", plan=plan_beside(version(number, rules()), Base())[0]
        )
        for number in numbers
    }


LIVE = generations(1, 2, 3)


def state(**changes) -> Rollout:
    return replace(Rollout(phase=Phase.SETTLED, entered=0.0, active=2, live=(1, 2), held=(2,)), **changes)


def stands_on(state: Rollout) -> Base:
    return base_of(alone(state), DEFAULT_TENANT, LIVE)


def test_with_room_nothing_leaves() -> None:
    small = version(4, rules(fancy=10, plain=10))
    assert plan_beside(small, stands_on(state()))[1] is None


def test_the_oldest_that_nobody_holds_leaves_when_there_is_no_room() -> None:
    assert plan_beside(version(4, rules()), stands_on(state()))[1] == (1,)


def test_what_is_leaving_already_is_waited_for_before_anything_else_must_go() -> None:
    unloading = state(live=(2,), leaving=(1,))
    assert plan_beside(version(4, rules()), stands_on(unloading))[1] == ()


def test_what_clients_may_hold_leaves_when_they_cant_and_no_more_than_must() -> None:
    assert plan_beside(version(4, rules()), stands_on(state(held=(1, 2))))[1] == (1,)
    retiring = state(active=3, live=(1, 2, 3), held=(2, 3))
    assert plan_beside(version(4, rules()), base_of(alone(retiring), DEFAULT_TENANT, LIVE, window=2))[1] == (
        1,
        2,
    )


def test_what_may_not_leave_is_named() -> None:
    with pytest.raises(WorkspaceError) as caught:
        plan_beside(version(4, rules()), stands_on(state(pinned=(1,))))
    assert {problem.code for problem in caught.value.problems} == {"DOES_NOT_FIT"}
    assert all("generations 1, 2 stay loaded" in problem.remedy for problem in caught.value.problems)


def test_a_plan_as_it_is_finds_room_in_the_same_way() -> None:
    assert room_for(LIVE[3].plan, stands_on(state())) == (1,)
    assert room_for(LIVE[1].plan, stands_on(state())) is None


def many(count: int) -> tuple[Rollout, dict[int, Generation]]:
    """Generations that share all, each of them still held."""
    plan = LIVE[1].plan
    live = tuple(range(1, count + 1))
    found = {number: Generation(number=number, content_hash="", plan=plan) for number in live}
    return state(active=count, live=live, held=live), found


def test_generations_that_share_all_may_be_many_and_then_a_publish_waits() -> None:
    for count, release in ((100, None), (MAX_LIVE, None), (MAX_LIVE + 1, tuple(range(1, MAX_LIVE - 1)))):
        retiring, found = many(count)
        assert base_of(alone(retiring), DEFAULT_TENANT, found, window=2).rooms[0].release == release


@pytest.mark.parametrize(("bound", "count"), [("MAX_APART_KEYS", 40), ("MAX_APART_BYTES", 2_000)])
def test_of_generations_with_much_of_their_own_a_few_may_be_live(
    monkeypatch: pytest.MonkeyPatch, bound: str, count: int
) -> None:
    """Each has two keys and a table of a hundred bytes of its own."""
    retiring, found = many(30)
    own = {
        number: replace(each, plan=generations(number)[number].plan, table_bytes=(100,))
        for number, each in found.items()
    }
    assert base_of(alone(retiring), DEFAULT_TENANT, own, window=2).rooms[0].release is None
    monkeypatch.setattr(bounds, bound, count)
    assert base_of(alone(retiring), DEFAULT_TENANT, own, window=2).rooms[0].release == tuple(range(1, 28))
    shared = replace(retiring, live=(29, 30), active=30, held=(29, 30))
    assert base_of(alone(shared), DEFAULT_TENANT, own, window=2).rooms[0].release is None


def test_of_what_another_tenant_has_several_times_the_last_counts_and_what_is_shared_is_looked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = generations(1)[1].plan
    first, again = (replace(plan, assignments=tuple(map(replace, plan.assignments))) for _ in range(2))
    small = plan_beside(version(1, rules(fancy=10)), Base())[0]
    looked_at: list[str] = []

    def noting(model: ModelAssignment) -> str:
        looked_at.append(model.id)
        return definition_of(model)

    monkeypatch.setattr(planner, "definition_of", noting)
    for plans, size in (
        ((first, small, first, first), 200),
        ((first, small, again), 200),
        ((first, small), 10),
    ):
        looked_at.clear()
        theirs = {
            number: Generation(number=number, content_hash="", plan=plan, tenant="other")
            for number, plan in enumerate(plans, 1)
        }
        lanes = Lanes({"other": state(active=len(plans), live=tuple(theirs), held=())})
        others = base_of(lanes, DEFAULT_TENANT, theirs).others
        assert others.models["fancy@1"][1].startswith(f"{size}MiB")
        assert others.memory_mib == {"other": 1024 + size + 300}
        assert len(looked_at) == 3 * len({id(plan) for plan in plans})


def test_a_vip_that_old_keys_lead_to_at_another_shard_is_refused() -> None:
    taken = rules(shards="{name: b, vip: vip-a, memory: 8GiB}")
    with pytest.raises(WorkspaceError) as caught:
        plan_beside(version(4, taken), stands_on(state()))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.code) == ("fleet.yaml", 2, "VIP_IN_USE")
    assert "shard a in generation 2" in problem.message or "shard a in generation 1" in problem.message
    assert "give shard b another VIP" in problem.remedy


def paying(mib: int) -> RuleSet:
    """Another tenant's, on the same shard: one model of `mib`."""
    files = {
        "fleet.yaml": "shards:\n  - {name: a, vip: vip-a, memory: 2GiB}\n",
        "objectives.yaml": "objectives:\n"
        "  - {name: Checkout, input_type: PAYMENT, owner: pay, deadline: 9ms}\n",
        "models.yaml": f'models:\n  - {{name: pay, version: "1", memory: {mib}MiB}}\n',
        "experiments.yaml": "experiments: []\n",
        "rules.js": "function defineCheckoutRule() { return {\n"
        '  targetObjectives: ["Checkout"], modelInputType: "PAYMENT", modelType: "SCORER",\n'
        '  defaultModel: {name: "pay"}}; }\n',
    }
    return compile_workspace(Workspace(files={name: text.encode() for name, text in files.items()}))


def test_what_another_tenant_lets_go_of_by_itself_is_waited_for_and_no_more_than_must() -> None:
    """On 2 GiB: three generations of 500 MiB each, two of which fit beside their base of 1 GiB."""
    theirs = {number: replace(each, tenant="other") for number, each in LIVE.items()}
    retiring = state(phase=Phase.RETIRING, active=3, live=(1, 2, 3), held=(1, 2, 3))

    def release(mib: int, rollout: Rollout, window: int = 0) -> tuple[int, ...] | None:
        base = base_of(Lanes({"other": rollout}), DEFAULT_TENANT, theirs, window=window)
        plan, found = plan_beside(paying(mib), base)
        assert room_for(plan, base) == found
        return found

    settled = replace(retiring, phase=Phase.SETTLED, live=(3,), held=(3,))
    assert release(500, settled) is None
    assert release(500, replace(settled, phase=Phase.UNLOADING, leaving=(1,))) == (1,)
    assert release(500, retiring) == (1, 2)
    assert release(10, retiring) == (1,)
    # What its window keeps stays, until somebody does something; so does what is pinned, and what is settled.
    stays = ((retiring, 1), (replace(retiring, pinned=(1,)), 0), (replace(settled, live=(1, 3)), 0))
    for rollout, window in stays:
        with pytest.raises(WorkspaceError, match="needs 500 MiB"):
            release(500, rollout, window)
