"""A typed program of a user's: mypy --strict takes it against what is installed, and finds errors."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.conftest import Make
from tests.packaging.environments import SECONDS

pytestmark = pytest.mark.packaging

PROGRAM = """
import asyncio

import grpc
import grpc.aio

from lightbulb.client import BlockingLightbulbClient, LightbulbClient
from lightbulb.client.interceptor import AsyncRoutingInterceptor, RoutingInterceptor, routed
from lightbulb.errors import LightbulbError
from lightbulb.model import RequestContext
from lightbulb.oip import open_inference_pb2 as oip
from lightbulb.rpc.answer import Answer, Query
from lightbulb.rpc.enrich import enrich

METHOD = "/inference.GRPCInferenceService/ModelInfer"


def model_of(client: BlockingLightbulbClient, user: RequestContext) -> str:
    answer: Answer = client.resolve("Search", user, timeout=1.0)
    request: oip.ModelInferRequest = enrich(oip.ModelInferRequest(), answer, user)
    return request.model_name


def send(client: BlockingLightbulbClient, user: RequestContext) -> oip.ModelInferResponse:
    with grpc.insecure_channel("127.0.0.1:7710") as channel:
        sidecar = grpc.intercept_channel(channel, RoutingInterceptor(client.resolve))
        infer = sidecar.unary_unary(
            METHOD,
            request_serializer=oip.ModelInferRequest.SerializeToString,
            response_deserializer=oip.ModelInferResponse.FromString,
        )
        with routed("Search", user):
            response: oip.ModelInferResponse = infer(oip.ModelInferRequest(), timeout=2.0)
    return response


async def several() -> list[str]:
    user = RequestContext(user_id="user-1", country="US", attributes={"app_version": "5.1.0"})
    async with LightbulbClient("127.0.0.1:7701", client_name="homepage") as client:
        interceptors = [AsyncRoutingInterceptor(client.resolve)]
        async with grpc.aio.insecure_channel("127.0.0.1:7710", interceptors=interceptors):
            answers = await client.resolve_many([Query(objective="Search", context=user)])
    return [answer.routing_key for answer in answers if not isinstance(answer, LightbulbError)]


if __name__ == "__main__":
    print(asyncio.run(several()))
"""


def check(program: str, python: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python), "program.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_a_typed_program_of_a_user_is_checked(with_extras: Make, tmp_path: Path) -> None:
    environment = with_extras(others=("types-grpcio", "types-protobuf"))
    right = check(PROGRAM, environment.python, tmp_path)
    assert (right.returncode, right.stdout) == (0, "Success: no issues found in 1 source file\n")
    wrong = check(PROGRAM.replace('resolve("Search", user,', "resolve(user,"), environment.python, tmp_path)
    assert wrong.returncode == 1
    assert 'Missing positional argument "context" in call to "resolve"' in wrong.stdout
