"""Whatever tenants do, an objective that goes between them has one owner, and is answered and routed."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from controlplane.model import Plan
from controlplane.planning.replan import with_objectives
from controlplane.rollout.advance import Progress, advance
from controlplane.rollout.codec import lanes_from_bytes, lanes_to_bytes
from controlplane.rollout.desired_state import desired_state, sidecar_states
from controlplane.rollout.failure import Failure, FailureKind
from controlplane.rollout.handover import Handover, OfferedToAnother, offer, oldest_whole, take_back
from controlplane.rollout.lanes import NO_LANES
from controlplane.rollout.operations import BeforeHandover, Refused, publish, roll_back, withdraw
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import UNDER_WAY, Generation, Moment, Phase
from controlplane.rollout.taking import is_everywhere, obstacle, table_of
from lightbulb.model import NO_GENERATION
from lightbulb.resolution.codec import Malformed
from lightbulb.v1 import store_pb2 as pb
from tests.depth import examples, is_deep
from tests.lightbulb.tables import TABLE
from tests.rollout.clients import POLICY
from tests.rollout.rollouts import LAGGING, plan

TENANTS = ("default", "other", "third")
SHARED = "Shared"
SEEN: Counter[str] = Counter()
TABLES = {
    (name, content): replace(TABLE, objective=name, input_type=str(content), models=())
    for name in (*TENANTS, SHARED)
    for content in range(1, 5)
}


def part(objective: str, content: int) -> Plan:
    return replace(plan(content, "a", objective), tables=(TABLES[objective, content],))


class Handovers(RuleBasedStateMachine):
    """Three tenants, each with an objective of its own, and one that goes around."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = NO_LANES
        self.now, self.version = 1000.0, 0
        self.generations: dict[int, Generation] = {}
        self.routes: tuple[int, ...] = ()
        for tenant in TENANTS:
            own = part(tenant, 1)
            whole = with_objectives(own, part(SHARED, 1), {SHARED}) if tenant == "default" else own
            self.put(tenant, whole)
            for _ in range(2):
                self.step()

    @property
    def owner(self) -> str:
        found = self.lanes.handovers.get(SHARED)
        return found.owner if found else "default"

    def at(self) -> Moment:
        return Moment(self.now, self.version + 1)

    def put(self, tenant: str, whole: Plan) -> int:
        number = len(self.generations) + 1
        self.generations[number] = Generation(number=number, content_hash="", plan=whole, tenant=tenant)
        self.commit(self.lanes.after(tenant, publish(self.lanes.of(tenant), number, None, self.at())))
        return number

    def commit(self, lanes: object) -> None:
        before, self.lanes = self.lanes, lanes_from_bytes(lanes_to_bytes(lanes))
        assert self.lanes == lanes
        self.version += 1
        self.check(before)

    @rule(tenant=st.sampled_from(TENANTS), content=st.integers(1, 4))
    def publish(self, tenant: str, content: int) -> None:
        whole = part(tenant, content)
        if tenant == self.owner:
            whole = with_objectives(whole, part(SHARED, content), {SHARED})
        SEEN["a take that is superseded"] += self.under_way(tenant)
        self.put(tenant, whole)

    def under_way(self, tenant: str) -> bool:
        found = self.lanes.handovers.get(SHARED)
        return bool(found and found.taken and found.taker == tenant)

    @rule(tenant=st.sampled_from(TENANTS), back=st.integers(0, 3))
    def roll_back(self, tenant: str, back: int) -> None:
        rollout = self.lanes.rollouts[tenant]
        number = 0 if back == 0 or back > len(rollout.live) else rollout.live[-back]
        whole = oldest_whole(self.lanes.handovers, tenant)
        try:
            self.commit(self.lanes.after(tenant, roll_back(rollout, number, self.at(), whole)))
        except BeforeHandover:
            SEEN["a rollback to before it came"] += 1
            assert number < whole
        except Refused:
            return
        SEEN["the one who had it rolls back"] += tenant != self.owner

    @rule(to=st.sampled_from(TENANTS), back=st.booleans())
    def offer(self, to: str, back: bool) -> None:
        found = self.lanes.handovers.get(SHARED, Handover(objective=SHARED, owner="default"))
        if to == found.owner:
            return
        if back and found.taker:
            SEEN["an offer taken back while it is taken"] += bool(found.taken)
            self.commit(self.lanes.with_handover(take_back(found)))
            return
        with suppress(OfferedToAnother):
            self.commit(self.lanes.with_handover(offer(found, to, self.now + 100.0, self.now)))

    @rule(to=st.sampled_from(TENANTS), steps=st.integers(0, 3), under_way=st.booleans())
    def hand_over(self, to: str, steps: int, under_way: bool) -> None:
        """Offer it and have it taken, also while the owner is on its way to something that has it alike."""
        for _ in range(6):
            self.step(seconds=70.0)
        self.offer(to, back=False)
        if under_way:
            self.publish(self.owner, 1)
        self.take(steps, to)

    @rule(steps=st.integers(0, 2), only=st.just(""))
    def take(self, steps: int, only: str) -> None:
        found = self.lanes.handovers.get(SHARED)
        if found is None or found.taken or not found.offered(self.now):
            return
        if not is_everywhere(self.lanes, found.owner):
            return
        owner, taker = self.lanes.rollouts[found.owner], self.lanes.rollouts[found.taker]
        theirs, ours = (self.generations[each].plan for each in (owner.active, taker.newest))
        if table_of(self.generations[owner.active], SHARED) is None:
            return
        number = len(self.generations) + 1
        whole = with_objectives(ours, theirs, {SHARED})
        own = Generation(number=number, content_hash="", plan=whole, tenant=found.taker)
        self.generations[number] = own
        following = self.lanes.after(found.taker, publish(taker, number, None, self.at()))
        self.commit(following.with_handover(replace(found, taken=number, taken_from=owner.active)))
        for _ in range(steps):
            self.step(only=only)

    @rule(
        lagging=st.booleans(),
        seconds=st.sampled_from([0.0, 3.0, 70.0]),
        only=st.sampled_from(("", *TENANTS)),
    )
    def step(self, *, lagging: bool = False, seconds: float = 0.0, only: str = "") -> None:
        """Each lane takes the step that it can take, as a replica that leads has it; or one of them does."""
        self.now += seconds
        lanes, said = self.lanes, Progress(total=1, lagging=LAGGING.lagging if lagging else ())
        for tenant, before in self.lanes:
            if only not in {"", tenant}:
                continue
            following = advance(before, said, POLICY, 60.0, self.at())
            if following.active != before.active and before.target:
                failure = obstacle(lanes, tenant, self.generations)
                if failure is not None:
                    SEEN["a take that is overtaken"] += 1
                    following = withdraw(before, failure, self.at())
            if following != before:
                lanes = lanes.after(tenant, following)
        if lanes != self.lanes:
            self.commit(lanes)

    @rule(lag=st.booleans())
    def a_sidecar_takes_all(self, lag: bool) -> None:
        """It routes all there is, or stays as it is: what was live when it was last in step."""
        if not lag:
            self.routes = tuple(number for own in self.lanes.routed.values() for number in own)
        self.check(self.lanes)

    def check(self, before: object) -> None:
        lanes = self.lanes
        desired = desired_state(lanes, self.generations, "s")
        shown = [each for own in desired.tables.values() for each in own if each.objective == SHARED]
        if not lanes.rollouts["default"].active:
            return
        (table,) = shown  # one, of one tenant
        assert table.tenant == self.owner
        owner = lanes.rollouts[self.owner]
        keys = {rule.key for own in desired.rules.values() for rule in own}
        answers = {owner.active, owner.oldest, *owner.held}
        sidecar = Consumer(id="s", kind="sidecar", routes=self.routes)
        told = sidecar_states(lanes, [sidecar]).get("s")
        number = told.of(self.owner) if told is not None and self.routes else NO_GENERATION
        if number != NO_GENERATION:
            answers.add(number or owner.active)
        for each in answers - {0}:
            found = [one.table for one in table.tables if one.since <= each][-1]
            assert found is not None, f"{each} of {self.owner} has no answer"
            content = found.input_type
            wanted = {rule.key for rule in part(SHARED, int(content)).routes}
            assert wanted <= keys, "an answer that isn't routed"
            if each == (number or owner.active) and number != NO_GENERATION:
                mine = {rule.key for one in self.routes for rule in self.generations[one].plan.routes}
                assert wanted <= mine, "an answer that the sidecar doesn't route"
        if before is not NO_LANES and before.handovers.get(SHARED) is not None:
            self.check_change(before, table)

    def check_change(self, before: object, table: object) -> None:
        last = before.handovers[SHARED]
        if last.owner == self.owner:
            return
        SEEN["handed over"] += 1
        SEEN["handed over again"] += bool(last.since)
        assert any(is_everywhere(each, last.owner) for each in (before, self.lanes))
        one = self.generations[before.rollouts[last.owner].active]
        other = self.generations[self.lanes.rollouts[self.owner].active]
        assert table_of(one, SHARED) is table_of(other, SHARED), "another answer than before"
        assert [each.table for each in table.tables] == [table_of(other, SHARED)]
        SEEN["while the owner is under way"] += before.rollouts[last.owner].phase in UNDER_WAY


