"""`lightbulb shadow tell`: what hosts record is compared, and a guard of agreement judges by it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from controlplane.cli.record_stream import StreamTail
from controlplane.lifecycle.agreement import Models
from lightbulb.comparison.lines import line_of
from lightbulb.host.record_stream import RecordStream
from tests.cli import commands
from tests.comparison.records import ranking, record, shadows
from tests.controlplane.planes import Plane, plane, run
from tests.store.redis_server import RedisServer
from tests.waiting import SECONDS, eventually

MODELS = Models(objective="Ranking", primary="ranker@1", candidate="ranker@2")


def lines(count: int, *, begin: int = 0) -> list[bytes]:
    """Both sides of so many requests, of which every fourth has another answer."""
    found = []
    for number in range(begin, begin + count):
        one = record(request=f"r-{number}")
        answer = ranking(7, 8, 9) if number % 4 == 0 else one.answer
        found += [line_of(one), line_of(shadows(one, answer=answer))]
    return found


def pairs(it: Plane) -> tuple[int, float]:
    found = it.replica.figures.told(0.0).compared.get("records")
    counts = None if found is None else found.counts.get(MODELS)
    return (0, 0.0) if counts is None else (counts.compared, counts.disagreed)


def with_plane(tmp_path: Path, scenario: Callable[[Plane], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with plane(f"sqlite:{tmp_path}/store.db") as it:
            await scenario(it)

    run(whole)


async def told(it: Plane, *arguments: str) -> Result:
    return await asyncio.to_thread(commands.run, "shadow", "tell", *arguments, "--control-plane", it.target)


@pytest.fixture(params=["files", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give where the records of 20 requests are, and a line that is none."""
    records = [*lines(20), b"no record\n"]
    if request.param == "files":
        (tmp_path / "h-i-000001.jsonl").write_bytes(b"".join(records))
        yield str(tmp_path)
        return
    with RedisServer(tmp_path) as server:
        stream = RecordStream(server.url)
        assert stream.write(records)
        stream.close()
        yield server.url


def test_all_that_there_is_is_compared_and_told_and_once_more_changes_nothing(
    tmp_path: Path, place: str
) -> None:
    async def scenario(it: Plane) -> None:
        for _ in range(2):
            answer = await told(it, place)
            assert answer.exit_code == 0, answer.output
            assert "Ranking: ranker@2 agrees with ranker@1 to 75.0 %, by 20 pairs" in answer.output
            assert "passed over 1 lines that are no records" in answer.output
            assert pairs(it) == (20, 5.0)

    with_plane(tmp_path, scenario)


def test_nothing_to_tell_of_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()

    async def scenario(it: Plane) -> None:
        empty = await told(it, str(tmp_path / "records"))
        assert (empty.exit_code, "no request of a user in" in empty.output) == (1, True)
        nowhere = await told(it, str(tmp_path / "nowhere"))
        assert (nowhere.exit_code, "can't read records" in nowhere.output) == (1, True)
        test = record(traffic="test")
        (tmp_path / "h-i-000001.jsonl").write_bytes(line_of(test) + line_of(shadows(test)))
        tests = await told(it, str(tmp_path))
        assert (tests.exit_code, "both sides: 1 are tests and replays" in tests.output) == (1, True)
        assert pairs(it) == (0, 0.0)

    with_plane(tmp_path, scenario)


def test_of_a_stream_what_is_there_is_passed_over(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        stream, tail, early = RecordStream(server.url), StreamTail(server.url), StreamTail(server.url)
        early.skip()  # nothing is there
        stream.write(lines(1))
        tail.skip()
        stream.write(lines(1, begin=1))
        stream.close()
        assert [each.request for each in tail.records()] == ["r-1"] * 2
        assert [each.request for each in early.records()] == ["r-0"] * 2 + ["r-1"] * 2


def test_who_follows_tells_what_is_added_until_it_is_ended(tmp_path: Path) -> None:
    place = tmp_path / "records"
    place.mkdir()
    file = place / "h-i-000001.jsonl"
    file.write_bytes(b"".join(lines(20)))

    async def scenario(it: Plane) -> None:
        command = ["shadow", "tell", str(place), "--follow", "--every", "0.05s"]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "controlplane", *command, "--control-plane", it.target),
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            first = await asyncio.wait_for(process.stdout.readline(), SECONDS)
            assert first == b"compares what is recorded from now on, until Ctrl-C\n"
            with file.open("ab") as more:
                more.writelines(lines(8, begin=20))
            await eventually("the new pairs", lambda: pairs(it) == (8, 2.0))
            told = b"Ranking: ranker@2 agrees with ranker@1 to 75.0 %, by 8 pairs\n"
            async with asyncio.timeout(SECONDS):
                while await process.stdout.readline() != told:  # it may have looked between two writes
                    assert not process.stdout.at_eof()
            process.terminate()  # Ctrl-C is ignored by what a script starts in the background
            assert await asyncio.wait_for(process.wait(), SECONDS) == -signal.SIGTERM
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    with_plane(tmp_path, scenario)
