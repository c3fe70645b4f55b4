"""Records become pairs in whatever order they come, and files are read on from where they were read to."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from pathlib import Path

import pytest

from controlplane.comparison.joining import MAX_OPEN, Joining
from controlplane.comparison.tails import Tails
from controlplane.lifecycle.agreement import Models
from controlplane.lifecycle.figures import Counts
from lightbulb.comparison.lines import line_of
from lightbulb.comparison.record import Record, Recorded
from tests.comparison.records import ranking, record, shadows

MODELS = Models(objective="Ranking", primary="ranker@1", candidate="ranker@2")
ONE = record(shadows=("s1", "s2", "n"))
SAME, OTHER = shadows(ONE), shadows(ONE, shadows=("s2",), model="ranker@3", answer=ranking(7, 8, 9))
NOISE = shadows(ONE, shadows=("n",), model="ranker@1")


def joined(records: Iterable[Record]) -> dict[Models, Counts]:
    joining = Joining()
    joining.take(records)
    return dict(joining.counts)


def test_both_sides_are_joined_in_whatever_order_they_come_and_once() -> None:
    for records in permutations((ONE, SAME, OTHER, NOISE, SAME)):
        found = joined(records)
        assert found[MODELS] == Counts(compared=1)
        (other,) = (each for models, each in found.items() if models.candidate == "ranker@3")
        assert (len(found), other.compared, other.disagreed) == (2, 1, 1.0)


def test_tests_replays_and_shadows_that_the_primary_doesnt_know_are_no_pairs() -> None:
    assert joined((record(traffic="test"), SAME)) == {}
    assert joined((record(shadows=("s9",)), SAME)) == {}
    assert joined((SAME, OTHER)) == {}


def test_who_waits_in_vain_is_given_up_once_too_many_do() -> None:
    joining = Joining()
    joining.take([ONE, *(record(request=f"r-{number}x") for number in range(MAX_OPEN)), SAME])
    assert joining.counts == {}
    joining.take([shadows(record(request="r-0x"))])
    assert joining.counts == {}
    joining.take([shadows(record(request=f"r-{MAX_OPEN - 1}x"))])
    assert joining.counts[MODELS].compared == 1


def test_what_is_there_is_passed_over_but_for_a_line_that_isnt_whole(tmp_path: Path) -> None:
    file = tmp_path / "h-i-000001.jsonl"
    last = line_of(record(request="3"))
    file.write_bytes(line_of(record(request="1")) + line_of(record(request="2")) + last[:9])
    (tmp_path / "g-i-000001.jsonl").touch()
    tails = Tails([tmp_path])
    tails.skip()
    assert list(tails.records()) == []
    with file.open("ab") as more:
        more.write(last[9:])
    assert [each.request for each in tails.records()] == ["3"]
    assert tails.unreadable == 0


def test_models_beyond_those_that_can_be_told_of_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.comparison.joining.MAX_MODELS", 1)
    joining = Joining()
    joining.take([ONE, SAME, OTHER, OTHER])
    assert (list(joining.counts), joining.left_out) == ([MODELS], 2)


def test_files_are_read_on_from_where_they_were_read_to(tmp_path: Path) -> None:
    def write(name: str, *records: Record, cut: int = 0) -> None:
        with (tmp_path / name).open("ab") as file:
            text = b"".join(map(line_of, records))
            file.write(text[: len(text) - cut])

    tails = Tails([tmp_path])
    write("h-i-000001.jsonl", record(request="1", at=10.0), record(request="3", at=30.0))
    write("g-i-000001.jsonl", record(request="2", at=20.0), record(request="4", at=40.0), cut=7)
    assert [each.request for each in tails.records()] == ["1", "2", "3"]
    assert list(tails.records()) == []
    with (tmp_path / "g-i-000001.jsonl").open("ab") as file:
        file.write(line_of(record(request="4", at=40.0))[-7:] + b"no record\n")
        file.write(line_of(Recorded(host="g", instance="i", records=2, dropped=0)))
    write("h-i-000002.jsonl", record(request="6", at=60.0))
    write("h-i-000001.jsonl", record(request="5", at=50.0))
    assert [each.request for each in tails.records()] == ["4", "5", "6"]
    assert tails.unreadable == 1
    (tmp_path / "h-i-000001.jsonl").unlink()
    write("h-i-000002.jsonl", record(request="7", at=70.0))
    assert [each.request for each in tails.records()] == ["7"]
