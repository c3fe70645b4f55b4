"""Asks one process whether it serves."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from controlplane.cli.options import Address
from controlplane.cli.reach import SOMETHING_ELSE, no_connection
from lightbulb.rpc.channels import open_channel

CALL_SECONDS = 3.0
"""Less than what an image's HEALTHCHECK waits."""


def why_not_serving(address: Address, service: str) -> str | None:
    """Return why a process (or one gRPC service of it, by name) doesn't serve, or None when it does."""
    with open_channel(str(address)) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        try:
            answer = check(health_pb2.HealthCheckRequest(service=service), timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            return _failure(error, address, service)
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return None
    return f"{address} says {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"


def _failure(error: grpc.RpcError, address: Address, service: str) -> str:
    code, details = error.code(), error.details() or ""
    match code:
        case grpc.StatusCode.NOT_FOUND:
            return f"{address} has no service {service!r}"
        case grpc.StatusCode.UNIMPLEMENTED:
            return f"no health check at {address}: {SOMETHING_ELSE}"
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"{address} doesn't answer within {CALL_SECONDS:g} s"
    reason = no_connection(details)
    return f"nobody answers at {address} ({reason})" if reason else f"{address} says {code.name}: {details!r}"
