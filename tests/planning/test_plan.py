"""Placement respects capacity, moves nothing that needn't move, and loses nothing."""

from collections import UserDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.model import Location, Model, Shard
from controlplane.planning.placement import Placement, closure, place
from controlplane.planning.plan import make_plan
from controlplane.planning.shard_bins import ShardBin, ShardBins
from controlplane.problems import WorkspaceError
from controlplane.rules.compile import compile_workspace
from tests.depth import examples
from tests.planning import exhaustive
from tests.rules.workspaces import GOOD, workspace

SIZES, ROOMS = st.integers(1, 60), st.integers(20, 150)
HERE = Location(file="models.yaml", line=1)


def model(name: str, memory: int, *depends_on: str) -> Model:
    return Model(name=name, version="1", memory_mib=memory, facts=(), depends_on=depends_on, location=HERE)


def by_id(*models: Model) -> dict[str, Model]:
    return {each.id: each for each in models}


def shards(*memory: int) -> tuple[Shard, ...]:
    return tuple(
        Shard(name=f"s{index}", vip=f"v{index}", memory_mib=size, location=HERE)
        for index, size in enumerate(memory)
    )


@st.composite
def fleets(
    draw: st.DrawFn, sizes: st.SearchStrategy[int] = SIZES, rooms: st.SearchStrategy[int] = ROOMS
) -> tuple[dict[str, Model], tuple[Shard, ...]]:
    count = draw(st.integers(0, 12))
    models: list[Model] = []
    for index in range(count):
        # Only on earlier ones: no loops, which the compiler refuses.
        needed = draw(st.sets(st.sampled_from(models), max_size=2)) if models else set()
        models.append(model(f"m{index}", draw(sizes), *sorted(each.id for each in needed)))
    return by_id(*models), shards(*draw(st.lists(rooms, max_size=4)))


def used(placement: Placement, models: Mapping[str, Model], shard: str) -> int:
    return sum(models[name].memory_mib for name in placement.loaded[shard])


@given(fleets())
def test_every_model_is_placed_with_what_it_needs_or_named(
    fleet: tuple[dict[str, Model], tuple[Shard, ...]],
) -> None:
    models, places = fleet
    placement = place(models, models, places, {})
    assert placement.shard_of.keys() | {each.model.id for each in placement.misfits} == models.keys()
    assert not placement.shard_of.keys() & {each.model.id for each in placement.misfits}
    for name, shard in placement.shard_of.items():
        assert closure((name,), models) <= placement.loaded[shard]
    for shard in places:
        assert used(placement, models, shard.name) <= shard.memory_mib
    for misfit in placement.misfits:
        free = [shard.memory_mib - used(placement, models, shard.name) for shard in places]
        assert misfit.largest_free >= max(free, default=0)


@st.composite
def moments(draw: st.DrawFn) -> dict[str, Any]:
    """What placement may be given: few sizes, so that shards are equally full now and then."""
    models, places = draw(fleets(sizes=st.sampled_from([10, 20, 30]), rooms=st.sampled_from([40, 60, 90])))
    names = [shard.name for shard in places] + ["gone"]
    told = draw(st.dictionaries(st.sampled_from(sorted(models) or ["-"]), st.sampled_from(names), max_size=3))
    on_shards = st.dictionaries(st.sampled_from(sorted(models) or ["-"]), st.integers(1, 40), max_size=3)
    return {
        "wanted": draw(st.sets(st.sampled_from(sorted(models)))) if models else set(),
        "models": models,
        "shards": tuple(
            replace(shard, models=tuple(name for name in told if told[name] == shard.name))
            for shard in draw(st.permutations(places))
        ),
        "previous": draw(
            st.dictionaries(st.sampled_from(sorted(models) or ["-"]), st.sampled_from(names), max_size=6)
        ),
        "resident": draw(st.dictionaries(st.sampled_from(names), on_shards, max_size=3)),
    }


@given(moments())
@settings(max_examples=examples(500))
def test_no_shard_that_wasnt_looked_at_would_have_been_chosen(moment: dict[str, Any]) -> None:
    assert place(**moment) == exhaustive.place(**moment)


@given(fleets())
def test_planning_again_moves_nothing(fleet: tuple[dict[str, Model], tuple[Shard, ...]]) -> None:
    models, places = fleet
    first = place(models, models, places, {})
    again = place(models, models, tuple(reversed(places)), first.shard_of)
    assert again.shard_of == first.shard_of
    assert place(models, models, places, {}) == first


@given(fleets(), st.integers(1, 60))
def test_a_new_model_pushes_no_other_from_its_place(
    fleet: tuple[dict[str, Model], tuple[Shard, ...]], memory: int
) -> None:
    models, places = fleet
    first = place(models, models, places, {})
    grown = {**models, "new@1": model("new", memory)}
    second = place(grown, grown, places, first.shard_of)
    assert {name: second.shard_of.get(name) for name in first.shard_of} == first.shard_of


def test_a_model_leaves_a_shard_that_is_gone() -> None:
    models = by_id(model("m", 10))
    assert place(models, models, shards(50), {"m@1": "retired"}).shard_of == {"m@1": "s0"}


def test_shared_dependencies_count_once() -> None:
    models = by_id(model("base", 60), model("a", 20, "base@1"), model("b", 20, "base@1"))
    placement = place(["a@1", "b@1"], models, shards(100), {})
    assert placement.misfits == ()
    assert placement.loaded["s0"] == {"a@1", "b@1", "base@1"}


