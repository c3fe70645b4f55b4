"""What rules have begun by themselves: once a table, by the publish that makes it active."""

from dataclasses import replace

import pytest

from controlplane.lifecycle.state import ShiftState
from controlplane.rollout import by_rules
from controlplane.rollout.by_rules import waits_for
from controlplane.rollout.codec import (
    AGREEMENT_FORMAT,
    CONTROLS_FORMAT,
    SHADOWS_FORMAT,
    lanes_from_bytes,
    lanes_to_bytes,
)
from controlplane.rollout.registry import Consumer
from lightbulb.model import GuardTerms, ObjectiveTable, Schedule, ShadowRule, ShiftRule
from lightbulb.resolution.codec import Malformed
from lightbulb.v1 import store_pb2 as pb
from tests.lifecycle.scenes import OTHER, PLAIN, WITHOUT
from tests.lightbulb.tables import OBJECTIVE, source
from tests.rollout.ruled import Plane

GUARDS = GuardTerms(guards=("errors:1.25x",), alpha=0.01, interval=10.0, min_sample=100)
STEPS = ShiftRule(
    source=source("defineStepsRule"),
    salt="",
    basis_points=0,
    model=4,
    schedule=Schedule(steps=(500, 10_000), every=60.0, guards=GUARDS),
)
STEPPED = replace(PLAIN, shifts=(STEPS,))
FASTER = replace(PLAIN, shifts=(replace(STEPS, schedule=Schedule(steps=(5_000,))),))


@pytest.fixture
def it() -> Plane:
    found = Plane()
    found.publish(PLAIN)
    return found


def test_a_shift_begins_in_the_commit_that_makes_its_rule_active_and_says_whose_it_is(it: Plane) -> None:
    it.publish(STEPPED)
    assert it.control is not None
    shift = it.control.shift
    assert (shift.state, shift.steps, shift.every) == (ShiftState.STARTING, (500, 10_000), 60.0)
    assert (str(shift.guards.each[0]), shift.author, shift.rule) == ("errors:1.25x", "ann", STEPS.source)
    assert shift.key == PLAIN.models[4].routing_key
    (event,) = it.events
    assert (event.author, event.kind) == ("", "shift started")
    assert event.detail.endswith(f"guarded by errors:1.25x; by {STEPS.source}, generation 2 of ann")
    it.look()
    assert it.control.shift.state is ShiftState.RUNNING


COPIED = replace(
    PLAIN, shadows=(ShadowRule(source=source("defineCopyRule"), model=4, basis_points=500, max_body=2_048),)
)


def test_a_shadow_begins_in_the_commit_that_makes_its_rule_active_and_once_a_table(it: Plane) -> None:
    more = ShadowRule(
        source=source("defineMoreRule"),
        model=2,
        basis_points=100,
        noise_floor=True,
        max_body=4_096,
        lasts=60.0,
    )
    two = replace(COPIED, shadows=(*COPIED.shadows, more))
    it.publish(two, replace(COPIED, objective="Other"))
    own = it.lanes.shadows[OBJECTIVE].shadows
    assert [(each.key, each.basis_points, each.is_noise, each.author) for each in own] == [
        (PLAIN.models[4].routing_key, 500, False, "ann"),
        (PLAIN.models[2].routing_key, 100, False, "ann"),
        (PLAIN.models[0].routing_key, 100, True, "ann"),
    ]
    assert own[1].until == it.now + 60.0
    assert own[0].max_body == 2_048
    ids = [each.id for shadowed in it.lanes.shadows.values() for each in shadowed.shadows]
    assert len(set(ids)) == 4
    assert not it.lanes.controls
    assert [event.kind for event in it.events] == ["shadow started"] * 4
    assert it.events[0].detail.endswith(f", at 5 %; by {COPIED.shadows[0].source}, generation 2 of ann")
    it.lanes = it.lanes.without_shadows(OBJECTIVE)
    it.publish(two, replace(COPIED, objective="Other"))
    moved = tuple(replace(each, source=replace(each.source, line=99)) for each in two.shadows)
    it.publish(replace(two, shadows=moved), replace(COPIED, objective="Other"))
    it.roll_back(1)
    it.roll_back(2)
    assert OBJECTIVE not in it.lanes.shadows
    it.publish(replace(two, deadline=0.5))
    assert len(it.lanes.shadows[OBJECTIVE].shadows) == 3
    it.publish(PLAIN)
    it.look()
    assert OBJECTIVE not in it.lanes.begun or not it.lanes.begun[OBJECTIVE].waits


def test_a_shadow_that_stands_otherwise_is_passed_over_by_name(it: Plane) -> None:
    it.publish(COPIED)
    again = replace(COPIED, shadows=(replace(COPIED.shadows[0], basis_points=700),))
    it.publish(again)
    assert [each.basis_points for each in it.lanes.shadows[OBJECTIVE].shadows] == [500]
    assert it.events[-1].kind == "shadow passed over"
    assert "at 5 %; to change that: lightbulb shadow set" in it.events[-1].detail


