"""Shadows, as the API takes them and tells of them."""

from __future__ import annotations

from collections.abc import Iterator

from controlplane.admin.commits import Caller
from controlplane.admin.shadows import Change, ShadowAsked, Stop
from controlplane.api.errors import InvalidRequest
from controlplane.api.named import check_named
from controlplane.lifecycle.events import model_of
from controlplane.lifecycle.shadow import DEFAULT_BODY, NO_COPIES, Copies, Ends, Shadow, Shadowed
from controlplane.lifecycle.shadow_operations import WantedShadow
from controlplane.replica.replica import Replica
from controlplane.rollout.failure import MAX_LISTED, MAX_NAME, printable
from lightbulb.v1 import control_plane_pb2 as pb


def asked_of(request: pb.ShadowRequest, caller: Caller) -> ShadowAsked:
    """Return what is asked; raise InvalidRequest."""
    which = request.WhichOneof("what")
    if which is None:
        raise InvalidRequest("say what is to be done: start, set or stop", path="what")
    what = getattr(request, which)
    check_named(what, which)
    if what.version and not what.model:
        raise InvalidRequest("a version is of a model: name that", path=f"{which}.model")
    if which == "start":
        return ShadowAsked(objective=request.objective, what=_wanted(request, caller))
    if which == "stop":
        return ShadowAsked(objective=request.objective, what=Stop(model=what.model, version=what.version))
    return ShadowAsked(objective=request.objective, what=_change(what))


def _wanted(request: pb.ShadowRequest, caller: Caller) -> WantedShadow:
    start = request.start
    if not start.model:
        raise InvalidRequest("name the model that is to get copies", path="start.model")
    return WantedShadow(
        objective=request.objective,
        model=start.model,
        version=start.version,
        basis_points=start.basis_points,
        noise_floor=start.noise_floor,
        max_body=start.max_body or DEFAULT_BODY,
        ends=Ends(pairs=start.pairs, lasts=start.lasts),
        author=caller.author,
        tenant=caller.tenant,
    )


def _change(what: pb.SetShadow) -> Change:
    ends = None
    if what.HasField("pairs") or what.HasField("lasts"):
        ends = Ends(pairs=what.pairs, lasts=what.lasts)
    share = what.basis_points if what.HasField("basis_points") else None
    if ends is None and share is None:
        raise InvalidRequest("say what is to be another: the share, or the end", path="set")
    return Change(model=what.model, version=what.version, basis_points=share, ends=ends)


def shadows(replica: Replica) -> Iterator[pb.Shadow]:
    """Yield each shadow that stands, or that some sidecar may still have, as far as a replica knows."""
    lanes = replica.known.lanes
    copies = replica.copies(lanes)
    for each in lanes.shadows.values():
        behind = replica.sidecars_behind.get(each.tenant, ())
        for shadow in each.shadows:
            yield _shadow(each, shadow, behind, copies.get(shadow.id, NO_COPIES))


def _shadow(of: Shadowed, shadow: Shadow, behind: tuple[str, ...], copies: Copies) -> pb.Shadow:
    waiting_for = () if shadow.in_force else behind[:MAX_LISTED]
    return pb.Shadow(
        id=shadow.id,
        objective=of.objective,
        tenant=of.tenant,
        model=model_of(shadow.key),
        primary=model_of(of.primary),
        basis_points=shadow.basis_points,
        is_noise=shadow.is_noise,
        max_body=shadow.max_body,
        pairs=shadow.pairs,
        until=shadow.until,
        entered=shadow.entered,
        in_force=shadow.in_force,
        stopped=shadow.stopped,
        author=shadow.author,
        why=shadow.why,
        waiting_for=[printable(each, MAX_NAME) for each in waiting_for],
        copies=pb.Copies(
            answered=copies.answered,
            shed=copies.shed,
            too_large=copies.too_large,
            late=copies.late,
            failed=copies.failed,
        ),
    )
