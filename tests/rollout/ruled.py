"""A tenant's rollout whose publishes are active at once, and what its rules begin."""

from collections.abc import Mapping
from types import MappingProxyType

from controlplane.lifecycle import operations
from controlplane.lifecycle.advance import Acked
from controlplane.lifecycle.state import Control
from controlplane.lifecycle.watching import Judged
from controlplane.model import Plan
from controlplane.rollout.by_rules import begun
from controlplane.rollout.codec import lanes_from_bytes, lanes_to_bytes
from controlplane.rollout.controlled import beside, moved_on
from controlplane.rollout.holding import held_beside
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.new_defaults import put_to_the_test
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import Generation, Moment, Phase, Policy, Rollout
from controlplane.store.contract import Event
from lightbulb.model import DEFAULT_TENANT, ObjectiveTable
from tests.lightbulb.tables import OBJECTIVE

POLICY = Policy()
NOTHING_JUDGED: Mapping[str, Judged] = MappingProxyType({})


class Plane:
    """One tenant's rollout, whose publishes are active at once, and its controls."""

    def __init__(self) -> None:
        self.version, self.now = 0, 100.0
        self.generations: dict[int, Generation] = {}
        self.lanes = Lanes()
        self.consumers: tuple[Consumer, ...] = ()
        self.events: list[Event] = []

    @property
    def at(self) -> Moment:
        return Moment(self.now, self.version + 1)

    @property
    def control(self) -> Control | None:
        return self.lanes.controls.get(OBJECTIVE)

    def commit(self, lanes: Lanes, events: tuple[Event, ...]) -> None:
        if lanes != self.lanes:
            self.version += 1
        self.lanes = lanes_from_bytes(lanes_to_bytes(lanes))
        self.events += events

    def publish(self, *tables: ObjectiveTable) -> None:
        number = max(self.generations, default=0) + 1
        self.generations[number] = Generation(
            number=number,
            content_hash="",
            plan=Plan(tables=tables, routes=(), assignments=()),
            author="ann",
        )
        self.activate(number)

    def rollout(self, number: int) -> Rollout:
        before = self.lanes.of(DEFAULT_TENANT)
        live = () if before is None else tuple(each for each in before.live if each != number)[-2:]
        return Rollout(
            phase=Phase.SETTLED, entered=self.now, active=number, live=(*live, number), held=(number,)
        )

    def activate(self, number: int) -> None:
        """Take the leader's step that makes a generation active."""
        self.look(self.lanes.after(DEFAULT_TENANT, self.rollout(number)))

    def roll_back(self, number: int) -> None:
        """Make a generation active as an operator does, and let the leader look."""
        lanes = self.lanes.after(DEFAULT_TENANT, self.rollout(number))
        self.commit(*beside(lanes, self.generations, POLICY, self.at))
        self.look()

    def look(self, lanes: Lanes | None = None, judged: Mapping[str, Judged] = NOTHING_JUDGED) -> None:
        lanes, before = lanes or self.lanes, self.lanes
        acked = {name: Acked() for name in lanes.controls}
        lanes, moved = moved_on(lanes, self.generations, acked, judged, POLICY, self.at)
        lanes, ended = held_beside(lanes, self.generations, POLICY, self.at)
        lanes, told = begun(before, lanes, self.generations, self.consumers, POLICY, self.at)
        lanes, tested = put_to_the_test(lanes, self.generations, judged, POLICY, self.at)
        self.commit(lanes, (*moved, *ended, *told, *tested))

    def abort(self) -> None:
        """Have the shift aborted, and over, as far as it ever is."""
        assert self.control is not None
        after = operations.abort(self.control, operations.At(self.now, self.version + 1))
        self.commit(self.lanes.with_control(after, self.version + 1), ())

    def pass_time(self) -> None:
        for _ in range(4):
            self.now += 100.0
            self.look()
