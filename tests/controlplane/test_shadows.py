"""Shadows on a running control plane: what sidecars get, in which order, and what becomes of them."""

from dataclasses import replace

import grpc
import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.route.v3 import route_pb2

from controlplane.lifecycle.shadow import Shadowed
from lightbulb.ads.values import CLUSTER, ENDPOINTS, ROUTE
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import telemetry_pb2 as telemetry
from lightbulb.v1.telemetry_pb2_grpc import TelemetryServiceStub
from tests.controlplane.peers import connected, sidecar
from tests.controlplane.planes import POLICY, refused, run, told
from tests.controlplane.relays import route
from tests.controlplane.test_tenants import OTHER, both_active
from tests.controlplane.worlds import World, world
from tests.waiting import eventually

NEXT = {"candidate": "next@2"}


def shadowed(it: World, objective: str = "Ranking") -> Shadowed | None:
    return it.plane.replica.known.lanes.shadows.get(objective)


async def in_force(it: World) -> None:
    def so() -> bool:
        found = shadowed(it)
        return found is not None and all(each.in_force and not each.stopped for each in found.shadows)

    await eventually(f"shadows in force, not {shadowed(it)}", so)


async def is_over(it: World) -> None:
    await eventually(f"no shadow, not {shadowed(it)}", lambda: shadowed(it) is None)


def special(it: World, objective: str = "Ranking") -> list[tuple[str, int, list[str], str]]:
    """Each special route of a sidecar's: name, share, the clusters of its mirrors, and who is compared."""
    body = it.sidecars[0].resources[ROUTE][objective].body
    (host,) = route_pb2.RouteConfiguration.FromString(body).virtual_hosts
    return [
        (
            each.name,
            each.match.runtime_fraction.default_value.numerator,
            [mirror.cluster for mirror in each.route.request_mirror_policies],
            next((one.header.value for one in each.request_headers_to_add), ""),
        )
        for each in host.routes
        if each.name
    ]


