"""A feed serves the last thing that it could use."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightbulb.ads.client.subscriber import Update
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    OBJECTIVE_CONTROL,
    OBJECTIVE_TABLES,
    SIDECAR_STATE,
    Resource,
    active_name,
)
from lightbulb.errors import Unavailable
from lightbulb.model import (
    NO_GENERATION,
    ActiveGeneration,
    Comparison,
    ContextRule,
    HeldBack,
    ObjectiveControl,
    ObjectiveTable,
    ObjectiveTables,
    Operator,
    OperatorShift,
    RequestContext,
    SidecarState,
    TableSince,
)
from lightbulb.resolution.codec import (
    control_to_bytes,
    generation_to_bytes,
    objective_tables_to_bytes,
    sidecar_state_to_bytes,
    table_to_bytes,
)
from lightbulb.resolution.resolve import Resolver
from lightbulb.tables.feed import SLICE, Feed
from lightbulb.tables.values import EMPTY_TABLES, IN_STEP
from tests.lightbulb.tables import OBJECTIVE, TABLE, source, tables_to_bytes, target


def named(objective: str) -> ObjectiveTable:
    return replace(TABLE, objective=objective)


def tables(*tables: ObjectiveTable, removed: tuple[str, ...] = ()) -> Update:
    return update(*((t.objective, tables_to_bytes(t)) for t in tables), removed=removed)


def update(
    *bodies: tuple[str, bytes], type_url: str = OBJECTIVE_TABLES, removed: tuple[str, ...] = ()
) -> Update:
    added = tuple(Resource(name=name, version="v", body=body) for name, body in bodies)
    return Update(type_url=type_url, added=added, removed=removed)


def generation(number: int, **rest) -> Update:
    body = generation_to_bytes(ActiveGeneration(number=number, content_hash="h", **rest))
    return update(("active", body), type_url=ACTIVE_GENERATION)


def sidecars(removed: tuple[str, ...] = (), **states: int) -> Update:
    bodies = ((name, sidecar_state_to_bytes(SidecarState(generation=at))) for name, at in states.items())
    return update(*bodies, type_url=SIDECAR_STATE, removed=removed)


def states(of: dict[str, SidecarState]) -> Update:
    bodies = ((name, sidecar_state_to_bytes(state)) for name, state in of.items())
    return update(*bodies, type_url=SIDECAR_STATE)


def of_two(table: ObjectiveTable) -> Update:
    """Bring one table of the tenant `two`."""
    entry = TableSince(since=0, table=replace(table, objective="Other"))
    body = objective_tables_to_bytes(ObjectiveTables(objective="Other", tables=(entry,), tenant="two"))
    return update(("Other", body))


def second(number: int, fence: int) -> Update:
    """Make a generation of the tenant `two` active."""
    active = ActiveGeneration(number=number, content_hash="h", fence=fence, tenant="two")
    return update((active_name("two"), generation_to_bytes(active)), type_url=ACTIVE_GENERATION)


def resolver(feed: Feed, objective: str = OBJECTIVE) -> Resolver:
    active = feed.tables.generation_for("", feed.tables.tenant_of(objective))
    found = feed.tables.resolver(objective, active)
    assert found is not None
    return found


def apply(feed: Feed, *updates: Update) -> dict[str, str]:
    async def all_of_them() -> dict[str, str]:
        rejected: dict[str, str] = {}
        for one in updates:
            rejected |= await feed.apply(one)
        return rejected

    return asyncio.run(all_of_them())


def test_a_feed_is_ready_when_a_generation_has_come() -> None:
    feed = Feed()
    assert apply(feed, tables(TABLE), sidecars(a=0)) == {}
    assert not feed.ready
    assert feed.tables is EMPTY_TABLES
    assert apply(feed, generation(3)) == {}
    assert feed.ready
    assert feed.tables.generation.number == 3
    assert resolver(feed).table == TABLE
    assert feed.tables.sidecars == {"a": IN_STEP}


def test_readers_keep_the_tables_that_they_took() -> None:
    feed = Feed()
    apply(feed, tables(TABLE), generation(1))
    taken = feed.tables
    apply(feed, tables(named("Other"), removed=(OBJECTIVE,)), generation(2))
    assert (list(taken.objectives), taken.generation.number) == ([OBJECTIVE], 1)
    assert (list(feed.tables.objectives), feed.tables.generation.number) == (["Other"], 2)


def test_an_update_leaves_the_other_tables_as_the_same_objects() -> None:
    feed = Feed()
    apply(feed, tables(TABLE, named("Other")), generation(1))
    before = feed.tables.objectives
    apply(feed, tables(replace(named("Other"), cache_lifetime=1.0)))
    assert feed.tables.objectives[OBJECTIVE] is before[OBJECTIVE]
    assert resolver(feed, "Other").table.cache_lifetime == 1.0


INCOMPARABLE = ContextRule(
    source=source("r"),
    when=Comparison(attribute="version", operator=Operator.SEMVER_GE, values=("one",)),
    model=0,
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff", "not a lightbulb.v1.ObjectiveTables"),
        (tables_to_bytes(replace(TABLE, default_model=99)), "refers to models [99]"),
        (tables_to_bytes(named("Another")), "holds the tables of 'Another'"),
        (
            tables_to_bytes(replace(TABLE, models=(target("m", timeout=1),) * len(TABLE.models))),
            "parameters timeout",
        ),
        (tables_to_bytes(replace(TABLE, context_rules=(INCOMPARABLE,))), "one"),
    ],
    ids=["no table", "dangling index", "another's name", "reserved parameter", "incomparable"],
)
def test_a_table_that_cant_be_used_is_refused_by_name_and_its_neighbours_are_taken(
    body: bytes, reason: str
) -> None:
    feed = Feed()
    apply(feed, tables(TABLE), generation(1))
    before = resolver(feed)
    rejected = apply(feed, update((OBJECTIVE, body), ("Other", tables_to_bytes(named("Other")))))
    assert list(rejected) == [OBJECTIVE]
    assert reason in rejected[OBJECTIVE]
    assert resolver(feed) is before
    assert "Other" in feed.tables.objectives


def test_an_empty_control_plane_takes_nothing_down() -> None:
    feed = Feed()
    apply(feed, tables(TABLE), generation(1))
    rejected = apply(
        feed,
        tables(removed=(OBJECTIVE,)),
        update(type_url=ACTIVE_GENERATION, removed=("active",)),
    )
    assert set(rejected) == {OBJECTIVE, "active"}
    assert (list(feed.tables.objectives), feed.tables.generation.number) == ([OBJECTIVE], 1)


@pytest.mark.parametrize("body", [b"\xff", b""], ids=["garbage", "number 0"])
def test_a_generation_that_is_none_is_refused(body: bytes) -> None:
    feed = Feed()
    assert list(apply(feed, update(("active", body), type_url=ACTIVE_GENERATION))) == ["active"]
    assert not feed.ready


def test_a_generation_waits_for_the_tables_that_came_before_it() -> None:
    async def scenario() -> None:
        feed = Feed()
        many = tuple(named(f"o{number}") for number in range(3 * SLICE))
        slow = asyncio.create_task(feed.apply(tables(*many)))
        await asyncio.sleep(0)
        quick = asyncio.create_task(feed.apply(generation(1)))
        await feed.wait_ready()
        assert len(feed.tables.objectives) == len(many)
        await asyncio.gather(slow, quick)

    asyncio.run(scenario())


def test_a_sidecar_is_answered_from_what_it_routes() -> None:
    feed = Feed()
    apply(feed, tables(TABLE), sidecars(fresh=0, behind=6, cold=NO_GENERATION), generation(7, oldest=4))
    answers = {name: feed.tables.generation_for(name) for name in ("", "fresh", "behind", "stranger")}
    assert answers == {"": 7, "fresh": 7, "behind": 6, "stranger": 4}
    with pytest.raises(Unavailable, match="'cold'"):
        feed.tables.generation_for("cold")
    assert list(apply(feed, update(("behind", b"\xff"), type_url=SIDECAR_STATE))) == ["behind"]
    assert feed.tables.generation_for("behind") == 6
    apply(feed, sidecars(removed=("behind",), cold=0))
    assert (feed.tables.generation_for("behind"), feed.tables.generation_for("cold")) == (4, 7)


STALE = generation(8, fence=3, store="ours")
FOREIGN = generation(9, fence=9, store="theirs")


@pytest.mark.parametrize(
    ("intruder", "reasons"),
    [
        (STALE, ("generation 8 at fence 3 is behind", "9 at fence 5", "delete the state folder")),
        (FOREIGN, ("of store 'theirs'", "'ours'", "if the store was recreated on purpose, delete the state")),
    ],
    ids=["a control plane that is behind", "another store's"],
)
def test_who_is_behind_or_another_takes_nobody_back(intruder: Update, reasons: tuple[str, ...]) -> None:
    feed = Feed()
    apply(feed, tables(TABLE), sidecars(a=8), generation(9, fence=5, store="ours"))
    before = feed.tables
    feed.open_stream()
    rejected = apply(
        feed, tables(named("Theirs"), removed=(OBJECTIVE,)), sidecars(removed=("a",), b=0), intruder
    )
    assert list(rejected) == ["active"]
    assert all(reason in rejected["active"] for reason in reasons)
    assert feed.tables is before
    assert not feed.settled

    # caught up, or on to another one that isn't: only what differs from the intruder's is sent
    apply(feed, tables(TABLE, removed=("Theirs",)), generation(9, fence=5, store="ours"))
    assert (list(feed.tables.objectives), dict(feed.tables.sidecars)) == ([OBJECTIVE], {"b": IN_STEP})
    assert feed.settled


def test_a_rollback_is_a_higher_fence_with_a_lower_number() -> None:
    feed = Feed()
    apply(feed, tables(TABLE), generation(9, fence=5, store="ours"))
    assert apply(feed, generation(7, fence=6, store="ours")) == {}
    assert feed.tables.generation.number == 7


def test_what_a_stream_brings_serves_once_its_generation_is_accepted_and_at_once_from_then_on() -> None:
    feed = Feed()
    apply(feed, tables(TABLE), generation(1, fence=1))
    feed.open_stream()
    apply(feed, tables(named("Other")))
    assert list(feed.tables.objectives) == [OBJECTIVE]
    apply(feed, generation(1, fence=1))
    assert list(feed.tables.objectives) == [OBJECTIVE, "Other"]
    apply(feed, tables(removed=("Other",)))
    assert list(feed.tables.objectives) == [OBJECTIVE]


def test_a_tenant_whose_generation_has_not_come_on_a_new_stream_is_answered_as_before() -> None:
    """As after a store lost commits: each tenant's comes once all that it needs is loaded again."""
    feed, lost = Feed(), replace(TABLE, cache_lifetime=7.0)
    routed = {"a": SidecarState(generation=0), "b": SidecarState(generation=8, others={"two": 6})}
    apply(feed, tables(lost), of_two(lost), states(routed), generation(9, fence=5), second(7, fence=5))
    before = feed.tables
    feed.open_stream()
    apply(feed, tables(TABLE, named("New")), of_two(TABLE))
    apply(feed, states({"a": SidecarState(generation=0, others={"two": 4}), "b": SidecarState(generation=3)}))
    assert feed.tables is before
    apply(feed, second(4, fence=9))
    found = feed.tables
    assert sorted(found.objectives) == [OBJECTIVE, "Other"]
    assert (resolver(feed).table, resolver(feed, "Other").table.cache_lifetime) == (
        lost,
        TABLE.cache_lifetime,
    )
    assert [found.generation_for(each) for each in ("", "a", "b")] == [9, 9, 8]
    assert [found.generation_for(each, "two") for each in ("", "a", "b")] == [4, 4, 4]
    assert not feed.settled
    apply(feed, generation(3, fence=9))
    assert (resolver(feed).table, "New" in feed.tables.objectives, feed.settled) == (TABLE, True, True)
    assert feed.tables.generation_for("b") == 3


