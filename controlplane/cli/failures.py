"""Who is waited for, and why a generation was withdrawn, as people read it. Pure.

What the API tells as values is put into words here; its texts are read only where an older control plane
tells nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.cli.consumers import loads_of, short_type
from controlplane.rollout.failure import Laggard, Missing, listed, printable, without
from controlplane.rollout.failure_codec import failure_from_proto, missing_from_proto
from lightbulb.v1 import control_plane_pb2 as pb

MAX_TEXT = 4_000
"""Characters of a text that is shown as it came."""


def why_failed(status: pb.GetStatusResponse) -> str:
    """Return why the newest publish was withdrawn."""
    return str(failure_from_proto(status.why_failed, told=printable(status.failure, MAX_TEXT)))


def how_far(status: pb.GetStatusResponse) -> str:
    """Return whom the newest publish went on without, and who is waited for, for what."""
    passed_over, waited_for = map(missing_from_proto, (status.passed_over, status.waiting_for))
    if not waited_for and status.detail:
        return printable(status.detail, MAX_TEXT)
    loads = {(each.kind, each.node_id): loads_of(each) for each in status.consumers if each.loading}
    waiting = f"waiting for {_in_detail(waited_for, loads)}" if waited_for else ""
    return "; ".join(part for part in (without(passed_over), waiting) if part)


def _in_detail(missing: Missing, loads: Mapping[tuple[str, str], str]) -> str:
    laggards = (_with_types(each, loads) for each in missing.laggards)
    return listed([*map(str, missing.refusals), *laggards], missing.more)


def _with_types(laggard: Laggard, loads: Mapping[tuple[str, str], str]) -> str:
    """Return who it is, and what it owes or loads; not since when, or a log would have a line a second."""
    loading = loads.get((laggard.consumer_kind, laggard.consumer_id), "")
    types = loading or ", ".join(map(short_type, laggard.resource_types))
    return f"{laggard} ({types})" if types and not laggard.disconnected else str(laggard)
