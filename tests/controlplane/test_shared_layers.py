"""Two tenants share a layer: their tests have no bucket in common, whoever publishes or goes back when."""

import asyncio

from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.planes import DEADLINE, Plane, plane, run, told
from tests.controlplane.test_tenants import FLEET, OTHER, TENANTS, active, platform, request
from tests.controlplane.worlds import World, world
from tests.waiting import eventually

SHARED = TENANTS.replace("owner: home}", f"owner: home, layers: [{{name: page, shared_with: [{OTHER}]}}]}}")
RULE = (
    "function defineTestRule() { return {\n"
    '  targetObjectives: ["{objective}"], modelInputType: "{input}", modelType: "SCORER",\n'
    '  abTestId: "{test}", cellToModel: {1: {name: "{model}"}}}; }\n'
)


def with_test(part: tuple[int, int] | None, tenant: str = OTHER, version: int = 1) -> pb.PublishRequest:
    """A tenant's workspace whose objective has a test in a part of layer `page`; None: it has no test."""
    names = {"objective": "Checkout", "input": "PAYMENT", "test": f"{tenant}-test", "model": "pay"}
    asked = request(version, tenant)
    if tenant != OTHER:
        names |= {"objective": "Home", "model": "front"}
        for file in asked.files:
            text = file.content.decode().replace("Checkout", "Home").replace('"pay"', '"front"')
            file.content = text.replace("name: pay,", "name: front,").encode()
    for file in asked.files if part else ():
        if file.path == "experiments.yaml":
            layer = f"{{name: page, from: {part[0]}, to: {part[1]}}}"
            file.content = (
                f"experiments:\n  - {{id: {names['test']}, cells: {{1: 100}}, layer: {layer}}}\n".encode()
            )
        if file.path == "rules.js":
            text = RULE
            for name, value in names.items():
                text = text.replace(f"{{{name}}}", value)
            file.content += text.encode()
    return asked


async def taken(plane: Plane, part: tuple[int, int] | None, tenant: str = OTHER, version: int = 1) -> int:
    """Publish, and wait until it is active."""
    said = await plane.stub.Publish(with_test(part, tenant, version), timeout=DEADLINE)
    assert not said.problems, said.problems
    await eventually("it to be active", lambda: plane.rollout_of(tenant).active == said.generation)
    return said.generation


async def refused(plane: Plane, part: tuple[int, int], tenant: str = OTHER) -> pb.Problem:
    (problem,) = (await plane.stub.Publish(with_test(part, tenant), timeout=DEADLINE)).problems
    return problem


async def begun(it: World) -> None:
    """The default tenant has 0-50% of its layer, which the other may share."""
    assert not (await platform(it.plane, FLEET, SHARED)).problems
    await taken(it.plane, (0, 50), "default")


def test_a_shared_layer_is_shared_out_and_one_that_is_not_is_a_tenants_own(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            assert not (await platform(it.plane)).problems
            await taken(it.plane, (0, 50), "default")
            first = await taken(it.plane, (0, 50))  # of a layer of its own
            salt = it.plane.replica.known.generations[first].plan.tables[0].ab_rules[0].layer_salt
            assert salt == f"layer:{OTHER}/page"
            said = await platform(it.plane, FLEET, SHARED)
            assert [each.code for each in said.problems] == ["LAYER_IN_USE"]
            empty = await taken(it.plane, None)
            assert not (await platform(it.plane, FLEET, SHARED)).problems

            problem = await refused(it.plane, (40, 90))
            assert (problem.code, problem.file, problem.rule) == ("LAYER_TAKEN", "rules.js", "defineTestRule")
            assert "of which tenant default's test default-test has 0-50%" in problem.message
            assert problem.remedy.startswith("take what is free: 50-100%;")
            second = await taken(it.plane, (50, 90))
            salt = it.plane.replica.known.generations[second].plan.tables[0].ab_rules[0].layer_salt
            assert salt == "layer:page"
            assert (await refused(it.plane, (0, 60), "default")).code == "LAYER_TAKEN"
            said = await platform(it.plane, FLEET, TENANTS)
            assert [(each.code, each.file) for each in said.problems] == [("LAYER_IN_USE", "tenants.yaml")]
            assert f"tenant {OTHER} has tests in a layer page, tenant default's" in said.problems[0].message

            back = pb.RollbackRequest(generation=first, reload=True, tenant=OTHER)
            info = await told(it.plane.stub.Rollback(back, timeout=DEADLINE))
            assert info.reason == "LAYER_TAKEN"  # which is in a layer of its own still
            back.generation = empty
            await it.plane.stub.Rollback(back, timeout=DEADLINE)
            await active(it.plane, empty)
            assert not (await platform(it.plane, FLEET, TENANTS)).problems

    run(scenario)


def test_who_goes_back_to_buckets_that_another_has_by_now_is_refused(store: str) -> None:
    async def scenario() -> None:
        async with world(store) as it:
            await begun(it)
            wide = await taken(it.plane, (50, 100))
            narrow = await taken(it.plane, (80, 100))
            await taken(it.plane, (0, 80), "default")
            back = pb.RollbackRequest(generation=wide, tenant=OTHER)
            assert (await told(it.plane.stub.Rollback(back, timeout=DEADLINE))).reason == "LAYER_TAKEN"
            assert it.plane.rollout_of(OTHER).active == narrow

    run(scenario)


def test_of_two_who_want_the_same_buckets_at_once_one_has_them(store: str) -> None:
    """At two replicas, which know of each other's commits by the store alone."""

    async def scenario() -> None:
        async with world(store) as it, plane(store, name="two") as another:
            assert not (await platform(it.plane, FLEET, SHARED)).problems
            await eventually("it at the other", lambda: another.version == it.plane.version)
            answers = await asyncio.gather(
                it.plane.stub.Publish(with_test((0, 60), "default"), timeout=DEADLINE),
                another.stub.Publish(with_test((40, 100)), timeout=DEADLINE),
            )
            (problem,) = [problem for each in answers for problem in each.problems]
            assert problem.code == "LAYER_TAKEN"
            first = "default" if answers[1].problems else OTHER
            assert f"tenant {first}'s test {first}-test has" in problem.message

    run(scenario)
