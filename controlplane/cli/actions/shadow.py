"""Starts, changes and stops shadows, and says when every sidecar has that."""

from __future__ import annotations

import time
from dataclasses import dataclass

import click

from controlplane.cli.actions.control import Wanted, exit_behind, make_request, when_decided
from controlplane.cli.control_options import Model
from controlplane.cli.control_plane import CALL_SECONDS, Addresses, call
from controlplane.cli.documents import document_of
from controlplane.cli.output import print_json
from controlplane.cli.problems import printable
from controlplane.cli.shadows import ends, shadow_lines, told
from controlplane.lifecycle.shadow import Ends
from lightbulb.v1 import control_plane_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The shadow that is asked for; `max_body` 0 leaves it to the control plane."""

    model: Model
    basis_points: int
    noise_floor: bool
    max_body: int
    end: Ends


def start(control_planes: Addresses, wanted: Wanted, asked: Asked) -> None:
    """Start a shadow, and see it in force. Raises CallFailed."""
    request = make_request(pb.ShadowRequest, wanted)
    request.start.CopyFrom(
        pb.StartShadow(
            model=asked.model.name,
            version=asked.model.version,
            basis_points=asked.basis_points,
            noise_floor=asked.noise_floor,
            max_body=asked.max_body,
            pairs=asked.end.pairs,
            lasts=asked.end.lasts,
        )
    )
    _see(control_planes, wanted, request)


def change(
    control_planes: Addresses, wanted: Wanted, model: Model | None, share: int | None, end: Ends | None
) -> None:
    """Give shadows another share, or another end, and see it in force. Raises CallFailed."""
    request = make_request(pb.ShadowRequest, wanted)
    what = pb.SetShadow(basis_points=share) if share is not None else pb.SetShadow()
    if end is not None:
        what.pairs, what.lasts = end.pairs, end.lasts
    if model is not None:
        what.model, what.version = model.name, model.version
    request.set.CopyFrom(what)
    _see(control_planes, wanted, request)


def stop(control_planes: Addresses, wanted: Wanted, model: Model | None) -> None:
    """Stop shadows, and see that no sidecar copies anything to them. Raises CallFailed."""
    request = make_request(pb.ShadowRequest, wanted)
    named_one = pb.StopShadow(model=model.name, version=model.version) if model else pb.StopShadow()
    request.stop.CopyFrom(named_one)
    _see(control_planes, wanted, request)


def show(control_planes: Addresses, objective: str, tenant: str, *, as_json: bool) -> None:
    """Print the shadows that there are. Raises CallFailed."""
    request = pb.GetStatusRequest(tenant=tenant)
    status = call(control_planes, lambda stub: stub.GetStatus(request, timeout=CALL_SECONDS))
    found = [
        each for each in status.shadows if tenant in {"", each.tenant} and objective in {"", each.objective}
    ]
    if as_json:
        print_json({"shadows": [document_of(each) for each in found]})
        return
    for line in [*shadow_lines(found)] or ["there is no shadow"]:
        click.echo(printable(line))


def _see(control_planes: Addresses, wanted: Wanted, request: pb.ShadowRequest) -> None:
    began = time.monotonic()
    response = call(control_planes, lambda stub: stub.Shadow(request, timeout=CALL_SECONDS))
    shadows = _when_in_force(control_planes, wanted, response)
    seconds = time.monotonic() - began
    missing = [each for each in shadows if not each.in_force]
    after = "" if missing else f", at every sidecar, after {seconds:.2f} s"
    gone = [each for each in response.shadows if each not in {shadow.id for shadow in shadows}]
    for each in shadows:
        line = f"{each.objective}: {told(each)}{after}"
        click.echo(printable("; ".join(filter(None, (line, ends(each))))))
    for name in gone:
        click.echo(
            printable(f"{wanted.objective}: shadow {name} is stopped{after}: not one more copy is sent")
        )
    if missing:
        exit_behind(missing[0].waiting_for)


def _when_in_force(control_planes: Addresses, wanted: Wanted, response: pb.ShadowResponse) -> list[pb.Shadow]:
    """Return the shadows once every sidecar has them, or as they are when the time is over."""

    def found(status: pb.GetStatusResponse) -> list[pb.Shadow]:
        return [each for each in status.shadows if each.id in response.shadows]

    def are_in_force(status: pb.GetStatusResponse) -> bool:
        return all(each.in_force for each in found(status))

    return found(when_decided(control_planes, wanted, response.version, are_in_force))