def test_what_fits_nowhere_is_named_with_what_it_needs() -> None:
    fleet = "shards:\n  - {name: a, vip: vip-a, memory: 1GiB}\n"
    rules = compile_workspace(workspace(fleet_yaml=fleet))
    with pytest.raises(WorkspaceError) as caught:
        make_plan(rules)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.code) == ("models.yaml", 3, "DOES_NOT_FIT")
    assert "fancy@1 needs 1224 MiB" in problem.message
    assert "left is 1024 MiB" in problem.message
    assert "fleet.yaml" in problem.remedy


def test_a_plan_has_a_vip_for_every_key_and_loads_what_it_routes() -> None:
    plan = make_plan(compile_workspace(workspace()))
    assert [(rule.key, rule.vip) for rule in plan.routes] == [
        ("Ranking|fancy|1", "vip-a"),
        ("Ranking|plain|1", "vip-b"),
    ]
    loaded = {each.vip: [model.id for model in each.models] for each in plan.assignments}
    assert loaded == {"vip-a": ["base@1", "fancy@1"], "vip-b": ["plain@1"]}
    assert plan == make_plan(compile_workspace(workspace()), plan)


def test_routes_are_sorted_by_objective_whatever_the_order_of_tables() -> None:
    rules = compile_workspace(workspace())
    (table,) = rules.tables
    earlier = replace(
        table,
        objective="Another",
        models=tuple(replace(each, routing_key=f"Another|{each.name}|1") for each in table.models),
    )
    plan = make_plan(replace(rules, tables=(table, earlier)))
    assert [rule.objective for rule in plan.routes] == ["Another", "Another", "Ranking", "Ranking"]
    assert plan.routes == make_plan(replace(rules, tables=(earlier, table))).routes


def test_models_stay_when_the_fleet_grows() -> None:
    before = make_plan(compile_workspace(workspace()))
    grown = GOOD["fleet.yaml"].replace("shards:\n", "shards:\n  - {name: _, vip: vip-0, memory: 64GiB}\n")
    grown = grown.replace("name: _", "name: a0")
    after = make_plan(compile_workspace(workspace(fleet_yaml=grown)), before)
    assert after.routes == before.routes


def test_a_model_moves_to_the_shard_that_is_told_to_hold_it_and_back() -> None:
    before = make_plan(compile_workspace(workspace()))
    told = GOOD["fleet.yaml"].replace("name: b,", "name: b, models: [fancy@1],")
    assert told != GOOD["fleet.yaml"]
    moved = make_plan(compile_workspace(workspace(fleet_yaml=told)), before)
    vips = {rule.key: rule.vip for rule in moved.routes}
    assert vips == {"Ranking|fancy|1": "vip-b", "Ranking|plain|1": "vip-b"}
    loaded = {each.vip: [model.id for model in each.models] for each in moved.assignments}
    assert loaded == {"vip-a": [], "vip-b": ["base@1", "fancy@1", "plain@1"]}


def test_what_is_told_to_be_somewhere_gets_its_room_before_what_was_there() -> None:
    models = by_id(model("large", 60), model("told", 50))
    one, other = shards(100, 100)
    fleet = (replace(one, models=("told@1",)), other)
    placement = place(models, models, fleet, {"large@1": "s0", "told@1": "s1"})
    assert placement.shard_of == {"told@1": "s0", "large@1": "s1"}


def test_a_model_that_others_need_elsewhere_stays_where_its_requests_go() -> None:
    needed = GOOD["models.yaml"].replace("base@1", "plain@1")
    told = "shards:\n"
    for name, own in {"a": "plain@1", "b": "fancy@1"}.items():
        told += f"  - {{name: {name}, vip: vip-{name}, memory: 2GiB, models: [{own}]}}\n"
    before = make_plan(compile_workspace(workspace(models_yaml=needed, fleet_yaml=told)))
    loaded = {each.vip: [model.id for model in each.models] for each in before.assignments}
    assert loaded == {"vip-a": ["plain@1"], "vip-b": ["fancy@1", "plain@1"]}
    after = make_plan(compile_workspace(workspace(models_yaml=needed)), before)
    assert after == before


def test_what_stays_loaded_takes_its_room_and_is_used_where_it_is() -> None:
    models = by_id(model("m", 60), model("n", 60))
    assert place(["n@1"], models, shards(100), {}, {"s0": {"m@1": 60}}).misfits != ()
    assert place(["m@1"], models, shards(100), {}, {"s0": {"m@1": 60}}).shard_of == {"m@1": "s0"}


def chain(length: int) -> dict[str, Model]:
    """Return models of which each depends on the next."""
    last = model(f"m{length - 1}", 1)
    return by_id(*(model(f"m{at}", 1, f"m{at + 1}@1") for at in range(length - 1)), last)


def test_a_long_chain_of_dependencies_costs_no_more_than_the_square_of_its_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at = 0
    left = ShardBins._left

    def counted(self: ShardBins, room: ShardBin, needed: tuple[str, ...]) -> int:
        nonlocal looked_at
        looked_at += len(needed)
        return left(self, room, needed)

    monkeypatch.setattr(ShardBins, "_left", counted)
    length, two = 100, shards(200, 300)
    models = chain(length)
    assert not place(list(models), models, two, {}).misfits
    assert looked_at <= (1 + len(two)) * length**2


def test_all_that_many_models_depend_on_is_found_by_looking_at_each_once() -> None:
    class Counted(UserDict[str, Model]):
        looked_up = 0

        def __getitem__(self, name: str) -> Model:
            self.looked_up += 1
            return super().__getitem__(name)

    models = Counted(chain(100))
    assert closure(models, models) == set(models)
    assert models.looked_up == 100
