"""Shadows as people read of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from controlplane.cli.consumers import first_of
from controlplane.cli.handovers import moment
from controlplane.lifecycle.state import percent
from lightbulb.v1 import control_plane_pb2 as pb


def shadow_lines(shadows: Iterable[pb.Shadow]) -> Iterator[str]:
    """Yield a line for each shadow."""
    for each in shadows:
        parts = [f"{each.objective}: {told(each)}"]
        if each.waiting_for:
            parts.append(f"waiting for {first_of(each.waiting_for)}")
        if each.why:
            parts.append(each.why)
        if end := ends(each):
            parts.append(end)
        yield "; ".join([*parts, counted(each.copies)])


def told(shadow: pb.Shadow) -> str:
    """Return which shadow it is, and what it gets."""
    noise = ", the noise floor" if shadow.is_noise else ""
    what = f"shadow {shadow.id} of {shadow.model}{noise}"
    if shadow.stopped:
        return f"{what}, stopped"
    return f"{what}, {percent(shadow.basis_points)} of the requests to {shadow.primary}"


def ends(shadow: pb.Shadow) -> str:
    """Return when a shadow ends by itself; empty: it doesn't."""
    parts = [f"{shadow.pairs:,} pairs"] if shadow.pairs else []
    if shadow.until:
        parts.append(moment(shadow.until))
    return f"until {' or '.join(parts)}" if parts and not shadow.stopped else ""


def counted(copies: pb.Copies) -> str:
    """Return what became of copies."""
    sent = copies.answered + copies.shed + copies.too_large + copies.late + copies.failed
    if not sent:
        return "no copy counted yet"
    lost = [
        f"{count:,} {what}"
        for what, count in (
            ("shed", copies.shed),
            ("too large", copies.too_large),
            ("late", copies.late),
            ("failed", copies.failed),
        )
        if count
    ]
    return ", ".join([f"{copies.answered:,} of {sent:,} copies answered", *lost])
