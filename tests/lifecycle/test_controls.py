"""Whatever comes in whatever order, a shift only rises, and is taken back from everybody at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from controlplane.lifecycle import operations
from controlplane.lifecycle.advance import Acked, advance, reconciled
from controlplane.lifecycle.events import happened
from controlplane.lifecycle.guards import Guards, parse_guards
from controlplane.lifecycle.operations import At, ControlRefused, NotInThisState
from controlplane.lifecycle.state import ENDING, SHIFTING, Control, Shift, ShiftState
from controlplane.lifecycle.verdict import Outcome, Pair, Verdict
from controlplane.lifecycle.views import objective_control, operator_shift
from controlplane.lifecycle.watching import NOT_JUDGED, Judged
from controlplane.planning.schedules import duration_text
from controlplane.rollout.codec import lanes_from_bytes, lanes_to_bytes
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import Phase, Rollout
from lightbulb.model import ModelTarget, ObjectiveControl, ObjectiveTable, RequestContext
from lightbulb.resolution.resolve import Reason, Resolver
from tests.lifecycle.scenes import (
    DEFAULT,
    LED_TO,
    MADE_DEFAULT,
    NEXT,
    OTHER,
    PLAIN,
    SHIFTED,
    TABLES,
    WITHOUT,
    scene,
    wanted,
)
from tests.lightbulb.tables import TABLE

WINDOW = 2
PATIENCE = 5.0
LEASE = 40.0
SEEN: Counter[str] = Counter()
REACHED = (
    *(state.value for state in ShiftState),
    "aborted by a publish",
    "held by a publish",
    "ended by its default",
    "refused",
    "not refused, since rules lead there",
    "routed again for a publish",
    "kept from the rules' own shift",
    "started without a sidecar",
    "a Lightbulb's lease was over",
    "a Lightbulb came after its lease",
    "gone on to more",
    "finished",
    "over",
    "stepped by itself",
    "stepped with guards",
    "undone by a guard",
    "undone while held",
    "held, since its guards are blind",
)

GUARDS = parse_guards(["errors:1.25x"])


@dataclass
class Lightbulb:
    """What it obeys; `gone` since when it can't be reached; `late`: it came after its lease, untold yet."""

    obeys: ObjectiveControl | None = None
    gone: float | None = None
    late: bool = False


