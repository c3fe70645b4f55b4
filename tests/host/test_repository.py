"""A host loads what is assigned to it, says by name what it can't, and goes on with the rest."""

import asyncio
from collections.abc import Mapping

import pytest

from lightbulb.host.errors import BadInput, NotAssigned, NotLoaded
from lightbulb.host.repository import Repository, State
from lightbulb.host.workflow import Workflow
from lightbulb.model import ModelAssignment
from tests.host.workflows import (
    DEADLINE,
    Echo,
    assign,
    building_on,
    fails_to_load,
    gate,
    slow_to_load,
    within_deadline,
)
from tests.waiting import eventually

FACTS = {"history": lambda user: (user,), "titles": dict}
CATALOGUE: Mapping[str, type[Workflow]] = {
    "echo@1": Echo,
    "echo@2": Echo,
    "large@1": Echo,
    "base@1": building_on(),
    "middle@1": building_on("base@1"),
    "top@1": building_on("middle@1", "base@1"),
    "curious@1": building_on(facts=("history",)),
    "broken@1": fails_to_load(OSError("the file is cut short")),
}
BASE = assign("base@1")
MIDDLE = assign("middle@1", depends_on=("base@1",))
TOP = assign("top@1", depends_on=("middle@1", "base@1"))


def repository(room_seconds: float = DEADLINE, **models: type[Workflow]) -> Repository:
    """Return a repository of 1000 MiB; `models` are further ones, of version 1."""
    more = {f"{name}@1": factory for name, factory in models.items()}
    return Repository(
        catalogue={**CATALOGUE, **more}, facts=FACTS, memory_mib=1_000, room_seconds=room_seconds
    )


def states(host: Repository) -> dict[str, str]:
    return {model: entry.state.value for model, entry in host.entries.items()}


@pytest.mark.parametrize("assignments", [(TOP, MIDDLE, BASE), (MIDDLE, BASE, TOP), (BASE, MIDDLE, TOP)])
def test_models_load_after_those_that_they_build_on_and_are_handed_these(
    assignments: tuple[ModelAssignment, ...],
) -> None:
    async def scenario() -> None:
        host = repository()
        assert await host.apply(assignments) == {}
        base, middle, top = (host.find(name, "1").workflow for name in ("base", "middle", "top"))
        assert top.supplies.models == {"middle@1": middle, "base@1": base}
        assert middle.supplies.models == {"base@1": base}
        host.close()

    asyncio.run(scenario())


def test_models_that_wait_for_each_other_are_refused_and_the_rest_is_loaded() -> None:
    async def scenario() -> None:
        host = repository()
        circle = assign("base@1", depends_on=("middle@1",))
        alone = assign("echo@2", depends_on=("echo@2",))
        failed = await host.apply((circle, MIDDLE, TOP, alone, assign("echo@1")))
        said = "models depend on each other in a circle: base@1, echo@2, middle@1, top@1"
        assert failed == dict.fromkeys(("base@1", "middle@1", "top@1", "echo@2"), said)
        assert states(host) == {**dict.fromkeys(failed, "UNAVAILABLE"), "echo@1": "READY"}
        host.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        (assign("nobody@1"), "this host has no such model"),
        (assign("broken@1"), "OSError: the file is cut short"),
        (assign("large@1", memory=1_001), "it needs 1001 MiB; 1000 of 1000 are free"),
        (
            assign("echo@1", facts=("heart_rate", "titles")),
            "no such fact: heart_rate; this host has history, titles",
        ),
        (assign("curious@1"), "it needs history, which its entry in models.yaml doesn't list"),
        (assign("middle@1"), "it needs base@1, which its entry in models.yaml doesn't list"),
        (MIDDLE, "it depends on base@1, which is not assigned to this host"),
    ],
    ids=lambda each: each.id if isinstance(each, ModelAssignment) else "",
)
def test_what_cant_be_loaded_is_named_and_the_rest_is_loaded(
    assignment: ModelAssignment, reason: str
) -> None:
    async def scenario() -> None:
        host = repository()
        assert await host.apply((assignment, assign("echo@2", memory=0))) == {assignment.id: reason}
        assert states(host) == {assignment.id: "UNAVAILABLE", "echo@2": "READY"}
        assert host.entries[assignment.id].reason == reason
        with pytest.raises(NotLoaded, match=f"model {assignment.id} is UNAVAILABLE; resolve again"):
            host.find(assignment.name, "1")
        host.close()

    asyncio.run(scenario())


