"""Whatever is lost, comes twice or comes late: what is counted never exceeds what was."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest

from controlplane.lifecycle.bins import Latencies
from controlplane.lifecycle.counters import MAX_SENDERS, NOTHING_COUNTED, Ledger, Sum, risen
from controlplane.lifecycle.figures import NO_FIGURES, NOTHING, Arms, Counts

RUNS, STEPS = 300, 120
REACHED: Counter[str] = Counter()


def flat(arms: Arms) -> dict[object, float]:
    """Return every number of some figures, by its place."""
    numbers: dict[object, float] = {}
    for name, counts in (("candidate", arms.candidate), ("control", arms.control)):
        numbers |= {(name, edge): count for edge, count in counts.latencies.bins}
        numbers |= {
            (name, "requests"): counts.requests,
            (name, "bad"): counts.bad,
            (name, "compared"): counts.compared,
            (name, "disagreed"): counts.disagreed,
        }
    return numbers


def arms_risen(before: Arms, now: Arms) -> Arms:
    return Arms(candidate=risen(before.candidate, now.candidate), control=risen(before.control, now.control))


@dataclass
class Sidecar:
    """An Envoy, and its relay with a stream to a replica."""

    counters: Arms = NO_FIGURES
    read: Arms | None = NO_FIGURES
    replica: int = 0


@dataclass
class World:
    """Two sidecars, two replicas, and a driver that persists what it knows now and then."""

    random: Random
    truth: Arms = NO_FIGURES
    sidecars: list[Sidecar] = field(default_factory=lambda: [Sidecar(), Sidecar(replica=1)])
    sums: list[Sum] = field(
        default_factory=lambda: [Sum(sender=f"r{n}", epoch=1, arms=NO_FIGURES) for n in (0, 1)]
    )
    told: list[Sum] = field(default_factory=list)
    known: tuple[Ledger, Arms] = (NOTHING_COUNTED, NO_FIGURES)
    kept: tuple[Ledger, Arms] = (NOTHING_COUNTED, NO_FIGURES)

    def serve(self) -> None:
        count, random = self.random.randint(1, 9), self.random
        brought = Counts(
            requests=count,
            bad=random.randint(0, count),
            latencies=Latencies.of([(random.choice((100, 110, 2_000)), count)]),
            compared=count,
            disagreed=count / 2,
        )
        arms = Arms(candidate=brought) if random.random() < 0.5 else Arms(control=brought)
        sidecar = random.choice(self.sidecars)
        sidecar.counters += arms
        self.truth += arms

    def scrape(self, *, lost: bool = False) -> None:
        """A relay reads its Envoy's counters; its replica adds what they rose by, if it hears of it."""
        for sidecar in self.sidecars:
            if sidecar.read is not None and not lost:
                rise = arms_risen(sidecar.read, sidecar.counters)
                before = self.sums[sidecar.replica]
                self.sums[sidecar.replica] = Sum(
                    sender=before.sender, epoch=before.epoch, arms=before.arms + rise
                )
            sidecar.read = sidecar.counters

    def tell(self) -> None:
        self.told += self.sums

    def hear(self) -> None:
        """The driver reads what was told: some of it, some of it again, in any order."""
        chosen = self.random.choices(self.told, k=min(len(self.told), 3)) if self.told else []
        ledger, brought = self.known[0].take(chosen)
        self.known = ledger, self.known[1] + brought
        REACHED["a late one"] += sum(each != self._newest(each.sender) for each in chosen)

    def restart_envoy(self) -> None:
        self.random.choice(self.sidecars).counters = NO_FIGURES
        REACHED["Envoy began anew"] += 1

    def reconnect(self) -> None:
        sidecar = self.random.choice(self.sidecars)
        sidecar.replica, sidecar.read = self.random.randrange(2), None
        REACHED["a relay went elsewhere"] += 1

    def kill_replica(self) -> None:
        number = self.random.randrange(2)
        before = self.sums[number]
        self.sums[number] = Sum(sender=before.sender, epoch=before.epoch + 1, arms=NO_FIGURES)
        for sidecar in self.sidecars:
            if sidecar.replica == number:
                sidecar.replica, sidecar.read = 1 - number, None
        REACHED["a replica died"] += 1

    def persist(self) -> None:
        self.kept = self.known

    def kill_driver(self) -> None:
        self.known = self.kept
        REACHED["a driver died"] += 1

    def check(self) -> None:
        truth = flat(self.truth)
        for place, count in flat(self.known[1]).items():
            assert count <= truth.get(place, 0), f"{place}: {count} counted"

    def _newest(self, sender: str) -> Sum:
        return next(each for each in reversed(self.told) if each.sender == sender)


