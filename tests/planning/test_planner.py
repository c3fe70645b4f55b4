"""Plans beside what stays loaded: as little as can be leaves, and what can't be is said with what to do."""

from dataclasses import replace
from random import Random

import pytest

from controlplane.admin import neighbours
from controlplane.admin.neighbours import Neighbours
from controlplane.admin.planner import base_of, room_for
from controlplane.model import Plan, RuleSet, Workspace
from controlplane.planning.beside import (
    REST,
    Base,
    Others,
    Release,
    Room,
    both,
    definition_of,
    names_of,
    plan_beside,
)
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

    monkeypatch.setattr(neighbours, "definition_of", noting)
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


def test_of_tenants_only_those_are_looked_at_again_that_have_changed_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[str] = []

    def noting(model: ModelAssignment) -> str:
        looked_at.append(model.id)
        return definition_of(model)

    monkeypatch.setattr(neighbours, "definition_of", noting)
    theirs = {1: replace(LIVE[1], tenant="one"), 2: replace(LIVE[2], tenant="other")}
    lanes = Lanes({name: state(active=number, live=(number,)) for name, number in (("one", 1), ("other", 2))})
    known = Neighbours()
    base_of(lanes, DEFAULT_TENANT, theirs, neighbours=known)
    looked_at.clear()
    theirs[3] = replace(LIVE[3], tenant="other")
    lanes = lanes.after("other", state(active=3, live=(3,)))
    known.forget(theirs.values())
    again = base_of(lanes, DEFAULT_TENANT, theirs, neighbours=known)
    assert set(looked_at) == {model.id for each in LIVE[3].plan.assignments for model in each.models}
    assert again == base_of(lanes, DEFAULT_TENANT, theirs)


def test_a_vip_that_old_keys_lead_to_at_another_shard_is_refused() -> None:
    taken = rules(shards="{name: b, vip: vip-a, memory: 8GiB}")
    with pytest.raises(WorkspaceError) as caught:
        plan_beside(version(4, taken), stands_on(state()))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.code) == ("fleet.yaml", 2, "VIP_IN_USE")
    assert "shard a in generation 2" in problem.message or "shard a in generation 1" in problem.message
    assert "give shard b another VIP" in problem.remedy


def paying(mib: int, *shards: str) -> RuleSet:
    """Another tenant's, on the same shard or on others: one model of `mib`."""
    fleet = "".join(f"  - {{name: {name}, vip: vip-{name}, memory: 2GiB}}\n" for name in shards or "a")
    files = {
        "fleet.yaml": f"shards:\n{fleet}",
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
        assert plan_beside(paying(mib), base.for_names(names_of(paying(mib)))) == (plan, found)
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


PAYING = tuple(paying(mib, "a", "b") for mib in (600, 1200))
SAID = ("Checkout is tenant other's", "has pay@1 loaded as", "needs 600 MiB", "needs 1200 MiB")


def beside_others(random: Random) -> Base:
    """On two shards: what others have, some of which may leave, and what the tenant itself does."""
    ids = ("pay@1", "x@1", "y@1", "z@1")
    theirs = {
        shard: {name: random.randrange(300, 1000, 100) for name in random.sample(ids, random.randrange(1, 5))}
        for shard in "ab"
    }
    own = [{"a": {"old@1": 300, "x@1": 200}}, {"a": {"x@1": 200}}, {"b": {"old@1": 300}}]
    some = sorted(theirs["a"])[: random.randrange(3)]
    return Base(
        rooms=tuple(
            Room(release=tuple(range(number)) or None, loaded=both(theirs, loaded), own=loaded)
            for number, loaded in enumerate(random.sample(own, 2))
        ),
        others=Others(
            objectives=dict.fromkeys(random.choice(((), ("Checkout", "Other"), ("Other",))), "other"),
            models={name: ("other", definition_of(random.choice(PAYING).models[0])) for name in ids},
            memory_mib={"other": 1},
        ),
        outgoing={7: {"a": {name: theirs["a"][name] for name in some}}} if some else {},
    )


def outcome(of: RuleSet, base: Base) -> tuple[Plan, Release] | tuple[str, ...]:
    try:
        return plan_beside(of, base)
    except WorkspaceError as error:
        return tuple(f"{each.message} {each.remedy}" for each in error.problems)


def test_what_a_workspace_has_no_name_for_may_be_a_sum_to_its_plan() -> None:
    random, reached = Random(1), set[str]()
    for _ in range(400):
        base, of = beside_others(random), random.choice(PAYING)
        narrow, found = base.for_names(names_of(of)), outcome(of, base)
        assert outcome(of, narrow) == found
        assert narrow.others.models.keys() == {"pay@1"}
        assert {name for room in narrow.rooms for name in room.loaded.get("b", {})} <= {
            *("pay@1", "x@1", "old@1"),  # which it names, or has loaded itself
            REST,
        }
        reached |= {each for each in SAID if each in str(found)} or {str(found[1])}
    assert reached >= {*SAID, "None", "(0,)", "(7,)"}
