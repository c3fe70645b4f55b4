"""Figures over gRPC: relays tell this replica what their Envoys counted, and people ask for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from controlplane.api.errors import Context, InvalidRequest, TooManyWatchers, abort, answered, status_of
from controlplane.lifecycle.agreement import MAX_MODELS, Compared, Models, TooMuchCompared
from controlplane.lifecycle.figures import NO_FIGURES, Counts
from controlplane.replica.figures import Counted, NothingCounted, compared_counts
from controlplane.replica.replica import Replica
from lightbulb.resolution.codec import Malformed, duration
from lightbulb.v1 import telemetry_pb2 as pb
from lightbulb.v1 import telemetry_pb2_grpc as pb_grpc

MAX_RELAYS = 20_000
MAX_NAME = 256
"""Characters of a node's id."""


class TelemetryService(pb_grpc.TelemetryServiceServicer):
    """protos/lightbulb/v1/telemetry.proto, at one replica."""

    def __init__(self, replica: Replica) -> None:
        """Serve the figures of `replica`."""
        self._replica = replica
        self._open = 0
        self._ended = asyncio.Event()

    def end(self) -> None:
        """End the streams of relays, which turn to another replica."""
        self._ended.set()

    async def Figures(  # noqa: N802 - gRPC's name
        self, requests: AsyncIterator[pb.FiguresRequest], context: Context
    ) -> AsyncIterator[pb.FiguresResponse]:
        """Tell a relay what is wanted, whenever that changes, and take what it tells."""
        if self._open >= MAX_RELAYS:
            await abort(context, status_of(TooManyWatchers(f"{MAX_RELAYS} relays tell this replica figures")))
        self._open += 1
        taking = asyncio.ensure_future(self._take(requests))
        try:
            async for wanted in self._wanted(taking):
                yield wanted
            if taking.done():
                taking.result()
        except InvalidRequest as error:
            await abort(context, status_of(error))
        finally:
            self._open -= 1
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    async def _wanted(self, taking: asyncio.Future[None]) -> AsyncIterator[pb.FiguresResponse]:
        figures = self._replica.figures
        while not (taking.done() or self._ended.is_set()):
            changed = figures.other_routes
            yield pb.FiguresResponse(routes=figures.routes, interval=duration(figures.interval))
            waiting = [asyncio.ensure_future(each.wait()) for each in (changed, self._ended)]
            ends: list[asyncio.Future[Any]] = [taking, *waiting]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)

    async def _take(self, requests: AsyncIterator[pb.FiguresRequest]) -> None:
        """Add up what a relay tells until it ends. Raises InvalidRequest."""
        figures, node_id = self._replica.figures, ""
        try:
            async for request in requests:
                node_id = node_id or request.node_id[:MAX_NAME]
                if not node_id:
                    raise InvalidRequest("the first message must carry node_id", path="node_id")
                try:
                    figures.take(node_id, request.routes, self._replica.now)
                except Malformed as error:
                    raise InvalidRequest(str(error), path="routes") from error
        finally:
            figures.leave(node_id)

    @answered
    async def TellCompared(self, request: pb.TellComparedRequest) -> pb.TellComparedResponse:  # noqa: N802 - gRPC's name
        """Take what somebody compared of the answers of shadows."""
        if not 0 < len(request.teller) <= MAX_NAME:
            raise InvalidRequest(f"a teller has a name, of at most {MAX_NAME} characters", path="teller")
        if len(request.compared) > MAX_MODELS:
            raise InvalidRequest(f"at most {MAX_MODELS:,} pairs of models are told of", path="compared")
        try:
            told = Compared(epoch=request.epoch, counts=dict(map(_compared, request.compared)))
            self._replica.figures.take_compared(request.teller, told)
        except (Malformed, TooMuchCompared) as error:
            raise InvalidRequest(str(error), path="compared") from error
        return pb.TellComparedResponse()

    @answered
    async def GetFigures(self, request: pb.GetFiguresRequest) -> pb.GetFiguresResponse:  # noqa: N802 - gRPC's name
        """Say what was counted of an objective's shift, at all replicas."""
        counted = _find(self._replica.figures.counted, request.objective)
        arms = NO_FIGURES
        for each in self._replica.sums_of(counted):
            arms += each.arms
        return pb.GetFiguresResponse(
            shift=counted.shift,
            arms=(_arm("candidate", arms.candidate), _arm("control", arms.control))
            if counted.control
            else (_arm("default", arms.candidate),),
            reporting=self._replica.sidecars_reporting,
            interval=duration(self._replica.figures.interval),
        )


def _compared(told: pb.ComparedAnswers) -> tuple[Models, Counts]:
    """Return what was compared of two models. Raises Malformed."""
    names = (told.objective, told.primary, told.candidate)
    if not all(0 < len(each) <= MAX_NAME for each in names):
        raise Malformed(f"names of at most {MAX_NAME} characters say what was compared")
    objective, primary, candidate = names
    models = Models(objective=objective, primary=primary, candidate=candidate)
    return models, compared_counts(told.pairs, told.disagreement)


def _find(counted: tuple[Counted, ...], objective: str) -> Counted:
    found = next((each for each in counted if each.objective == objective), None)
    if found is None:
        raise NothingCounted(objective[:MAX_NAME])
    return found


def _arm(name: str, counts: Counts) -> pb.ArmFigures:
    bins = (pb.DurationBin(microseconds=edge, requests=count) for edge, count in counts.latencies.bins)
    return pb.ArmFigures(arm=name, requests=counts.requests, bad=counts.bad, durations=bins)