class Shifts(RuleBasedStateMachine):
    """One objective: an operator, publishes and rollbacks, two Lightbulbs and a sidecar that lag at will."""

    def __init__(self) -> None:
        super().__init__()
        self.version, self.now = 1, 100.0
        self.control: Control | None = None
        self.tables: list[tuple[int, ObjectiveTable | None]] = [(1, PLAIN)]
        self.settled = True
        self.target: ObjectiveTable | None = None
        self.lightbulbs = [Lightbulb(), Lightbulb()]
        self.sidecar_lags = False
        self.highest = 0
        self.last = 1

    @initialize(table=st.sampled_from((PLAIN, SHIFTED)))
    def begin(self, table: ObjectiveTable) -> None:
        self.tables = [(1, table)]

    @property
    def at(self) -> At:
        return At(self.now, self.version + 1)

    def scene(self):
        number, table = self.tables[-1]
        live = (*(each for _, each in self.tables), self.target)
        return scene(table, number, live, settled=self.settled)

    def take(self, after: Control | None) -> None:
        """Commit what was decided, as the control plane does: beside the generations that there are."""
        before = self.control
        if after is not None:
            after = reconciled(after, self.scene(), self.at)
        if after == before:
            return
        self.version += 1
        self.check_step(before, after)
        if after is None or before is None or after.shift.number != before.shift.number:
            self.highest = 0
        self.control = after

    def check_step(self, before: Control | None, after: Control | None) -> None:
        """What is shown changes with its version, and no step does what no step may."""
        shown = [None if each is None else objective_control(each) for each in (before, after)]
        if after is not None and before is not None:
            one, other = (None if each is None else replace(each, version=0) for each in shown)
            routes = [(each.shift.refused, each.shift.state in ENDING) for each in (before, after)]
            if one != other or (routes[0] != routes[1] and before.shift.state is not after.shift.state):
                assert after.version == self.version
            assert not (before.shift.state in ENDING and after.shift.state not in ENDING)
            if before.shift.state in SHIFTING and after.shift.state in SHIFTING:
                assert after.shift.basis_points >= before.shift.basis_points
        if before is None:
            assert after is not None
            assert after.shift.state is ShiftState.STARTING
        told = happened(before, after)
        states = [each and each.shift.state for each in (before, after)]
        if states[0] is not states[1] and states != [ShiftState.STARTING, ShiftState.RUNNING]:
            assert told is not None or states[1] is ShiftState.CLEARING

    @rule(
        steps=st.sets(st.sampled_from([0, 100, 500, 5_000, 10_000]), min_size=1),
        to=st.sampled_from(["next", "kids"]),
        guards=st.sampled_from([None, GUARDS]),
    )
    def start(self, steps: set[int], to: str, guards: Guards | None) -> None:
        every = 5.0 if len(steps) > 1 else 0.0
        asked = replace(wanted(*sorted(steps), model=to, every=every), guards=guards)
        try:
            after = operations.start(self.control, asked, self.scene(), self.at)
        except ControlRefused:
            return
        if self.control is not None and after != self.control:
            SEEN["gone on to more"] += 1
        self.take(after)

    @precondition(lambda self: self.control is not None)
    @rule(verb=st.sampled_from(["hold", "resume", "step", "finish", "abort"]))
    def act(self, verb: str) -> None:
        assert self.control is not None

        verbs: dict[str, Callable[[Control], Control]] = {
            "hold": lambda control: operations.hold(control, "look"),
            "resume": lambda control: operations.resume(control, self.scene(), self.at),
            "step": lambda control: operations.step(control, self.at),
            "finish": lambda control: operations.finish(control, self.at),
            "abort": lambda control: operations.abort(control, self.at),
        }
        done = verbs[verb]
        try:
            after = done(self.control)
        except NotInThisState:
            return
        if verb != "step":
            assert done(after) == after  # said again, it changes nothing
        if verb == "finish":
            SEEN["finished"] += 1
        self.take(after)

    @rule(
        table=st.sampled_from((*TABLES, PLAIN, PLAIN, SHIFTED, LED_TO, MADE_DEFAULT)), at_once=st.booleans()
    )
    def publish(self, table: ObjectiveTable | None, *, at_once: bool = False) -> None:
        """Have a generation on its way: its keys are routed before it is active."""
        self.target, before = table, self.control
        self.take(self.control)
        if before is not None and self.control is not None:
            SEEN["routed again for a publish"] += before.shift.refused and not self.control.shift.refused
        if at_once:
            self.activate()

    @precondition(lambda self: self.control is not None and self.control.shift.refused)
    @rule()
    def publish_what_leads_there(self) -> None:
        self.publish(LED_TO)

    @precondition(lambda self: self.target is not None)
    @rule()
    def activate(self) -> None:
        self.last += 1
        self.tables = [*self.tables[-WINDOW:], (self.last, self.target)]
        self.target, self.settled = None, False
        self.beside()

    @precondition(lambda self: len(self.tables) > 1)
    @rule()
    def roll_back(self) -> None:
        self.tables = [*self.tables[:-2], self.tables[-1], self.tables[-2]]
        self.settled = False
        self.beside()

    def beside(self) -> None:
        if self.control is None:
            return
        before = self.control.shift.state
        self.take(self.control)
        after = self.control.shift.state
        if before not in ENDING and after is ShiftState.ABORTING:
            SEEN["aborted by a publish"] += 1
        if before is ShiftState.RUNNING and after is ShiftState.HELD:
            SEEN["held by a publish"] += 1

    @rule()
    def settle(self) -> None:
        self.settled = True

    @rule(which=st.integers(0, 1))
    def acknowledge(self, which: int) -> None:
        lightbulb = self.lightbulbs[which]
        if lightbulb.gone is None:
            lightbulb.obeys, lightbulb.late = self.shown(), False

    @rule(which=st.integers(0, 1))
    def go_or_come(self, which: int) -> None:
        lightbulb = self.lightbulbs[which]
        if lightbulb.gone is not None and not self.counts(lightbulb):
            lightbulb.late = True
            SEEN["a Lightbulb came after its lease"] += 1
        lightbulb.gone = self.now if lightbulb.gone is None else None

    @rule()
    def lag(self) -> None:
        self.sidecar_lags = not self.sidecar_lags

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 62.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    def shown(self) -> ObjectiveControl | None:
        return None if self.control is None else objective_control(self.control)

    def counts(self, lightbulb: Lightbulb) -> bool:
        return lightbulb.gone is None or self.now - lightbulb.gone < LEASE

    @precondition(lambda self: self.control is not None)
    @rule(seconds=st.sampled_from([0.1, 10.0, 62.0]))
    def catch_up(self, seconds: float) -> None:
        """Have everybody who is there acknowledge, time pass, and the leader look, twice."""
        self.settled = True
        for _ in range(2):
            self.acknowledge(0)
            self.acknowledge(1)
            self.now += seconds
            if self.control is not None:
                self.judge(Outcome.FINE, 0)

    @precondition(lambda self: self.control is not None)
    @rule(
        outcome=st.sampled_from(
            [
                None,
                Outcome.NONE,
                Outcome.FINE,
                Outcome.FINE,
                Outcome.BLIND,
                Outcome.BREACH,
                Outcome.CATASTROPHE,
            ]
        ),
        blind=st.sampled_from([0, 4, 5]),
    )
    def judge(self, outcome: Outcome | None, blind: int) -> None:
        """Have the guards say something, and the leader look."""
        assert self.control is not None
        shift = self.control.shift
        if outcome is None or not shift.guards.each:
            self.look()
            return
        verdict = Verdict(
            guard="errors", outcome=outcome, log_evidence=0.0, pair=Pair(), text="errors: 1 of 2"
        )
        blind = blind if outcome is Outcome.BLIND else 0
        self.look(Judged(verdicts=(verdict,), blind=blind, step=shift.basis_points))
        after = self.control and self.control.shift
        if outcome.undoes and shift.state in SHIFTING:
            assert after
            assert (after.state, after.why) == (ShiftState.ABORTING, "by its guard errors: 1 of 2")
            SEEN["undone by a guard"] += 1
            SEEN["undone while held"] += shift.state is ShiftState.HELD
        if blind == 5 and shift.state is ShiftState.RUNNING and after:
            assert after.state is ShiftState.HELD
            SEEN["held, since its guards are blind"] += 1

    @precondition(lambda self: self.control is not None and self.control.shift.state is ShiftState.RUNNING)
    @rule()
    def go_blind(self) -> None:
        self.judge(Outcome.BLIND, 5)

    @precondition(lambda self: self.control is not None and self.control.shift.state is ShiftState.RUNNING)
    @rule()
    def come_far(self) -> None:
        """Have everybody there, and time pass: another step may be due."""
        for which, lightbulb in enumerate(self.lightbulbs):
            if lightbulb.gone is not None:
                self.go_or_come(which)
        self.catch_up(10.0)

    @precondition(lambda self: self.control is not None and self.control.shift.state is ShiftState.HELD)
    @rule()
    def breach_while_held(self) -> None:
        self.judge(Outcome.BREACH, 0)

    @precondition(lambda self: self.control is not None and self.control.shift.state in SHIFTING)
    @rule()
    def make_it_the_default(self) -> None:
        assert self.control is not None
        if self.control.shift.key == NEXT.routing_key:
            self.publish(MADE_DEFAULT, at_once=True)
            self.come_far()

    @precondition(lambda self: self.control is not None and self.control.shift.state in SHIFTING)
    @rule(seconds=st.sampled_from([10.0, 62.0]))
    def take_back(self, seconds: float) -> None:
        self.act("abort")
        self.catch_up(seconds)

    def look(self, judged: Judged = NOT_JUDGED) -> None:
        """Have the leader look."""
        before = self.control
        assert before is not None
        behind = [each for each in self.lightbulbs if each.gone is not None or each.obeys != self.shown()]
        acked = Acked(
            sidecars=("s",) if self.sidecar_lags else (),
            lightbulbs=tuple("l" for each in behind if self.counts(each)),
        )
        beside = reconciled(before, self.scene(), self.at)
        after = advance(beside, self.scene(), acked, PATIENCE, self.at, judged)
        if after is not None and after.shift.at != beside.shift.at:
            self.check_own_step(beside.shift, after.shift, judged)
        self.note(before, after, acked)
        if after is not None and before.shift.state is ShiftState.ABORTING:
            leased = behind and not acked.lightbulbs and after.shift.state is ShiftState.CLEARING
            SEEN["a Lightbulb's lease was over"] += bool(leased)
        self.take(after)

    def check_own_step(self, before: Shift, after: Shift, judged: Judged) -> None:
        """No step by itself but in force, in time, while it runs, and with every guard content."""
        assert after.at == before.at + 1
        assert before.state is after.state is ShiftState.RUNNING
        assert 0.0 < before.in_force <= self.now - before.every
        assert [each.outcome for each in judged.verdicts] == [Outcome.FINE] * len(before.guards.each)
        SEEN["stepped by itself"] += 1
        SEEN["stepped with guards"] += bool(before.guards.each)

    def note(self, before: Control, after: Control | None, acked: Acked) -> None:
        if after is None:
            rules_say_so = before.shift.state in SHIFTING
            SEEN["ended by its default" if rules_say_so else "over"] += 1
        elif after.shift.state is ShiftState.CLEARING:
            if before.shift.state is ShiftState.ABORTING:
                SEEN["refused" if after.shift.refused else "not refused, since rules lead there"] += 1
            elif self.now >= after.shift.until:
                SEEN["kept from the rules' own shift"] += 1
        elif before.shift.state is ShiftState.STARTING and acked.sidecars and after != before:
            SEEN["started without a sidecar"] += 1

    @invariant()
    def what_it_names_is_served(self) -> None:
        if self.control is not None and self.control.shift.state in SHIFTING:
            assert self.scene().has(self.control.shift.key)

    @invariant()
    def no_key_is_refused_that_somebody_may_be_told(self) -> None:
        if self.control is None:
            return
        SEEN[self.control.shift.state.value] += 1
        shift = self.control.shift
        if not shift.refused:
            return
        assert shift.state is ShiftState.CLEARING
        assert not self.scene().leads_to(shift.key)
        for lightbulb in filter(self.counts, self.lightbulbs):
            if lightbulb.gone is None and not lightbulb.late:
                assert (
                    lightbulb.obeys is None
                    or lightbulb.obeys.shift is None
                    or not (
                        lightbulb.obeys.shift.basis_points and lightbulb.obeys.shift.number == shift.number
                    )
                )

    @invariant()
    def its_state_is_in_the_head(self) -> None:
        """Whoever leads next knows all that the last one did."""
        lanes = Lanes(MappingProxyType({"default": Rollout(phase=Phase.SETTLED, entered=1.0)}))
        if self.control is not None:
            lanes = lanes.with_control(self.control, self.control.version)
        assert lanes_from_bytes(lanes_to_bytes(lanes)) == lanes


