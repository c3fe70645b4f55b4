"""How a lane ends: the version of what is shown never falls, and what is in use is never ended."""

from types import MappingProxyType

from controlplane.model import Plan
from controlplane.rollout.ending import end
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import Generation, Moment, Phase, Rollout

NOTHING = Plan(tables=(), routes=(), assignments=())
GENERATIONS = {number: Generation(number=number, content_hash="", plan=NOTHING) for number in (1, 2, 3, 4)}
DEFAULT = Rollout(phase=Phase.SETTLED, entered=0.0, active=1, live=(1,), held=(1,), desired_version=5)
OTHER = Rollout(
    phase=Phase.SETTLED, entered=0.0, active=3, live=(2, 3), held=(3,), pinned=(2,), desired_version=9
)


def lanes_of(other: Rollout) -> Lanes:
    return Lanes(MappingProxyType({"default": DEFAULT, "other": other}), platform=4)


def test_a_lane_lets_go_of_everything_and_is_taken_out_once_another_is_newer() -> None:
    lanes = end(lanes_of(OTHER), "other", GENERATIONS, Moment(10.0, 20))
    begun = lanes.rollouts["other"]
    assert (begun.phase, begun.pinned) == (Phase.RETIRING, ())
    alone = Rollout(phase=Phase.SETTLED, entered=0.0, active=3, live=(3,), held=(3,), desired_version=21)
    lanes = end(lanes_of(alone), "other", GENERATIONS, Moment(11.0, 22))
    assert (lanes.rollouts["other"].active, lanes.rollouts["other"].live) == (0, ())
    assert lanes.desired_version == 22
    assert end(lanes, "other", GENERATIONS, Moment(12.0, 23)) == lanes
    later = lanes.after("default", Rollout(phase=Phase.SETTLED, entered=0.0, active=1, desired_version=22))
    assert set(end(later, "other", GENERATIONS, Moment(13.0, 24)).rollouts) == {"default"}


def test_a_lane_with_something_on_its_way_is_not_ended() -> None:
    lanes = lanes_of(Rollout(phase=Phase.LOADING, entered=0.0, active=3, target=2, live=(3,), held=(3,)))
    assert end(lanes, "other", GENERATIONS, Moment(10.0, 20)) is lanes
