"""Shifts on a running control plane: what consumers get, in which order, and what becomes of them."""

from collections import Counter
from dataclasses import replace

import grpc
import pytest

from controlplane.lifecycle.events import model_of
from controlplane.lifecycle.state import Control, ShiftState
from lightbulb.ads.values import OBJECTIVE_CONTROL
from lightbulb.model import RequestContext
from lightbulb.resolution.resolve import Reason, Resolution
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import telemetry_pb2 as telemetry
from lightbulb.v1.telemetry_pb2_grpc import TelemetryServiceStub
from tests.controlplane.peers import Lightbulb, routes
from tests.controlplane.planes import POLICY, plane, refused, run, told
from tests.controlplane.relays import relays, route
from tests.controlplane.worlds import World, world
from tests.waiting import eventually

NEXT = {"candidate": "next@2"}
USERS = [f"user-{number}" for number in range(400)]


def control(it: World, objective: str = "Ranking") -> Control | None:
    return it.plane.replica.known.lanes.controls.get(objective)


async def is_at(it: World, state: ShiftState, basis_points: int) -> None:
    """Wait until the shift is in force in a state."""

    def so() -> bool:
        found = control(it)
        return (
            found is not None
            and found.shift.state is state
            and found.shift.basis_points == basis_points
            and bool(found.shift.in_force)
        )

    await eventually(f"{state} at {basis_points}, not {control(it)}", so)


async def is_over(it: World) -> None:
    await eventually(f"no shift, not {control(it)}", lambda: control(it) is None)


def answers(it: World, objective: str = "Ranking") -> dict[str, Resolution]:
    found = it.tables.resolver(objective, it.lightbulb.generation)
    assert found is not None
    return {user: found.resolve(RequestContext(user_id=user)) for user in USERS}


def shifted(it: World) -> set[str]:
    return {user for user, answer in answers(it).items() if answer.target.name == "next"}


