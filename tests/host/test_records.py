"""What a host records of requests that have a shadow, and that nothing of it is the request's business."""

from __future__ import annotations

import asyncio
import json
import resource
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest

from lightbulb.comparison.answers import BytesAnswer, RankingAnswer, ScoreAnswer
from lightbulb.comparison.lines import line_of, read_line
from lightbulb.comparison.record import Record, Recorded, Side
from lightbulb.host.app import Records
from lightbulb.host.comparable import Ranking, Score, read_answer
from lightbulb.host.record_files import RecordFiles
from lightbulb.host.record_sink import RecordSink
from lightbulb.host.recorder import Seen
from lightbulb.host.repository import Entry, State
from lightbulb.host.traffic import Call
from lightbulb.host.workflow import Supplies
from tests.comparison.records import record
from tests.host.hosts import infer, running
from tests.host.workflows import Echo, assign, fails_to_answer, gate
from tests.waiting import until

KEY = b"k" * 32


class Ranked(Echo):
    comparable = Ranking(ids="numbers", k=3)


class Misdeclared(Echo):
    comparable = Ranking(ids="titles")


MODELS = {
    "ranked@1": Ranked,
    "ranked@2": Ranked,
    "plain@1": Echo,
    "faulty@1": fails_to_answer(ZeroDivisionError()),
    "misdeclared@1": Misdeclared,
}


def written(folder: Path) -> list[Record | Recorded]:
    return [read_line(line) for path in sorted(folder.iterdir()) for line in path.read_bytes().splitlines()]


def headers(**more: str) -> tuple[tuple[str, str], ...]:
    given = {"x-request-id": "r-1", "x-routing-key": "Ranking|ranked|1", **more}
    return tuple((name.replace("_", "-"), value) for name, value in given.items())


def test_both_sides_are_recorded_and_what_has_no_shadow_is_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(MODELS, records=Records(place=tmp_path, key=KEY)) as it:
            failed = await it.assign(*map(assign, MODELS))
            assert failed == {
                "misdeclared@1": "BadOutput: comparable names output titles; this model gives numbers"
            }
            call = it.stub.ModelInfer
            await call(infer("ranked@1", 5, 4, 3, 2), metadata=headers())
            await call(infer("ranked@1", 5, 4, 3, 2), metadata=headers(x_lightbulb_compare="s1,s2"))
            copy = headers(x_shadow="s1", x_lightbulb_model="ranked@2")
            await call(infer("ranked@1", 5, 4, 3, 2), metadata=copy)
            test = headers(x_lightbulb_compare="s1", x_lightbulb_traffic="test")
            await call(infer("plain@1", 1, user=""), metadata=test)
            with pytest.raises(grpc.aio.AioRpcError):
                await call(infer("faulty@1", 1), metadata=headers(x_lightbulb_compare="s1"))
            with pytest.raises(grpc.aio.AioRpcError):
                await call(infer("gone@1", 1), metadata=headers(x_lightbulb_compare="s1"))
            await call(infer("ranked@1", 1), metadata=headers(x_request_id='"', x_lightbulb_compare="s1"))

    asyncio.run(scenario())
    *records, told = written(tmp_path)
    primary, shadow, test, faulty, gone = records
    answer = RankingAnswer(ids=(5, 4, 3), length=4)
    assert isinstance(primary, Record)
    assert (primary.shadows, primary.side, primary.request) == (("s1", "s2"), Side.PRIMARY, "r-1")
    assert (primary.model, primary.objective, primary.answer) == ("ranked@1", "Ranking", answer)
    assert (shadow.shadows, shadow.side, shadow.traffic) == (("s1",), Side.SHADOW, "shadow")
    assert (shadow.model, shadow.answer, shadow.user) == ("ranked@2", answer, primary.user)
    assert (test.traffic, test.user, type(test.answer)) == ("test", "", BytesAnswer)
    assert (faulty.status, faulty.answer, faulty.model) == ("INTERNAL", None, "faulty@1")
    assert (gone.status, gone.model) == ("ABORTED", "gone@1")
    assert (told.records, told.dropped) == (5, 0)


def test_a_users_id_is_nowhere_and_its_hash_is_by_the_key(tmp_path: Path) -> None:
    async def scenario(folder: Path, key: bytes) -> None:
        async with running(MODELS, records=Records(place=folder, key=key)) as it:
            await it.assign(assign("ranked@1"))
            request = infer("ranked@1", 5, user="somebody@example.com")
            await it.stub.ModelInfer(request, metadata=headers(x_lightbulb_compare="s1"))

    users = []
    for name, key in (("a", KEY), ("b", KEY), ("c", b"o" * 32)):
        asyncio.run(scenario(tmp_path / name, key))
        (path,) = (tmp_path / name).iterdir()
        assert b"somebody" not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        first = written(tmp_path / name)[0]
        assert isinstance(first, Record)
        users.append(first.user)
    assert users[0] == users[1] != users[2]


