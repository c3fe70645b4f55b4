"""An objective goes from one tenant to another: both agree, nobody goes without it, and it has one owner."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from controlplane.rollout.state import Phase
from lightbulb.ads.values import MODEL_ASSIGNMENT, ROUTE
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.peers import Lightbulb, Peer, connected, host, models, routes, sidecar, vips_of
from tests.controlplane.planes import DEADLINE, plane, refused, run, told
from tests.controlplane.test_tenants import (
    FLEET,
    OTHER,
    TENANTS,
    active,
    both_active,
    platform,
    publish,
    request,
)
from tests.controlplane.workspaces import files, publish_request
from tests.controlplane.worlds import World, world
from tests.waiting import eventually

KEY = "Fraud|fraud|1"


@pytest.fixture(params=["sqlite", "redis"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/store.db"
    return str(request.getfixturevalue("redis").url)


EXPERIMENTS = b"experiments:\n  - {id: t, cells: {1: 50, 2: 50}, layer: {name: l, from: 0, to: 50}}\n"
TESTED = b"""function defineFraudTestRule() { return {
  targetObjectives: ["Fraud"], modelInputType: "PAYMENT", modelType: "SCORER",
  abTestId: "t", cellToModel: {1: {name: "fraud"}, 2: {name: "fraud"}}}; }
"""


async def offer(it: World, objective: str = "Fraud", to: str = OTHER, **more: object) -> pb.OfferResponse:
    request = pb.OfferRequest(objective=objective, to=to, author="ann", **more)
    return await it.plane.stub.Offer(request, timeout=DEADLINE)


async def take(it: World, objective: str = "Fraud", tenant: str = OTHER, **more: object) -> pb.TakeResponse:
    request = pb.TakeRequest(objective=objective, tenant=tenant, author="eve", **more)
    return await it.plane.stub.Take(request, timeout=DEADLINE)


async def handed_over(it: World, objective: str = "Fraud", tenant: str = OTHER, **more: object) -> int:
    """Offer an objective of the other one, take it, and wait until that is everywhere."""
    owner = "" if tenant == OTHER else OTHER
    await eventually(
        "the owner to settle",
        lambda: it.plane.rollout_of(owner or "default").phase is Phase.SETTLED,
    )
    await offer(it, objective, tenant, tenant=owner, **more)
    taken = await take(it, objective, tenant)
    assert not taken.problems
    await eventually("it to be active", lambda: it.plane.rollout_of(tenant).active == taken.generation)
    await eventually("it to settle", lambda: it.plane.rollout_of(tenant).phase is Phase.SETTLED)
    return taken.generation


def with_fraud(version: int, *, fraud: bool = True) -> pb.PublishRequest:
    """The other tenant's workspace, with what it has taken."""
    wanted = request(version)
    if not fraud:
        return wanted
    theirs = {name: body.decode() for name, body in files(1).items()}
    objective = next(line for line in theirs["objectives.yaml"].splitlines() if "Fraud" in line)
    model = next(line for line in theirs["models.yaml"].splitlines() if "fraud" in line)
    added = {"objectives.yaml": objective, "models.yaml": model, "rules.js": theirs["rules.js"][-200:]}
    rule = theirs["rules.js"]
    added["rules.js"] = rule[rule.index("function defineFraud") :]
    for file in wanted.files:
        if file.path in added:
            file.content += (added[file.path] + "\n").encode()
    return wanted


def without_fraud(version: int) -> pb.PublishRequest:
    """The default tenant's workspace, without what it has handed over."""
    wanted = publish_request(version, without=("fleet.yaml",))
    for file in wanted.files:
        text = file.content.decode()
        if file.path == "rules.js":
            text = text[: text.index("function defineFraud")]
        file.content = "".join(
            f"{line}\n" for line in text.splitlines() if "Fraud" not in line and "fraud" not in line
        ).encode()
    return wanted


