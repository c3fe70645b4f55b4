"""A delta ADS server for tests: real gRPC, and a script where a control plane would decide."""

import asyncio
import contextlib
import hashlib
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc.aio
from envoy.service.discovery.v3 import ads_pb2_grpc
from envoy.service.discovery.v3 import discovery_pb2 as pb

from lightbulb.ads.client.subscriber import Apply, Backoff, Subscriber
from lightbulb.ads.values import MAX_MESSAGE_BYTES, Node, Resource
from tests.waiting import eventually

DEADLINE = 60.0
SOON = Backoff(first=0.01, limit=0.05)
NODE = Node(id="node-1", cluster="tests", metadata={"kind": "host", "shard": "s1"})


def resource(name: str, body: bytes) -> Resource:
    return Resource(name=name, version=hashlib.sha256(body).hexdigest()[:8], body=body)


class Stream:
    """One client's stream: what it said, and what it was sent (type -> name -> version)."""

    def __init__(self) -> None:
        self.requests: list[pb.DeltaDiscoveryRequest] = []
        self.known: dict[str, dict[str, str]] = {}
        self.unanswered: dict[str, str] = {}
        self.wake = asyncio.Event()
        self.broken = False

    def acks(self, type_url: str) -> list[pb.DeltaDiscoveryRequest]:
        return [r for r in self.requests if r.type_url == type_url and r.response_nonce]

    def first(self, type_url: str) -> pb.DeltaDiscoveryRequest:
        return next(r for r in self.requests if r.type_url == type_url)


class ScriptedServer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):
    """Sends what differs from what the client has; one response of a type at a time, unless `eager`."""

    def __init__(self) -> None:
        self.eager = False
        self.resources: dict[str, dict[str, Resource]] = {}
        self.streams: list[Stream] = []
        self.sent: list[pb.DeltaDiscoveryResponse] = []
        self.target = ""
        self._nonces = itertools.count(1)

    def set(self, type_url: str, *resources: Resource) -> None:
        """Replace all resources of a type, and send what changed."""
        self.resources[type_url] = {r.name: r for r in resources}
        self._wake()

    def break_streams(self) -> None:
        for stream in self.streams:
            stream.broken = True
        self._wake()

    def _wake(self) -> None:
        for stream in self.streams:
            stream.wake.set()

    @property
    def stream(self) -> Stream:
        return self.streams[-1]

    async def acked(self, type_url: str, count: int) -> pb.DeltaDiscoveryRequest:
        """Return the `count`th answer (ACK or NACK) of the newest stream."""
        await eventually(
            f"answer {count} of {type_url}", lambda: self.streams and len(self.stream.acks(type_url)) >= count
        )
        return self.stream.acks(type_url)[count - 1]

    async def DeltaAggregatedResources(  # noqa: N802 - gRPC's name
        self, requests: AsyncIterator[pb.DeltaDiscoveryRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.DeltaDiscoveryResponse]:
        stream = Stream()
        self.streams.append(stream)
        reader = asyncio.create_task(self._read(stream, requests))
        try:
            while not stream.broken:
                for type_url in tuple(stream.known):
                    response = self._difference(stream, type_url)
                    if response is not None:
                        self.sent.append(response)
                        yield response
                await stream.wake.wait()
                stream.wake.clear()
        finally:
            reader.cancel()

    async def _read(self, stream: Stream, requests: AsyncIterator[pb.DeltaDiscoveryRequest]) -> None:
        async for request in requests:
            stream.requests.append(request)
            if not request.response_nonce:
                stream.known[request.type_url] = dict(request.initial_resource_versions)
            elif stream.unanswered.get(request.type_url) == request.response_nonce:
                del stream.unanswered[request.type_url]
            stream.wake.set()

    def _difference(self, stream: Stream, type_url: str) -> pb.DeltaDiscoveryResponse | None:
        if type_url in stream.unanswered and not self.eager:
            return None
        known, wanted = stream.known[type_url], self.resources.get(type_url, {})
        response = pb.DeltaDiscoveryResponse(
            type_url=type_url, removed_resources=[name for name in known if name not in wanted]
        )
        for r in wanted.values():
            if known.get(r.name) != r.version:
                added = response.resources.add(name=r.name, version=r.version)
                added.resource.type_url = type_url
                added.resource.value = r.body
        if not response.resources and not response.removed_resources:
            return None
        response.nonce = stream.unanswered[type_url] = str(next(self._nonces))
        stream.known[type_url] = {r.name: r.version for r in wanted.values()}
        return response


@contextlib.asynccontextmanager
async def scripted_server(
    script: ScriptedServer | None = None, port: int = 0
) -> AsyncIterator[ScriptedServer]:
    script = script or ScriptedServer()
    server = grpc.aio.server(
        options=[("grpc.max_send_message_length", MAX_MESSAGE_BYTES), ("grpc.so_reuseport", 0)]
    )
    ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(script, server)
    script.target = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    await server.start()
    try:
        yield script
    finally:
        script.break_streams()
        await server.stop(1.0)


@contextlib.asynccontextmanager
async def subscribed(
    target: str | Sequence[str], apply: Apply, *types: str, **rest: Any
) -> AsyncIterator[Subscriber]:
    targets = {"target": target} if isinstance(target, str) else {"targets": target}
    subscriber = Subscriber(**targets, node=NODE, types=types, apply=apply, backoff=SOON, **rest)
    task = asyncio.create_task(subscriber.run())
    try:
        yield subscriber
        assert not task.done(), "the subscriber ended by itself"
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
