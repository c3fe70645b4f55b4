"""`lightbulb health`: exit code 0 when a process serves, 1 with one line when it doesn't."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from click.testing import CliRunner, Result
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from controlplane.cli.main import main
from controlplane.cli.processes import free_ports


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["health", *arguments])


@pytest.fixture
def server() -> Iterator[tuple[health.HealthServicer, str]]:
    """A process with a health check, and its address."""
    servicer = health.HealthServicer()
    with ThreadPoolExecutor(2) as threads:
        running = grpc.server(threads)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, running)
        port = running.add_insecure_port("127.0.0.1:0")
        running.start()
        yield servicer, f"127.0.0.1:{port}"
        running.stop(None).wait()


def test_what_serves_is_said_to(server: tuple[health.HealthServicer, str]) -> None:
    servicer, address = server
    servicer.set("one.Service", health_pb2.HealthCheckResponse.SERVING)
    for arguments in ([address], [address, "--service", "one.Service"]):
        result = asked(*arguments)
        assert (result.exit_code, result.output) == (0, f"{address} serves\n")


def test_what_does_not_serve_is_not(server: tuple[health.HealthServicer, str]) -> None:
    servicer, address = server
    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    result = asked(address)
    assert (result.exit_code, result.output) == (1, f"error: {address} says NOT_SERVING\n")
    result = asked(address, "--service", "another.Service")
    assert (result.exit_code, result.output) == (1, f"error: {address} has no service 'another.Service'\n")


def test_nobody_there_is_said_in_one_line() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    result = asked(address)
    assert result.exit_code == 1
    assert result.output.startswith(f"error: nobody answers at {address} (")
    assert result.output.count("\n") == 1
    result = asked("--envoy", address)
    assert result.exit_code == 1
    assert result.output.startswith(f"error: no Envoy at {address} that is ready")


def test_something_else_there_is_told_apart() -> None:
    with ThreadPoolExecutor(1) as threads:
        running = grpc.server(threads)
        address = f"127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}"
        running.start()
        result = asked(address)
        running.stop(None).wait()
    assert (result.exit_code, result.output) == (
        1,
        f"error: no health check at {address}: what listens there is something else\n",
    )


def test_who_is_silent_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        result = asked(address)
    assert (result.exit_code, result.output) == (1, f"error: {address} doesn't answer within 3 s\n")
