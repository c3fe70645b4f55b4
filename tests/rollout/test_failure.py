"""Why a generation was withdrawn stays a value, bounded and printable; a text of an old store still tells."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.rollout.codec import (
    report_from_bytes,
    report_to_bytes,
    rollout_from_bytes,
    rollout_to_bytes,
)
from controlplane.rollout.events import EventKind, events, kind_of, superseded, withdrawn_of
from controlplane.rollout.failure import (
    MAX_LISTED,
    MAX_NAME,
    MAX_REASON,
    NOBODY_MISSING,
    Failure,
    FailureKind,
    Laggard,
    Missing,
    Refusal,
    missing,
    printable,
    without,
)
from controlplane.rollout.failure import superseded as superseded_by
from controlplane.rollout.failure_codec import (
    cause_to_bytes,
    failure_from_proto,
    failure_to_proto,
    missing_from_proto,
    missing_to_proto,
    parse_cause,
)
from controlplane.rollout.operations import publish, roll_back, withdraw
from controlplane.rollout.registry import Consumer, Report
from controlplane.rollout.state import Phase
from controlplane.store.contract import Event
from lightbulb.v1 import failure_pb2 as pb
from lightbulb.v1 import store_pb2
from tests.rollout.rollouts import REFUSAL, at, laggards, rollout

HOSTILE = "\x1b[2J\r\n\u202e" + "x" * 200_000
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=2 * MAX_NAME)
REFUSALS = st.builds(
    Refusal, consumer_kind=TEXTS, consumer_id=TEXTS, resource_type=TEXTS, resource=TEXTS, reason=TEXTS
)
LAGGARDS = st.builds(
    Laggard,
    consumer_kind=TEXTS,
    consumer_id=TEXTS,
    shard=TEXTS,
    resource_types=st.lists(TEXTS, max_size=3).map(tuple),
    disconnected=st.booleans(),
)
MISSING = st.builds(
    missing, st.lists(REFUSALS, max_size=MAX_LISTED + 2), st.lists(LAGGARDS, max_size=MAX_LISTED + 2)
)
FAILURES = st.one_of(
    st.builds(Failure, kind=st.just(FailureKind.REFUSED), missing=MISSING),
    st.builds(Failure, kind=st.just(FailureKind.DEADLINE), missing=MISSING, seconds=st.floats(0, 1e6)),
    st.builds(superseded_by, st.integers(1, 2**40), rollback=st.booleans()),
)


@given(FAILURES)
def test_a_failure_survives_the_store_and_the_wire(failure: Failure) -> None:
    message = failure_to_proto(failure)
    assert message is not None
    assert failure_from_proto(message, told="not read") == failure
    state = replace(rollout(), failure=failure, withdrawn=3)
    assert rollout_from_bytes(rollout_to_bytes(state)) == state


@given(MISSING)
def test_who_was_passed_over_survives_the_store_and_the_wire(passed_over: Missing) -> None:
    message = missing_to_proto(passed_over)
    assert missing_from_proto(message or pb.Missing()) == passed_over
    state = replace(rollout(), passed_over=passed_over)
    assert rollout_from_bytes(rollout_to_bytes(state)) == state


@pytest.mark.parametrize("count", [MAX_LISTED, MAX_LISTED + 1, 1000])
def test_of_many_the_first_are_kept_and_the_others_counted(count: int) -> None:
    found = missing((REFUSAL,), laggards(count - 1))
    assert len(found.refusals) + len(found.laggards) == MAX_LISTED
    assert found.more == count - MAX_LISTED
    more = f"; and {count - MAX_LISTED} more" if count > MAX_LISTED else ""
    assert str(found) == "; ".join(map(str, (REFUSAL, *laggards(MAX_LISTED - 1)))) + more


def test_a_hostile_name_is_bounded_and_harmless_wherever_it_is_kept() -> None:
    refusal = Refusal(
        consumer_kind=HOSTILE,
        consumer_id=HOSTILE,
        resource_type=HOSTILE,
        resource=HOSTILE,
        reason=HOSTILE,
    )
    laggard = Laggard(
        consumer_kind=HOSTILE, consumer_id=HOSTILE, shard=HOSTILE, resource_types=(HOSTILE,) * 100
    )
    for found in (missing((refusal,) * 100), missing((), (laggard,) * 100)):
        failure = Failure(kind=FailureKind.REFUSED, missing=found)
        state = replace(rollout(), failure=failure, passed_over=found)
        assert str(failure).isprintable()
        assert len(str(failure)) < MAX_LISTED * (3 * MAX_NAME + MAX_REASON + 10) + 100
        assert len(rollout_to_bytes(state)) < 200_000


def test_a_message_of_somebody_who_bounds_nothing_is_bounded_when_it_is_read() -> None:
    hostile = pb.Refusal(consumer_id=HOSTILE, resource=HOSTILE, reason=HOSTILE)
    found = missing_from_proto(pb.Missing(refusals=[hostile] * 100))
    assert found.refusals == (found.refusals[0].bounded(),) * MAX_LISTED
    assert str(found).isprintable()


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("ab…", 3, "ab…"),
        ("a\nb", 3, "a?b"),
        ("\x1b[31m", 9, "?[31m"),
        ("a\u202eb\ud800", 9, "a?b?"),
    ],
)
def test_what_others_wrote_is_one_harmless_line(text: str, limit: int, shown: str) -> None:
    assert printable(text, limit) == shown


def test_a_text_that_an_older_control_plane_kept_still_opens_and_shows() -> None:
    old = store_pb2.StoredRollout(
        format=1,
        active=2,
        phase="retiring",
        live=[2],
        note="went on without sidecar s1",
        failure="refused: host h1: m@2: no such fact",
        withdrawn=3,
    ).SerializeToString()
    state = rollout_from_bytes(old)
    assert state.failure is not None
    assert state.failure.kind is FailureKind.TOLD
    assert str(state.failure) == "refused: host h1: m@2: no such fact"
    assert without(state.passed_over) == "went on without sidecar s1"
    assert rollout_from_bytes(rollout_to_bytes(state)) == state
    before = store_pb2.StoredRollout.FromString(old)
    again = store_pb2.StoredRollout.FromString(rollout_to_bytes(state))
    assert (again.note, again.failure) == (before.note, before.failure)
    assert not again.HasField("why_withdrawn")


def test_a_report_of_an_older_control_plane_tells_what_is_refused_without_its_type() -> None:
    old = store_pb2.StoredReport(
        consumers=[store_pb2.StoredConsumer(id="h", kind="host", rejected={"m@1": "no", "b@1": "nor that"})]
    ).SerializeToString()
    (consumer,) = report_from_bytes(old).consumers
    assert [(each.resource, each.reason, each.resource_type) for each in consumer.refusals] == [
        ("b@1", "nor that", ""),
        ("m@1", "no", ""),
    ]


def test_a_report_tells_older_control_planes_what_is_refused() -> None:
    consumer = Consumer(id="h1", kind="host", refusals=(REFUSAL,))
    sent = report_to_bytes(Report(replica="one", heartbeat=1.0, version=1, consumers=(consumer,)))
    assert dict(store_pb2.StoredReport.FromString(sent).consumers[0].rejected) == {"m@2": "no such fact"}


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (Event(at=0, author="", action="anything", kind="withdrawn"), EventKind.WITHDRAWN),
        (Event(at=0, author="", action="withdrawn"), EventKind.WITHDRAWN),  # an older control plane's
        (Event(at=0, author="", action="reloaded from 12"), EventKind.RELOADED),
        (Event(at=0, author="", action="rolled back"), EventKind.ROLLED_BACK),
        (Event(at=0, author="", action="withdrawn", kind="of a newer control plane"), None),
        (Event(at=0, author="", action="refused by withdrawn"), None),
    ],
)
def test_what_happened_is_told_by_its_kind(event: Event, kind: EventKind | None) -> None:
    assert kind_of(event) is kind
    assert withdrawn_of([replace(event, generation=7)]) == ({7} if kind is EventKind.WITHDRAWN else set())


def test_an_event_keeps_why_it_happened() -> None:
    before = rollout(Phase.LOADING)
    failure = Failure(kind=FailureKind.REFUSED, missing=missing((REFUSAL,)))
    (event,) = events(before, withdraw(before, failure, at(1.0)), 1.0)
    assert (event.action, event.generation, event.detail) == ("withdrawn", 3, str(failure))
    read = pb.Failure()
    parse_cause(event.cause, read)
    assert failure_from_proto(read, told="") == failure


def test_an_event_that_an_operation_caused_tells_what_took_the_generations_place() -> None:
    before = rollout(Phase.LOADING)
    for following, by in (
        (publish(before, 4, None, at(1.0)), superseded_by(4)),
        (roll_back(before, 1, at(1.0)), superseded_by(1, rollback=True)),
    ):
        (event,) = superseded(before, following, 1.0)
        assert (event.kind, event.generation, event.detail) == ("withdrawn", 3, str(by))
        assert event.cause == cause_to_bytes(by)


def test_a_cause_that_cant_be_read_is_none() -> None:
    read = pb.Failure(superseded_by=3)
    parse_cause(b"\xff\xff", read)
    assert read == pb.Failure()
    assert cause_to_bytes(NOBODY_MISSING) == b""
