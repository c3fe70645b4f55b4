"""A publish, from the call to the last consumer: in order, gated on every acknowledgement, or not at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
import pytest

from controlplane.rollout.state import Phase
from lightbulb.ads.messages import DeltaRequest
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    CLUSTER,
    MODEL_ASSIGNMENT,
    OBJECTIVE_TABLES,
    ROUTE,
    SCOPED_ROUTE,
)
from lightbulb.tables.values import IN_STEP
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import failure_pb2
from tests.controlplane.peers import Peer, connected, endpoints, host, models, routes, sidecar, vips_of
from tests.controlplane.planes import DEADLINE, POLICY, plane, refused, run
from tests.controlplane.read_late import ReadLate
from tests.controlplane.watcher import watching
from tests.controlplane.worlds import world
from tests.waiting import eventually

HASTY = replace(POLICY, routing=0.3, max_unavailable=0.6)
"""Soon goes on without a sidecar, if there are two and a Lightbulb."""


def test_each_step_waits_for_its_consumers_and_is_seen_by_who_watches(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, window=0)) as it, watching(it.plane) as watcher:
            (one, two), lightbulb = it.sidecars, it.lightbulb
            await watcher.sees("the first settled", lambda s: s.phase == pb.PHASE_SETTLED)
            for peer in (it.host, one, lightbulb):
                peer.hold()

            await it.plane.publish(2)
            await watcher.sees("the host waited for", lambda s: s.detail == "waiting for host h1")
            assert (await it.plane.consumers())["h1"].waiting_for
            assert not any(peer.sent[ROUTE] > 2 for peer in it.sidecars)  # nobody routes what isn't loaded

            it.host.release()
            await watcher.sees(
                "both waited for", lambda s: s.detail == "waiting for lightbulb l1; sidecar s1"
            )
            consumers = await it.plane.consumers()
            assert list(consumers["s1"].waiting_for) == [ROUTE]
            assert list(consumers["l1"].waiting_for) == [OBJECTIVE_TABLES]
            assert list(consumers["s2"].waiting_for) == list(consumers["h1"].waiting_for) == []
            assert models(it.host) == {"rank@1", "rank@2", "fraud@1"}
            assert routes(two, "Ranking|rank|1")
            assert routes(two, "Ranking|rank|2")

            one.release()
            lightbulb.release()
            lightbulb.hold(ACTIVE_GENERATION)
            await watcher.sees(
                "Lightbulb waited for",
                lambda s: (s.phase, s.detail) == (pb.PHASE_RETIRING, "waiting for lightbulb l1"),
            )
            assert it.lightbulb.generation == 1
            one.hold()
            lightbulb.release()
            await watcher.sees(
                "old routes to go",
                lambda s: (s.phase, s.detail) == (pb.PHASE_UNLOADING, "waiting for sidecar s1"),
            )
            assert it.lightbulb.generation == 2
            assert "rank@1" in models(it.host)  # the sidecar may still send requests

            one.release()
            await it.plane.settled()
            await it.loaded("rank@2", "fraud@1")
            assert not any(routes(each, "Ranking|rank|1") for each in it.sidecars)
            await watcher.sees("the end", lambda s: (s.phase, s.detail) == (pb.PHASE_SETTLED, ""))
            assert watcher.steps() == [
                ("SETTLED", 1, 0),
                ("LOADING", 1, 2),
                ("ROUTING", 1, 2),
                ("RETIRING", 2, 0),
                ("UNLOADING", 2, 0),
                ("SETTLED", 2, 0),
            ]

    run(scenario)


def test_what_is_active_or_on_its_way_isnt_published_again(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            first = await it.plane.publish(1)
            assert (first.generation, first.unchanged) == (1, True)
            it.host.hold()
            second = await it.plane.publish(2)
            again = await it.plane.publish(2)
            assert (second.generation, second.unchanged) == (2, False)
            assert (again.generation, again.unchanged) == (2, True)
            assert again.content_hash == second.content_hash != first.content_hash
            assert [each.state for each in await it.plane.history()] == ["on its way", "active"]

    run(scenario)


def test_all_problems_are_answered_and_nothing_is_changed(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            before = await it.plane.status()
            broken = await it.plane.publish(2, room="1MiB", vips={"a": "vip-a", "b": "vip-a"})
            assert broken.generation == 0
            assert {problem.code for problem in broken.problems} == {"DUPLICATE_VIP", "DOES_NOT_FIT"}
            misfit = await it.plane.publish(2, memory="3GiB")
            (problem,) = misfit.problems
            assert (problem.code, problem.file, problem.line) == ("DOES_NOT_FIT", "models.yaml", 2)
            assert problem.remedy
            assert len(await it.plane.history()) == 1
            assert await it.plane.status() == before

    run(scenario)


@pytest.mark.parametrize("phase", [Phase.LOADING, Phase.ROUTING])
def test_a_publish_supersedes_the_one_that_is_on_its_way(store: str, phase: Phase) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            held = it.host if phase is Phase.LOADING else it.sidecars[0]
            held.hold()
            await it.plane.publish(2)
            await it.plane.phase(phase)
            await it.plane.publish(3)
            held.release()
            await it.plane.active(3)
            await it.lightbulb_at(3)
            await it.plane.settled()
            assert it.plane.rollout.live == (1, 3)
            await it.loaded("rank@1", "rank@3", "fraud@1")
            await it.plane.synced(*it.sidecars)
            assert not routes(it.sidecars[0], "Ranking|rank|2")
            assert [each.state for each in await it.plane.history()] == ["active", "withdrawn", "loaded"]
            events = await it.plane.events()
            assert ("withdrawn", 2) in events
            assert ("activated", 2) not in events

    run(scenario)


def test_a_hosts_nack_withdraws_the_publish_and_says_why(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            it.host.refuses = {"rank@2": "fact 'history' is missing"}
            await it.plane.publish(2)
            await eventually("the end of it", lambda: it.plane.rollout.withdrawn == 2)
            now = await it.plane.status()
            assert (now.active_generation, now.failed_generation) == (1, 2)
            assert now.failure == "refused: host h1: rank@2: fact 'history' is missing"
            refusal = failure_pb2.Refusal(
                consumer_kind="host",
                consumer_id="h1",
                resource_type=MODEL_ASSIGNMENT,
                resource="rank@2",
                reason="fact 'history' is missing",
            )
            missing = failure_pb2.Missing(refusals=[refusal])
            why = failure_pb2.Failure(kind=failure_pb2.FAILURE_KIND_REFUSED, missing=missing)
            assert now.why_failed == why
            await it.plane.settled()
            await it.loaded("rank@1", "fraud@1")
            assert not any(routes(each, "Ranking|rank|2") for each in it.sidecars)
            answer = await it.plane.stub.GetEvents(pb.GetEventsRequest(limit=100), timeout=DEADLINE)
            withdrawn = [each for each in answer.events if each.kind == pb.EVENT_KIND_WITHDRAWN]
            assert [(each.generation, each.failure) for each in withdrawn] == [(2, why)]
            await it.plane.published(3)  # a mended one isn't held up
            mended = await it.plane.status()
            assert (mended.failure, mended.HasField("why_failed")) == ("", False)

    run(scenario)


def test_a_host_that_serves_nobody_withdraws_no_publish_and_is_named(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            small = host("h2")
            small.refuses = {"rank@1": "no room", "rank@2": "no room"}
            await small.connect(it.plane.target)
            await it.plane.synced(small)
            assert len(endpoints(it.sidecars[0])) == 1
            await it.published(2)
            assert it.plane.refused() == {"h2": {"rank@1", "rank@2"}}
            assert len(endpoints(it.sidecars[0])) == 1
            small.refuses = {}
            it.host.refuses = {"rank@3": "no such fact"}  # a host that serves counts, whoever else takes it
            await it.plane.publish(3)
            await eventually("the end of it", lambda: it.plane.rollout.withdrawn == 3)
            await small.disconnect()

    run(scenario)


def test_a_sidecars_nack_withdraws_what_was_added_everywhere(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            one, two = it.sidecars
            one.refuses = {"Ranking": "unknown extension"}
            await it.plane.publish(2)
            await eventually("the end of it", lambda: it.plane.rollout.withdrawn == 2)
            now = await it.plane.status()
            assert now.failure == "refused: sidecar s1: Ranking: unknown extension"
            (refusal,) = now.why_failed.missing.refusals
            assert (refusal.resource_type, refusal.resource) == (ROUTE, "Ranking")
            await it.plane.settled()
            await eventually("the key to go", lambda: not routes(two, "Ranking|rank|2"))
            await it.loaded("rank@1", "fraud@1")
            assert routes(one, "Ranking|rank|1")
            assert it.lightbulb.generation == 1
            one.refuses = {}
            assert await it.plane.published(3) == 3

    run(scenario)


def test_what_a_sidecar_refuses_of_what_is_live_isnt_held_against_what_mends_it(store: str) -> None:
    async def scenario() -> None:
        broken = sidecar("broken")
        broken.hold(ROUTE)
        async with world(store) as it, connected(it.plane.target, broken):
            await eventually("its scopes", lambda: broken.resources[SCOPED_ROUTE])
            broken.refuses = {"Ranking": "unknown extension"}
            broken.release()
            await eventually("the refusal", lambda: it.plane.refused() == {"broken": {"Ranking"}})
            broken.refuses = {}
            await it.plane.published(2)
            await it.plane.synced(broken)
            assert routes(broken, "Ranking|rank|2")
            assert it.plane.refused() == {}

    run(scenario)


@pytest.mark.parametrize("objective", ["Ranking", "Fraud"])
def test_a_sidecar_that_refuses_what_is_live_stops_no_publish(store: str, objective: str) -> None:
    async def scenario() -> None:
        broken = sidecar("broken")
        broken.refuses = {objective: "unknown extension"}
        async with world(store) as it, connected(it.plane.target, broken):
            await eventually("the refusal", lambda: it.plane.refused() == {"broken": {objective}})
            await it.plane.published(2)
            await it.lightbulb_at(2)
            await eventually("the same refusal", lambda: it.plane.refused() == {"broken": {objective}})
            assert "broken" not in it.tables.sidecars  # it was never synced

            one = it.sidecars[0]
            one.refuses = {"Ranking": "too long"}
            await it.plane.publish(3)
            await eventually("the end of it", lambda: it.plane.rollout.withdrawn == 3)
            assert str(it.plane.rollout.failure) == "refused: sidecar s1: Ranking: too long"

    run(scenario)


def test_a_broken_sidecar_that_connects_anew_meanwhile_stops_no_publish(store: str) -> None:
    async def scenario() -> None:
        broken = sidecar("broken")
        broken.refuses = {"Ranking": "unknown extension"}
        async with world(store, replace(POLICY, routing=60)) as it, connected(it.plane.target, broken):
            await eventually("the refusal", lambda: it.plane.refused() == {"broken": {"Ranking"}})
            it.lightbulb.hold()
            number = (await it.plane.publish(2)).generation
            await it.plane.phase(Phase.ROUTING)
            await broken.connect(it.plane.target)
            await eventually("the refusal again", lambda: it.plane.refused() == {"broken": {"Ranking"}})
            it.lightbulb.release()
            await it.plane.active(number)

    run(scenario)


def test_a_broken_sidecar_whose_new_stream_is_seen_before_its_old_one_ends_stops_no_publish(
    store: str,
) -> None:
    async def scenario() -> None:
        broken, again = sidecar("broken"), sidecar("broken")
        broken.refuses = again.refuses = {"Ranking": "unknown extension"}
        async with world(store, replace(POLICY, routing=60)) as it, connected(it.plane.target, broken):
            await eventually("the refusal", lambda: it.plane.refused() == {"broken": {"Ranking"}})
            it.lightbulb.hold()
            number = (await it.plane.publish(2)).generation
            await it.plane.phase(Phase.ROUTING)

            def refusing() -> list[str]:
                return [each.id for each in it.plane.replica.consumers if each.refusals]

            async with connected(it.plane.target, again):
                await eventually("both to refuse", lambda: refusing() == ["broken", "broken"])
                await broken.disconnect()
                await eventually("one to refuse", lambda: refusing() == ["broken"])
                it.lightbulb.release()
                await it.plane.active(number)

    run(scenario)


def test_a_host_that_its_replica_had_nothing_to_show_to_yet_is_waited_for(store: str) -> None:
    def places(version: int) -> dict[str, object]:
        vips = {"a": "vip-a", "b": "vip-b"}
        return {"vips": vips, "places": {"a": ["fraud@1"], "b": [f"rank@{version}"]}}

    async def scenario() -> None:
        late = ReadLate(store)
        async with world(late, generation=0) as it, connected(it.plane.target, host("h2", "b")):
            await it.published(1, **places(1))
            await it.host.disconnect()
            async with plane(store, name="two") as another:
                late.pause()
                await another.publish(2, **places(2))  # which changes nothing of its shard
                # The other replica, which is ahead of this one, has told it of the next version.
                ahead = host("ahead", fence=f"{another.store.identity}:{another.version}")
                ahead.hold()
                async with connected(it.plane.target, ahead):
                    await it.plane.knows(ahead)
                    late.go_on()
                    await it.says("waiting for host ahead")
                    ahead.release()
                    await it.plane.active(2)

    run(scenario)


def test_what_comes_into_step_again_for_another_reason_doesnt_begin_the_wait_anew(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await it.plane.published(2, cache="30s")
            await it.plane.published(3, cache="30s")
            await it.plane.phase(Phase.RETIRING)
            await eventually("all told", lambda: it.plane.rollout.oldest == 3)
            since = it.plane.synced_since("s1")
            async with connected(it.plane.target, host("h2")):
                await eventually("its address", lambda: len(endpoints(it.sidecars[0])) == 2)
                await it.plane.synced(*it.sidecars)
                assert it.plane.synced_since("s1") == since
                assert it.plane.rollout.phase is Phase.RETIRING

    run(scenario)


def test_one_that_falls_silent_after_a_quiet_time_keeps_its_lease(store: str) -> None:
    async def scenario() -> None:
        policy = replace(HASTY, lease=1.0, window=0)
        async with world(store, policy) as it:
            replica, (one, _) = it.plane.replica, it.sidecars
            quiet_since = it.plane.synced_since("s1")
            await eventually("a quiet time", lambda: replica.now - quiet_since > policy.lease)
            one.hold()
            await it.plane.published(2)
            fell_silent = next(each.unsynced_since for each in replica.consumers if each.id == "s1")
            await it.plane.phase(Phase.UNLOADING, Phase.SETTLED)
            assert it.plane.rollout.live == (2,)
            assert it.plane.rollout.entered - fell_silent >= policy.lease
            one.release()

    run(scenario)


def test_a_lightbulbs_nack_withdraws_the_publish(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            it.lightbulb.refuses = {"Ranking": "an operator that isn't known"}
            await it.plane.publish(2)
            await eventually("the end of it", lambda: it.plane.rollout.withdrawn == 2)
            assert (
                str(it.plane.rollout.failure)
                == "refused: lightbulb l1: Ranking: an operator that isn't known"
            )
            await it.plane.settled()
            assert it.lightbulb.generation == 1

    run(scenario)


def test_a_host_that_never_answers_ends_the_publish_at_the_deadline(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, loading=0.3)) as it:
            it.host.hold()
            await it.plane.publish(2)
            await eventually("the end of it", lambda: it.plane.rollout.withdrawn == 2)
            now = await it.plane.status()
            assert now.failure == "waiting for host h1 for more than 0.3 s"
            assert (now.active_generation, now.target_generation) == (1, 0)
            it.host.release()
            await it.plane.settled()

    run(scenario)


def test_a_host_that_never_answers_is_given_the_time_that_the_model_says(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, loading=0.3)) as it:
            it.host.hold()
            await it.plane.publish(2, load="2s")
            await it.plane.phase(Phase.LOADING)
            rollout = it.plane.rollout
            seen = await it.plane.status()
            assert [seen.loading_until] == [pytest.approx(rollout.entered + 2.3)]
            assert [lane.loading_until for lane in seen.lanes] == [seen.loading_until]
            await eventually("the end of it", lambda: it.plane.rollout.withdrawn == 2)
            assert it.plane.rollout.entered >= rollout.entered + 2.3
            now = await it.plane.status()
            assert now.failure == "waiting for host h1 for more than 2.3 s"
            assert (now.active_generation, now.target_generation, now.loading_until) == (1, 0, 0.0)
            it.host.release()
            await it.plane.settled()

    run(scenario)


def test_a_shard_without_a_host_ends_the_publish_at_the_deadline(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, loading=0.3)) as it:
            await it.plane.publish(2, vips={"a": "vip-a", "b": "vip-b"}, places={"b": ["rank@2"]})
            await eventually("the end of it", lambda: it.plane.rollout.withdrawn == 2)
            assert str(it.plane.rollout.failure) == "waiting for a host for shard b for more than 0.3 s"

    run(scenario)


def test_the_first_publish_has_no_deadline_and_nobody_is_shown_anything_of_it_before(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, loading=0.03, routing=0.03), generation=0) as it:
            it.host.hold()
            await it.plane.publish(1)
            entered = it.plane.rollout.entered
            await eventually("ten deadlines to pass", lambda: it.plane.replica.now > entered + 0.3)
            assert it.plane.rollout.phase is Phase.LOADING
            assert not any(peer.sent for peer in (*it.sidecars, it.lightbulb))
            it.host.release()
            await it.lightbulb_at(1)

    run(scenario)


def test_a_sidecar_that_lags_is_passed_over_by_name_and_its_clients_are_answered_from_what_it_routes(
    store: str,
) -> None:
    async def scenario() -> None:
        async with world(store, HASTY) as it:
            it.sidecars[1].hold()
            await it.plane.publish(2)
            await it.lightbulb_at(2)
            await it.says("went on without sidecar s2; waiting for sidecar s2")
            status = await it.plane.status()
            laggard = failure_pb2.Laggard(consumer_kind="sidecar", consumer_id="s2", resource_types=[ROUTE])
            assert status.passed_over == failure_pb2.Missing(laggards=[laggard])
            assert status.waiting_for == status.passed_over
            answer = await it.plane.stub.GetEvents(pb.GetEventsRequest(limit=100), timeout=DEADLINE)
            (activated,) = [
                each for each in answer.events if (each.kind, each.generation) == (pb.EVENT_KIND_ACTIVATED, 2)
            ]
            assert activated.passed_over == status.passed_over
            consumers = await it.plane.consumers()
            assert (consumers["s1"].answered_from, consumers["s2"].answered_from) == (0, 1)
            assert [it.tables.generation_for(name) for name in ("", "s1", "s2", "new")] == [2, 2, 1, 1]
            # and it stays so for as long as it lags
            assert it.plane.rollout.phase is Phase.RETIRING
            it.sidecars[1].release()
            await eventually("word of it", lambda: it.tables.generation_for("s2") == 2)
            await it.plane.settled()
            assert (await it.plane.consumers())["s2"].answered_from == 0
            await eventually("the rest", lambda: it.tables.generation_for("new") == 2)

    run(scenario)


def test_a_sidecar_that_says_a_lot_but_acknowledges_nothing_isnt_taken_to_route_it(store: str) -> None:
    async def scenario() -> None:
        async with world(store, HASTY) as it:
            chatty = it.sidecars[1]
            chatty.hold()
            async with saying_a_lot(chatty):
                await it.plane.publish(2)
                await it.lightbulb_at(2)
                assert [it.tables.generation_for(name) for name in ("s1", "s2")] == [2, 1]
                await it.plane.roll_back(1)
                await it.plane.publish(3)
                await it.lightbulb_at(3)
                assert [it.tables.generation_for(name) for name in ("s1", "s2")] == [3, 1]

    run(scenario)


@contextlib.asynccontextmanager
async def saying_a_lot(peer: Peer) -> AsyncIterator[None]:
    async def say() -> None:
        while True:
            stream = peer._subscriber._stream if peer._subscriber else None
            if stream is not None:
                stream.send(DeltaRequest(type_url=CLUSTER, nonce="of long ago"))
            await asyncio.sleep(0.01)  # all of this, and the control plane, is one process

    task = asyncio.create_task(say())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def test_too_many_laggards_end_the_publish_and_are_named(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(HASTY, max_unavailable=0.3)) as it:
            it.sidecars[1].hold()
            await it.plane.publish(2)
            await eventually("the end of it", lambda: it.plane.rollout.withdrawn == 2)
            assert str(it.plane.rollout.failure) == "waiting for sidecar s2 for more than 0.3 s"
            assert it.lightbulb.generation == 1
            it.sidecars[1].release()
            await it.plane.settled()
            assert not routes(it.sidecars[1], "Ranking|rank|2")

    run(scenario)


def test_a_sidecar_out_of_sight_is_waited_for_a_while_and_remembered_for_its_lease(store: str) -> None:
    async def scenario() -> None:
        async with (
            world(store, replace(POLICY, reconnect=0.5, lease=30)) as it,
            watching(it.plane) as watcher,
        ):
            lost = it.sidecars[1]
            await lost.disconnect()
            await watcher.sees("it gone", lambda s: any(each.disconnected for each in s.consumers))
            await it.plane.publish(2)
            await it.lightbulb_at(2)
            await it.says("waiting for sidecar s2 (disconnected)")
            assert it.tables.generation_for("s2") == 1
            assert it.plane.rollout.phase is Phase.RETIRING  # it may well route, and be asked for, the old
            await lost.connect(it.plane.target)
            await eventually("word of it", lambda: it.tables.generation_for("s2") == 2)
            await it.plane.settled()

    run(scenario)


def test_a_sidecar_out_of_sight_for_longer_than_its_lease_holds_nothing_up(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, reconnect=0.1, lease=0.5, window=0)) as it:
            await it.sidecars[1].disconnect()
            await it.plane.published(2)
            await it.plane.settled()
            assert "s2" not in await it.plane.consumers()
            await eventually("it forgotten", lambda: "s2" not in it.tables.sidecars)
            # it comes back with keys that are gone by now, and is told so
            await it.sidecars[1].connect(it.plane.target)
            await it.plane.synced(it.sidecars[1])
            await eventually("word of it", lambda: it.tables.sidecars.get("s2") is IN_STEP)
            assert not routes(it.sidecars[1], "Ranking|rank|1")

    run(scenario)


def test_a_cold_sidecars_clients_get_no_answer_until_it_routes_one(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            cold = sidecar("cold")
            cold.hold()
            try:
                await cold.connect(it.plane.target)
                await it.plane.knows(cold)
                assert it.tables.generation_for("cold") == 1  # the oldest: nothing is known of it
                cold.release()
                await eventually("word of it", lambda: it.tables.sidecars.get("cold") is IN_STEP)
            finally:
                await cold.disconnect()

    run(scenario)


def test_a_shards_vip_may_change_and_every_key_follows_it(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await it.plane.published(2, vips={"a": "vip-new"})
            await it.lightbulb_at(2)
            one = it.sidecars[0]
            assert endpoints(one, "vip-new") == endpoints(one, "vip-a") == {it.host.port}
            await it.plane.roll_back(1)
            await it.lightbulb_at(1)
            await it.plane.settled()
            assert endpoints(one, "vip-new") == endpoints(one, "vip-a") == {it.host.port}

    run(scenario)


def test_a_vip_is_no_other_shards_while_old_keys_lead_to_it(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, window=0)) as it:
            other = host("h2", "b")
            async with connected(it.plane.target, other):
                await it.plane.knows(other)
                swapped = {"a": "vip-b", "b": "vip-a"}
                (problem,) = (await it.plane.publish(2, vips=swapped)).problems
                assert problem.code == "VIP_IN_USE"
                await it.plane.published(2, vips={"a": "vip-c"})
                await it.plane.settled()  # the first generation, which has the VIP, has left
                assert not it.plane.replica.known.generations.keys() & {1}
                await it.plane.published(3, vips={"a": "vip-c", "b": "vip-a"})
                code, text = await refused(it.plane.roll_back(1, reload=True))
                assert code is grpc.StatusCode.FAILED_PRECONDITION
                assert "vip-a" in text

    run(scenario)


def test_a_model_that_moves_to_another_shard_takes_its_key_along_and_back(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            other = host("h2", "b")
            both = {"a": "vip-a", "b": "vip-b"}
            async with connected(it.plane.target, other):
                await it.plane.knows(other)
                await it.published(1, vips=both, places={"a": ["rank@1", "fraud@1"]})
                one = it.sidecars[0]
                assert vips_of(one, "Ranking") == {"vip-a"}
                other.hold()
                await it.plane.publish(1, vips=both, places={"a": ["fraud@1"], "b": ["rank@1"]})
                await it.says("waiting for host h2")
                assert vips_of(one, "Ranking") == {"vip-a"}
                other.release()
                await it.plane.active(2)
                await it.settled()
                assert vips_of(one, "Ranking") == {"vip-b"}
                assert vips_of(one, "Fraud") == {"vip-a"}
                await it.loaded("rank@1", "fraud@1")  # for a rollback
                await it.plane.roll_back(1)
                await it.settled()
                assert vips_of(one, "Ranking") == {"vip-a"}

    run(scenario)


def test_a_host_that_comes_back_empty_is_sent_requests_once_it_has_loaded_everything(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            one = it.sidecars[0]
            assert endpoints(one) == {it.host.port}
            await it.host.disconnect()
            again = host(it.host.id, port=str(it.host.port))
            again.hold()
            async with connected(it.plane.target, again):
                await eventually("no address", lambda: not endpoints(one))
                again.release()
                await eventually("its address", lambda: endpoints(one) == {it.host.port})
                assert models(again) == {"rank@1", "fraud@1"}

    run(scenario)
