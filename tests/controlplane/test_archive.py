"""Generations are decoded once, share what is equal, and nothing of them is kept that isn't needed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.model import Plan
from controlplane.replica.archive import Archive
from controlplane.rollout.codec import plan_to_bytes
from controlplane.store.contract import Change, LogEntry, Store
from controlplane.store.open import open_store
from lightbulb.resolution.codec import table_to_bytes
from tests.lightbulb.tables import TABLE
from tests.rollout.rollouts import plan

COUNT = 5


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Store]:
    """A store with generations, of which each has a table and a shard of its own, and one that all have."""
    store = open_store(f"sqlite:{tmp_path}/store.db", "tests")
    for number in range(1, COUNT + 1):
        content_hash = store.put_blob(content(number))
        entry = LogEntry(
            number=number,
            content_hash=content_hash,
            source_hash=str(number),
            author="",
            message="",
            source_revision="",
            published_at=0.0,
        )
        store.commit(Change(expected=number - 1, body=b"head", entry=entry))
    yield store
    store.close()


def content(number: int) -> bytes:
    own, shared = plan(number, "own"), plan(0, "shared")
    tables = (replace(TABLE, objective="own", cache_lifetime=float(number)), TABLE)
    return plan_to_bytes(
        Plan(tables=tables, routes=own.routes, assignments=own.assignments + shared.assignments), ""
    )


def test_equal_tables_and_shards_of_two_generations_are_the_same_objects(filled: Store) -> None:
    one, other = Archive(filled).keep([1, 2]).values()
    own, shared = zip(one.plan.tables, other.plan.tables, strict=True)
    assert own[0] != own[1]
    assert shared[0] is shared[1]
    own_shards, shared_shards = zip(one.plan.assignments, other.plan.assignments, strict=True)
    assert own_shards[0] != own_shards[1]
    assert shared_shards[0] is shared_shards[1]


def test_equal_routes_are_the_same_objects_and_one_that_leads_elsewhere_is_another(filled: Store) -> None:
    archive = Archive(filled)
    one, other = archive.keep([1, 2]).values()
    routes = {each.number: {rule.key: rule for rule in each.plan.routes} for each in (one, other)}
    assert routes[1]["o|same|1"] is routes[2]["o|same|1"]
    moved = replace(one.plan, routes=(replace(routes[1]["o|same|1"], vip="elsewhere"),))
    content_hash = filled.put_blob(plan_to_bytes(moved, ""))
    archive.prepare(content_hash)
    assert archive._contents[content_hash].plan.routes == moved.routes


def test_how_large_each_table_is_is_known(filled: Store) -> None:
    (kept,) = Archive(filled).keep([1]).values()
    assert list(kept.table_bytes) == [len(table_to_bytes(table)) for table in kept.plan.tables]


def test_what_is_kept_is_read_once_and_what_was_prepared_isnt_read_again(filled: Store) -> None:
    archive = Archive(filled)
    kept = archive.keep([1])
    assert archive.keep([1]) is kept
    assert archive.read(1) is kept[1]
    content_hash = filled.entry(2).content_hash
    archive.prepare(content_hash)
    prepared = archive._contents[content_hash].plan
    assert archive.keep([1, 2])[2].plan is prepared


def test_what_was_only_looked_at_or_prepared_in_vain_is_forgotten(filled: Store) -> None:
    archive = Archive(filled)
    archive.keep([1])
    for number in range(2, COUNT + 1):
        assert archive.read(number).plan.tables[0].cache_lifetime == number
        assert (len(archive._tables), len(archive._shards)) == (2, 2)
    for number in range(2, COUNT + 1):
        archive.prepare(filled.entry(number).content_hash)
        assert (len(archive._tables), len(archive._shards)) == (3, 3)
    archive.keep([2])
    assert (len(archive._tables), len(archive._shards)) == (2, 2)
