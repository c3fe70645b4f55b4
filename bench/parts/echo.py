"""The least that a grpcio server can do: raw bytes in, the same bytes out. Set up as Lightbulb is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc

from bench.worker import answer
from lightbulb.rpc.listen import LISTEN_OPTIONS, listen
from lightbulb.service.grpcio_transport import MAX_CALLS, THREADS
from lightbulb.service.transport import MAX_REQUEST_BYTES

SERVICE = "bench.Echo"
METHOD = f"/{SERVICE}/Echo"


def _echo(data: bytes, _: grpc.ServicerContext) -> bytes:
    return data


def main() -> None:
    server = grpc.server(
        ThreadPoolExecutor(THREADS),
        options=[*LISTEN_OPTIONS, ("grpc.max_receive_message_length", MAX_REQUEST_BYTES)],
        maximum_concurrent_rpcs=MAX_CALLS,
    )
    methods = {"Echo": grpc.unary_unary_rpc_method_handler(_echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = listen(server, "127.0.0.1:0")
    server.start()
    answer(lambda: {"port": port})
    server.stop(0)


if __name__ == "__main__":
    main()
