"""Beside whom `lightbulb` is installed and imported: those who bring the same protobuf names, or files.

Each lives in a fresh environment with what pip chooses for both, in both orders: where two packages bring the
same file, the last one's stays.
"""

import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.environments import SECONDS, Environment, one_at_a_time

OURS = """
import lightbulb.client
from lightbulb.ads import wire
from lightbulb.ads.client.subscriber import Subscriber
from lightbulb.ads.messages import DeltaRequest
from lightbulb.ads.server.server import AdsServer
from lightbulb.ads.values import Node
from lightbulb.oip import open_inference_pb2, open_inference_pb2_grpc
from lightbulb.v1 import control_plane_pb2_grpc, lightbulb_pb2, lightbulb_pb2_grpc

node = Node(id="n", metadata={"kind": "host"})
nack = DeltaRequest(type_url="t", node=node, error="a: no", refused={"a": "no"})
assert wire.decode_delta_request(wire.encode_delta_request(nack)) == nack
request = open_inference_pb2.ModelInferRequest(model_name="m")
request.parameters["limit"].int64_param = 20
assert open_inference_pb2.ModelInferRequest.FromString(request.SerializeToString()) == request
asked = lightbulb_pb2.ResolveRequest(objective="o")
assert lightbulb_pb2.ResolveRequest.FromString(asked.SerializeToString()) == asked
"""

NEIGHBOURS = {
    "tritonclient[grpc]": """
import tritonclient.grpc
from tritonclient.grpc import service_pb2

theirs = service_pb2.ModelInferRequest(model_name="m")
assert service_pb2.ModelInferRequest.FromString(theirs.SerializeToString()) == theirs
assert tritonclient.grpc.InferInput("x", [1], "FP32").name() == "x"
""",
    "xds-protos": """
from envoy.config.cluster.v3 import cluster_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

theirs = discovery_pb2.DeltaDiscoveryRequest(type_url="t")
theirs.error_detail.message = "no"
assert discovery_pb2.DeltaDiscoveryRequest.FromString(theirs.SerializeToString()) == theirs
assert cluster_pb2.Cluster(name="c").SerializeToString()
""",
    "opentelemetry-exporter-otlp-proto-grpc": """
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

theirs = trace_service_pb2.ExportTraceServiceRequest()
theirs.resource_spans.add().scope_spans.add().spans.add(name="s")
assert trace_service_pb2.ExportTraceServiceRequest.FromString(theirs.SerializeToString()) == theirs
OTLPSpanExporter(endpoint="http://127.0.0.1:1", insecure=True).shutdown()
""",
}

NO_INDEX = "(from versions: none)"
"""What pip says of a package that no index has, be it that there is none to be asked."""


def wheels(folder: Path, wheel: Path, neighbour: str) -> tuple[Path, ...]:
    """Return what pip chooses for ours and a neighbour together, ours first."""
    with one_at_a_time(folder):
        if not (folder / "made").exists():
            what = ("--only-binary=:all:", "--dest", str(folder), str(wheel), neighbour)
            command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", *what]
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
            if NO_INDEX in done.stderr:
                pytest.skip(f"no package index has {neighbour}")
            assert done.returncode == 0, done.stdout + done.stderr
            (folder / "made").touch()
    return tuple(sorted(folder.glob("*.whl"), key=lambda path: path.name != wheel.name))


def installed(folder: Path, in_order: Iterable[Path]) -> Environment:
    """Return an environment with wheels put into it one after the other."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for each in in_order:
        with ZipFile(each) as archive:
            archive.extractall(site)
    return Environment(folder)


@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_both_work_in_one_process_whoever_was_installed_or_imported_first(
    neighbour: str, first: str, wheel: Path, shared: Path, tmp_path: Path
) -> None:
    in_order = wheels(shared / "beside" / neighbour.partition("[")[0], wheel, neighbour)
    environment = installed(tmp_path / "venv", in_order if first == "ours" else reversed(in_order))
    for program in (OURS + NEIGHBOURS[neighbour], NEIGHBOURS[neighbour] + OURS):
        done = environment.execute(environment.python, "-W", "error", "-c", program, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")


def test_generated_code_demands_no_version_that_our_requirements_dont(wheel: Path) -> None:
    """protoc's own demands a runtime as new as protoc, which tritonclient, for one, doesn't allow."""
    with ZipFile(wheel) as archive:
        generated = [name for name in archive.namelist() if "_pb2" in name and name.endswith(".py")]
        demanding = [
            name
            for name in generated
            if b"runtime_version" in archive.read(name) or b"GENERATED_VERSION" in archive.read(name)
        ]
    assert generated
    assert demanding == []
