"""Goes on with a store that lost commits, at the control plane that knows most of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from controlplane.cli.control_plane import (
    CALL_SECONDS,
    Addresses,
    CallFailed,
    all_failed,
    call,
    user_name,
)
from controlplane.cli.documents import document_of
from controlplane.cli.failed import Failed
from controlplane.cli.options import Address
from controlplane.cli.output import print_json
from lightbulb.v1 import control_plane_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was typed."""

    message: str
    author: str
    dry_run: bool
    yes: bool
    as_json: bool


def resume(control_planes: Addresses, wanted: Wanted) -> None:
    """Say what was lost, ask, and go on. Raises CallFailed; Failed when there is nobody to ask."""
    address, preview = _who_knows_most(control_planes)
    if preview.unchanged or wanted.dry_run:
        _tell(preview, wanted, done=False)
        return
    if not wanted.yes:
        click.echo("\n".join(_lines(preview, done=False)), err=True)
        if not sys.stdin.isatty():
            raise Failed("NOT_CONFIRMED", "nobody is there to be asked", "add --yes to do it")
        click.confirm("Go on?", abort=True, err=True)
    request = pb.ResumeStoreRequest(author=wanted.author or user_name(), message=wanted.message)
    _tell(_resumed(address, request), wanted, done=True)


def _resumed(address: Address, request: pb.ResumeStoreRequest) -> pb.ResumeStoreResponse:
    response: pb.ResumeStoreResponse = call(
        (address,), lambda stub: stub.ResumeStore(request, timeout=CALL_SECONDS)
    )
    return response


def _who_knows_most(control_planes: Addresses) -> tuple[Address, pb.ResumeStoreResponse]:
    found: list[tuple[Address, pb.ResumeStoreResponse]] = []
    failures: list[CallFailed] = []
    for address in control_planes:
        try:
            found.append((address, _resumed(address, pb.ResumeStoreRequest(dry_run=True))))
        except CallFailed as error:
            failures.append(error)
    if not found:
        raise all_failed(failures)
    for each in failures:
        click.echo(f"warning: {each}", err=True)
    return max(found, key=lambda each: each[1].known)


def _tell(response: pb.ResumeStoreResponse, wanted: Wanted, *, done: bool) -> None:
    if wanted.as_json:
        print_json(document_of(response))
        return
    click.echo("\n".join(_lines(response, done=done)))


def _lines(response: pb.ResumeStoreResponse, *, done: bool) -> list[str]:
    if response.unchanged:
        return [f"the store is at version {response.was_at}, and nobody has seen more: nothing was lost"]
    will = "is" if done else "would be"
    lines = [
        f"the store was at version {response.was_at}, and {response.seen_by} has seen {response.seen}",
        f"it {'goes on' if done else 'would go on'} at version {response.version}, by {response.replica}",
    ]
    if response.restored:
        numbers = ", ".join(map(str, response.restored))
        lines.append(f"generations that a control plane still knows: {numbers}; put back")
    elif not response.begins_again:
        lines.append("what serves goes on serving")
    if response.lost_from:
        span = f"{response.lost_from} to {response.lost_to}"
        lines.append(
            f"lost, and never used again: the numbers {span}, as far as there were generations of these"
        )
    if response.begins_again:
        lines.append(
            f"what the store has as active {will} loaded and routed again; until then everybody goes on with "
            "what they have. Then keys that only lost generations had are gone: their clients resolve again"
        )
    return lines
