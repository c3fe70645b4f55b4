"""Several control planes on one Redis: they show the same, and act as one."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from controlplane.api.status import status
from controlplane.rollout.state import Phase, Policy
from controlplane.store.redis import RedisStore
from lightbulb.ads.values import ACTIVE_GENERATION, ENDPOINTS, OBJECTIVE_TABLES
from lightbulb.tables.live import LiveTables
from tests.controlplane.peers import Lightbulb, Peer, host, refusal, routes, sidecar
from tests.controlplane.planes import DEADLINE, POLICY, Plane, plane, refused, run
from tests.controlplane.worlds import world
from tests.store.redis_proxy import RedisProxy
from tests.store.redis_server import RedisServer
from tests.waiting import eventually


class Pair:
    """Two replicas, of which the first leads, and at each a host, a sidecar and a Lightbulb."""

    def __init__(self, one: Plane, two: Plane) -> None:
        self.one = one
        self.two = two
        self.first = (host("h1"), sidecar("s1"), Lightbulb("l1"))
        self.second = (host("h2"), sidecar("s2"), Lightbulb("l2"))
        self.peers: tuple[Peer, ...] = (*self.first, *self.second)

    async def settled(self) -> None:
        """Wait until both have settled in the same state, with everybody synced at one of them."""
        await self.one.settled()
        await self.two.settled()
        await eventually("both to know the same", lambda: self.one.version == self.two.version)
        await eventually("everybody to be synced", lambda: all(map(self._synced, (self.one, self.two))))

    def _synced(self, plane: Plane) -> bool:
        consumers = {each.id: each for each in plane.replica.consumers}
        return plane.replica._served is plane.replica.known and all(
            each.id in consumers and consumers[each.id].up_to_date and not consumers[each.id].waiting_for
            for each in self.peers
        )

    async def active(self, number: int) -> None:
        await eventually(
            f"generation {number} at both Lightbulbs",
            lambda: {self.first[2].generation, self.second[2].generation} == {number},
        )


@contextlib.asynccontextmanager
async def pair(
    url: str, policy: Policy = POLICY, publish: Iterable[int] = (1,), through: str = ""
) -> AsyncIterator[Pair]:
    """Run both on the Redis at `url`; the first reaches it `through` another one, if that is given."""
    async with contextlib.AsyncExitStack() as stack:
        one = await stack.enter_async_context(plane(through or url, name="one", policy=policy))
        await eventually("the first to lead", lambda: one.replica.leading)
        two = await stack.enter_async_context(plane(url, name="two", policy=policy))
        it = Pair(one, two)
        for peer in it.peers:
            stack.push_async_callback(peer.disconnect)
        for peer in it.first:
            await peer.connect(one.target, two.target)
        for peer in it.second:
            await peer.connect(two.target, one.target)
        await one.knows(*it.peers)
        for number in publish:
            await one.published(number)
            await it.settled()
        yield it


def snapshots(plane: Plane, peers: Iterable[Peer]) -> dict[str, tuple[str, dict[str, dict[str, bytes]]]]:
    """Return what a replica shows each consumer, byte for byte, and how new it says that that is."""
    views = {peer.id: plane.replica._view(peer.node) for peer in peers}
    return {
        name: (
            str(view.stamp),
            {
                type_url: {each.name: each.version.encode() + each.body for each in of_type.values()}
                for type_url, of_type in view.by_type.items()
            },
        )
        for name, view in views.items()
        if view is not None
    }


def test_replicas_show_the_same_bytes_at_every_step(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with pair(redis.url, replace(POLICY, window=0)) as it:
            h2, s1, l2 = it.second[0], it.first[1], it.second[2]
            seen = []

            async def compare(what: str) -> None:
                async with plane(redis.url, name=f"newcomer-{what}") as newcomer:
                    three = (it.one, it.two, newcomer)
                    for each in three:
                        await eventually(f"{what} at all", lambda each=each: each.version == it.one.version)

                    def all_same() -> bool:
                        shown = [snapshots(each, it.peers) for each in three]
                        return shown[0] == shown[1] == shown[2]

                    await eventually(f"the same at all replicas, {what}", all_same)
                    seen.append(snapshots(newcomer, it.peers))
                    assert seen[-1].keys() == {peer.id for peer in it.peers}

            await compare("settled")
            h2.hold()
            await it.two.publish(2)
            await it.one.phase(Phase.LOADING)
            await compare("loading")
            s1.hold()
            h2.release()
            await it.one.phase(Phase.ROUTING)
            await compare("routing")
            l2.hold(ACTIVE_GENERATION)
            s1.release()
            await it.one.phase(Phase.RETIRING)
            await compare("retiring")
            s1.hold()
            l2.release()
            await it.one.phase(Phase.UNLOADING)
            await compare("unloading")
            s1.release()
            await it.settled()
            await compare("settled again")
            assert len({str(each) for each in seen}) == len(seen)

    run(scenario)


def test_a_consumer_that_moves_to_another_replica_is_sent_nothing(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with pair(redis.url, publish=(1, 2)) as it:
            for peer in it.peers:
                peer.sent.clear()
            for peer in it.first[1:]:
                await peer.connect(it.two.target)
            for peer in it.second[1:]:
                await peer.connect(it.one.target)
            await it.two.synced(*it.first[1:])
            await it.one.synced(*it.second[1:])
            for name, peer in (("s1", it.first[1]), ("s2", it.second[1])):
                assert +peer.sent == Counter(), name
            for peer in (it.first[2], it.second[2]):
                # whether a control plane is behind shows by this: Lightbulb asks for it on each stream
                assert +peer.sent == Counter({ACTIVE_GENERATION: 1})

            await it.first[0].connect(it.two.target)
            await it.two.synced(it.first[0])
            assert +it.first[0].sent == Counter()

    run(scenario)


def test_a_sidecar_that_comes_back_to_a_replica_routes_what_it_did_where_it_was_meanwhile(
    redis: RedisServer,
) -> None:
    async def scenario() -> None:
        async with pair(redis.url, replace(POLICY, window=0)) as it:
            peer, one, two = it.first[1], it.one, it.two
            await peer.connect(two.target)
            await two.synced(peer)
            for version in (2, 3):
                await two.published(version)
                await it.settled()
            await peer.disconnect()
            await two.published(4)  # without it
            peer.hold()
            await peer.connect(one.target)

            def routes_at_one() -> list[tuple[int, ...]]:
                return [
                    each.routes
                    for each in one.replica._tracker.consumers(one.replica.now, POLICY)
                    if each.id == peer.id and not each.disconnected
                ]

            await eventually("its stream", routes_at_one)
            assert routes_at_one() == [(3,)]
            peer.release()
            await it.settled()

    run(scenario)


def test_an_activation_waits_for_consumers_at_every_replica(redis: RedisServer) -> None:
    async def scenario() -> None:
        await asyncio.gather(*(waits_for(redis.database(position), position) for position in range(3)))

    run(scenario)


async def waits_for(url: str, position: int) -> None:
    async with pair(url) as it:
        held, phase = it.second[position], (Phase.LOADING, Phase.ROUTING, Phase.ROUTING)[position]
        held.hold()
        await it.one.publish(2)
        await it.one.phase(phase)
        waiting = f"waiting for {held.node.kind} {held.id}"
        for each in (it.one, it.two):
            await eventually(waiting, lambda each=each: status(each.replica).detail == waiting)
        assert {it.first[2].generation, it.second[2].generation} == {1}
        held.release()
        await it.active(2)
        await it.settled()


def test_when_the_driver_ends_or_is_cut_off_another_finishes_what_was_under_way(
    redis: RedisServer, tmp_path: Path
) -> None:
    async def scenario() -> None:
        cases = ((Phase.LOADING, True), (Phase.ROUTING, True), (Phase.RETIRING, True), (Phase.ROUTING, False))
        urls = map(redis.database, range(1, len(cases) + 1))
        await asyncio.gather(
            cut_off_the_driver(redis, tmp_path / "proxy"),
            *(end_the_driver(url, *case) for url, case in zip(urls, cases, strict=True)),
        )

    run(scenario)


async def cut_off_the_driver(redis: RedisServer, path: Path) -> None:
    """Its consumers are with it, and it neither hears nor says anything: what they have is kept for them."""
    with RedisProxy(redis, path) as proxy:
        async with pair(redis.url, replace(POLICY, lease=60, window=0), through=proxy.url) as it:
            it.second[0].hold()
            await it.two.publish(2)
            await it.one.phase(Phase.LOADING)
            proxy.flows.clear()
            it.second[0].release()
            await eventually("the other to finish", lambda: it.second[2].generation == 2)
            assert [each.replica.leading for each in (it.one, it.two)] == [False, True]
            assert it.first[2].generation == 1
            assert it.two.rollout.phase is Phase.RETIRING
            waiting = "waiting for lightbulb l1 (disconnected); sidecar s1 (disconnected)"
            await eventually(waiting, lambda: status(it.two.replica).detail == waiting)
            assert routes(it.first[1], "Ranking|rank|1")
            assert routes(it.second[1], "Ranking|rank|1")
            proxy.flows.set()
            await it.active(2)
            await it.settled()
            assert not any(routes(peer, "Ranking|rank|1") for peer in (it.first[1], it.second[1]))
            assert [each.replica.leading for each in (it.one, it.two)] == [False, True]
            assert (await it.one.events()).count(("activated", 2)) == 1


async def end_the_driver(url: str, phase: Phase, kill: bool) -> None:
    async with pair(url, replace(POLICY, reconnect=10, lease=30)) as it:
        position = {Phase.LOADING: 0, Phase.ROUTING: 1, Phase.RETIRING: 2}[phase]
        held = it.first[position]
        held.hold(*([ACTIVE_GENERATION] if phase is Phase.RETIRING else []))
        await it.two.publish(2)  # anyone takes calls
        await it.two.phase(phase)
        assert [each.replica.leading for each in (it.one, it.two)] == [True, False]
        it.second[1].sent.clear()
        await (it.one.kill() if kill else it.one.stop())
        held.release()
        await it.active(2)
        await it.two.settled()
        await it.two.synced(*it.peers)
        assert {each.name: each.leading for each in (await it.two.status()).replicas} == {
            "one": False,
            "two": True,
        }
        activated = [each for each in await it.two.events() if each[0] == "activated"]
        assert activated == [("activated", 1), ("activated", 2)]
        # the hosts of the one that ended were taken to be there all the time
        assert it.second[1].sent[ENDPOINTS] == 0
        await it.two.published(3)


def test_publishes_at_several_replicas_at_once_take_turns(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with pair(redis.url) as it:
            versions = [2, 3, 4, 5]
            answers = await asyncio.gather(
                *((it.one, it.two)[version % 2].publish(version) for version in versions)
            )
            numbers = {answer.generation: version for answer, version in zip(answers, versions, strict=True)}
            assert sorted(numbers) == [2, 3, 4, 5]
            await it.active(5)
            await it.settled()
            history = {each.generation: each for each in await it.two.history()}
            assert {number: history[number].message for number in numbers} == {
                number: f"rank@{version}" for number, version in numbers.items()
            }
            assert {answer.generation: answer.content_hash for answer in answers} == {
                number: history[number].content_hash for number in numbers
            }
            # what others do meanwhile isn't undone; how many of the five were active depends on the race
            oldest = it.two.rollout.live[0]
            await asyncio.gather(
                it.one.pin(oldest),
                it.two.pin(5),
                it.two.publish(6),
                it.one.roll_back(oldest),
                it.two.publish(7),
            )
            await it.settled()
            assert set(it.two.rollout.pinned) == {oldest, 5}
            assert [each.generation for each in await it.one.history(limit=3)] == [7, 6, 5]

    run(scenario)


def test_a_replica_that_is_behind_shows_nothing_to_who_has_seen_more(
    redis: RedisServer, tmp_path: Path
) -> None:
    async def scenario() -> None:
        with RedisProxy(redis, tmp_path / "proxy") as proxy:
            async with world(redis.url) as it:
                behind = RedisStore(proxy.url, "tests", timeout=0.5)
                async with plane(behind, name="two") as two:
                    await eventually("it to show something", lambda: two.replica._view(it.sidecars[0].node))
                    proxy.flows.clear()
                    await eventually("its problem", lambda: two.replica.store_problem)
                    await it.published(2)
                    it.clear()
                    moved: tuple[Peer, ...] = (it.sidecars[0], it.lightbulb)
                    for peer in moved:
                        await peer.connect(two.target)
                    await eventually("them to have asked for everything", lambda: asked(two, moved))
                    assert two.version < it.plane.version
                    assert not any(owed(two))
                    code, _ = await refused(two.publish(3))
                    assert code is grpc.StatusCode.UNAVAILABLE
                    assert [+peer.sent for peer in moved] == [Counter(), Counter()]
                    assert it.lightbulb.generation == 2

                    proxy.flows.set()
                    await two.synced(*moved)
                    await eventually("its end", lambda: not two.replica.store_problem)
                    assert +it.sidecars[0].sent == Counter()
                    assert it.lightbulb.sent[ACTIVE_GENERATION] == 1
                    assert it.lightbulb.sent[OBJECTIVE_TABLES] == 0
                    await two.published(3)
                    await it.lightbulb_at(3)

    run(scenario)


def asked(plane: Plane, peers: Iterable[Peer]) -> bool:
    sessions = {each.node.id: each.session for each in plane.replica.ads._streams.values()}
    return all(
        peer.id in sessions and sessions[peer.id].subscriptions.keys() == set(peer.types) for peer in peers
    )


def owed(plane: Plane) -> list[object]:
    """Return what is on its way to anybody."""
    return [
        subscription.pending
        for each in plane.replica.ads._streams.values()
        for subscription in each.session.subscriptions.values()
    ]


def test_a_lightbulb_that_begins_from_disk_says_which_store_it_is_of(
    store: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def live(plane: Plane) -> LiveTables:
        return LiveTables(control_plane=plane.target, node_id="kept", state=tmp_path)

    async def scenario() -> None:
        async with world(store) as it:
            ours = live(it.plane)
            await ours.start()
            await asyncio.wait_for(ours.feed.wait_ready(), DEADLINE)
            await ours.stop()
        async with world(f"sqlite:{tmp_path}/another.db", generation=0) as other:
            again = live(other.plane)
            await again.start()
            assert again.feed.tables.generation.number == 1  # it serves what it has
            await eventually("its refusal", lambda: "was configured from the store" in caplog.text)
            await other.published(1)  # and stops nobody
            assert not any(each.id == "kept" for each in other.plane.replica.consumers)
            await again.stop()

    run(scenario)


@pytest.mark.parametrize("generation", [0, 1])
def test_a_consumer_of_another_store_is_told_so_and_harms_nobody(store: str, generation: int) -> None:
    async def scenario() -> None:
        async with world(store, generation=generation) as it:
            for peer in (
                sidecar("x", fence="beef:7"),
                host("x", fence="beef:7"),
                Lightbulb("x", fence="beef:7"),
            ):
                code, text = await asyncio.wait_for(refusal(it.plane.target, peer), DEADLINE)
                assert code is grpc.StatusCode.INVALID_ARGUMENT
                assert "was configured from the store beef, and this one is" in text
                assert "the node is to be restarted with an empty state folder" in text
            code, text = await refusal(it.plane.target, sidecar("x", fence="beef"))
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert "'beef', not STORE:NUMBER" in text
            assert not any(each.id == "x" for each in it.plane.replica.consumers)
            await it.published(generation + 1)

    run(scenario)


def test_no_status_takes_an_older_acknowledgement_for_one_of_a_rollback(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with pair(redis.url, publish=(1, 2)) as it:
            response = await it.one.roll_back(1)
            for _ in range(1000):
                status = await it.one.status()
                assert status.version >= response.version
                each = next(each for each in status.consumers if each.node_id == "l2")
                acknowledged = not (each.waiting_for or each.stale or each.disconnected)
                if acknowledged:
                    break
            assert acknowledged
            assert it.second[2].generation == 1

    run(scenario)