def test_of_two_that_are_to_begin_each_has_a_commit_of_its_own_and_a_number(it: Plane) -> None:
    it.publish(STEPPED, replace(STEPPED, objective="Other"))
    assert len(it.lanes.controls) == 1
    it.look()
    numbers = {each.shift.number for each in it.lanes.controls.values()}
    assert len(numbers) == 2
    assert not any(each.waits for each in it.lanes.begun.values())


def test_the_same_table_begins_nothing_and_changes_nothing(it: Plane) -> None:
    it.publish(STEPPED)
    it.look()
    running = it.control
    it.publish(STEPPED)
    it.look()
    assert it.control is not None
    assert running is not None
    assert replace(it.control.shift, in_force=0.0) == replace(running.shift, generation=3, in_force=0.0)


MOVED = replace(PLAIN, shifts=(replace(STEPS, source=replace(STEPS.source, line=99)),))


@pytest.mark.parametrize("between", [None, PLAIN, WITHOUT, MOVED])
def test_one_that_was_aborted_is_begun_by_no_publish_of_its_table(
    it: Plane, between: ObjectiveTable | None
) -> None:
    it.publish(STEPPED)
    it.abort()
    it.pass_time()
    assert it.control is None
    if between is not None:
        it.publish(between)
    it.publish(STEPPED)
    it.pass_time()
    assert it.control is None
    it.publish(FASTER)
    assert it.control is not None
    assert it.control.shift.steps == (5_000,)


def test_what_was_begun_is_forgotten_once_no_loaded_table_has_steps(it: Plane) -> None:
    it.publish(STEPPED)
    it.abort()
    for _ in range(3):
        it.pass_time()
        it.publish(OTHER)
    assert it.lanes.begun == {}


def test_a_rollback_begins_nothing(it: Plane) -> None:
    it.publish(STEPPED)
    it.publish(PLAIN)
    it.abort()
    it.pass_time()
    it.roll_back(2)
    it.pass_time()
    assert it.control is None


def test_another_table_holds_the_shift_that_stands_and_its_own_is_passed_over_by_name(it: Plane) -> None:
    it.publish(STEPPED)
    it.look()
    it.publish(FASTER)
    assert it.control is not None
    assert (it.control.shift.state, it.control.shift.steps) == (ShiftState.HELD, (500, 10_000))
    assert it.events[-1].kind == "shift passed over"
    number = it.control.shift.number
    assert f"{STEPS.source} isn't begun, since shift {number} to next@2 stands" in it.events[-1].detail
    it.abort()
    it.pass_time()
    assert it.control is None


def test_it_waits_for_what_is_over_by_itself_and_says_for_what(it: Plane) -> None:
    it.publish(STEPPED)
    it.abort()
    it.publish(FASTER)
    assert waits_for(it.lanes, (), it.lanes.begun[OBJECTIVE]).startswith("shift 2 to be over")
    old = Consumer(id="l1", kind="lightbulb", disobeys=True)
    it.consumers = (old,)
    it.pass_time()
    assert it.control is None
    assert "upgrade it first" in waits_for(it.lanes, (old,), it.lanes.begun[OBJECTIVE])
    it.consumers = ()
    it.look()
    assert it.control is not None


def test_while_it_waits_a_rollback_makes_an_end_of_it(it: Plane) -> None:
    it.consumers = (Consumer(id="l1", kind="lightbulb", disobeys=True),)
    it.publish(STEPPED)
    it.roll_back(1)
    it.consumers = ()
    it.roll_back(2)
    it.pass_time()
    assert it.control is None


def test_control_planes_from_before_refuse_a_head_with_what_rules_began(it: Plane) -> None:
    it.publish(STEPPED)
    body = lanes_to_bytes(it.lanes)
    assert lanes_from_bytes(body) == it.lanes
    assert pb.StoredLanes.FromString(body).format == SHADOWS_FORMAT == CONTROLS_FORMAT + 1
    with pytest.raises(Malformed, match=f"a head of format {AGREEMENT_FORMAT + 1}"):
        lanes_from_bytes(pb.StoredLanes(format=AGREEMENT_FORMAT + 1).SerializeToString())


def test_no_more_are_begun_than_the_head_has_room_for_and_one_event_names_the_rest(
    it: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_rules, "MAX_CONTROLS", 1)
    it.publish(*(replace(STEPPED, objective=name) for name in ("A", "B", "C")))
    assert list(it.lanes.begun) == ["A"]
    assert [each.detail for each in it.events if each.kind == "shift passed over"] == [
        "B; C: 1 objectives have shifts by their rules, so that these aren't begun"
    ]