def test_what_builds_on_a_model_that_failed_fails_too_and_says_why() -> None:
    async def scenario() -> None:
        host = repository()
        failed = await host.apply((assign("echo@1", depends_on=("broken@1",)), assign("broken@1")))
        assert failed == {
            "broken@1": "OSError: the file is cut short",
            "echo@1": "it depends on broken@1, which is UNAVAILABLE",
        }
        host.close()

    asyncio.run(scenario())


def test_a_model_is_handed_the_facts_that_are_assigned_and_no_others() -> None:
    async def scenario() -> None:
        host = repository()
        assert await host.apply((assign("curious@1", facts=("history",)),)) == {}
        assert host.find("curious", "1").workflow.supplies.facts == {"history": FACTS["history"]}
        host.close()

    asyncio.run(scenario())


def test_memory_is_that_of_all_that_is_loaded_and_is_free_again_after_an_unload() -> None:
    async def scenario() -> None:
        host = repository()
        assert await host.apply((assign("echo@1", 600),)) == {}
        full = {"large@1": "it needs 500 MiB; 400 of 1000 are free"}
        assert await host.apply((assign("large@1", 500),)) == full
        assert await host.apply((assign("large@1", 500),), ("echo@1",)) == {}
        assert states(host) == {"large@1": "READY"}
        host.close()

    asyncio.run(scenario())


def test_a_model_is_not_loaded_twice_and_only_for_other_needs_anew() -> None:
    async def scenario() -> None:
        host = repository()
        await host.apply((assign("echo@1", 100),))
        held = host.find("echo", "1")
        await host.apply((assign("echo@1", 100),))
        assert host.find("echo", "1") is held
        await host.apply((assign("echo@1", 200),))
        assert host.find("echo", "1").workflow is held.workflow
        assert host.find("echo", "1").assignment.memory_mib == 200
        await host.apply((assign("echo@1", 200, facts=("titles",)),))
        assert host.find("echo", "1").workflow is not held.workflow
        host.close()

    asyncio.run(scenario())


def test_a_loaded_model_stays_as_it_is_when_a_new_assignment_of_it_is_refused() -> None:
    async def scenario() -> None:
        host = repository()
        await host.apply((assign("echo@1", 100),))
        held = host.find("echo", "1")
        for refused in (assign("echo@1", 1_001), assign("echo@1", depends_on=("echo@1",))):
            assert list(await host.apply((refused,))) == ["echo@1"]
            assert host.find("echo", "1") is held
        host.close()

    asyncio.run(scenario())


def test_a_model_goes_when_its_last_request_is_done_and_answers_nobody_new_before() -> None:
    async def scenario() -> None:
        host = repository()
        await host.apply((assign("echo@1"),))
        one, two = host.hold("echo", "1"), host.hold("echo", "")
        await host.apply((), ("echo@1",))
        assert states(host) == {"echo@1": "UNLOADING"}
        with pytest.raises(NotLoaded, match="model echo@1 is UNLOADING; resolve again"):
            host.hold("echo", "1")
        host.release(one)
        assert states(host) == {"echo@1": "UNLOADING"}
        host.release(two)
        assert host.entries == {}
        with pytest.raises(NotLoaded, match="model echo@1 is not loaded; resolve again"):
            host.hold("echo", "1")
        host.close()

    asyncio.run(scenario())


def test_a_load_waits_for_the_room_of_a_model_that_is_still_in_use() -> None:
    async def scenario() -> None:
        host = repository()
        await host.apply((assign("echo@1", 600),))
        held = host.hold("echo", "1")
        change = asyncio.create_task(host.apply((assign("large@1", 500),), ("echo@1",)))
        await eventually("the change to begin", lambda: states(host).get("large@1") == "LOADING")
        assert states(host)["echo@1"] == "UNLOADING"
        host.release(held)
        assert await within_deadline(change) == {}
        assert states(host) == {"large@1": "READY"}
        host.close()

    asyncio.run(scenario())


