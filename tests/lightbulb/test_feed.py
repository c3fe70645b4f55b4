"""A feed serves the last thing that it could use."""

import asyncio
from dataclasses import replace

import pytest

from lightbulb.ads.stream import Update
from lightbulb.ads.values import ACTIVE_GENERATION, OBJECTIVE_TABLES, Resource
from lightbulb.codec import generation_to_bytes
from lightbulb.feed import SLICE, Feed
from lightbulb.model import ActiveGeneration, Comparison, ContextRule, ObjectiveTable, Operator
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


def generation(number: int) -> Update:
    body = generation_to_bytes(ActiveGeneration(number=number, content_hash="h"))
    return update(("active", body), type_url=ACTIVE_GENERATION)


def apply(feed: Feed, *updates: Update) -> dict[str, str]:
    async def all_of_them() -> dict[str, str]:
        rejected: dict[str, str] = {}
        for one in updates:
            rejected |= await feed.apply(one)
        return rejected

    return asyncio.run(all_of_them())


def test_a_feed_is_ready_when_a_generation_has_come() -> None:
    feed = Feed()
    assert apply(feed, tables(TABLE)) == {}
    assert not feed.ready
    assert apply(feed, generation(3)) == {}
    assert feed.ready
    assert feed.tables.generation.number == 3
    assert feed.tables.resolvers[OBJECTIVE].table == TABLE


def test_readers_keep_the_tables_that_they_took() -> None:
    feed = Feed()
    apply(feed, tables(TABLE), generation(1))
    taken = feed.tables
    apply(feed, tables(named("Other"), removed=(OBJECTIVE,)), generation(2))
    assert (list(taken.resolvers), taken.generation.number) == ([OBJECTIVE], 1)
    assert (list(feed.tables.resolvers), feed.tables.generation.number) == (["Other"], 2)


def test_an_update_leaves_the_other_tables_as_the_same_objects() -> None:
    feed = Feed()
    apply(feed, tables(TABLE, named("Other")))
    before = feed.tables.resolvers
    apply(feed, tables(replace(named("Other"), cache_lifetime=1.0)))
    after = feed.tables.resolvers
    assert after[OBJECTIVE] is before[OBJECTIVE]
    assert after["Other"].table.cache_lifetime == 1.0


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
    before = feed.tables.resolvers[OBJECTIVE]
    rejected = apply(feed, update((OBJECTIVE, body), ("Other", tables_to_bytes(named("Other")))))
    assert list(rejected) == [OBJECTIVE]
    assert reason in rejected[OBJECTIVE]
    assert feed.tables.resolvers[OBJECTIVE] is before
    assert "Other" in feed.tables.resolvers


def test_an_empty_control_plane_takes_nothing_down() -> None:
    feed = Feed()
    apply(feed, tables(TABLE), generation(1))
    rejected = apply(
        feed,
        tables(removed=(OBJECTIVE,)),
        update(type_url=ACTIVE_GENERATION, removed=("active",)),
    )
    assert set(rejected) == {OBJECTIVE, "active"}
    assert (list(feed.tables.resolvers), feed.tables.generation.number) == ([OBJECTIVE], 1)


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
        assert len(feed.tables.resolvers) == len(many)
        await asyncio.gather(slow, quick)

    asyncio.run(scenario())
