"""The control plane's API, as an operator uses it: at whichever replica can be reached."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import grpc

from chaos.fleet import Fleet, NotInTime
from chaos.workspaces import without_fleet
from controlplane.cli.consumers import is_synced
from controlplane.cli.expectation import Expectations
from controlplane.cli.options import Address
from controlplane.model import Workspace
from controlplane.planning.plan import make_plan
from controlplane.rules.compile import compile_workspace
from lightbulb.rpc.channels import open_channel
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import control_plane_pb2_grpc as pb_grpc

CALL_SECONDS = 10.0
MISSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


@dataclass
class Plane:
    """Calls, what every generation's rules call for, and the rollout's version that it was last told of.

    A replica whose status has a lower version hasn't heard of the newest publish yet. `tenant` is whose
    rollout it is about; empty: the default's. `fleetless`: the fleet is the platform's matter.
    """

    fleet: Fleet
    version: int = 0
    rules: dict[int, Expectations] = field(default_factory=dict)
    tenant: str = ""
    fleetless: bool = False

    def publish(self, workspace: Workspace, seconds: float = 120.0) -> int:
        """Publish, again while it can't be done now; return the generation's number."""
        expectations = Expectations(make_plan(compile_workspace(workspace)))
        number = self.publish_files(without_fleet(workspace) if self.fleetless else workspace, seconds)
        self.rules.setdefault(number, expectations)
        return number

    def publish_files(self, workspace: Workspace, seconds: float = 120.0) -> int:
        """Publish what nobody needs to expect anything of, say the platform's; return its number."""
        request = pb.PublishRequest(
            files=[pb.WorkspaceFile(path=path, content=body) for path, body in workspace.files.items()],
            author="chaos",
            tenant=self.tenant,
            request_id=uuid4().hex,
        )
        response = self._insist("Publish", request, seconds)
        assert not response.problems, response.problems
        self.version = max(self.version, response.version)
        return int(response.generation)

    def roll_back(self, number: int, seconds: float = 120.0) -> int:
        """Roll back to a live generation; return the number that is active then."""
        request = pb.RollbackRequest(
            generation=number, author="chaos", request_id=uuid4().hex, tenant=self.tenant
        )
        response = self._insist("Rollback", request, seconds)
        self.version = max(self.version, response.version)
        return int(response.generation)

    def pin(self, number: int, seconds: float = 120.0, *, release: bool = False) -> None:
        """Pin a live generation, or release it."""
        request = pb.PinRequest(
            generation=number, author="chaos", request_id=uuid4().hex, tenant=self.tenant, release=release
        )
        self._insist("Pin", request, seconds)

    def offer(self, objective: str, to: str, seconds: float = 120.0) -> None:
        """Offer an objective to another tenant."""
        request = pb.OfferRequest(
            objective=objective, tenant=self.tenant, to=to, author="chaos", request_id=uuid4().hex
        )
        response = self._insist("Offer", request, seconds)
        self.version = max(self.version, response.version)

    def take(self, objective: str, seconds: float = 120.0) -> int:
        """Take an objective that is on offer; return the number of the generation that comes with it."""
        request = pb.TakeRequest(
            objective=objective, tenant=self.tenant, author="chaos", request_id=uuid4().hex
        )
        response = self._insist("Take", request, seconds)
        assert not response.problems, response.problems
        self.version = max(self.version, response.version)
        return int(response.generation)

    def shift(self, objective: str, seconds: float = 120.0, **what: Any) -> int:
        """Start a shift (`start`) or carry out a `verb`; return its number."""
        request = pb.ShiftRequest(
            objective=objective, tenant=self.tenant, author="chaos", request_id=uuid4().hex, **what
        )
        response = self._insist("Shift", request, seconds)
        self.version = max(self.version, response.version)
        return int(response.shift)

    def status(self) -> pb.GetStatusResponse:
        """Return the status as a replica that can be reached has it. Raises grpc.RpcError."""
        return self._call("GetStatus", pb.GetStatusRequest(tenant=self.tenant))

    def newest(self, seconds: float = CALL_SECONDS) -> pb.GetStatusResponse:
        """Return the newest status that any replica has: of two, one follows. Raises grpc.RpcError.

        Each has so many `seconds` to answer.
        """
        found: list[pb.GetStatusResponse] = []
        last: grpc.RpcError | None = None
        for address in self.fleet.layout.control_planes:
            try:
                found.append(_called(address, "GetStatus", pb.GetStatusRequest(tenant=self.tenant), seconds))
            except grpc.RpcError as error:
                last = error
        if not found and last is not None:
            raise last
        return max(found, key=lambda status: status.version)

    def known(self, seconds: float = CALL_SECONDS) -> pb.GetStatusResponse | None:
        """Return the newest status; None while no replica answers that has heard of the newest operation."""
        try:
            status = self.newest(seconds)
        except grpc.RpcError:  # say of a replica that is about to be back
            return None
        return status if status.version >= self.version else None

    def watch(self, seconds: float) -> Iterator[pb.GetStatusResponse]:
        """Yield statuses as they change, none from before the newest publish.

        Ends with the replica, or after `seconds`.
        """
        for address in self.fleet.layout.control_planes:
            with open_channel(str(address)) as channel:
                try:
                    stub = pb_grpc.ControlPlaneStub(channel)
                    for status in stub.Watch(pb.WatchRequest(tenant=self.tenant), timeout=seconds):
                        if status.version >= self.version:
                            yield status
                except grpc.RpcError:
                    continue

    def outcome(self, generation: int, seconds: float) -> str:
        """Return what became of a generation: "active" or "withdrawn". Raises NotInTime."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                status = self.status()
            except grpc.RpcError:
                time.sleep(0.1)
                continue
            if status.version < self.version:
                time.sleep(0.05)
                continue
            if generation == status.active_generation:
                return "active"
            if generation != status.target_generation:
                return "withdrawn"
            time.sleep(0.05)
        raise NotInTime(f"generation {generation}: neither active nor withdrawn within {seconds:g} s")

    def synced(self, generation: int) -> bool:
        """Say whether everybody is there, and synced with `generation`, and nothing is under way."""
        try:
            status = self.status()
        except grpc.RpcError:
            return False
        there = {each.node_id for each in status.consumers if is_synced(each) and not each.answered_from}
        expected = {name for name in self.fleet.parts if name.startswith(("lightbulb", "sidecar", "host"))}
        settled = status.phase == pb.PHASE_SETTLED and not status.store_problem
        return settled and status.active_generation == generation and expected <= there

    def _insist(self, name: str, request: Any, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._call(name, request)
            except grpc.RpcError as error:
                if time.monotonic() > deadline:
                    raise NotInTime(f"{name}: {error.code().name}: {error.details()}") from error
                time.sleep(0.1)

    def _call(self, name: str, request: Any) -> Any:
        last: grpc.RpcError | None = None
        for address in self.fleet.layout.control_planes:
            try:
                return _called(address, name, request)
            except grpc.RpcError as error:
                last = error
                if error.code() not in MISSING:
                    break
        assert last is not None
        raise last


def _called(address: Address, name: str, request: Any, seconds: float = CALL_SECONDS) -> Any:
    """Return one replica's answer. Raises grpc.RpcError."""
    with open_channel(str(address)) as channel:
        return getattr(pb_grpc.ControlPlaneStub(channel), name)(request, timeout=seconds)