def test_a_load_doesnt_wait_for_ever_for_room() -> None:
    async def scenario() -> None:
        host = repository(room_seconds=0.05)
        await host.apply((assign("echo@1", 600),))
        held = host.hold("echo", "1")
        failed = await within_deadline(host.apply((assign("large@1", 500),), ("echo@1",)))
        assert failed == {"large@1": "it needs 500 MiB; 400 of 1000 are free"}
        host.release(held)
        assert states(host) == {"large@1": "UNAVAILABLE"}
        host.close()

    asyncio.run(scenario())


def test_a_model_that_is_in_use_doesnt_wait_for_its_own_room() -> None:
    async def scenario() -> None:
        host = repository(room_seconds=3600.0)
        await host.apply((assign("echo@1", 600),))
        host.hold("echo", "1")
        await host.apply((), ("echo@1",))
        failed = await within_deadline(host.apply((assign("echo@1", 1_001),)))
        assert failed == {"echo@1": "it needs 1001 MiB; 1000 of 1000 are free"}
        host.close()

    asyncio.run(scenario())


def test_a_model_that_is_removed_and_comes_back_while_it_is_in_use_is_the_same() -> None:
    async def scenario() -> None:
        host = repository()
        await host.apply((MIDDLE, BASE))
        before = host.hold("middle", "1")
        await host.apply((), ("base@1", "middle@1"))
        assert states(host) == {"base@1": "UNLOADING", "middle@1": "UNLOADING"}
        assert await host.apply((MIDDLE, BASE)) == {}
        assert host.find("middle", "1").workflow is before.workflow
        host.release(before)
        assert states(host) == {"base@1": "READY", "middle@1": "READY"}
        await host.apply((), ("base@1", "middle@1"))
        assert host.entries == {}
        assert await host.apply((MIDDLE, BASE)) == {}
        assert host.find("middle", "1").workflow is not before.workflow
        host.close()

    asyncio.run(scenario())


def test_what_another_model_builds_on_goes_after_it() -> None:
    async def scenario() -> None:
        host = repository()
        await host.apply((MIDDLE, BASE))
        held = host.hold("middle", "1")
        await host.apply((), ("base@1",))
        assert states(host) == {"base@1": "UNLOADING", "middle@1": "READY"}
        await host.apply((), ("middle@1",))
        assert states(host) == {"base@1": "UNLOADING", "middle@1": "UNLOADING"}
        host.release(held)
        assert host.entries == {}
        host.close()

    asyncio.run(scenario())


def test_a_removed_model_that_failed_is_forgotten_and_so_is_one_that_never_was() -> None:
    async def scenario() -> None:
        host = repository()
        await host.apply((assign("broken@1"),))
        assert await host.apply((), ("broken@1", "nobody@1")) == {}
        assert host.entries == {}
        host.close()

    asyncio.run(scenario())


def test_a_name_with_two_versions_needs_the_version() -> None:
    async def scenario() -> None:
        host = repository()
        await host.apply((assign("echo@1"),))
        assert host.find("echo", "") is host.find("echo", "1")
        await host.apply((assign("echo@2"),))
        with pytest.raises(BadInput, match="model_version is missing: echo is loaded as 1, 2"):
            host.find("echo", "")
        with pytest.raises(BadInput, match="model_name is missing"):
            host.find("", "1")
        with pytest.raises(NotLoaded, match="model echo@1 is not loaded"):  # an id is no name
            host.find("echo@1", "")
        host.close()

    asyncio.run(scenario())


def mending(*errors: BaseException) -> tuple[type[Workflow], list[BaseException]]:
    """Give a model that loads once `errors` is empty, and takes one of them at each attempt."""
    left = list(errors)

    class Mending(Echo):
        def __init__(self, supplies) -> None:
            super().__init__(supplies)
            if left:
                raise left.pop()

    return Mending, left


def test_a_retry_loads_what_failed_and_what_it_builds_on() -> None:
    async def scenario() -> None:
        mended, _ = mending(OSError("not yet"))
        host = repository(mended=mended)
        needy = assign("echo@1", depends_on=("mended@1",))
        assert set(await host.apply((needy, assign("mended@1"), assign("broken@1")))) == {
            "echo@1",
            "mended@1",
            "broken@1",
        }
        assert await host.retry("echo") == {}
        assert states(host) == {"echo@1": "READY", "mended@1": "READY", "broken@1": "UNAVAILABLE"}
        assert await host.retry("echo") == {}
        assert await host.retry("broken") == {"broken@1": "OSError: the file is cut short"}
        host.close()

    asyncio.run(scenario())


