"""Records in the stream of a real Redis: bounded, read by a report, and dropped while it is away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightbulb.comparison.lines import line_of
from lightbulb.host.record_sink import RecordSink
from lightbulb.host.record_stream import RecordStream
from tests.cli.commands import run
from tests.comparison.records import record, shadows
from tests.store.redis_server import RedisServer
from tests.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> RedisServer:
    return RedisServer(tmp_path / "redis")


def test_a_report_reads_what_is_in_the_stream_and_no_more_is_than_may_be(server: RedisServer) -> None:
    with server:
        stream = RecordStream(server.url, most=1_000)
        for number in range(1_500):
            one = record(request=f"r-{number}", user=str(number))
            assert stream.write([line_of(one), line_of(shadows(one))])
        stream.close()
        said = json.loads(run("shadow", "report", server.url, "--output", "json").stdout)
    (report,) = said["shadows"]
    assert 490 <= report["requests"]["pairs"] <= 600  # Redis cuts by nodes of 100


def test_while_redis_is_away_records_are_dropped_and_counted_and_kept_again_later(
    server: RedisServer,
) -> None:
    sink = RecordSink(RecordStream(server.url), host="h", instance="i")
    sink.put(record())
    until("the record to be dropped", lambda: sink.dropped == 1)
    with server:

        def kept() -> bool:
            sink.put(record())
            return sink.records > 0

        until("a record to be kept", kept)
        sink.close()
    said = json.loads(run("shadow", "report", server.url, "--output", "json").stdout)
    assert said["error"]["code"] == "NO_RECORDS"
    assert server.url in said["error"]["message"]
