"""What relays tell a replica is bounded, added up, and kept where the others read it."""

import asyncio

import grpc
import pytest

from controlplane.lifecycle.agreement import Compared, Models
from controlplane.lifecycle.bins import Latencies
from controlplane.lifecycle.figures import Counts
from controlplane.lifecycle.shadow import Copies
from controlplane.replica.figures import (
    MAX_COUNT,
    MAX_ROUTES,
    Counted,
    Figures,
    Told,
    told_from_bytes,
    told_to_bytes,
)
from lightbulb.resolution.codec import Malformed
from lightbulb.v1 import telemetry_pb2 as pb
from lightbulb.v1.telemetry_pb2_grpc import TelemetryServiceStub
from tests.controlplane.planes import plane, run, told
from tests.controlplane.relays import route
from tests.waiting import eventually

SHIFT = Counted(objective="Rank", shift=17, candidate="c", control="k")


def test_only_what_is_wanted_is_added_up_and_what_is_nobodys_is_left_out() -> None:
    figures = Figures(epoch=7)
    figures.take("s1", [route("c", ("0", "-", 3))], now=1.0)
    figures.count([SHIFT])
    for node in ("s1", "s2"):
        ends = (("0", "-", 3), ("14", "-", 2), ("", "DC", 1), ("8", "RL", 5))
        figures.take(node, [route("c", *ends, took=6), route("other", ("0", "-", 1))], now=1.0)
    assert figures.told(1.0) == Told(
        epoch=7,
        by_route={"c": Counts(requests=12, bad=6, latencies=Latencies(((1000, 12),)))},
        reporting=2,
    )
    assert figures.told(1.0 + 4 * figures.interval).reporting == 0
    figures.count([])
    assert figures.told(1.0).by_route == {}


def test_copies_are_added_up_by_shadow_and_shifts_come_first_where_not_all_can_be_counted() -> None:
    figures = Figures(epoch=7)
    figures.count([SHIFT], ["17", "17n"])
    copies = ("", "upstream_rq_2xx", 3), ("", "upstream_rq_tx_reset", 5), ("", "of another Envoy", 9)
    late = ("", "upstream_rq_max_duration_reached", 2)
    for node in ("s1", "s2"):
        figures.take(node, [route("shadow/17", *copies, late), route("shadow/18", *copies)], now=1.0)
    assert figures.told(1.0).copies_of("17") == Copies(answered=6, too_large=6, late=4)
    assert figures.told(1.0).copies_of("17n") == figures.told(1.0).copies_of("18") == Copies()
    with pytest.raises(Malformed, match="beyond what an Envoy counts"):
        figures.take("s1", [route("shadow/17", ("", "upstream_rq_2xx", MAX_COUNT + 1))], now=1.0)
    figures.count([SHIFT], map(str, range(2 * MAX_ROUTES)))
    assert figures.routes[:3] == ("c", "k", "shadow/0")
    assert len(figures.routes) == MAX_ROUTES


def test_no_relay_can_tell_more_than_an_envoy_counts() -> None:
    figures = Figures(epoch=1)
    figures.count([SHIFT])
    with pytest.raises(Malformed, match="beyond what an Envoy counts"):
        figures.take("s1", [route("c", ("0", "-", MAX_COUNT + 1))], now=1.0)
    assert figures.told(1.0).by_route == {}


COMPARED = Compared(
    epoch=5,
    counts={
        Models(objective="Ranking", primary="a@1", candidate=candidate): Counts(compared=3, disagreed=0.5)
        for candidate in ("b@1", "b@2")
    },
)


def test_what_was_told_survives_the_store_and_foreign_bytes_are_refused() -> None:
    told = Told(
        epoch=3,
        by_route={"c": Counts(requests=2, bad=1)},
        reporting=4,
        compared={"t": COMPARED, "u": COMPARED},
    )
    assert told_from_bytes(told_to_bytes(told)) == told
    with pytest.raises(Malformed):
        told_from_bytes(b"\xff")


def test_a_relay_is_told_at_once_what_is_wanted_and_its_figures_are_told_at_every_replica(store: str) -> None:
    async def scenario() -> None:
        async with plane(store, name="one") as one, plane(store, name="two") as two:
            one.replica.figures.interval = 0.02
            relay = TelemetryServiceStub(one.channel).Figures()
            await relay.write(pb.FiguresRequest(node_id="s1"))
            assert list((await relay.read()).routes) == []
            for each in (one, two):
                each.replica.figures.count([SHIFT])
            assert list((await relay.read()).routes) == ["c", "k"]
            await relay.write(pb.FiguresRequest(routes=[route("c", ("0", "-", 3), took=3)]))
            asked = pb.GetFiguresRequest(objective="Rank")

            async def counted(stub: TelemetryServiceStub) -> int:
                return (await stub.GetFigures(asked)).arms[0].requests

            other = TelemetryServiceStub(two.channel)
            heard = two.replica._reports
            await eventually("the figures, at the other", lambda: "one" in heard.heard.figures)
            await eventually("them to be whole", lambda: heard.heard.figures["one"].by_route)
            assert await counted(other) == 3
            answer = await other.GetFigures(asked)
            assert (answer.shift, [each.arm for each in answer.arms]) == (17, ["candidate", "control"])
            assert answer.arms[0].durations[0] == pb.DurationBin(microseconds=1000, requests=3)
            relay.cancel()

    run(scenario)


def test_nothing_that_is_counted_is_an_error_that_says_what_to_do(store: str) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            stub = TelemetryServiceStub(it.channel)
            info = await told(stub.GetFigures(pb.GetFiguresRequest(objective="Rank")))
            assert info.reason == "NOTHING_COUNTED"
            nameless = stub.Figures(iter([pb.FiguresRequest()]))
            await asyncio.wait_for(nameless.read(), 60)
            assert await nameless.code() is grpc.StatusCode.INVALID_ARGUMENT

    run(scenario)