def test_a_retry_of_what_isnt_assigned_is_refused() -> None:
    async def scenario() -> None:
        host = repository()
        with pytest.raises(NotAssigned, match="echo is not assigned to this host; the control plane assigns"):
            await host.retry("echo")
        await host.apply((assign("echo@1"),))
        held = host.hold("echo", "1")
        await host.apply((), ("echo@1",))
        with pytest.raises(NotAssigned):
            await host.retry("echo")
        host.release(held)
        host.close()

    asyncio.run(scenario())


def test_retries_of_one_model_share_an_attempt_that_outlives_who_asked_for_it() -> None:
    async def scenario() -> None:
        with gate() as held:
            mended, left = mending(OSError("not yet"), OSError("not yet"))

            class Slow(mended):
                def __init__(self, supplies) -> None:
                    if len(left) < 2:
                        held.wait()
                    super().__init__(supplies)

            host = repository(slow=Slow)
            await host.apply((assign("slow@1"),))
            asked = [asyncio.create_task(host.retry("slow")) for _ in range(3)]
            await eventually("the attempt to begin", lambda: held.reached)
            asked[0].cancel()
            held.open()
            again = [await within_deadline(each) for each in asked[1:]]
            assert again == [{"slow@1": "OSError: not yet"}] * 2
            assert held.reached == 1
            assert await host.retry("slow") == {}
            host.close()

    asyncio.run(scenario())


def test_a_model_that_hangs_is_refused_while_loaded_ones_go_on_serving() -> None:
    async def scenario() -> None:
        with gate() as held:
            host = Repository(
                catalogue={**CATALOGUE, "slow@1": slow_to_load(held)},
                facts=FACTS,
                memory_mib=10,
                load_seconds=1.0,
            )
            await host.apply((assign("echo@1"),))
            change = asyncio.create_task(host.apply((assign("slow@1"),)))
            await eventually("the load to begin", lambda: held.reached)
            assert states(host) == {"echo@1": "READY", "slow@1": "LOADING"}
            assert host.find("echo", "1").state is State.READY
            refused = await within_deadline(change)
            assert refused["slow@1"].startswith("it didn't load within 1 s; it goes on")
            assert states(host) == {"echo@1": "READY", "slow@1": "UNAVAILABLE"}
            host.close()

    asyncio.run(scenario())


def test_a_repository_that_closes_gives_up_what_it_tries_again() -> None:
    async def scenario() -> None:
        with gate() as held:
            mended, left = mending(OSError("not yet"), OSError("not yet"))

            class Slow(mended):
                def __init__(self, supplies) -> None:
                    if len(left) < 2:
                        held.wait()
                    super().__init__(supplies)

            host = repository(slow=Slow)
            await host.apply((assign("slow@1"),))
            asked = asyncio.create_task(host.retry("slow"))
            await eventually("the attempt to begin", lambda: held.reached)
            host.close()
            with pytest.raises(asyncio.CancelledError):
                await within_deadline(asked)
            assert host._retries == {}

    asyncio.run(scenario())


@pytest.mark.parametrize(("own", "host_seconds", "waited"), [(0.1, DEADLINE, "0.1"), (0.0, 0.2, "0.2")])
def test_a_load_is_waited_for_as_the_model_says_or_else_as_the_host_does(
    own: float, host_seconds: float, waited: str
) -> None:
    async def scenario() -> None:
        with gate() as held:
            host = Repository(
                catalogue={"slow@1": slow_to_load(held)},
                facts=FACTS,
                memory_mib=10,
                load_seconds=host_seconds,
            )
            refused = await within_deadline(host.apply((assign("slow@1", load_timeout=own),)))
            assert refused["slow@1"].startswith(f"it didn't load within {waited} s; it goes on")
            patient = asyncio.create_task(host.apply((assign("slow@1", load_timeout=DEADLINE),)))
            await eventually("the next attempt", lambda: states(host) == {"slow@1": "LOADING"})
            held.open()
            assert await within_deadline(patient) == {}
            assert held.reached == 1
            host.close()

    asyncio.run(scenario())