def test_a_shift_only_rises_and_is_taken_back_from_everybody_at_once() -> None:
    SEEN.clear()
    run_state_machine_as_test(
        Shifts,
        settings=settings(
            max_examples=400,
            stateful_step_count=50,
            derandomize=True,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    assert not [what for what in REACHED if not SEEN[what]], SEEN


USERS = [f"user-{number}" for number in range(2_000)]


def begun(*steps: int, model: str = "next") -> Control:
    return operations.start(None, wanted(*steps, model=model), scene(), At(1.0, 17))


def moved(control: Control, table: ObjectiveTable = TABLE) -> set[str]:
    resolver = Resolver(table).under(operator_shift(control))
    answers = {user: resolver.resolve(RequestContext(user_id=user)) for user in USERS}
    return {user for user, answer in answers.items() if answer.reason is Reason.SHIFT}


def test_a_ramp_only_adds_users_and_another_shift_takes_others_first() -> None:
    before: set[str] = set()
    control = replace(
        begun(100, 500, 2_500, 10_000),
        shift=replace(begun(100, 500, 2_500, 10_000).shift, state=ShiftState.RUNNING),
    )
    for _ in range(3):
        now = moved(control)
        assert before < now
        before = now
        control = operations.stepped(control, At(2.0, 18))
    assert len(moved(control)) == len(USERS)
    other = begun(2_500, model="kids")
    others = moved(replace(other, shift=replace(other.shift, state=ShiftState.RUNNING)))
    assert len(before & others) < 0.4 * len(before)  # a quarter of a quarter


def test_at_no_share_the_shift_gives_its_model_to_nobody_whatever_the_rules_shift() -> None:
    aborted = operations.abort(begun(5_000), At(2.0, 18))
    assert moved(aborted, SHIFTED) == set()
    assert moved(begun(0, 100), SHIFTED) == set()


def test_a_table_without_the_model_is_answered_as_its_rules_say() -> None:
    resolver = Resolver(WITHOUT)
    assert resolver.under(operator_shift(begun(10_000))) is resolver


@pytest.mark.parametrize(
    ("steps", "every", "words"),
    [
        ((), 0.0, "1 to 20 steps"),
        ((10_001,), 0.0, "100.01 %: a share is of 0 to 100 %"),
        ((500, 400), 0.0, "5 %, 4 %: each step must be more"),
        ((500, 500), 0.0, "must be more"),
        ((500,), 60.0, "give a schedule of several"),
        ((500, 600), 0.5, "1 second to 30 days"),
        (tuple(range(21)), 0.0, "not 21"),
    ],
)
def test_a_schedule_that_no_shift_can_have_is_refused(
    steps: tuple[int, ...], every: float, words: str
) -> None:
    with pytest.raises(operations.InvalidShift, match=words):
        operations.start(None, wanted(*steps, every=every), scene(), At(1.0, 2))


def test_a_publish_is_told_in_the_shifts_own_words() -> None:
    running = replace(begun(500), shift=replace(begun(500).shift, state=ShiftState.RUNNING))
    held = reconciled(running, scene(OTHER, 2), At(3.0, 20))
    assert held.shift.state is ShiftState.HELD
    assert held.version == running.version  # nobody is shown anything else
    assert "generation 2 changed the objective's table" in held.shift.why
    aborted = reconciled(running, scene(WITHOUT, 2), At(3.0, 20))
    assert (aborted.shift.state, aborted.shift.why) == (ShiftState.ABORTING, "generation 2 hasn't its model")
    assert aborted.version == 20
    default = reconciled(running, scene(MADE_DEFAULT, 2, settled=False), At(3.0, 20))
    assert advance(default, scene(MADE_DEFAULT, 2, settled=False), Acked(), 1.0, At(4.0, 21)) is not None
    assert advance(default, scene(MADE_DEFAULT, 2), Acked(), 1.0, At(4.0, 21)) is None
    assert NEXT.routing_key == running.shift.key


def test_a_shift_that_was_held_for_long_stays_where_it_is_as_long_as_a_step_once_it_is_resumed() -> None:
    begun_at = operations.start(None, wanted(500, 5_000, every=60.0), scene(), At(1.0, 17))
    running = replace(begun_at, shift=replace(begun_at.shift, state=ShiftState.RUNNING, in_force=2.0))
    held = operations.hold(running)
    resumed = operations.resume(held, scene(), At(1_000.0, 20))
    assert resumed.version == running.version  # nobody is shown anything else

    def looked(control: Control, now: float) -> Control:
        after = advance(control, scene(), Acked(), PATIENCE, At(now, 21))
        assert after is not None
        return after

    in_force = looked(resumed, 1_001.0)
    assert looked(in_force, 1_060.0).shift.basis_points == 500
    assert looked(in_force, 1_061.0).shift.basis_points == 5_000


def test_what_happened_is_told_in_the_words_that_are_typed() -> None:
    shift = begun(500, 5_000).shift
    asked = replace(wanted(500, 5_000, every=1_800.0), guards=GUARDS)
    started = operations.start(None, asked, scene(), At(1.0, 17))
    told = happened(None, started)
    assert told is not None
    assert told[1].endswith(
        f"shift {shift.number} to next@2, by 5 %, 50 % every 30m, guarded by errors:1.25x"
    )
    assert [duration_text(each) for each in (90.0, 60.0, 7_200.0, 86_400.0, 1.5)] == [
        "90s",
        "1m",
        "2h",
        "1d",
        "1.5s",
    ]


def test_a_model_with_several_sets_of_parameters_is_shifted_to_with_the_defaults_or_the_shifts_own() -> None:
    kids = replace(NEXT, parameters={"max_titles": 20})
    twice = replace(PLAIN, models=(*PLAIN.models[:4], kids, NEXT))
    control = operations.start(None, wanted(5_000), scene(twice), At(1.0, 17))
    running = replace(control, shift=replace(control.shift, state=ShiftState.RUNNING))

    def given(table: ObjectiveTable) -> list[ModelTarget]:
        resolver = Resolver(table).under(operator_shift(running))
        answers = (resolver.resolve(RequestContext(user_id=user)) for user in USERS)
        return [each.target for each in answers if each.reason is Reason.SHIFT]

    assert DEFAULT.parameters == NEXT.parameters
    assert set(map(id, given(twice))) == {id(NEXT)}
    by_rules = replace(twice, shifts=(replace(SHIFTED.shifts[0], model=4),))
    assert set(map(id, given(by_rules))) == {id(kids)}
    others = replace(twice, models=(*PLAIN.models[:4], kids, replace(NEXT, parameters={"max_titles": 30})))
    with pytest.raises(ControlRefused, match="next@2 with 2 sets of parameters"):
        operations.start(None, wanted(5_000), scene(others), At(1.0, 17))
