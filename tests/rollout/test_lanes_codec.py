"""A head costs what is new in it: lanes that are as they were are the same bytes, and the same rollouts."""

from dataclasses import replace

import pytest

from controlplane.lifecycle.state import NO_CONTROLS
from controlplane.rollout.codec import LanesReader, LanesWriter, lanes_from_bytes, lanes_to_bytes
from controlplane.rollout.handover import Handover
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import Phase
from lightbulb.model import DEFAULT_TENANT
from lightbulb.resolution.codec import Malformed
from lightbulb.v1 import store_pb2 as pb
from tests.rollout.rollouts import rollout

FIRST = Lanes({DEFAULT_TENANT: rollout(), "search": rollout(fence=3), "twin": rollout(fence=3)}, platform=1)
OFFER = Handover(objective="o", owner="search", taker="twin", until=9.0)
STEPS = (
    FIRST,
    FIRST.after("search", rollout(Phase.ROUTING)),
    FIRST.after("search", replace(FIRST.rollouts["search"])),
    FIRST.after("search", rollout(awaits=(7,))).with_handover(OFFER),
    Lanes({DEFAULT_TENANT: rollout()}),
    Lanes({"search": rollout(fence=3)}, platform=2),
    FIRST,
)


def whole(lanes: Lanes) -> pb.StoredLanes:
    return pb.StoredLanes.FromString(lanes_to_bytes(lanes))


def test_heads_are_written_and_read_as_if_each_were_the_first() -> None:
    writer, reader = LanesWriter(), LanesReader()
    for lanes in STEPS:
        body = writer.content(lanes)
        assert body == lanes_to_bytes(lanes)
        assert reader.lanes(body) == lanes_from_bytes(body) == replace(lanes, controls=NO_CONTROLS)


def test_bytes_are_those_of_the_message_as_a_whole() -> None:
    for lanes in STEPS[:4]:
        assert whole(lanes).SerializeToString(deterministic=True) == lanes_to_bytes(lanes)


def test_only_the_lane_that_moved_is_another_object() -> None:
    writer, reader = LanesWriter(), LanesReader()
    before = reader.lanes(writer.content(FIRST))
    moved = before.after("search", rollout(Phase.ROUTING))
    after = reader.lanes(writer.content(moved))
    assert after.rollouts["twin"] is before.rollouts["twin"]
    assert after.rollouts["search"] == rollout(Phase.ROUTING)
    assert reader.lanes(writer.content(before)).rollouts == FIRST.rollouts


def test_a_head_that_cant_be_read_leaves_no_trace() -> None:
    reader = LanesReader()
    before = reader.lanes(lanes_to_bytes(FIRST))
    broken = whole(FIRST)
    broken.lanes[1].rollout.phase = "flying"
    with pytest.raises(Malformed, match="flying"):
        reader.lanes(broken.SerializeToString())
    assert reader.lanes(lanes_to_bytes(FIRST)).rollouts["twin"] is before.rollouts["twin"]
