"""A delta ADS server without manners: sends what a test says, and keeps what Envoy answers."""

import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent import futures

import grpc
from envoy.service.discovery.v3 import ads_pb2_grpc
from envoy.service.discovery.v3 import discovery_pb2 as pb

from lightbulb.ads.values import Resource

SECONDS = 60.0


class Unmannered(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):
    """One client at a time; `send` takes effect on its stream."""

    def __init__(self, port: int) -> None:
        self._requests: list[pb.DeltaDiscoveryRequest] = []
        self._came = threading.Condition()
        self._outgoing: queue.Queue[pb.DeltaDiscoveryResponse | None] = queue.Queue()
        self._nonces = 0
        self._server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(self, self._server)
        assert self._server.add_insecure_port(f"127.0.0.1:{port}") == port
        self._server.start()

    def DeltaAggregatedResources(  # noqa: N802 - gRPC's name
        self, requests: Iterator[pb.DeltaDiscoveryRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.DeltaDiscoveryResponse]:
        context.add_callback(lambda: self._outgoing.put(None))
        threading.Thread(target=self._read, args=(requests,), daemon=True).start()
        while (response := self._outgoing.get()) is not None:
            yield response

    def send(
        self, type_url: str, resources: Iterable[Resource], removed: Iterable[str] = ()
    ) -> pb.DeltaDiscoveryRequest:
        """Send a response, and return Envoy's answer to it."""
        return self.answer(self.post(type_url, resources, removed))

    def post(self, type_url: str, resources: Iterable[Resource], removed: Iterable[str] = ()) -> str:
        """Send a response, and return its nonce."""
        self._nonces += 1
        response = pb.DeltaDiscoveryResponse(
            type_url=type_url, nonce=str(self._nonces), removed_resources=removed
        )
        for each in resources:
            added = response.resources.add(name=each.name, version=each.version)
            added.resource.type_url, added.resource.value = type_url, each.body
        self._outgoing.put(response)
        return response.nonce

    def answer(self, nonce: str, seconds: float = SECONDS) -> pb.DeltaDiscoveryRequest:
        return self._wait(lambda request: request.response_nonce == nonce, f"an answer to {nonce}", seconds)

    def answered(self, nonce: str) -> bool:
        with self._came:
            return any(request.response_nonce == nonce for request in self._requests)

    def subscription(self, type_url: str, name: str = "") -> None:
        """Return once Envoy has asked for a type, or a name of it."""
        self._wait(
            lambda request: (
                request.type_url == type_url and (not name or name in request.resource_names_subscribe)
            ),
            f"a subscription to {type_url} {name}",
        )

    def asked(self, type_url: str) -> bool:
        """Say whether Envoy has asked for a type yet."""
        with self._came:
            return any(request.type_url == type_url for request in self._requests)

    def close(self) -> None:
        self._outgoing.put(None)
        self._server.stop(0.2).wait()

    def _read(self, requests: Iterator[pb.DeltaDiscoveryRequest]) -> None:
        try:
            for request in requests:
                with self._came:
                    self._requests.append(request)
                    self._came.notify_all()
        except grpc.RpcError:
            return

    def _wait(self, wanted, what: str, seconds: float = SECONDS) -> pb.DeltaDiscoveryRequest:
        deadline = time.monotonic() + seconds
        with self._came:
            while True:
                for request in self._requests:
                    if wanted(request):
                        return request
                assert self._came.wait(deadline - time.monotonic()), f"{what}: not within {seconds:g} s"


def versions(resources: Mapping[str, Resource]) -> dict[str, str]:
    return {name: each.version for name, each in resources.items()}
