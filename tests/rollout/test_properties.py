"""Whatever happens in whatever order: nothing live is retired, no step is skipped, and it always ends."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controlplane.rollout.advance import Progress, advance, kept, retire_after
from controlplane.rollout.codec import rollout_from_bytes, rollout_to_bytes
from controlplane.rollout.failure import superseded
from controlplane.rollout.operations import Refused, pin, publish, releasable, roll_back, unpin
from controlplane.rollout.state import MAX_LIVE, UNDER_WAY, Phase, Rollout
from tests.rollout.rollouts import DONE, LAGGING, MANY_LAGGING, POLICY, REFUSED, at, generation

CACHE_SECONDS = 60.0

FOLLOWS = {
    Phase.RELEASING: {Phase.LOADING},
    Phase.LOADING: {Phase.ROUTING, Phase.RETIRING},
    Phase.ROUTING: {Phase.RETIRING},
    Phase.RETIRING: {Phase.UNLOADING, Phase.SETTLED},
    Phase.UNLOADING: {Phase.SETTLED},
    Phase.SETTLED: set(),
}

Steps = list[tuple[str, Progress, float, int]]
KINDS = ["look", "look", "look", "publish", "publish, making room", "roll back", "pin", "unpin"]

events = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from([DONE, DONE, LAGGING, MANY_LAGGING, REFUSED]),
        st.one_of(st.floats(0, 3), st.floats(0, 100)),
        st.integers(0, 12),
    ),
    max_size=60,
)


class World:
    """A rollout, the time, and what clients were handed out when."""

    def __init__(self) -> None:
        self.now = 0.0
        self.version = 1
        self.number = 1
        self.rollout: Rollout = publish(None, 1, None, at(0.0, 1))
        self.handed_out: dict[int, float] = {}

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for number in {self.rollout.active, self.rollout.oldest} - {0}:  # up to now Lightbulb answers from it
            self.handed_out[number] = self.now

    def take(self, following: Rollout) -> None:
        if following == self.rollout:
            return
        self.version += 1
        # What is kept is what is read back, wherever a crash comes.
        self.rollout = rollout_from_bytes(rollout_to_bytes(following))

    def do(self, work: Callable[[], Rollout]) -> None:
        with suppress(Refused):
            self.take(work())

    def look(self, progress: Progress) -> None:
        held = [generation(number) for number in self.rollout.held]
        delay = retire_after(held, self.rollout.active, POLICY)
        self.take(advance(self.rollout, progress, POLICY, delay, at(self.now, self.version + 1)))

    def publish(self, release: tuple[int, ...] | None) -> None:
        def work() -> Rollout:
            following = publish(self.rollout, self.number + 1, release, at(self.now, self.version + 1))
            self.number += 1
            return following

        self.do(work)

    def happen(self, kind: str, progress: Progress, number: int) -> None:
        match kind:
            case "look":
                self.look(progress)
            case "publish":
                self.publish(None)
            case "publish, making room":
                self.publish(releasable(self.rollout)[:1])
            case "roll back":
                self.do(lambda: roll_back(self.rollout, number, at(self.now, self.version + 1)))
            case "pin":
                self.do(lambda: pin(self.rollout, number))
            case "unpin":
                self.do(lambda: unpin(self.rollout, number))


@given(events)
def test_what_clients_may_hold_is_routed_and_what_is_routed_is_loaded(steps: Steps) -> None:
    world = World()
    fences = [0]
    for kind, progress, passed, number in steps:
        world.pass_time(passed)
        before = world.rollout
        world.happen(kind, progress, number)
        after = world.rollout
        held = {each for each, last in world.handed_out.items() if world.now - last < CACHE_SECONDS}
        assert held <= set(after.routed)
        assert held <= set(after.held)
        assert set(after.held) <= set(after.live)
        assert after.oldest in after.held or not after.active
        assert set(after.routed) <= set(after.loaded)
        assert set(after.pinned) <= set(after.live)
        assert len(after.live) <= MAX_LIVE + 1
        assert after.active in after.live or not after.active
        assert (after.target != 0) is (after.phase in UNDER_WAY)
        if after.active != before.active:
            assert after.fence > max(fences)
            fences.append(after.fence)
            assert after.active in before.routed  # nobody is handed what isn't routed everywhere already
            assert after.active in before.loaded
        if kind == "look" and after.phase is not before.phase:
            assert after.phase in FOLLOWS[before.phase]
        if after.oldest != before.oldest:
            assert after.desired_version > before.desired_version
        if set(after.routed) != set(before.routed) or set(after.loaded) != set(before.loaded):
            assert after.desired_version > before.desired_version


@given(events)
def test_it_always_ends_whatever_came_before(steps: Steps) -> None:
    world = World()
    for kind, progress, passed, number in steps:
        world.pass_time(passed)
        world.happen(kind, progress, number)
    for _ in range(8):
        world.pass_time(70.0)
        world.look(DONE)
    settled = world.rollout
    assert settled.phase is Phase.SETTLED
    assert (settled.leaving, settled.target, settled.held) == ((), 0, (settled.active,))
    assert set(settled.live) == set(kept(settled, POLICY.window)) - {0}


@given(events)
def test_a_publish_ends_also_when_nobody_ever_answers(steps: Steps) -> None:
    world = World()
    world.look(DONE)
    world.look(DONE)
    for kind, progress, passed, number in steps:
        world.pass_time(passed)
        world.happen(kind, progress, number)
    world.publish(None)
    for _ in range(4):
        world.pass_time(70.0)
        world.look(MANY_LAGGING)
    assert world.rollout.phase not in UNDER_WAY


def test_a_state_survives_its_bytes() -> None:
    state = publish(None, 1, None, at(1.5, 3))
    state = replace(
        state, passed_over=LAGGING.missing, failure=superseded(2), withdrawn=2, pinned=(1,), leaving=(4,)
    )
    assert rollout_from_bytes(rollout_to_bytes(state)) == state