@dataclass
class Watch:
    """Looks at Lightbulbs and sidecars with every part that reaches them: none is ever without."""

    lightbulbs: tuple[Lightbulb, ...]
    sidecars: tuple[Peer, ...]
    looks: int = 0
    wrong: list[str] = field(default_factory=list)

    def look(self) -> None:
        for each in self.lightbulbs:
            tables = each.feed.tables
            if not tables.objectives.get("Fraud") or not each.feed.ready:
                continue
            self.looks += 1
            for name in ("", *(one.id for one in self.sidecars)):
                number = tables.generation_for(name, tables.tenant_of("Fraud"))
                found = tables.resolver("Fraud", number) if number else None
                if found is None:
                    self.wrong.append(f"{each.id} has nothing in {number} of {tables.tenant_of('Fraud')}")
        self.wrong += [f"{each.id} lost {KEY}" for each in self.sidecars if not routes(each, KEY)]


@contextlib.asynccontextmanager
async def watched(it: World, *more: Peer) -> AsyncIterator[Watch]:
    """Watch everybody: those of the world, and some more, once they have it."""
    everybody = (*it.peers, *more)
    await eventually(
        "everybody to have it",
        lambda: (
            all(routes(each, KEY) for each in everybody if each.node.metadata["kind"] == "sidecar")
            and all(
                "Fraud" in each.feed.tables.objectives for each in everybody if isinstance(each, Lightbulb)
            )
        ),
    )
    watch = Watch(
        tuple(each for each in everybody if isinstance(each, Lightbulb)),
        tuple(each for each in everybody if each.node.metadata["kind"] == "sidecar"),
    )
    applied = {each: each.apply for each in everybody}

    def spied(peer: Peer) -> None:
        async def apply(update: object) -> object:
            rejected = await applied[peer](update)
            watch.look()
            return rejected

        peer.apply = apply

    for each in everybody:
        spied(each)
    yield watch
    watch.look()
    assert watch.looks
    assert not watch.wrong, watch.wrong


def test_it_is_handed_over_in_one_step_and_nobody_is_ever_without(either: str) -> None:
    async def scenario() -> None:
        named = Lightbulb("named", takes_objectives="Fraud")
        old = Lightbulb("old", takes_tenants="default")
        by_name, of_old = sidecar("s3", takes_objectives="Fraud"), sidecar("s4", takes_tenants="default")
        new = Lightbulb("new", takes_tenants=OTHER), sidecar("s5", takes_tenants=OTHER)
        async with world(either) as it:
            await both_active(it)
            async with connected(it.plane.target, named, old, by_name, of_old, *new):
                await it.plane.synced(named, old, by_name, of_old, *new)
                async with watched(it, named, old, by_name, of_old) as watch:
                    it.clear()
                    number = await handed_over(it)
                    assert number == 4
                    lanes = it.plane.replica.known.lanes
                    assert (lanes.handovers["Fraud"].owner, lanes.handovers["Fraud"].former) == (
                        OTHER,
                        ("default",),
                    )
                    assert it.plane.rollout.active == 1  # its rollout is as it was
                    everybody = *watch.lightbulbs, new[0]
                    await eventually(
                        "everybody to know",
                        lambda: all(
                            each.feed.tables.tenant_of("Fraud") == OTHER
                            and each.feed.tables.generations[OTHER].number == number
                            for each in everybody
                        ),
                    )
                    assert routes(new[1], KEY)
                    assert it.host.sent[MODEL_ASSIGNMENT] == 0
                    assert all(each.sent[ROUTE] == 0 for each in it.sidecars)
                    # Each publishes its own part, and what leaves, leaves as after any publish.
                    response = await it.plane.stub.Publish(with_fraud(2), timeout=DEADLINE)
                    assert not response.problems
                    await active(it.plane, response.generation)
                    response = await it.plane.stub.Publish(without_fraud(2), timeout=DEADLINE)
                    assert not response.problems
                    await it.plane.active(response.generation)
                    await it.settled()
                    await eventually(
                        "it to settle", lambda: it.plane.rollout_of(OTHER).phase is Phase.SETTLED
                    )
                assert models(it.host) >= {"fraud@1", "pay@2", "rank@2"}

    run(scenario)


