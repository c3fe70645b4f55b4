"""A new default is judged for a while; a breach holds its objective back, and nothing else."""

from dataclasses import replace

import pytest

from controlplane.lifecycle.state import NewDefault
from controlplane.lifecycle.verdict import Outcome, Pair, Verdict
from controlplane.lifecycle.watching import Judged
from controlplane.rollout.new_defaults import guarded_of
from controlplane.xds.special_routes import SpecialRoute, by_tenant
from lightbulb.model import GuardTerms, ObjectiveTable, Probation
from tests.lifecycle.scenes import OTHER, PLAIN
from tests.lightbulb.tables import OBJECTIVE
from tests.rollout.ruled import Plane
from tests.rollout.test_by_rules import STEPPED

BOUND = GuardTerms(guards=("errors:1%",), alpha=0.01, interval=10.0, min_sample=100)
JUDGED = replace(OTHER, default_model=4, probation=Probation(guards=BOUND, seconds=3_600.0))
AGAIN = replace(JUDGED, cache_lifetime=1.0)


def verdict(outcome: Outcome) -> dict[str, Judged]:
    said = Verdict(
        guard="errors", outcome=outcome, log_evidence=0.0, pair=Pair(), text="errors: 41 of 3,120 (1.31 %)"
    )
    return {OBJECTIVE: Judged(verdicts=(said,), blind=9 if outcome is Outcome.BLIND else 0)}


def new(it: Plane) -> NewDefault | None:
    return it.lanes.new_defaults.get(OBJECTIVE)


@pytest.fixture
def it() -> Plane:
    found = Plane()
    found.publish(PLAIN)
    found.publish(JUDGED)
    return found


def test_it_is_judged_from_the_commit_that_makes_it_active_and_counted_by_its_key(it: Plane) -> None:
    found = new(it)
    assert found is not None
    assert (found.number, found.until) == (it.version, it.now + 3_600.0)
    route = SpecialRoute(name=f"default-{found.number}", key=PLAIN.models[4].routing_key)
    assert by_tenant(it.lanes.controls, new_defaults=it.lanes.new_defaults) == {
        "default": {OBJECTIVE: (route,)}
    }
    assert guarded_of(it.lanes) == {OBJECTIVE: found}
    assert it.lanes.rollouts["default"].desired_version == it.version
    (event,) = it.events
    assert event.kind == "probation started"
    assert "the default next@2 is judged by errors:1% until" in event.detail
    assert event.detail.endswith(f"by {JUDGED.default_source}, generation 2 of ann")


@pytest.mark.parametrize("outcome", [Outcome.BREACH, Outcome.CATASTROPHE])
def test_a_breach_holds_back_and_says_by_which_figures(it: Plane, outcome: Outcome) -> None:
    rollout = it.lanes.rollouts["default"]
    it.look(judged=verdict(outcome))
    (held,) = it.lanes.held_back.values()
    assert (held.objective, held.answer_from, held.rejected, held.author) == (OBJECTIVE, 1, 2, "")
    assert held.why == "by its guard errors: 41 of 3,120 (1.31 %)"
    assert it.lanes.new_defaults == {}
    after = replace(it.lanes.rollouts["default"], desired_version=rollout.desired_version, pinned=())
    assert after == rollout
    assert it.events[-1].kind == "held back"
    assert it.events[-1].detail == f"{OBJECTIVE}: answered from generation 1: {held.why}"
    it.publish(AGAIN)
    assert new(it) is not None
    it.look(judged=verdict(outcome))
    assert it.lanes.held_back[OBJECTIVE].rejected == 3


@pytest.mark.parametrize("outcome", [Outcome.NONE, Outcome.FINE, Outcome.BLIND])
def test_nothing_else_does_anything_until_its_time_is_over(it: Plane, outcome: Outcome) -> None:
    before = it.lanes
    it.look(judged=verdict(outcome))
    assert it.lanes == before
    it.now += 3_600.0
    it.look(judged=verdict(outcome))
    assert (it.lanes.new_defaults, it.lanes.held_back) == ({}, {})
    how = "it kept to its limits" if outcome is Outcome.FINE else "too little was seen"
    assert how in it.events[-1].detail


@pytest.mark.parametrize("table", [OTHER, AGAIN])
def test_another_table_ends_it_and_may_begin_another(it: Plane, table: ObjectiveTable) -> None:
    first = new(it)
    it.publish(table)
    assert (new(it) is None) == (table is OTHER)
    assert new(it) != first


MOVED = replace(JUDGED, default_source=replace(JUDGED.default_source, line=99))


def test_the_same_table_goes_on_being_judged_wherever_its_rules_stand_and_is_held_back_to_another(
    it: Plane,
) -> None:
    first = new(it)
    it.publish(MOVED)
    assert new(it) == first
    it.look(judged=verdict(Outcome.BREACH))
    (held,) = it.lanes.held_back.values()
    assert (held.answer_from, held.rejected) == (1, 3)


def test_neither_a_first_table_nor_a_rollback_nor_one_beside_a_shift_is_judged(it: Plane) -> None:
    it.publish(PLAIN)
    it.roll_back(2)
    assert it.lanes.new_defaults == {}
    fresh = Plane()
    fresh.publish(JUDGED)
    assert fresh.lanes.new_defaults == {}
    fresh.publish(JUDGED, replace(JUDGED, objective="Other"))
    assert fresh.lanes.new_defaults == {}
    it.publish(STEPPED)
    assert it.control is not None
    it.publish(replace(STEPPED, deadline=0.7, probation=JUDGED.probation))
    assert it.lanes.new_defaults == {}


def test_it_ends_once_there_is_nothing_to_go_back_to(it: Plane) -> None:
    it.publish(JUDGED)
    assert new(it) is not None
    it.publish(JUDGED)
    assert (it.lanes.new_defaults, it.lanes.held_back) == ({}, {})
    assert "no loaded generation has another table of the objective any more" in it.events[-1].detail


def test_what_cant_be_held_back_is_left_and_an_event_says_why(it: Plane) -> None:
    rolled_back_from = replace(it.lanes.rollouts["default"], undone=(1,))
    it.look(it.lanes.after("default", rolled_back_from))
    it.look(judged=verdict(Outcome.BREACH))
    assert (it.lanes.new_defaults, it.lanes.held_back) == ({}, {})
    said = "by its guard errors: 41 of 3,120 (1.31 %), and isn't held back: no generation that is loaded"
    assert said in it.events[-1].detail