def test_a_tenant_that_is_no_more_on_a_new_stream_is_not_waited_for() -> None:
    feed = Feed()
    apply(feed, tables(TABLE), of_two(TABLE), generation(9, fence=5), second(7, fence=5))
    feed.open_stream()
    apply(feed, tables(removed=("Other",)), generation(9, fence=5))
    assert list(feed.tables.objectives) == [OBJECTIVE]
    assert feed.settled


def test_an_update_that_another_stream_overtakes_counts_as_its_own_streams() -> None:
    async def scenario() -> None:
        feed = Feed()
        slow = asyncio.create_task(feed.apply(tables(*(named(f"o{number}") for number in range(3 * SLICE)))))
        last = asyncio.create_task(feed.apply(generation(1)))
        await asyncio.sleep(0)
        feed.open_stream()
        await asyncio.gather(slow, last)
        assert len(feed.tables.objectives) == 3 * SLICE
        await feed.apply(tables(TABLE))
        assert OBJECTIVE not in feed.tables.objectives

    asyncio.run(scenario())


# Values that Python takes for equal, among others: a change of type is a change.
VARIANTS = tuple(
    replace(TABLE, models=(target("m", limit=value), *TABLE.models[1:])) for value in (1, 1.0, True, 2)
)
World = dict[str, int]
"""Objective -> index of its variant; an objective that isn't there is not in the generation."""


