"""Asks one process whether it serves, and a Lightbulb from what."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from controlplane.cli.failed import Failed
from controlplane.cli.options import Address
from controlplane.cli.reach import SOMETHING_ELSE, no_connection
from lightbulb.model import Freshness
from lightbulb.rpc.channels import open_channel
from lightbulb.v1 import lightbulb_pb2, lightbulb_pb2_grpc

CALL_SECONDS = 3.0
FRESHNESS_SECONDS = 1.0
"""Together less than what an image's HEALTHCHECK waits."""


def ask_health(address: Address, service: str) -> Freshness | None:
    """Return how new a Lightbulb's tables are; None of a process that is no Lightbulb.

    Raises Failed when it (or one gRPC service of it, by name) doesn't serve.
    """
    with open_channel(str(address)) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        try:
            answer = check(health_pb2.HealthCheckRequest(service=service), timeout=CALL_SECONDS)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return _freshness(channel)
        except grpc.RpcError as error:
            raise Failed("NOT_SERVING", _failure(error, address, service)) from error
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    raise Failed("NOT_SERVING", f"{address} says {name}")


def _freshness(channel: grpc.Channel) -> Freshness | None:
    ask = lightbulb_pb2_grpc.LightbulbStub(channel).GetFreshness
    try:
        now = ask(lightbulb_pb2.GetFreshnessRequest(), timeout=FRESHNESS_SECONDS)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return None
        raise
    age = now.age.ToNanoseconds() / 1e9
    return Freshness(generation=now.generation, connected=now.connected, age=age)


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
