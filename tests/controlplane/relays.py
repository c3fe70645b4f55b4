"""Relays, as far as a control plane can tell: a stream each, over which they tell what was counted."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from lightbulb.v1 import telemetry_pb2 as pb
from lightbulb.v1.telemetry_pb2_grpc import TelemetryServiceStub
from tests.controlplane.planes import Plane

Tell = Callable[..., Awaitable[None]]


def route(name: str, *ends: tuple[str, str, int], took: int = 0) -> pb.RouteFigures:
    """What was counted of a route: so many requests for each status and flags, `took` of them timed."""
    durations = [pb.DurationBin(microseconds=1000, requests=took)] if took else []
    counts = [pb.EndCount(grpc_status=status, flags=flags, requests=n) for status, flags, n in ends]
    return pb.RouteFigures(route=name, ends=counts, durations=durations)


@contextlib.asynccontextmanager
async def relays(plane: Plane, *nodes: str) -> AsyncIterator[Tell]:
    """Give what has the relays of some sidecars tell figures of routes: each the same."""
    stub = TelemetryServiceStub(plane.channel)
    streams = [stub.Figures() for _ in nodes]
    for node, stream in zip(nodes, streams, strict=True):
        await stream.write(pb.FiguresRequest(node_id=node))

    async def tell(*routes: pb.RouteFigures) -> None:
        for stream in streams:
            await stream.write(pb.FiguresRequest(routes=routes))

    try:
        yield tell
    finally:
        for stream in streams:
            stream.cancel()