def test_a_shadow_has_a_cluster_of_its_own_and_a_share_and_an_end(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            plain = it.plane.store.head().body
            first, fraud = await it.plane.shadow(), it.sidecars[0].resources[ROUTE]["Fraud"]
            assert it.plane.store.head().body[:2] == b"\x08\x06"  # the format: older ones refuse it by that
            await in_force(it)
            (name,) = first.shadows
            alias, sidecar = f"shadow/{name}", it.sidecars[0].resources
            assert special(it) == [(f"shadow-{name}", 1_000, [alias], name)]
            assert sidecar[ROUTE]["Fraud"] is fraud
            cluster = cluster_pb2.Cluster.FromString(sidecar[CLUSTER][alias].body)
            (threshold,) = cluster.circuit_breakers.thresholds
            assert (threshold.max_requests.value, threshold.max_retries.value) == (64, 0)
            assert cluster.eds_cluster_config.service_name == ""
            of_vip = endpoint_pb2.ClusterLoadAssignment.FromString(sidecar[ENDPOINTS]["vip-a"].body)
            of_alias = endpoint_pb2.ClusterLoadAssignment.FromString(sidecar[ENDPOINTS][alias].body)
            assert of_alias.endpoints == of_vip.endpoints
            assert len(of_alias.endpoints) == 1
            await it.plane.set_shadow("next", basis_points=2_500)
            await in_force(it)
            assert special(it) == [(f"shadow-{name}", 2_500, [alias], name)]
            await it.plane.stop_shadow()
            await is_over(it)
            assert special(it) == []
            await it.plane.synced(*it.peers)
            assert alias not in sidecar[CLUSTER]
            assert it.plane.store.head().body[:2] == plain[:2]
            happened = [action for action, _ in await it.plane.events() if action.startswith("shadow")]
            assert happened == [f"shadow {each}" for each in ("started", "changed", "stopped")]

    run(scenario)


def test_several_get_the_same_requests_and_a_shift_is_counted_as_before(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            (one, noise) = (await it.plane.shadow(noise_floor=True)).shadows
            assert noise == f"{one}n"
            await it.plane.set_shadow("rank", basis_points=1_000)  # both are of one start
            shift = await it.plane.shift(model="next", steps=[500])
            await in_force(it)
            arms = f"shift-{shift.shift}c", f"shift-{shift.shift}k"
            both = [f"shadow/{one}", f"shadow/{noise}"]
            compared = f"{one},{noise}"
            await eventually(
                "the arms",
                lambda: (
                    special(it)
                    == [
                        (arms[0], 0, [], ""),
                        (arms[1], 1_000, both, compared),
                        (arms[1], 0, [], ""),
                        (f"shadow-{one}", 1_000, both, compared),
                    ]
                ),
            )
            await eventually(
                "the shift to run",
                lambda: it.plane.replica.known.lanes.controls["Ranking"].shift.in_force,
            )
            await it.plane.shift("finish")
            await eventually(
                "everybody to get the candidate, and its shadow to end",
                lambda: (
                    [(each.id, each.stopped) for each in (shadowed(it) or Shadowed).shadows]
                    == [(noise, False)]
                ),
            )
            assert shadowed(it).primary == "Ranking|next|2"
            await it.plane.stop_shadow()
            await is_over(it)

    run(scenario)


@pytest.mark.parametrize(
    ("next_one", "goes_on"), [({**NEXT, "cache": "20ms"}, True), ({}, False)], ids=["has it", "lacks it"]
)
def test_another_generation_ends_a_shadow_only_if_it_lacks_its_model(
    store: str, next_one: dict[str, str], *, goes_on: bool
) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            (name,) = (await it.plane.shadow()).shadows
            await in_force(it)
            await it.published(2 if goes_on else 1, **next_one)
            if goes_on:
                await in_force(it)
                assert shadowed(it).primary == "Ranking|rank|2"
                assert [each[3] for each in special(it)] == [name]
                await it.plane.stub.Rollback(pb.RollbackRequest(generation=1))
                await eventually("the old one", lambda: shadowed(it).primary == "Ranking|rank|1")
                await it.plane.stop_shadow()
            await is_over(it)
            answer = await it.plane.stub.GetEvents(pb.GetEventsRequest(limit=50))
            (ended,) = [each for each in answer.events if each.kind == pb.EVENT_KIND_SHADOW_STOPPED]
            if not goes_on:
                assert ended.author == ""
                assert ended.detail == f"Ranking: shadow {name} of next@2: generation 2 hasn't its model"

    run(scenario)


def test_what_cant_be_done_is_refused_by_name_with_what_can(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            plane, version = it.plane, it.plane.version
            for call, reason in [
                (plane.stop_shadow(), "NO_SHADOW"),
                (plane.set_shadow(basis_points=5), "NO_SHADOW"),
                (plane.set_shadow(), "INVALID_REQUEST"),
                (plane.shadow("rank"), "SHADOW_OF_ITSELF"),
                (plane.shadow("nope"), "MODEL_NOT_SERVED"),
                (plane.shadow(version="7"), "MODEL_NOT_SERVED"),
                (plane.shadow(objective="Nope"), "OBJECTIVE_NOT_SERVED"),
                (plane.shadow(basis_points=10_001), "INVALID_SHADOW"),
                (plane.shadow(max_body=100), "INVALID_SHADOW"),
                (plane.shadow(lasts=0.5), "INVALID_SHADOW"),
                (plane.shadow(""), "INVALID_REQUEST"),
            ]:
                assert (await told(call)).reason == reason
            assert "isn't loaded" in (await refused(plane.shadow("nope")))[1]
            assert plane.version == version
            first = await plane.shadow(request_id="a")
            assert await plane.shadow(request_id="a") == first
            assert (await plane.shadow()).unchanged
            code, text = await refused(plane.shadow(basis_points=5))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert f"has shadow {first.shadows[0]} of next@2, at 10 %" in text
            assert (await told(plane.stop_shadow("rank"))).reason == "NO_SHADOW"
            assert (await told(plane.set_shadow(basis_points=20_000))).reason == "INVALID_SHADOW"
            assert (await plane.set_shadow(basis_points=1_000)).unchanged

    run(scenario)


def test_a_sidecar_that_lags_is_named_until_it_copies_no_more(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, lease=600), generation=0) as it:
            await it.published(1, **NEXT)
            (name,) = (await it.plane.shadow()).shadows
            await in_force(it)
            it.sidecars[1].hold(ROUTE)
            await it.plane.stop_shadow()
            replica = it.plane.replica
            await eventually(
                "the laggard alone to be named",
                lambda: replica.sidecars_behind.get("default") == ("sidecar s2",),
            )
            (said,) = (await it.plane.status()).shadows
            assert (said.id, said.stopped, list(said.waiting_for)) == (name, True, ["sidecar s2"])
            it.sidecars[1].release()
            await is_over(it)

    run(scenario)


def test_it_ends_by_itself_once_enough_copies_were_answered(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            (name,) = (await it.plane.shadow(pairs=10)).shadows
            await in_force(it)
            stream = TelemetryServiceStub(it.plane.channel).Figures()
            await stream.write(telemetry.FiguresRequest(node_id="s1"))
            await eventually("it to be counted", lambda: it.plane.replica.figures.routes)
            assert list((await stream.read()).routes) == [f"shadow/{name}"]

            async def tell(**counts: int) -> None:
                ends = (("", f"upstream_rq_{counter}", count) for counter, count in counts.items())
                await stream.write(telemetry.FiguresRequest(routes=[route(f"shadow/{name}", *ends)]))

            await tell(**{"2xx": 7}, active_overflow=3, tx_reset=5, max_duration_reached=1)
            await tell(**{"2xx": 1}, pending_overflow=1, nonsense=9)
            replica = it.plane.replica
            await eventually("what was told", lambda: replica.copies(replica.known.lanes)[name].answered == 8)
            copies = (await it.plane.status()).shadows[0].copies
            assert copies == pb.Copies(answered=8, shed=4, too_large=4, late=1)
            await tell(**{"2xx": 2})
            await is_over(it)
            answer = await it.plane.stub.GetEvents(pb.GetEventsRequest(limit=50))
            (ended,) = [each for each in answer.events if each.kind == pb.EVENT_KIND_SHADOW_STOPPED]
            assert ended.detail == f"Ranking: shadow {name} of next@2: 10 of its copies were answered"
            stream.cancel()

    run(scenario)


def test_a_rule_has_its_model_loaded_and_copies_begin_as_it_becomes_active(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1)
            await it.published(2, **NEXT, copied='percent: 2.5, until: "24h"')
            await in_force(it)
            (shadow,) = shadowed(it).shadows
            assert (shadow.key, shadow.basis_points, bool(shadow.until)) == ("Ranking|next|2", 250, True)
            assert special(it) == [(f"shadow-{shadow.id}", 250, [f"shadow/{shadow.id}"], shadow.id)]
            await it.plane.stop_shadow()
            await is_over(it)
            await it.published(3, **NEXT, copied='percent: 2.5, until: "24h"')
            await in_force(it)  # since its table is another
            kinds = [action for action, _ in await it.plane.events() if action.startswith("shadow")]
            assert kinds == ["shadow started", "shadow stopped", "shadow started"]

    run(scenario)


def test_a_hold_back_has_the_requests_copied_that_users_are_answered_by(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1)
            await it.published(2, **NEXT)
            (name,) = (await it.plane.shadow()).shadows
            await in_force(it)
            await it.plane.roll_back(objective="Ranking")
            await eventually("the old default", lambda: shadowed(it).primary == "Ranking|rank|1")
            await in_force(it)  # though the table that is answered from hasn't the candidate
            assert [each.id for each in shadowed(it).standing] == [name]
            again = await it.plane.shadow(model="rank", version="2", basis_points=500)
            assert len(again.shadows) == 1
            assert (await told(it.plane.shadow(model="rank", version="1"))).reason == "SHADOW_OF_ITSELF"
            await it.published(3, **NEXT)
            await eventually("the new default", lambda: shadowed(it).primary == "Ranking|rank|3")
            assert [each.key for each in shadowed(it).standing] == ["Ranking|next|2"]

    run(scenario)


def test_a_shadow_is_a_matter_of_its_tenant_alone(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            await both_active(it)
            before = it.plane.rollout_of(OTHER)
            assert (await told(it.plane.shadow(tenant=OTHER))).reason == "OBJECTIVE_NOT_SERVED"
            theirs, ours = sidecar("theirs", takes_tenants=OTHER), sidecar("ours", takes_objectives="Ranking")
            async with connected(it.plane.target, theirs, ours):
                await it.plane.synced(theirs, ours)
                (name,) = (await it.plane.shadow()).shadows
                await in_force(it)
                await it.plane.synced(theirs, ours)
                assert f"shadow/{name}" in ours.resources[ENDPOINTS].keys() & ours.resources[CLUSTER].keys()
                assert f"shadow/{name}" not in theirs.resources[CLUSTER]
            stop = pb.ShadowRequest(objective="Ranking", tenant=OTHER, stop=pb.StopShadow())
            assert (await told(it.plane.stub.Shadow(stop))).reason == "OBJECTIVE_NOT_SERVED"
            assert it.plane.rollout_of(OTHER) == before
            await it.plane.stub.Offer(pb.OfferRequest(objective="Ranking", to=OTHER, author="ann"))
            take = it.plane.stub.Take(pb.TakeRequest(objective="Ranking", tenant=OTHER, author="eve"))
            info = await told(take)
            assert info.reason == "SHADOW_STANDS"

    run(scenario)