def made(world: World, objective: str) -> ObjectiveTable | None:
    return replace(VARIANTS[world[objective]], objective=objective) if objective in world else None


def shown(live: dict[int, World]) -> dict[str, bytes]:
    """Return objective -> resource, as a control plane that holds these generations has it."""
    result = {}
    for objective in sorted({name for world in live.values() for name in world}):
        entries: list[TableSince] = []
        for position, number in enumerate(sorted(live)):
            table = made(live[number], objective)
            if not entries or not same(entries[-1].table, table):
                entries.append(TableSince(since=number if position else 0, table=table))
        result[objective] = objective_tables_to_bytes(
            ObjectiveTables(objective=objective, tables=tuple(entries))
        )
    return result


def same(one: ObjectiveTable | None, other: ObjectiveTable | None) -> bool:
    return (one and table_to_bytes(one)) == (other and table_to_bytes(other))


def difference(before: dict[str, bytes], after: dict[str, bytes]) -> Update:
    changed = ((name, body) for name, body in after.items() if before.get(name) != body)
    return update(*changed, removed=tuple(name for name in before if name not in after))


worlds = st.dictionaries(st.sampled_from("abc"), st.integers(0, len(VARIANTS) - 1), min_size=1)
moves = st.one_of(worlds, st.sampled_from(("retire", "roll back", "reconnect")))