def test_neither_ones_rollback_takes_it_back(store: str) -> None:
    async def scenario() -> None:
        # Who takes the tenant that had it goes on having it, when that one has nothing of it any more.
        of_old = Lightbulb("old", takes_tenants="default"), sidecar("s3", takes_tenants="default")
        async with world(store) as it, connected(it.plane.target, *of_old):
            await both_active(it)
            await it.published(2, without=("fleet.yaml",))  # generation 4
            before = await publish(it.plane, 2)  # 5
            await active(it.plane, before)
            async with watched(it, *of_old):
                number = await handed_over(it)
                await it.plane.roll_back()
                assert it.plane.rollout.active == 1
                info = await told(
                    it.plane.stub.Rollback(pb.RollbackRequest(tenant=OTHER, generation=3), timeout=DEADLINE)
                )
                assert info.reason == "GENERATION_BEFORE_HANDOVER"
                info = await told(it.plane.stub.Rollback(pb.RollbackRequest(tenant=OTHER), timeout=DEADLINE))
                assert info.reason == "NO_OTHER_GENERATION"
                back = pb.RollbackRequest(tenant=OTHER, generation=3, reload=True)
                reloaded = await it.plane.stub.Rollback(back, timeout=DEADLINE)
                assert reloaded.generation == number + 1
                await active(it.plane, reloaded.generation)
                plan = it.plane.replica.known.generations[reloaded.generation].plan
                assert {each.objective for each in plan.tables} == {"Checkout", "Fraud"}
                # Of the one who had it, what is loaded again is loaded without it.
                await it.plane.stub.Publish(without_fraud(3), timeout=DEADLINE)
                await it.settled()
                for version in (4, 5, 6):
                    await it.plane.stub.Publish(without_fraud(version), timeout=DEADLINE)
                    await it.settled()
                generations = it.plane.replica.known.generations
                shown = [generations[each].plan for each in it.plane.rollout.loaded]
                assert not any(rule.objective == "Fraud" for plan in shown for rule in plan.routes)
                reloaded = await it.plane.roll_back(1, reload=True)
                await it.plane.active(reloaded.generation)
                plan = it.plane.replica.known.generations[reloaded.generation].plan
                assert {each.objective for each in plan.tables} == {"Ranking"}
            assert it.tables.tenant_of("Fraud") == OTHER

    run(scenario)


def test_what_supersedes_it_or_overtakes_it_withdraws_it_and_the_offer_stands(store: str) -> None:
    async def scenario() -> None:
        late = sidecar("late")
        late.hold()
        async with world(store) as it:
            await both_active(it)
            async with watched(it):
                await offer(it)
                async with connected(it.plane.target, late):
                    await it.plane.knows(late)
                    taken = (await take(it)).generation
                    assert (await take(it)).unchanged
                    newer = await publish(it.plane, 2)
                    found = it.plane.replica.known.lanes.handovers["Fraud"]
                    assert (found.owner, found.taker, found.taken) == ("default", OTHER, 0)
                    assert (newer, it.plane.rollout_of(OTHER).target) == (taken + 1, newer)
                    late.release()
                    await active(it.plane, newer)
                # What the owner makes of it meanwhile isn't undone.
                named = sidecar("named", takes_tenants=OTHER)
                named.hold()
                async with connected(it.plane.target, named):
                    await it.plane.knows(named)
                    taken = (await take(it)).generation
                    await eventually("routing", lambda: it.plane.rollout_of(OTHER).phase is Phase.ROUTING)
                    response = await it.plane.stub.Publish(
                        publish_request(1, cache="20ms", without=("fleet.yaml",)), timeout=DEADLINE
                    )
                    assert not response.problems
                    number = response.generation
                    await eventually("routing", lambda: it.plane.rollout.phase is Phase.ROUTING)
                    named.release()
                    await it.plane.active(number)
                    await eventually("an end", lambda: not it.plane.rollout_of(OTHER).target)
                    rollout = it.plane.rollout_of(OTHER)
                    found = it.plane.replica.known.lanes.handovers["Fraud"]
                    assert (found.owner == OTHER) is (rollout.active == taken)

    run(scenario)


