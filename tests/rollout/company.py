"""A company of two tenants in small: a store, two replicas, hosts, sidecars, Lightbulbs, clients that cache.

After every single thing that happens it checks what must always hold. `seen` counts what was reached.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import replace

from controlplane.model import ShardAssignment
from controlplane.rollout.advance import Progress, advance, kept, retire_after
from controlplane.rollout.codec import (
    lanes_from_bytes,
    lanes_to_bytes,
    report_from_bytes,
    report_to_bytes,
)
from controlplane.rollout.desired_state import DesiredState, desired_state
from controlplane.rollout.gates import progress
from controlplane.rollout.lanes import NO_LANES, Lanes
from controlplane.rollout.loss import continues
from controlplane.rollout.operations import roll_back
from controlplane.rollout.registry import Report
from controlplane.rollout.room import occupants, set_out
from controlplane.rollout.state import MAX_LIVE, OUTLIVING, UNDER_WAY, Generation, Moment, Phase, Rollout
from tests.lightbulb.tables import TABLE
from tests.rollout.clients import POLICY, Clients
from tests.rollout.consumers import PARTS, STORE, TENANTS, Fake, Replica, Sight
from tests.rollout.rollouts import plan

LOAD_TIMEOUT = 4.0
"""Of each model of every other content; the policy gives others what it gives."""

FOLLOWS = {
    Phase.WAITING: {Phase.WAITING, Phase.RELEASING, Phase.LOADING, Phase.RETIRING},
    Phase.RELEASING: {Phase.LOADING},
    Phase.LOADING: {Phase.ROUTING, Phase.RETIRING},
    Phase.ROUTING: {Phase.RETIRING},
    Phase.RETIRING: {Phase.RETIRING, Phase.UNLOADING, Phase.SETTLED},
    Phase.UNLOADING: {Phase.SETTLED},
    Phase.SETTLED: set(),
}

MAKES_ROOM = Phase.WAITING, Phase.RELEASING

MANY_HEADS = 20
"""Commits that a replica may have missed at once."""

MANY_LIVE = 8
"""More than the window and the pins keep."""

TABLES = {
    (objective, content): replace(TABLE, objective=objective, input_type=str(content), models=())
    for objective in TENANTS.values()
    for content in range(1, 8)
}
"""Objective and content -> its table; equal tables are one object."""


def content_of(number: int, content: int, vip: str, tenant: str) -> Generation:
    objective = TENANTS[tenant]
    placed = plan(content, vip, objective)
    whole = replace(
        placed,
        tables=(TABLES[objective, content],),
        assignments=tuple(map(_slow, placed.assignments)) if content % 2 else placed.assignments,
    )
    return Generation(number=number, content_hash=f"{content}{vip}", plan=whole, tenant=tenant)


def _slow(shard: ShardAssignment) -> ShardAssignment:
    """Return a shard whose models say that they take long to load."""
    return replace(shard, models=tuple(replace(each, load_timeout=LOAD_TIMEOUT) for each in shard.models))


def fakes() -> dict[str, Fake]:
    hosts = [
        Fake(id=f"h{port}", kind="host", shard=f"shard-{shard}", address=("127.0.0.1", port))
        for port, shard in enumerate("aabb", 1)
    ]
    others = [
        Fake(id=f"{kind[0]}{number}", kind=kind)
        for kind, count in (("sidecar", 3), ("lightbulb", 2))
        for number in range(1, count + 1)
    ]
    return {fake.id: fake for fake in (*hosts, *others)}


class Company:
    """The store's head, the time, everybody, and what clients were answered when."""

    def __init__(self, seen: Counter[str]) -> None:
        self.seen = seen
        self.now = 1_000.0
        self.version = 0
        self.lanes = NO_LANES
        self.heads: deque[tuple[int, Lanes]] = deque(maxlen=MANY_HEADS)
        self.generations: dict[int, Generation] = {}
        self.fakes = fakes()
        self.replicas = {name: Replica(name=name) for name in ("r1", "r2")}
        self.clients = Clients(self.fakes, self.replicas, seen)
        self.reports: dict[str, Report] = {}
        """What each replica told last, as it is read from its bytes."""
        self.told: dict[str, Report] = {}
        for replica in self.replicas.values():
            replica.begin({}, self.now, POLICY)
        for place, fake in enumerate(self.fakes.values()):
            fake.connect("r1" if place % 2 else "r2")

    # What happens

    def wait(self, seconds: float) -> None:
        self.beat()
        self.now += seconds
        self.clients.ask(self.now, (self.version, self.lanes), self.generations)
        self.beat()

    def read(self, replica: Replica) -> None:
        head = (self.version, self.lanes)
        sight = Sight(fakes=self.fakes, reports=self.reports, now=self.now, policy=POLICY)
        replica.read(head, self.generations, sight)
        self.check()

    def beat(self) -> None:
        """Every replica that lives says so, reads the store, and says what it sees."""
        for replica in self.living():
            replica.heartbeat = self.now
            if replica.name in self.reports:
                self.reports[replica.name] = replace(self.reports[replica.name], heartbeat=self.now)
        for replica in self.living():
            self.read(replica)
            self.write(replica)

    def write(self, replica: Replica) -> None:
        told, before = replica.report(), self.told.get(replica.name)
        if before is not None and replace(before, heartbeat=told.heartbeat) == told:
            self.reports[replica.name] = replace(self.reports[replica.name], heartbeat=told.heartbeat)
        else:
            self.reports[replica.name] = report_from_bytes(report_to_bytes(told))
        self.told[replica.name] = told

    def living(self) -> list[Replica]:
        return [replica for replica in self.replicas.values() if not replica.ended]

    def end_replica(self, replica: Replica) -> None:
        replica.ended = True
        for fake in self.fakes.values():
            if fake.replica == replica.name:
                fake.replica, fake.gone_at = "", replica.heartbeat

    def begin_replica(self, replica: Replica) -> None:
        replica.begin(self.reports, self.now, POLICY)
        self.seen["a replica that adopts what it saw in its life before"] += bool(replica.gone)

    def connect(self, fake: Fake, replica: Replica) -> None:
        """Open a stream; that it is there is reported within a moment."""
        fake.connect(replica.name)
        self.read(replica)
        self.write(replica)

    def disconnect(self, fake: Fake) -> None:
        self.replicas[fake.replica].lose(fake, self.now)
        fake.replica, fake.gone_at = "", self.now

    def leave(self, fake: Fake) -> None:
        """It says goodbye and ends: its clients hold no answers for it; a Lightbulb's may hold its own."""
        self.clients.ask(self.now, (self.version, self.lanes), self.generations)
        replica = self.replicas[fake.replica]
        self.read(replica)
        replica.lose(fake, self.now, in_order=True)
        fake.replica, fake.gone_at, fake.lapsed = "", self.now, True
        self.read(replica)
        self.write(replica)
        self.seen["one that says goodbye"] += 1

    def take(self, fake: Fake, part: str) -> None:
        """One part of what a consumer is shown reaches it, and its answer comes back."""
        replica = self.replicas.get(fake.replica)
        if replica is None or fake.stalled or not replica.may_take(fake, part):
            return
        fake.take(part, replica.shown(fake) or {})
        self.check()

    def take_all(self, but: str | None = None) -> None:
        for fake in reversed(self.fakes.values()):  # hosts are the last to load what others hear of
            for part in PARTS[fake.kind] if fake.id != but else ():
                self.take(fake, part)

    def mend(self, fake: Fake) -> None:
        """What it refused can be used now; it is asked again, and answers for nothing before it has that."""
        fake.lapsed |= bool(fake.refused)
        fake.refuses.clear()
        fake.refused.clear()
        for part in fake.acked.keys() & {"models"}:
            del fake.acked[part]

    def progress(self, tenant: str) -> Progress:
        leader = self.living()[0]
        assert leader.desired is not None
        return progress(
            self.lanes.rollouts[tenant],
            leader.desired.targets.get(tenant, {}),
            [each.for_tenant(tenant) for each in leader.everybody],
            self.now,
            POLICY,
            live=leader.desired.required,
            occupants=occupants(self.lanes, tenant, POLICY.window),
        )

    def step(self) -> bool:
        """The replica that leads looks at the phases' consumers; return whether it took a step."""
        if not self.lanes.rollouts or not self.living():
            return False
        leader = self.living()[0]
        self.read(leader)
        steps = {}
        for tenant, before in self.lanes:
            said = self.progress(tenant)
            delay = retire_after([self.generations[each] for each in before.held], before.active, POLICY)
            following = advance(before, said, POLICY, delay, self.moment())
            self._note_waiting(before, following, said)
            if following != before:
                steps[tenant] = following
                assert following.phase in FOLLOWS[before.phase], "a phase was skipped"
        if not steps:
            return False
        self.write(leader)
        before = self.lanes
        self.seen["two tenants' steps at once"] += len(steps) > 1
        self.commit(steps)
        for tenant, following in steps.items():
            self._note_step(before.rollouts[tenant], following)
        return True

    def go_on(self, seconds: float, rounds: int) -> None:
        """Time passes, everybody who can takes what there is, and the leader looks."""
        for _ in range(rounds):
            self.wait(seconds)
            self.take_all()
            self.beat()
            self.step()

    def moment(self) -> Moment:
        return Moment(self.now, self.version + 1)

    def publish(self, tenant: str, content: int, vip: str, release: tuple[int, ...] | None) -> None:
        number = max(self.generations, default=0) + 1
        generations = {**self.generations, number: content_of(number, content, vip, tenant)}
        following = set_out(self.lanes, tenant, number, release, generations, self.moment(), POLICY)
        self.generations = generations
        self._note_publish(self.lanes.of(tenant), following)
        self.commit({tenant: following})

    def _note_publish(self, before: Rollout | None, following: Rollout) -> None:
        assert following.target == max(self.generations)
        if following.phase is Phase.WAITING and before is not None:
            assert following.routed == before.live, "it waits, and nothing changes"
            if before.phase is Phase.WAITING:
                assert following.entered == before.entered, "who comes last doesn't wait from anew"
                self.seen["a publish that waits is superseded by one that waits"] += 1
        self.seen["more are live than a window and pins keep"] += len(following.live) > MANY_LIVE

    def roll_back(self, tenant: str, number: int) -> None:
        before = self.lanes.of(tenant)
        following = roll_back(before, number, self.moment())
        assert before is not None
        if following != before:
            self.commit({tenant: following})
            assert following.phase is Phase.RETIRING, "a rollback is one step"
            assert following.target == 0
            assert number in {0, following.active}
            if not before.target:
                assert set(following.loaded) == set(before.loaded), "a rollback loads nothing"
                assert set(following.routed) == set(before.routed)
            self.seen["a rollback"] += 1
            self.seen["a rollback that withdraws"] += bool(before.target)

    def commit(self, steps: Mapping[str, Rollout]) -> None:
        """Take the next states, as they are read back wherever a crash comes."""
        before, lanes = self.lanes, self.lanes
        for tenant, following in steps.items():
            lanes = lanes.after(tenant, following)
        self.lanes = lanes_from_bytes(lanes_to_bytes(lanes))
        assert self.lanes == lanes
        self.version += 1
        for tenant, following in steps.items():
            self._note_commit(before.of(tenant), following)
        for tenant, rollout in before:
            if tenant not in steps:
                assert self.lanes.of(tenant) == rollout, "another tenant's operation changed it"
                under_way = rollout.phase in UNDER_WAY
                self.seen["a tenant's change while another is under way"] += under_way
        self._check_change(before, self.lanes, steps)
        for version, earlier in self.heads:
            assert continues(earlier, version, self.lanes), "a loss is told where nothing was lost"
        self.heads.append((self.version, self.lanes))
        self.check()

    def _note_commit(self, before: Rollout | None, following: Rollout) -> None:
        failure = following.failure
        if failure is not None and before is not None and following.withdrawn != before.withdrawn:
            self.seen[f"withdrawn: {failure.kind.name}"] += 1
        self.seen[following.phase.value] += 1

    # What must hold

    def check(self) -> None:
        self.clients.ask(self.now, (self.version, self.lanes), self.generations)
        for _, rollout in self.lanes:
            _check_state(rollout)
        self.clients.check(self.now, self.lanes, self.generations)

    def desired(self, lanes: Lanes) -> DesiredState:
        return desired_state(lanes, self.generations, STORE)

    def _check_change(self, before: Lanes, after: Lanes, tenants: Iterable[str]) -> None:
        for tenant in tenants:
            one, other = before.of(tenant), after.rollouts[tenant]
            if one is None:
                continue
            assert other.fence >= one.fence
            assert other.desired_version >= one.desired_version
            if other.active != one.active:
                assert other.fence > one.fence
                assert other.active in one.routed, "handed out before everybody routes it"
                assert other.active in one.loaded
        shown = [
            replace(self.desired(each), targets={}, loaded={}, version=0)
            for each in (before, after)
            if each.rollouts
        ]
        if len(shown) > 1 and shown[0] != shown[1]:
            assert after.desired_version > before.desired_version, "it changes what somebody should have"

    def _note_waiting(self, before: Rollout, following: Rollout, said: Progress) -> None:
        gone = any(each.disconnected for each in said.lagging)
        if before.phase is Phase.RETIRING and gone:
            self.seen["retirement waits for one that is gone, within its lease"] += 1
        if before.phase is Phase.RETIRING and any(each.left for each in self.living()[0].everybody):
            self.seen["retirement waits for none that said goodbye"] += not said.lagging
        if before.phase is Phase.RETIRING and said.lagging and before.oldest != before.active:
            self.seen["`oldest` waits for one that lags"] += 1
        if before.phase is Phase.LOADING and gone:
            self.seen["loading waits for a host whose replica ended"] += 1
        if before.phase is Phase.LOADING and self.now - before.entered >= POLICY.loading and before.live:
            self._check_patience(before, following, said)
        if before.phase in OUTLIVING and said.lagging:
            assert following.live == before.live, "retired while one that serves lags"
            assert following.oldest == before.oldest

    def _check_patience(self, before: Rollout, following: Rollout, said: Progress) -> None:
        """What loads has the policy's time, and that of each new model that says how long it takes."""
        routed = [self.generations[number] for _, rollout in self.lanes for number in rollout.routed]
        live = {
            (each.shard, model.id)
            for generation in routed
            for each in generation.plan.assignments
            for model in each.models
        }
        (shard,) = self.generations[before.target].plan.assignments
        new = [each for each in shard.models if (shard.shard, each.id) not in live]
        late = self.now - before.entered >= POLICY.loading + sum(each.load_timeout for each in new)
        if said.lagging and not said.refused:
            assert (following.phase is Phase.RETIRING) is late
            self.seen["a load that is given the time that its models say"] += not late

    def _note_step(self, before: Rollout, after: Rollout) -> None:
        self.seen["a step without a replica that ended"] += len(self.living()) == 1
        self.seen["a laggard passed over"] += bool(after.passed_over)
        self.seen["the first generation"] += not before.active and bool(after.active)
        self.seen["what a publish waited for makes room"] += (before.phase, after.phase) == MAKES_ROOM
        if before.awaits and after.target and not after.awaits:
            loaded = {number for _, rollout in self.lanes for number in rollout.loaded}
            assert loaded.isdisjoint(before.awaits), "loaded beside what takes its room"
            self.seen["what another tenant let go of makes room"] += 1
        if before.phase is Phase.RELEASING and after.phase is Phase.LOADING:
            self.seen["a release"] += bool(before.leaving)
            for fake in self.fakes.values():  # who lags isn't waited for here: nothing is promised to it
                shown = self.replicas[fake.replica].shown(fake) if fake.replica else None
                fake.lapsed |= fake.kind == "sidecar" and (shown is None or bool(fake.owed(shown)))
        if before.phase is Phase.RETIRING:
            left = set(before.live) - set(after.live)
            self.seen["a generation leaves the window"] += bool(left)
            self.seen["`oldest` comes to be the active one"] += after.oldest != before.oldest
            recent = set(kept(replace(after, live=before.live, pinned=()), POLICY.window))
            self.seen["a pin keeps one"] += bool(set(after.live) - recent)
        if after.phase is Phase.SETTLED:
            self.seen["unloaded"] += before.phase is Phase.UNLOADING


def _check_state(state: Rollout) -> None:
    routed, loaded, live = set(state.routed), set(state.loaded), set(state.live)
    assert set(state.held) <= live <= routed <= loaded
    assert routed - live <= {state.target}
    assert set(state.pinned) <= live
    assert len(state.live) == len(live) <= MAX_LIVE + 1
    assert not live & set(state.leaving)
    assert set(state.release) <= live - {state.active} - set(state.pinned)
    assert bool(state.release or state.awaits) is (state.phase is Phase.WAITING)
    assert state.active in state.held or not state.active
    assert state.oldest in state.held or not state.active
    assert state.oldest not in state.undone, "answered from what was rolled back"
    assert (state.target != 0) is (state.phase in UNDER_WAY)