def test_a_shift_comes_goes_on_and_is_taken_back_and_changes_no_other_objective(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            before, others = it.lightbulb.feed.tables, answers(it, "Fraud")
            first = await it.plane.shift(model="next", steps=[500, 5_000])
            await is_at(it, ShiftState.RUNNING, 500)
            few = shifted(it)
            assert 0 < len(few) < 60
            arms = Counter((answer.reason, answer.arm) for answer in answers(it).values())
            assert arms.keys() == {
                (Reason.SHIFT, f"{first.shift}c"),
                (Reason.DEFAULT, f"{first.shift}k"),
            }
            (counted,) = it.plane.replica.figures.counted
            assert (counted.objective, counted.shift) == ("Ranking", first.shift)
            assert all(routes(it.sidecars[0], name) for name in it.plane.replica.figures.routes)
            assert (await it.plane.shift("step")).shift == first.shift
            await is_at(it, ShiftState.RUNNING, 5_000)
            assert few < shifted(it)
            await it.plane.shift("finish")
            await is_at(it, ShiftState.FINISHED, 10_000)
            assert len(shifted(it)) == len(USERS)
            await it.plane.shift("abort")
            await is_over(it)
            await it.plane.synced(*it.peers)
            assert shifted(it) == set()
            assert it.plane.replica.figures.counted == ()
            assert {each.arm for each in answers(it).values()} == {""}
            assert answers(it, "Fraud") == others  # the very same objects
            assert it.tables.generations == before.generations
            happened = [action for action, _ in await it.plane.events() if action.startswith("shift")]
            assert happened == [
                f"shift {each}" for each in ("started", "stepped", "finished", "aborted", "ended")
            ]

    run(scenario)


def test_a_shift_in_a_store_that_an_older_control_plane_reads_is_refused_only_while_it_stands(
    store: str,
) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            plain = it.plane.store.head().body
            await it.plane.shift(model="next", steps=[500])
            assert it.plane.store.head().body[:2] == b"\x08\x05"  # the format
            await it.plane.shift("abort")
            await is_over(it)
            assert it.plane.store.head().body[:2] == plain[:2]

    run(scenario)


def test_what_cant_be_done_is_refused_by_name_with_what_can(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            plane, version = it.plane, it.plane.version
            for call, reason in [
                (plane.shift("hold"), "NO_SHIFT"),
                (plane.shift(model="rank", steps=[1]), "SHIFT_TO_ITSELF"),
                (plane.shift(model="nope", steps=[1]), "MODEL_NOT_SERVED"),
                (plane.shift(model="next", version="7", steps=[1]), "MODEL_NOT_SERVED"),
                (plane.shift(model="next", steps=[1], objective="Nope"), "OBJECTIVE_NOT_SERVED"),
                (plane.shift(model="next", steps=[10_001]), "INVALID_SHIFT"),
                (plane.shift(model="next", steps=[500, 500]), "INVALID_SHIFT"),
                (plane.shift(model="next", steps=[]), "INVALID_SHIFT"),
                (plane.shift(model="next", steps=[500], every=60), "INVALID_SHIFT"),
                (plane.shift(model="next", steps=[5, 50], every=0.5), "INVALID_SHIFT"),
                (plane.shift(model="", steps=[1]), "INVALID_REQUEST"),
                (plane.shift("unspecified"), "INVALID_REQUEST"),
            ]:
                assert (await told(call)).reason == reason
            assert plane.version == version
            first = await plane.shift(model="next", steps=[500, 600], request_id="a")
            assert await plane.shift(model="next", steps=[500, 600], request_id="a") == first
            await is_at(it, ShiftState.RUNNING, 500)
            for call, words in [
                (plane.shift(model="next", steps=[400]), "stands at 5 %, and never falls"),
                (plane.shift("resume"), ""),
            ]:
                if words:
                    assert words in (await refused(call))[1]
                else:
                    assert (await call).unchanged
            assert (await plane.shift("hold")).unchanged is False
            assert (await plane.shift("hold")).unchanged
            await plane.shift("finish")
            code, text = await refused(plane.shift("hold"))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert f"shift {first.shift} is finished, so there is nothing to hold: it can be aborted" in text

    run(scenario)


def test_abort_waits_for_a_lightbulb_that_lags_before_its_key_is_withdrawn(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, lease=600), generation=0) as it:
            await it.published(1, **NEXT)
            await it.plane.shift(model="next", steps=[5_000])
            await is_at(it, ShiftState.RUNNING, 5_000)
            it.lightbulb.hold(OBJECTIVE_CONTROL)
            await it.plane.shift("abort")
            await eventually("the laggard to be named", lambda: it.plane.replica.acked["Ranking"].lightbulbs)
            found = control(it)
            assert found is not None
            assert found.shift.state is ShiftState.ABORTING
            assert [list(each.waiting_for) for each in (await it.plane.status()).shifts] == [["lightbulb l1"]]
            it.lightbulb.release()
            await is_over(it)
            assert shifted(it) == set()

    run(scenario)


@pytest.mark.parametrize(
    ("next_one", "state", "basis_points"),
    [
        ({**NEXT, "cache": "20ms"}, ShiftState.HELD, 5_000),
        ({}, None, 0),
    ],
)
def test_another_table_holds_a_shift_and_one_without_its_model_aborts_it(
    store: str, next_one: dict[str, str], state: ShiftState | None, basis_points: int
) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            await it.plane.shift(model="next", steps=[5_000, 10_000])
            await is_at(it, ShiftState.RUNNING, 5_000)
            before = shifted(it)
            await it.published(1, **next_one)
            if state is None:
                await is_over(it)
                events = await it.plane.events()
                assert ("shift aborted", 0) in events
            else:
                await is_at(it, state, basis_points)
                assert shifted(it) == before
                await it.plane.shift("resume")
                await is_at(it, ShiftState.RUNNING, basis_points)

    run(scenario)


def test_a_default_that_is_the_candidate_ends_a_shift_and_nobody_flaps(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            await it.plane.shift(model="next", steps=[10_000])
            await is_at(it, ShiftState.RUNNING, 10_000)
            assert len(shifted(it)) == len(USERS)
            await it.plane.publish(1, **NEXT, default="next")
            await eventually("the shift to be over", lambda: flaps(it) or control(it) is None)
            assert not flaps(it)
            assert {each.reason for each in answers(it).values()} <= {Reason.DEFAULT, Reason.SHIFT}
            await it.plane.synced(*it.peers)
            assert {each.reason for each in answers(it).values()} == {Reason.DEFAULT}

    def flaps(it: World) -> bool:
        return len(shifted(it)) < len(USERS)

    run(scenario)


def arms(shift: int, requests: int, bad: int = 0) -> list[telemetry.RouteFigures]:
    """Figures of a shift's arms, each of so many requests, of which the candidate's failed."""
    ends = {"c": (requests - bad, bad), "k": (requests, 0)}
    return [
        route(f"shift-{shift}{arm}", ("0", "-", good), ("14", "-", failed))
        for arm, (good, failed) in ends.items()
    ]


def test_a_schedule_goes_on_while_its_guards_are_content_and_a_breach_undoes_it(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it, relays(it.plane, "s1", "s2") as tell:
            await it.published(1, **NEXT)
            guards = {"guards": ["errors:1.25x"], "interval": 1.0, "min_sample": 20}
            first = await it.plane.shift(model="next", steps=[500, 5_000, 10_000], every=1.0, **guards)
            await is_at(it, ShiftState.RUNNING, 500)
            await eventually("relays to count", lambda: len(it.plane.replica.figures.routes) == 2)
            await tell(*arms(first.shift, 100))
            await is_at(it, ShiftState.RUNNING, 5_000)
            (said,) = (await it.plane.status()).shifts[0].guards
            assert said.guard == "errors:1.25x"
            await tell(*arms(first.shift, 100, bad=90))
            await is_over(it)
            answer = await it.plane.stub.GetEvents(pb.GetEventsRequest(limit=50))
            (aborted,) = [each for each in answer.events if each.kind == pb.EVENT_KIND_SHIFT_ABORTED]
            assert aborted.author == ""
            words = (
                "at 50 %: by its guard errors: 180 of 200 (90.0 %) against 0 of 200 (0 %), in one interval"
            )
            assert words in aborted.detail
            reports = it.plane.replica._reports
            await eventually("the evidence to be forgotten", lambda: not reports.heard.beside)

    run(scenario)


def test_nobody_is_moved_before_answers_agree_whichever_replica_is_told(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it, plane(store, name="two") as two:
            await it.published(1, **NEXT)
            first = await it.plane.shift(model="next", steps=[500], guards=["agreement:0.9"], interval=1.0)
            assert "nobody is moved before 100 answers" in first.notes[0]
            standing = control(it)
            assert standing is not None
            primary = model_of(standing.shift.default_key)
            told_to = [TelemetryServiceStub(each.channel) for each in (it.plane, two)]

            async def tell(pairs: int, disagreement: float) -> None:
                compared = telemetry.ComparedAnswers(
                    objective="Ranking",
                    primary=primary,
                    candidate="next@2",
                    pairs=pairs,
                    disagreement=disagreement,
                )
                request = telemetry.TellComparedRequest(teller="records", epoch=1, compared=[compared])
                for each in told_to:
                    await each.TellCompared(request)

            def judged_pairs() -> int:
                found = it.plane.replica.judged.get("Ranking")
                return found.verdicts[0].pair.candidate.total if found is not None else 0

            await tell(60, 1.0)
            await eventually("the pairs", lambda: judged_pairs() == 60)
            (shift,) = (await it.plane.status()).shifts
            assert (shift.state, shift.basis_points) == (pb.SHIFT_STATE_STARTING, 0)
            assert shift.guards[0].text.startswith("agreement: 60 of 100 pairs of answers")
            await tell(120, 2.0)
            await is_at(it, ShiftState.RUNNING, 500)
            assert judged_pairs() == 120
            for turn in range(1, 9):
                await tell(120 + 100 * turn, 2.0 + 60.0 * turn)
                await eventually(
                    f"turn {turn}",
                    lambda turn=turn: control(it) is None or judged_pairs() == 120 + 100 * turn,
                )
            await is_over(it)
            events = (await it.plane.stub.GetEvents(pb.GetEventsRequest(limit=50))).events
            (aborted,) = [each for each in events if each.kind == pb.EVENT_KIND_SHIFT_ABORTED]
            assert "by its guard agreement: disagreement " in aborted.detail

    run(scenario)


def test_what_cant_have_been_compared_is_refused(store: str) -> None:
    names = {"objective": "Ranking", "primary": "a@1", "candidate": "b@1"}
    wrong = (
        telemetry.TellComparedRequest(compared=[telemetry.ComparedAnswers(**names)]),
        telemetry.TellComparedRequest(teller="t" * 999),
        telemetry.TellComparedRequest(teller="t", compared=[telemetry.ComparedAnswers(pairs=1)]),
        telemetry.TellComparedRequest(
            teller="t", compared=[telemetry.ComparedAnswers(**names, pairs=1, disagreement=1.5)]
        ),
        telemetry.TellComparedRequest(
            teller="t", compared=[telemetry.ComparedAnswers(**names, pairs=1, disagreement=float("nan"))]
        ),
    )

    async def scenario() -> None:
        async with plane(store) as it:
            for each in wrong:
                code, _ = await refused(TelemetryServiceStub(it.channel).TellCompared(each))
                assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert it.replica.figures.told(0.0).is_nothing

    run(scenario)


def test_a_leader_that_is_killed_is_followed_by_one_that_goes_on_with_its_evidence(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it, plane(store, name="two") as two:
            await it.published(1, **NEXT)
            async with relays(two, "s1", "s2") as tell:
                guards = {"guards": ["errors:1.25x"], "interval": 1.0}
                first = await it.plane.shift(model="next", steps=[500], **guards)
                await is_at(it, ShiftState.RUNNING, 500)
                await eventually("relays to count", lambda: len(two.replica.figures.routes) == 2)
                await tell(*arms(first.shift, 300, bad=3))
                seen = two.replica._reports
                await eventually(
                    "the leader's evidence",
                    lambda: (
                        first.shift in seen.heard.evidence
                        and seen.heard.evidence[first.shift].body != b""
                        and it.plane.replica.judged["Ranking"].verdicts[0].pair.candidate.total == 600
                        and not it.plane.replica._watches.unwritten
                    ),
                )
                (told_by_two,) = (await two.status()).shifts
                assert told_by_two.guards[0].text.startswith("errors: ")
                await it.plane.kill()
                for peer in it.peers:
                    await peer.connect(two.target)
                await eventually(
                    "another to lead, and to judge",
                    lambda: two.replica.leading and "Ranking" in two.replica.judged,
                )
                pair = two.replica.judged["Ranking"].verdicts[0].pair
                assert (pair.candidate.total, pair.candidate.bad) == (600, 6)
                await tell(*arms(first.shift, 100, bad=95))
                await eventually(
                    "the shift to be undone", lambda: "Ranking" not in two.replica.known.lanes.controls
                )

    run(scenario)


def test_guards_that_cant_be_judged_are_refused_all_at_once(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            guards = ["errors:fast", "agreement:0.3", "p99:250ms"]
            call = it.plane.shift(model="next", steps=[500], guards=guards)
            code, text = await refused(call)
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert "errors:fast" in text
            assert "a bound of agreement is from 0.5 to 0.99999" in text
            relative = await it.plane.shift(model="next", steps=[500, 10_000], guards=["errors:1x"])
            assert [note[:30] for note in relative.notes] == ["at 100 % nobody is left to com"]
            await is_at(it, ShiftState.RUNNING, 500)
            begun = await it.plane.shift(model="next", steps=[500, 10_000], guards=["errors:1x", "p99:251ms"])
            rounded, beyond = begun.notes
            assert rounded.startswith("p99:251ms is judged as 260ms")
            assert beyond.startswith("p99:251ms: calls are given up after 10ms, the objective's deadline")

    run(scenario)


def test_what_an_operator_says_of_a_shift_is_told_once(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            first = await it.plane.shift(model="next", steps=[500], message="try it")
            await is_at(it, ShiftState.RUNNING, 500)
            await it.plane.shift("hold", message="look")
            await it.plane.shift("finish", message="good")
            await it.plane.shift("abort", message="worse")
            answer = await it.plane.stub.GetEvents(pb.GetEventsRequest(limit=50))
            begins = f"Ranking: shift {first.shift} to next@2, "
            own = [each.detail for each in answer.events if each.author and "shift" in each.action]
            assert own == [
                f"{begins}at 100 %: worse",
                f"{begins}at 5 % → 100 %: good",
                f"{begins}at 5 %: look",
                f"{begins}by 5 %: try it",
            ]

    run(scenario)


def test_no_shift_begins_while_a_lightbulb_is_there_that_knows_none(store: str) -> None:
    async def scenario() -> None:
        old = Lightbulb("old")
        del old.node.metadata["controls"]
        async with world(store, generation=0) as it:
            await it.published(1, **NEXT)
            await old.connect(it.plane.target)
            await it.plane.knows(old)
            info = await told(it.plane.shift(model="next", steps=[500]))
            assert info.reason == "LIGHTBULB_TOO_OLD"
            await old.disconnect()
            await eventually(
                "it to be gone",
                lambda: all(each.disconnected for each in it.plane.replica.consumers if each.id == "old"),
            )
            await it.plane.shift(model="next", steps=[500])
            await old.connect(it.plane.target)
            await it.plane.knows(old)
            named = {name: each.disobeys for name, each in (await it.plane.consumers()).items()}
            assert (named["old"], named["l1"]) == (True, False)

    run(scenario)


def test_a_rule_begins_its_shift_once_and_a_guard_undoes_it_for_good(store: str) -> None:
    async def scenario() -> None:
        async with world(store, generation=0) as it, relays(it.plane, "s1", "s2") as tell:
            await it.published(1)
            guards = 'guards: ["errors:1.25x"], interval: "1s", minSample: 20'
            stepped = {**NEXT, "steps": f'schedule: [5, 50], every: "1s", {guards}'}
            await it.plane.published(1, **stepped)
            await is_at(it, ShiftState.RUNNING, 500)
            (said,) = (await it.plane.status()).shifts
            assert said.rule == "rules.js:7 defineRankingShiftRule"
            assert said.author == "ann"
            assert {str(each.source) for each in answers(it).values() if each.reason is Reason.SHIFT} == {
                f"rules.js:7 defineRankingShiftRule: shift {said.number}"
            }
            await eventually("relays to count", lambda: len(it.plane.replica.figures.routes) == 2)
            await tell(*arms(said.number, 100))
            await is_at(it, ShiftState.RUNNING, 5_000)
            await tell(*arms(said.number, 100, bad=90))
            await is_over(it)
            await it.published(1, **stepped, memory="110MiB")
            assert control(it) is None
            assert shifted(it) == set()
            happened = Counter(action for action, _ in await it.plane.events())
            assert (happened["shift started"], happened["shift aborted"]) == (1, 1)

    run(scenario)