REACHED = (
    "handed over",
    "handed over again",
    "while the owner is under way",
    "a take that is superseded",
    "a take that is overtaken",
    "an offer taken back while it is taken",
    "a rollback to before it came",
    "the one who had it rolls back",
)


def test_an_objective_that_goes_around_has_one_owner_and_is_answered_and_routed_always() -> None:
    SEEN.clear()
    run_state_machine_as_test(
        Handovers,
        settings=settings(
            max_examples=examples(150),
            stateful_step_count=30,
            derandomize=not is_deep(),
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    assert not [what for what in REACHED if not SEEN[what]], SEEN


def test_a_head_with_a_handover_has_a_format_that_older_control_planes_refuse() -> None:
    first = Handovers().lanes
    assert pb.StoredLanes.FromString(lanes_to_bytes(first)).format == 2
    lanes = first.with_handover(Handover(objective=SHARED, owner="default", taker="other", until=2.0))
    body = lanes_to_bytes(lanes)
    assert pb.StoredLanes.FromString(body).format == 3
    newer = pb.StoredLanes.FromString(body)
    newer.format = 8
    with pytest.raises(Malformed, match="a head of format 8; this control plane knows up to 7: upgrade"):
        lanes_from_bytes(newer.SerializeToString())


def test_a_take_is_withdrawn_while_some_are_answered_from_what_its_owner_had_before() -> None:
    world = Handovers()
    world.offer("other", back=False)
    world.take(steps=1, only="other")
    taken = world.lanes.rollouts["other"].target
    assert world.lanes.rollouts["other"].phase is Phase.ROUTING
    # The owner's next generation answers the same for what is taken; but not everybody has heard of it.
    world.put("default", with_objectives(part("default", 2), part(SHARED, 1), {SHARED}))
    for _ in range(2):
        world.step(only="default")
    assert not is_everywhere(world.lanes, "default")
    assert world.lanes.rollouts["default"].active == taken + 1

    world.step(only="other")
    withdrawn = world.lanes.rollouts["other"]
    assert (withdrawn.withdrawn, world.owner) == (taken, "default")
    assert withdrawn.failure == Failure(kind=FailureKind.OVERTAKEN, by=taken + 1)

    world.step(only="default")
    assert is_everywhere(world.lanes, "default")
    world.take(steps=2, only="other")
    assert world.owner == "other"
