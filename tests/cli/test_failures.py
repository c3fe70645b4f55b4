"""What refuses, what is waited for and what failed is put into words at the screen, from values."""

import json
from pathlib import Path

import pytest

from controlplane.cli.consumers import state_of
from controlplane.cli.failures import MAX_TEXT, how_far, why_failed
from controlplane.cli.output import print_json
from controlplane.rollout.failure import MAX_NAME, MAX_REASON
from lightbulb.ads.values import CLUSTER, MODEL_ASSIGNMENT, ROUTE
from lightbulb.v1 import control_plane_pb2 as pb
from lightbulb.v1 import failure_pb2
from tests.cli.test_rollouts import done
from tests.controlplane.peers import connected, sidecar
from tests.controlplane.planes import run
from tests.controlplane.worlds import world
from tests.waiting import eventually

HOSTILE = "\x1b[2J\r\n\u202e" + "x" * 200_000
REFUSAL = failure_pb2.Refusal(
    consumer_kind="sidecar", consumer_id="s1", resource_type=ROUTE, resource="Ranking", reason="too long"
)
LAGGARD = failure_pb2.Laggard(consumer_kind="sidecar", consumer_id="s1", resource_types=[CLUSTER, ROUTE])
LOADS = [
    pb.ModelLoading(model="pay@2", since=960.0, fraction=0.35, text="part 7"),
    pb.ModelLoading(model="pay@3", since=999.0, fraction=-1.0),
]


def test_what_a_host_loads_is_told_with_since_when_and_how_far() -> None:
    consumer = pb.Consumer(kind="host", node_id="h1", waiting_for=[MODEL_ASSIGNMENT], loading=LOADS)
    loads = "loading pay@2 since 40 s, 35% (part 7), loading pay@3 since 1 s"
    assert state_of(consumer, 1_000.0) == f"not synced: models; {loads}"


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (pb.GetStatusResponse(detail="nothing has been published"), "nothing has been published"),
        (
            pb.GetStatusResponse(
                detail="not read",
                waiting_for=failure_pb2.Missing(refusals=[REFUSAL], laggards=[LAGGARD], more=3),
            ),
            "waiting for sidecar s1: Ranking: too long; sidecar s1 (clusters, routes); and 3 more",
        ),
        (
            pb.GetStatusResponse(passed_over=failure_pb2.Missing(laggards=[LAGGARD])),
            "went on without sidecar s1",
        ),
        (
            pb.GetStatusResponse(
                waiting_for=failure_pb2.Missing(
                    laggards=[
                        failure_pb2.Laggard(consumer_kind="host", shard="a"),
                        failure_pb2.Laggard(
                            consumer_kind="sidecar",
                            consumer_id="s2",
                            resource_types=[ROUTE],
                            disconnected=True,
                        ),
                    ]
                )
            ),
            "waiting for a host for shard a; sidecar s2 (disconnected)",
        ),
        (
            pb.GetStatusResponse(
                waiting_for=failure_pb2.Missing(
                    laggards=[failure_pb2.Laggard(consumer_kind="host", consumer_id="h1")]
                ),
                consumers=[pb.Consumer(kind="host", node_id="h1", loading=LOADS)],
            ),
            "waiting for host h1 (loading pay@2, 35% (part 7), loading pay@3)",
        ),
        # an older control plane's
        (pb.GetStatusResponse(detail="waiting for host h1"), "waiting for host h1"),
    ],
)
def test_who_is_waited_for_is_told_with_what_it_owes(status: pb.GetStatusResponse, shown: str) -> None:
    assert how_far(status) == shown


@pytest.mark.parametrize(
    ("why", "shown"),
    [
        (
            failure_pb2.Failure(
                kind=failure_pb2.FAILURE_KIND_REFUSED, missing=failure_pb2.Missing(refusals=[REFUSAL])
            ),
            "refused: sidecar s1: Ranking: too long",
        ),
        (
            failure_pb2.Failure(
                kind=failure_pb2.FAILURE_KIND_DEADLINE,
                missing=failure_pb2.Missing(laggards=[LAGGARD]),
                seconds=15,
            ),
            "waiting for sidecar s1 for more than 15 s",
        ),
        (
            failure_pb2.Failure(kind=failure_pb2.FAILURE_KIND_SUPERSEDED, superseded_by=4),
            "superseded by generation 4",
        ),
        (None, "the text"),
        (failure_pb2.Failure(kind=99), "the text"),  # a newer control plane's
    ],
)
def test_why_a_generation_was_withdrawn(why: failure_pb2.Failure | None, shown: str) -> None:
    assert why_failed(pb.GetStatusResponse(failure="the text", why_failed=why)) == shown


def test_a_hostile_name_is_bounded_and_harmless_on_the_screen() -> None:
    refusal = failure_pb2.Refusal(
        consumer_kind="sidecar", consumer_id=HOSTILE, resource=HOSTILE, reason=HOSTILE
    )
    laggard = failure_pb2.Laggard(consumer_kind=HOSTILE, consumer_id=HOSTILE, resource_types=[HOSTILE] * 20)
    everybody = failure_pb2.Missing(refusals=[refusal] * 20, laggards=[laggard] * 20)
    failure = failure_pb2.Failure(kind=failure_pb2.FAILURE_KIND_REFUSED, missing=everybody)
    shown = (
        how_far(pb.GetStatusResponse(waiting_for=everybody, passed_over=everybody)),
        how_far(pb.GetStatusResponse(detail=HOSTILE)),
        why_failed(pb.GetStatusResponse(why_failed=failure)),
        why_failed(pb.GetStatusResponse(failure=HOSTILE)),
        state_of(pb.Consumer(refusals=[refusal] * 200)),
        state_of(pb.Consumer(loading=[pb.ModelLoading(model=HOSTILE, text=HOSTILE)] * 200), 0.0),
        state_of(pb.Consumer(rejected={HOSTILE + str(number): HOSTILE for number in range(20)})),
    )
    for text in shown:
        assert text.isprintable()
        assert len(text) <= 20 * MAX_TEXT


def test_a_hostile_node_refuses_and_nobody_who_looks_is_harmed(tmp_path: Path) -> None:
    evil = sidecar(HOSTILE)

    async def scenario() -> None:
        async with world(f"sqlite:{tmp_path}/store.db") as it, connected(it.plane.target, evil):
            await it.plane.synced(*it.peers, evil)
            evil.refuses = {"Ranking": HOSTILE}
            await it.plane.publish(2)
            await eventually("the end of it", lambda: it.plane.rollout.withdrawn == 2)
            shown = await done(it.plane, "status")
            assert shown.code == 0
            assert all(line.isprintable() for line in shown.out.splitlines())
            assert "generation 2 was withdrawn: refused: sidecar ?[2J" in shown.out
            assert len(shown.out) < 20_000
            asked = await done(it.plane, "status", "--output", "json")
            assert asked.out.replace("\n", "").isprintable()
            (refusal,) = json.loads(asked.out)["why_failed"]["missing"]["refusals"]
            assert refusal["resource"] == "Ranking"
            assert (len(refusal["consumer_id"]), len(refusal["reason"])) == (MAX_NAME, MAX_REASON)
            events = await done(it.plane, "events", "--output", "json")
            assert events.out.replace("\n", "").isprintable()

    run(scenario)


@pytest.mark.parametrize("text", ["\x1b[2J", "a\u202eb", "\x7f\x9b", "é😀", "\U000e0001", "a\nb"])
def test_json_says_every_text_in_print_and_loses_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": text})
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.splitlines())
    assert json.loads(out) == {"text": text}
