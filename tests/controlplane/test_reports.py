"""A replica's report is written when it is new, again when somebody dropped it, and not otherwise."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.replica.reports import Reports
from controlplane.rollout.registry import REPLICA_SECONDS, Consumer, Report
from controlplane.rollout.state import Policy
from controlplane.store.contract import Store, Unreachable
from controlplane.store.open import open_store

POLICY = Policy()
NOW = 1_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:{tmp_path}/store.db", "tests")
    yield opened
    opened.close()


def report(name: str, *sidecars: str, at: float = NOW) -> Report:
    consumers = tuple(Consumer(id=each, kind="sidecar") for each in sidecars)
    return Report(replica=name, heartbeat=at, version=1, consumers=consumers)


def look(reports: Reports, own: Report) -> set[str]:
    return {each.id for each in reports.merge(own, 1, POLICY)}


def test_what_is_new_is_written_once_and_others_read_it(store: Store) -> None:
    one, other = Reports(store, "one"), Reports(store, "other")
    assert look(one, report("one", "s1")) == {"s1"}
    assert not one.is_written
    one.write()
    assert one.is_written
    look(one, report("one", "s1", at=NOW + 1))
    assert one.is_written
    look(one, report("one", "s1", "s2"))
    assert not one.is_written
    one.write()
    other.read(NOW)
    assert look(other, report("other", "s3")) == {"s1", "s2", "s3"}


def test_one_that_somebody_dropped_is_written_again(store: Store) -> None:
    one, own = Reports(store, "one"), report("one", "s1")
    look(one, own)
    one.write()
    one.read(NOW)
    look(one, own)
    assert one.is_written
    store.drop_report("one")
    one.read(NOW)
    look(one, own)
    assert not one.is_written
    one.write()
    assert "one" in store.reports()


def test_of_a_store_that_lost_writes_older_reports_dont_count(store: Store) -> None:
    """Such as those of hosts that hadn't loaded yet what is routed: they would be sent no requests."""
    one, other = Reports(store, "one"), Reports(store, "other")
    look(other, report("other", "s1"))
    other.write()
    before = store.reports()
    other.merge(replace(report("other", "s1", "s2", at=NOW + 9), version=2), 2, POLICY)
    other.write()
    other.beat(NOW + 10, leading=True)
    one.read(NOW + 10)
    store.put_report("other", before["other"])  # as a Redis does that took over
    store.drop_report("other/beat")

    heard = one.read(NOW + 11, lost=True).others["other"]
    assert ([each.id for each in heard.consumers], heard.heartbeat) == (["s1", "s2"], NOW + 10)
    store.drop_report("other")
    assert one.read(NOW + 12, lost=True).others == {"other": heard}
    other.merge(replace(report("other", "s3", at=NOW + 13), version=2), 2, POLICY)
    other.write()
    assert [each.id for each in one.read(NOW + 13, lost=True).others["other"].consumers] == ["s3"]
    store.put_report("other", before["other"])
    assert one.read(NOW + 14).others["other"].version == 1


def test_what_was_read_before_it_was_written_doesnt_say_that_it_was_dropped(store: Store) -> None:
    one, own = Reports(store, "one"), report("one", "s1")
    one.read(NOW)
    look(one, own)
    one.write()
    look(one, own)
    assert one.is_written


def test_another_process_of_the_same_name_is_waited_for_to_end(store: Store) -> None:
    Reports(store, "one").beat(NOW, leading=True)
    again = Reports(store, "one")
    with pytest.raises(Unreachable, match="another control plane is called one"):
        again.begin(NOW + REPLICA_SECONDS - 1, POLICY)
    assert again.begin(NOW + REPLICA_SECONDS, POLICY) == ()
    assert again.heard.leading == {"one"}


def test_a_report_is_as_young_as_its_replicas_heartbeat(store: Store) -> None:
    one, other = Reports(store, "one"), Reports(store, "other")
    look(one, report("one", "s1"))
    one.write()
    one.beat(NOW + 50, leading=False)
    assert other.read(NOW).others["one"].heartbeat == NOW + 50
    over = NOW + 50 + POLICY.lease
    other.read(over - REPLICA_SECONDS)
    for now, left in ((over, True), (over + 1, False)):
        other.read(now)
        other.drop_ended(now, POLICY)
        assert bool(store.reports()) is left


def test_after_a_while_in_which_nothing_was_read_others_have_time_to_say_that_they_live(store: Store) -> None:
    one, other = Reports(store, "one"), Reports(store, "other")
    look(one, report("one", "s1"))
    one.write()
    one.beat(NOW, leading=True)
    other.read(NOW)

    def is_there() -> bool:
        (sidecar,) = other.merge(report("other"), 1, POLICY)
        return not sidecar.disconnected

    woken = NOW + 2 * POLICY.lease
    other.read(woken)  # both stood still, or the store did
    assert is_there()
    other.drop_ended(woken, POLICY)
    assert "one" in store.reports()
    other.read(woken + REPLICA_SECONDS - 1)
    assert is_there()
    other.read(woken + REPLICA_SECONDS)
    assert other.merge(report("other"), 1, POLICY) == ()


def test_readers_see_whole_values_while_threads_read_and_write(store: Store) -> None:
    one, other = Reports(store, "one"), Reports(store, "other")
    failed: list[str] = []
    done = threading.Event()

    def write() -> None:
        try:
            for number in range(60):
                look(one, report("one", *(f"s{each}" for each in range(number))))
                one.write()
                one.beat(NOW + number, leading=bool(number % 2))
        finally:
            done.set()

    def read() -> None:
        while not done.is_set():
            heard = other.read(NOW)
            if heard.parsed.keys() != heard.bodies.keys() or not heard.others.keys() <= heard.parsed.keys():
                failed.append("a half")

    threads = [threading.Thread(target=each) for each in (write, read, read)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    other.read(NOW)
    assert not failed
    assert look(other, report("other")) == {f"s{each}" for each in range(59)}