def test_an_offer_that_is_taken_back_while_it_is_taken_leaves_it_where_it_was(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            async with watched(it):
                await offer(it)
                late = sidecar("late")
                late.hold()
                async with connected(it.plane.target, late):
                    await it.plane.knows(late)
                    taken = (await take(it)).generation
                    await eventually("routing", lambda: it.plane.rollout_of(OTHER).phase is Phase.ROUTING)
                    assert not (await offer(it, back=True)).unchanged
                    late.release()
                    await eventually(
                        "it to be withdrawn", lambda: it.plane.rollout_of(OTHER).withdrawn == taken
                    )
                failure = it.plane.rollout_of(OTHER).failure
                assert failure is not None
                assert failure.kind.name == "OVERTAKEN"
                assert (await offer(it, back=True)).unchanged
                info = await told(take(it))
                assert info.reason == "OBJECTIVE_NOT_OFFERED"
            assert it.tables.tenant_of("Fraud") == "default"

    run(scenario)


def test_it_may_go_on_and_come_back_and_both_replicas_know(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it, plane(store, name="two") as another:
            await both_active(it)
            await handed_over(it)
            response = await it.plane.stub.Publish(with_fraud(2), timeout=DEADLINE)
            await active(it.plane, response.generation)
            await handed_over(it, tenant="default")
            found = it.plane.replica.known.lanes.handovers["Fraud"]
            assert (found.owner, found.former) == ("default", (OTHER,))
            await eventually("Lightbulb to know", lambda: it.tables.tenant_of("Fraud") == "default")
            await eventually("it to go elsewhere", lambda: another.version == it.plane.version)
            assert another.replica.known.lanes.handovers["Fraud"] == found
            events = await it.plane.stub.GetEvents(pb.GetEventsRequest(limit=1000), timeout=DEADLINE)
            told_of = [
                (each.tenant, each.action, each.detail)
                for each in reversed(events.events)
                if each.kind >= pb.EVENT_KIND_OFFERED
            ]
            assert told_of == [
                ("default", "offered", f"Fraud to {OTHER}"),
                (OTHER, "taken", "takes Fraud from default"),
                ("default", "handed over", f"Fraud to {OTHER}, with generation 4"),
                (OTHER, "offered", "Fraud to default"),
                ("default", "taken", f"takes Fraud from {OTHER}"),
                (OTHER, "handed over", "Fraud to default, with generation 6"),
            ]
            status = await it.plane.status()
            assert [(each.objective, each.owner) for each in status.handovers] == [("Fraud", "default")]

    run(scenario)


def test_bad_offers_takes_and_publishes_are_refused_with_a_remedy(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            for wrong, reason in (
                (offer(it, "Nope"), "OBJECTIVE_NOT_SERVED"),
                (offer(it, "Checkout"), "OBJECTIVE_NOT_SERVED"),
                (offer(it, to="default"), "OBJECTIVE_NOT_SERVED"),
                (offer(it, to="nobody"), "UNKNOWN_TENANT"),
                (offer(it, to="platform"), "NO_ROLLOUT_OF_PLATFORM"),
                (offer(it, tenant="nobody"), "UNKNOWN_TENANT"),
                (offer(it, "a b"), "INVALID_REQUEST"),
                (take(it), "OBJECTIVE_NOT_OFFERED"),
                (take(it, "Nope"), "OBJECTIVE_NOT_OFFERED"),
                (take(it, "Checkout"), "OBJECTIVE_NOT_OFFERED"),
                (take(it, tenant="nobody"), "UNKNOWN_TENANT"),
            ):
                assert (await told(wrong)).reason == reason
            tenants = (
                "tenants:\n  - {name: default, owner: home}\n  - {name: new, owner: n}\n"
                "  - {name: payments, owner: pay, memory: 15MiB, publishers: [eve]}\n"
            )
            assert not (await platform(it.plane, tenants=tenants)).problems
            await offer(it)
            assert (await told(offer(it, to="new"))).reason == "OBJECTIVE_OFFERED_TO_ANOTHER"
            assert (await told(take(it, tenant="new"))).reason == "OBJECTIVE_NOT_OFFERED"
            # Beside pay@1, which has 10 MiB, there is no room for fraud@1, which has as much.
            assert [each.code for each in (await take(it)).problems] == ["BEYOND_QUOTA"]
            code, _ = await refused(
                it.plane.stub.Take(
                    pb.TakeRequest(objective="Fraud", tenant=OTHER, author="mallory"), timeout=DEADLINE
                )
            )
            assert code is grpc.StatusCode.PERMISSION_DENIED
            said = await it.plane.stub.Publish(without_fraud(2), timeout=DEADLINE)
            assert [each.code for each in said.problems] == ["OBJECTIVE_OFFERED"]
            assert not (await offer(it, back=True)).unchanged
            await offer(it, to="new")
            assert (await told(take(it, tenant="new"))).reason == "NOTHING_ACTIVE"
            assert not (await offer(it, to="new", back=True)).unchanged
            await platform(it.plane)
            number = await handed_over(it)
            said = await it.plane.stub.Publish(with_fraud(2, fraud=False), timeout=DEADLINE)
            assert [each.code for each in said.problems] == ["OBJECTIVE_HANDED_OVER"]
            said = await it.plane.stub.Publish(publish_request(2, without=("fleet.yaml",)), timeout=DEADLINE)
            assert [each.code for each in said.problems] == ["OBJECTIVE_IN_USE"]
            again = await take(it)
            assert (again.generation, again.unchanged) == (number, True)

    run(scenario)


def test_two_that_are_taken_at_once_both_come_and_one_that_is_taken_twice_comes_once(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            async with watched(it):
                await offer(it)
                await offer(it, "Ranking")
                taken = await asyncio.gather(take(it), take(it), take(it, "Ranking"))
                assert {each.unchanged for each in taken[:2]} == {True, False}
                await active(it.plane, max(each.generation for each in taken))
                owners = {each.owner for each in it.plane.replica.known.lanes.handovers.values()}
                assert owners == {OTHER}
            await eventually("Ranking to be told", lambda: it.tables.tenant_of("Ranking") == OTHER)
            # Clients may hold what its generation gave them: it is in use until it has published without.
            said = await platform(it.plane, tenants="tenants:\n  - {name: payments, owner: pay}\n")
            assert [each.code for each in said.problems] == ["TENANT_IN_USE"]

    run(scenario)


def test_a_model_that_the_taker_must_have_elsewhere_is_loaded_there_first(
    store: str,
) -> None:
    async def scenario() -> None:
        other = host("h2", "b")
        fleet = f"{FLEET}  - {{name: b, vip: vip-b, memory: 2GiB}}\n"
        tenants = (
            "tenants:\n  - {name: default, owner: home, shards: [a]}\n"
            "  - {name: payments, owner: pay, shards: [b]}\n"
        )
        async with world(store) as it, connected(it.plane.target, other):
            await it.plane.knows(other)
            assert not (await platform(it.plane, fleet, tenants)).problems
            await active(it.plane, await publish(it.plane, 1))
            await it.settled()
            async with watched(it):
                other.hold()
                await offer(it)
                taken = (await take(it)).generation
                assert vips_of(it.sidecars[0], "Fraud") == {"vip-a"}
                other.release()
                await active(it.plane, taken)
                await eventually("it to go", lambda: vips_of(it.sidecars[0], "Fraud") == {"vip-b"})
                assert models(other) == {"pay@1", "fraud@1"}
                assert "fraud@1" in models(it.host)  # who had it may still be on its way there

    run(scenario)


def test_a_layer_that_isnt_shared_with_the_taker_is_named_and_one_that_is_goes_with_it(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await both_active(it)
            tested = publish_request(2, without=("fleet.yaml",))
            for file in tested.files:
                if file.path == "experiments.yaml":
                    file.content = EXPERIMENTS
                if file.path == "rules.js":
                    file.content += TESTED
            response = await it.plane.stub.Publish(tested, timeout=DEADLINE)
            assert not response.problems
            await it.plane.active(response.generation)
            await it.settled()
            await offer(it)
            assert [each.code for each in (await take(it)).problems] == ["LAYER_IN_USE"]
            shared = TENANTS.replace(
                "owner: home", "owner: home, layers: [{name: l, shared_with: [payments]}]"
            )
            assert not (await platform(it.plane, tenants=shared)).problems
            number = await handed_over(it)
            (table,) = [
                each
                for each in it.plane.replica.known.generations[number].plan.tables
                if each.objective == "Fraud"
            ]
            assert table.ab_rules[0].layer_salt == "layer:l"
            # Who had it has the test in what is hidden of it alone: it is in nobody's way.
            await it.plane.roll_back(1)
            await it.plane.roll_back(response.generation)
            assert it.plane.rollout.active == response.generation
            fleet = FLEET.replace("2GiB", "3GiB")
            assert not (await platform(it.plane, fleet=fleet, tenants=shared)).problems

    run(scenario)
