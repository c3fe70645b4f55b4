"""Whatever comes in whatever order, nothing begins twice by its rule, or beside what excludes it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.lifecycle.scene import hash_of
from controlplane.lifecycle.state import ENDING
from controlplane.lifecycle.verdict import Outcome, Pair, Verdict
from controlplane.lifecycle.watching import Judged
from controlplane.rollout.registry import Consumer
from lightbulb.model import DEFAULT_TENANT, ObjectiveTable
from tests.depth import examples
from tests.lifecycle.scenes import PLAIN, WITHOUT
from tests.lightbulb.tables import OBJECTIVE
from tests.rollout.ruled import Plane
from tests.rollout.test_by_rules import FASTER, MOVED, STEPPED
from tests.rollout.test_new_defaults import AGAIN, JUDGED

OTHERS = ("roll back", "abort", "breach", "time", "time", "old Lightbulb", "upgrade")
SEEN: Counter[str] = Counter()
REACHED = (
    "shift started",
    "shift held",
    "shift aborted",
    "shift ended",
    "shift passed over",
    "probation started",
    "probation ended",
    "held back",
    "hold-back ended",
    "begun later",
    "aborted, and not begun again",
)
BREACH = Judged(
    verdicts=(Verdict(guard="errors", outcome=Outcome.BREACH, log_evidence=9.0, pair=Pair(), text="errors"),)
)


def take(it: Plane, step: ObjectiveTable | str) -> None:
    live = it.lanes.rollouts[DEFAULT_TENANT].live
    match step:
        case ObjectiveTable():
            it.publish(step)
        case "roll back" if len(live) > 1:
            it.roll_back(live[-2])
        case "abort" if it.control is not None and it.control.shift.state not in ENDING:
            it.abort()
        case "breach":
            it.look(judged={OBJECTIVE: BREACH})
        case "time":
            it.pass_time()
        case "old Lightbulb" | "upgrade":
            it.consumers = (Consumer(id="l1", kind="lightbulb", disobeys=step != "upgrade"),)
            it.look()


def check(it: Plane, begun: set[str], happened: list[str], step: ObjectiveTable | str) -> None:
    """Fail if what happened in a step may not be; `begun` are the tables that began a shift so far."""
    if "shift started" in happened:
        assert happened.count("shift started") == 1
        assert step != "roll back"
        assert it.control is not None
        assert it.control.shift.table not in begun
        begun.add(it.control.shift.table)
        SEEN["begun later"] += isinstance(step, str)
    elif it.control is None and isinstance(step, ObjectiveTable):
        SEEN["aborted, and not begun again"] += hash_of(step) in begun
    if OBJECTIVE not in it.lanes.begun:
        begun.clear()
    new, held = it.lanes.new_defaults.get(OBJECTIVE), it.lanes.held_back.get(OBJECTIVE)
    assert it.control is None or held is None
    if new is not None and new.number:
        active = it.generations[it.lanes.rollouts[DEFAULT_TENANT].active].plan.tables[0]
        assert (it.control, new.table) == (None, hash_of(active))
        assert held is None or held.table != new.table or held.until


def test_nothing_begins_twice_or_beside_what_excludes_it() -> None:
    SEEN.clear()
    tables = (PLAIN, STEPPED, FASTER, MOVED, JUDGED, AGAIN, WITHOUT, replace(STEPPED, deadline=0.9))

    @settings(max_examples=examples(1_000), deadline=None, derandomize=True)
    @given(st.lists(st.sampled_from((*tables, *OTHERS)), max_size=25))
    def explore(steps: list[ObjectiveTable | str]) -> None:
        it, begun = Plane(), set[str]()
        it.publish(PLAIN)
        for step in steps:
            known = len(it.events)
            take(it, step)
            happened = [each.kind for each in it.events[known:]]
            SEEN.update(happened)
            check(it, begun, happened, step)

    explore()
    assert not [what for what in REACHED if not SEEN[what]], SEEN