CALM = (World.serve, World.serve, World.scrape, World.tell, World.hear, World.persist)
FAULTS = (
    World.restart_envoy,
    World.reconnect,
    World.kill_replica,
    World.kill_driver,
    lambda world: world.scrape(lost=True),
)


def test_what_is_counted_never_exceeds_what_was_through_any_losses() -> None:
    for seed in range(RUNS):
        world = World(Random(seed))
        for _ in range(STEPS):
            step = world.random.choice(CALM if world.random.random() < 0.9 else FAULTS)
            step(world)
            world.check()
        REACHED["something was counted"] += world.known[1] != NO_FIGURES
    assert all(REACHED[name] > RUNS for name in ("a late one", "Envoy began anew", "a replica died"))
    assert all(REACHED[name] > RUNS for name in ("a driver died", "a relay went elsewhere"))
    assert REACHED["something was counted"] > RUNS * 0.9


def test_without_losses_all_is_counted_though_it_comes_twice_and_late() -> None:
    for seed in range(50):
        world = World(Random(seed))
        for _ in range(STEPS):
            world.random.choice(CALM)(world)
        world.scrape()
        world.tell()
        ledger, brought = world.known[0].take((*world.told[-2:], *world.told))
        assert flat(world.known[1] + brought) == flat(world.truth)
        assert ledger.take(world.told)[1] == NO_FIGURES


def counted(requests: int) -> Arms:
    return Arms(candidate=Counts(requests=requests))


@pytest.mark.parametrize(("before", "now", "rise"), [(5, 9, 4), (5, 5, 0), (9, 5, 5), (9, 0, 0)])
def test_a_counter_of_envoys_that_fell_began_anew(before: int, now: int, rise: int) -> None:
    assert risen(Counts(requests=before), Counts(requests=now)) == Counts(requests=rise)


def test_a_counter_that_envoy_let_go_of_says_nothing() -> None:
    assert risen(Counts(bad=3, latencies=Latencies.of([(100, 3)])), NOTHING) == NOTHING


def test_a_senders_epoch_that_is_over_brings_nothing_more() -> None:
    ledger, brought = NOTHING_COUNTED.take([Sum(sender="r", epoch=2, arms=counted(5))])
    assert brought == counted(5)
    assert ledger.take([Sum(sender="r", epoch=1, arms=counted(900))])[1] == NO_FIGURES
    assert ledger.take([Sum(sender="r", epoch=3, arms=counted(2))])[1] == counted(2)


def test_whoever_told_something_last_is_remembered_longest() -> None:
    told = [Sum(sender=f"r{number}", epoch=1, arms=counted(5)) for number in range(MAX_SENDERS)]
    ledger, _ = NOTHING_COUNTED.take([*told, told[0], Sum(sender="new", epoch=1, arms=counted(5))])
    known = {each.sender for each in ledger.sums}
    assert {"r0", "new"} <= known
    assert "r1" not in known


def test_whoever_isnt_known_any_more_is_counted_from_where_it_is() -> None:
    told = [Sum(sender=f"r{number}", epoch=1, arms=counted(5)) for number in range(MAX_SENDERS + 1)]
    ledger, brought = NOTHING_COUNTED.take(told)
    assert brought == counted(5 * len(told))
    assert ledger.forgotten
    assert len(ledger.sums) == MAX_SENDERS
    ledger, brought = ledger.take([told[0]])
    assert brought == NO_FIGURES  # counted before, and forgotten
    assert ledger.take([Sum(sender="r0", epoch=1, arms=counted(7))])[1] == counted(2)
