"""A process that is a thousand sidecars: raw delta streams on a few channels, which reconnect for ever.

For each line on its input it prints what all of them were sent since the last, as JSON.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
from collections import Counter

import grpc.aio
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc
from envoy.service.discovery.v3 import discovery_pb2 as pb

from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE

TYPES = (CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE)
CHANNELS = 8


async def stay(channel: grpc.aio.Channel, name: str, port: int, sent: Counter[str]) -> None:
    """Be one sidecar, for ever."""
    node = base_pb2.Node(id=name)
    node.metadata.update({"kind": "sidecar", "listen_port": str(port)})
    held: dict[str, dict[str, str]] = {type_url: {} for type_url in TYPES}
    stub = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel)
    while True:
        await channel.channel_ready()
        call = stub.DeltaAggregatedResources()
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            for type_url in TYPES:
                first = pb.DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=["*"])
                first.initial_resource_versions.update(held[type_url])
                if type_url == TYPES[0]:
                    first.node.CopyFrom(node)
                await call.write(first)
            sent["streams"] += 1
            while (response := await call.read()) is not grpc.aio.EOF:
                await call.write(_take(response, held, sent))
        await asyncio.sleep(0.05 + random.random() * 0.05)


def _take(
    response: pb.DeltaDiscoveryResponse, held: dict[str, dict[str, str]], sent: Counter[str]
) -> pb.DeltaDiscoveryRequest:
    """Take a response, and return its ACK."""
    sent["responses"] += 1
    sent["resources"] += len(response.resources)
    sent["removed"] += len(response.removed_resources)
    sent["bytes"] += response.ByteSize()
    own = held[response.type_url]
    own.update({each.name: each.version for each in response.resources})
    for name in response.removed_resources:
        own.pop(name, None)
    return pb.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)


async def main(target: str, count: int) -> None:
    sent: Counter[str] = Counter()
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 200)]
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(target, options=options))
            for _ in range(CHANNELS)
        ]
        for number in range(count):
            channel = channels[number % CHANNELS]
            group.create_task(stay(channel, f"crowd-{number}", 10_000 + number, sent))
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(sent), flush=True)
            sent.clear()
        # Not by cancelling: of a thousand reads of grpc.aio's now and then one swallows it, and goes on.
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