@settings(deadline=None)
@given(st.lists(moves, max_size=12), st.integers(0, 9))
def test_every_live_generation_is_answered_from_its_own_tables(past: list[World | str], user: int) -> None:
    """Whatever was published, retired and rolled back; and what didn't change is the same object."""
    feed, live, number, fence = Feed(), {1: {"a": 0}}, 1, 1
    resources = shown(live)
    apply(feed, difference({}, resources), generation(1, fence=1))
    for move in past:
        kept = {(o, g): feed.tables.resolver(o, g) for o in resources for g in live}
        if isinstance(move, dict):
            number, fence = max(live) + 1, fence + 1
            live[number] = move
        elif move == "retire" and min(live) != number:
            del live[min(live)]
        elif move == "roll back":
            number, fence = min(live), fence + 1
        else:
            feed.open_stream()
        before, resources = resources, shown(live)
        rejected = apply(feed, difference(before, resources), generation(number, fence=fence))
        assert rejected == {}
        assert feed.tables.generation.number == number
        check_answers(feed, live, RequestContext(user_id=f"u{user}", country="US"))
        assert all(
            feed.tables.resolver(objective, each) is resolver
            for (objective, each), resolver in kept.items()
            if each in live
        )


def check_answers(feed: Feed, live: dict[int, World], context: RequestContext) -> None:
    for number, world in live.items():
        for objective in "abc":
            table, resolver = made(world, objective), feed.tables.resolver(objective, number)
            assert same(table, resolver and resolver.table)
            if table is not None:
                expected, answer = Resolver(table).resolve(context), resolver.resolve(context)
                assert (answer.target, answer.allocations) == (expected.target, expected.allocations)