@pytest.mark.parametrize(
    ("comparable", "outputs", "answer"),
    [
        (
            Ranking(ids="i", scores="s", k=2),
            {"i": np.array([7, 8, 9]), "s": np.array([0.5, 0.25, 0.0], dtype=np.float32)},
            RankingAnswer(ids=(7, 8), scores=(0.5, 0.25), length=3),
        ),
        (
            Ranking(ids="i"),
            {"i": np.array([b"a", "é".encode(), b"\xff"], dtype=object)},
            RankingAnswer(ids=("a", "é", "\ufffd"), length=3),
        ),
        (
            Ranking(ids="i", scores="s"),
            {"i": np.array([7, 8]), "s": np.array([1.0])},
            RankingAnswer(ids=(7, 8), length=2),
        ),
        (
            Score(output="p", tolerance=0.1),
            {"p": np.array([[0.5], [0.25]])},
            ScoreAnswer(scores=(0.5, 0.25), length=2, tolerance=0.1),
        ),
    ],
)
def test_an_answer_is_read_as_it_is_declared(comparable, outputs, answer) -> None:
    assert read_answer(comparable, outputs) == answer


def test_answers_without_a_meaning_differ_by_any_byte_shape_or_name() -> None:
    one = {"a": np.array([1, 2]), "b": np.array([b"x", b"yz"], dtype=object)}
    others = (
        {**one, "a": np.array([1, 3])},
        {**one, "a": np.array([[1, 2]])},
        {**one, "a": np.array([1, 2], dtype=np.int32)},
        {**one, "b": np.array([b"xy", b"z"], dtype=object)},
        {"c": one["a"], "b": one["b"]},
    )
    digests = {read_answer(None, each).digest for each in (one, *others)}
    assert len(digests) == 6
    assert read_answer(None, one) == read_answer(None, dict(reversed(one.items())))


def test_an_answer_that_cannot_be_read_fails_nobody() -> None:
    workflow = Ranked(Supplies(facts={}, models={}))
    entry = Entry(assignment=assign("ranked@1"), state=State.READY, workflow=workflow)
    seen = Seen(call=Call(), user="", model="ranked@1")
    seen.take(entry, {"numbers": np.array([{}], dtype=object)})
    assert seen.answer is None
    assert "AttributeError" in seen.fault


def files(folder: Path, **bounds: int) -> RecordFiles:
    return RecordFiles(folder, host="host/1", instance="i", **bounds)


def test_files_are_bounded_together_and_the_oldest_go_first(tmp_path: Path) -> None:
    kept = files(tmp_path, file_bytes=1_000, total_bytes=3_500)
    for number in range(40):
        assert kept.write([b"%03d" % number + b"." * 196 + b"\n"])
    kept.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert sum(sizes) <= 3_500
    assert max(sizes) == 1_000
    assert max(path.name for path in tmp_path.iterdir()) == "host_1-i-000008.jsonl"
    assert b"039" in (tmp_path / "host_1-i-000008.jsonl").read_bytes()


def test_a_full_disk_drops_records_that_are_counted_and_what_comes_later_is_kept(tmp_path: Path) -> None:
    full = tmp_path / "host_1-i-000001.jsonl"
    full.symlink_to("/dev/full")
    sink = RecordSink(files(tmp_path), host="h", instance="i")
    sink.put(record())
    until("the record is dropped", lambda: sink.dropped == 1)
    full.unlink()
    sink.put(record(request="r-2"))
    until("the next one is written", lambda: sink.records == 1)
    sink.close()
    one, told = written(tmp_path)
    assert (one.request, told.records, told.dropped) == ("r-2", 1, 1)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_line_is_half_there(tmp_path: Path) -> None:
    kept = files(tmp_path)
    line = line_of(record())
    with files_of_at_most(len(line) * 3 // 2):
        assert kept.write([line])
        assert not kept.write([line])
    assert kept.write([line])
    kept.close()
    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == line * 2


def test_a_writer_that_stands_still_holds_up_nobody() -> None:
    with gate() as held:

        class Slow:
            def write(self, lines: Sequence[bytes]) -> bool:
                held.wait()
                return True

            def close(self) -> None:
                """Nothing to let go of."""

        sink = RecordSink(Slow(), host="h", instance="i", waiting=10)
        sink.put(record())
        until("the writer has the first", lambda: held.reached == 1)
        for _ in range(25):
            sink.put(record())
        assert sink.dropped == 15
        held.open()
        until("the writer has all that waited", lambda: sink.records >= 11)
        sink.close()


def test_what_is_written_is_json_that_others_can_read(tmp_path: Path) -> None:
    kept = files(tmp_path)
    kept.write([line_of(record())])
    kept.close()
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text())["answer"] == {"ids": [1, 2, 3], "length": 3}