SHIFT = OperatorShift(number=7, key=TABLE.models[3].routing_key, basis_points=10_000, salt="s")
HELD_BACK = HeldBack(rejected=2, answer_from=1)
ANYBODY = RequestContext(user_id="anybody")


def controls(*decided: ObjectiveControl, removed: tuple[str, ...] = ()) -> Update:
    bodies = ((each.objective, control_to_bytes(each)) for each in decided)
    return update(*bodies, type_url=OBJECTIVE_CONTROL, removed=removed)


def decided(version: int, **what) -> ObjectiveControl:
    return ObjectiveControl(objective=OBJECTIVE, version=version, **what)


def model(feed: Feed, objective: str = OBJECTIVE) -> str:
    return resolver(feed, objective).resolve(ANYBODY).target.name


@pytest.mark.parametrize("first", [True, False])
def test_an_operators_shift_is_obeyed_whether_it_comes_before_or_after_the_tables(first: bool) -> None:
    feed = Feed()
    brought = [tables(TABLE, named("Other")), controls(decided(7, shift=SHIFT))]
    apply(feed, *(reversed(brought) if first else brought), generation(1))
    others = feed.tables.objectives["Other"]
    assert model(feed) == "kids"
    same = resolver(feed)
    apply(feed, tables(replace(TABLE, cache_lifetime=1.0)), tables(TABLE))
    assert model(feed) == "kids"
    (refused,) = apply(feed, controls(decided(6))).values()
    assert refused.startswith("it is of version 6, behind version 7, which is obeyed here")
    assert apply(feed, controls(replace(decided(8), objective="Other"))) == {}
    bad = update(
        (OBJECTIVE, control_to_bytes(replace(decided(9), objective="X"))), type_url=OBJECTIVE_CONTROL
    )
    assert apply(feed, bad) == {OBJECTIVE: "holds what was decided about 'X'"}
    apply(feed, controls(removed=(OBJECTIVE,)))
    assert model(feed) != "kids"
    assert resolver(feed) is not same
    assert feed.tables.objectives["Other"] is not None
    assert feed.tables.objectives["Other"].resolvers == others.resolvers


def test_what_is_held_back_is_answered_from_before_wherever_its_table_stands() -> None:
    older = replace(TABLE, shifts=())
    newer = replace(older, default_model=3)
    entries = (
        TableSince(since=0, table=older),
        TableSince(since=2, table=newer),
        TableSince(since=4, table=older),
        TableSince(since=5, table=newer),
    )
    body = objective_tables_to_bytes(ObjectiveTables(objective=OBJECTIVE, tables=entries))
    feed = Feed()
    apply(feed, update((OBJECTIVE, body)), generation(5))
    assert model(feed) == "kids"
    assert feed.tables.held_back(OBJECTIVE, 5) is None
    apply(feed, controls(decided(9, held_back=HELD_BACK)))
    for number in range(1, 7):
        found = feed.tables.resolver(OBJECTIVE, number)
        assert found is not None
        assert found.table == older
    told = [feed.tables.held_back(OBJECTIVE, number) for number in range(1, 7)]
    assert told == [None, HELD_BACK, HELD_BACK, None, HELD_BACK, HELD_BACK]
    apply(feed, controls(removed=(OBJECTIVE,)))
    assert model(feed) == "kids"
