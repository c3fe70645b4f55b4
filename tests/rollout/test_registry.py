"""Everybody is known once, at whichever replica, and for a while after it has gone disconnected."""

from dataclasses import replace

import pytest

from controlplane.rollout.codec import ReportWriter, report_from_bytes, report_to_bytes
from controlplane.rollout.failure import Refusal
from controlplane.rollout.registry import HOST_LEASE, REPLICA_SECONDS, Arrears, Consumer, Report, adopt, merge
from lightbulb.ads.values import LISTENER, ROUTE, SCOPED_ROUTE
from tests.rollout.rollouts import POLICY, REFUSAL

SIDECAR = Consumer(id="s", kind="sidecar", since=1.0, routes=(1, 2), waiting_for=("t",), refusals=(REFUSAL,))
NOW = 1000.0


def report(replica: str, *consumers: Consumer, heartbeat: float = NOW, version: int = 5) -> Report:
    return Report(replica=replica, heartbeat=heartbeat, version=version, consumers=consumers)


def merged(*reports: Report, now: float = NOW) -> tuple[Consumer, ...]:
    return merge(reports, 5, now, POLICY)


def test_consumers_of_all_replicas_are_seen() -> None:
    host = Consumer(id="h", kind="host", shard="a", address=("127.0.0.1", 1))
    assert merged(report("one", SIDECAR), report("two", host)) == (host, SIDECAR)


def test_one_that_moved_to_another_replica_is_seen_there() -> None:
    gone = SIDECAR.lost(NOW - 1, orphaned=False)
    assert merged(report("one", gone), report("two", SIDECAR)) == (SIDECAR,)


def test_two_streams_of_one_id_are_both_seen() -> None:
    assert len(merged(report("one", SIDECAR), report("two", SIDECAR))) == 2


def test_a_replica_that_shows_an_older_state_says_nothing_of_the_newest() -> None:
    (seen,) = merged(report("one", SIDECAR, version=4))
    assert not seen.up_to_date
    assert merged(report("one", SIDECAR))[0].up_to_date


def test_consumers_of_a_silent_replica_are_out_of_sight_and_what_they_route_is_remembered() -> None:
    silent = report("one", SIDECAR, heartbeat=NOW - REPLICA_SECONDS - 0.1)
    (orphan,) = merged(silent)
    assert (orphan.disconnected, orphan.orphaned, orphan.routes) == (True, True, (1, 2))
    assert (orphan.waiting_for, orphan.refusals) == ((), ())
    assert merged(silent, report("two", SIDECAR)) == (SIDECAR,)


def test_a_lease_ends() -> None:
    gone = SIDECAR.lost(NOW, orphaned=False)
    assert merged(report("one", gone), now=NOW + POLICY.lease - 1) != ()
    assert merged(report("one", gone), now=NOW + POLICY.lease) == ()


def test_a_host_whose_replica_ended_is_taken_to_be_there_until_it_had_the_time_to_reconnect() -> None:
    host = Consumer(id="h", kind="host")
    assert host.lost(NOW, orphaned=True).there(NOW + POLICY.reconnect - 0.1, POLICY)
    assert not host.lost(NOW, orphaned=True).there(NOW + POLICY.reconnect, POLICY)
    assert not host.lost(NOW, orphaned=False).there(NOW, POLICY)


def test_a_control_plane_that_comes_back_after_an_outage_takes_everybody_to_have_just_gone() -> None:
    former = report("one", SIDECAR, heartbeat=NOW - 50)
    (adopted,) = adopt((former,), NOW, POLICY)
    assert (adopted.disconnected, adopted.orphaned, adopted.since) == (True, True, NOW)


def test_one_that_comes_back_to_others_remembers_its_consumers_since_it_ended() -> None:
    former = report("one", SIDECAR, heartbeat=NOW - 50)
    (adopted,) = adopt((former,), None, POLICY)
    assert (adopted.disconnected, adopted.orphaned, adopted.since) == (True, True, NOW - 50)


@pytest.mark.parametrize("latest_first", [False, True])
def test_of_several_traces_of_a_consumer_the_latest_is_adopted(latest_first: bool) -> None:
    one = report("one", replace(SIDECAR, routes=(1,)), heartbeat=NOW - 80)
    two = report("two", replace(SIDECAR, routes=(1, 2)), heartbeat=NOW - 50)
    (adopted,) = adopt((two, one) if latest_first else (one, two), None, POLICY)
    assert (adopted.routes, adopted.since) == ((1, 2), NOW - 50)


def test_a_machine_that_came_back_is_not_what_it_was_before_it_went_down() -> None:
    before = Consumer(id="h", kind="host", address=("10.0.0.1", 1), loaded=frozenset({"m@1"}), since=1.0)
    after = replace(before, loaded=frozenset(), since=2.0)
    elsewhere = replace(before, address=("10.0.0.2", 1))
    assert merged(report("one", before, elsewhere), report("two", after)) == (elsewhere, after)


def test_who_is_remembered_anew_isnt_there_again() -> None:
    soon, later = NOW + POLICY.reconnect - 0.1, NOW + POLICY.reconnect
    lost = Consumer(id="h1", kind="host").lost(NOW, orphaned=True)
    for at, there in ((soon, True), (later, False)):
        again = lost.gone_since(at, POLICY)
        assert (again.since, again.there(at, POLICY)) == (at, there)
    left = lost.departed(NOW)
    assert left.gone_since(later, POLICY) is left


def test_who_owes_and_refuses_nothing_is_late_since_no_time() -> None:
    prompt = Consumer(id="s1", kind="sidecar")
    assert prompt.late_since(9.0) is prompt
    behind = {"a": Arrears(unsynced_since=1.0), "b": Arrears()}
    late = replace(prompt, unsynced_since=1.0, by_tenant=behind).late_since(9.0)
    assert (late.unsynced_since, late.by_tenant) == (9.0, {"a": Arrears(unsynced_since=9.0), "b": Arrears()})


def test_the_last_hosts_of_a_shard_are_remembered_for_longer() -> None:
    host = Consumer(id="h", kind="host").lost(NOW, orphaned=False)
    assert merged(report("one", host), now=NOW + 10 * POLICY.lease) == (host,)
    assert merged(report("one", host), now=NOW + HOST_LEASE) == ()


def test_a_report_survives_its_bytes() -> None:
    host = Consumer(
        id="h",
        kind="host",
        shard="a",
        address=("::1", 7),
        loaded=frozenset({"m@1", "n@2"}),
        synced_since=3.5,
        disconnected=True,
        orphaned=True,
    )
    sent = report("one", SIDECAR, host, heartbeat=12.25)
    assert report_from_bytes(report_to_bytes(sent)) == sent


@pytest.mark.parametrize(
    ("before", "rejected", "routed", "found"),
    [
        (({}, 0), {}, (1, 2), 0),
        (({}, 0), {"o": "no"}, (1, 2), 2),
        (({"o": "no"}, 1), {"o": "no"}, (1, 2), 1),
        (({"o": "no", "p": "no"}, 1), {"o": "no"}, (1, 2), 1),
        (({"o": "no"}, 1), {"o": "no", "p": "no"}, (1, 2), 2),
        (({"o": "no"}, 1), {"o": "another reason"}, (1, 2), 2),
        (({"o": "no"}, 1), {"o": "no"}, (2, 3), 3),  # 1 is routed no more: what it refuses, 3 has too
        (({"o": "no"}, 1), {"o": "no"}, (), 0),
    ],
)
def test_a_refusal_is_of_the_newest_generation_that_was_routed_when_it_came(
    before: tuple[dict[str, str], int], rejected: dict[str, str], routed: tuple[int, ...], found: int
) -> None:
    def refusals(reasons: dict[str, str]) -> tuple[Refusal, ...]:
        return tuple(replace(REFUSAL, resource=name, reason=reason) for name, reason in reasons.items())

    consumer = Consumer(id="s", kind="sidecar", refusals=refusals(before[0]), refused_of=before[1])
    assert consumer.refusal_of(refusals(rejected), routed) == found


def test_who_refuses_an_objectives_scope_and_then_its_routes_refuses_the_same() -> None:
    scope = replace(REFUSAL, resource_type=SCOPED_ROUTE)
    consumer = Consumer(id="s", kind="sidecar", refusals=(scope,), refused_of=1)
    assert consumer.refusal_of((scope, replace(scope, resource_type=ROUTE)), (1, 2)) == 1


def test_that_a_sidecar_cant_listen_any_more_says_nothing_of_what_it_refused_before() -> None:
    route = replace(REFUSAL, resource_type=ROUTE)
    listener = replace(REFUSAL, resource_type=LISTENER, resource="lightbulb", reason="the port is taken")
    consumer = Consumer(id="s", kind="sidecar", refusals=(route,), refused_of=1)
    assert consumer.refusal_of((listener, route), (1, 2)) == 1


A, B, C = (
    Consumer(id=f"h{port}", kind="host", shard="a", address=("127.0.0.1", port), since=1.0)
    for port in (1, 2, 3)
)


def hung(host: Consumer) -> Consumer:
    return replace(host, silent_since=NOW - 1, waiting_for=("t",))


def out_of_sight(*hosts: Consumer) -> set[str]:
    return {each.id for each in merged(report("one", *hosts)) if each.disconnected}


def test_a_host_that_hangs_is_out_of_sight_as_if_it_couldnt_be_reached() -> None:
    seen, _, _ = merged(report("one", hung(A)), report("two", B, C))
    gone = replace(A.lost(NOW - 1, orphaned=False), silent_since=NOW - 1)
    assert seen == gone


def test_of_a_shard_of_which_no_host_is_heard_all_are_kept() -> None:
    elsewhere = replace(C, shard="b")
    assert out_of_sight(hung(A), hung(B), C) == {"h1", "h2"}
    assert out_of_sight(hung(A), hung(B), hung(C)) == set()
    assert out_of_sight(hung(A), hung(B), elsewhere) == set()
    assert out_of_sight(hung(A), hung(B), C.lost(NOW, orphaned=False)) == {"h3"}


def test_that_a_host_hangs_is_told_between_replicas() -> None:
    told = report("one", hung(A))
    assert report_from_bytes(report_to_bytes(told)) == told


def test_what_is_as_it_was_is_written_once_and_the_bytes_are_those_of_a_report_that_is_written_anew() -> None:
    one, other = (Consumer(id=name, kind="sidecar", since=1.0) for name in ("s1", "s2"))
    writer, written = ReportWriter(), []
    for consumers in ((one, other), (other, replace(one, routes=(3,))), (other,), (one, other)):
        report = Report(replica="one", heartbeat=len(written), version=1, consumers=consumers, seen=2)
        written.append(writer.content(report))
        assert written[-1] == report_to_bytes(report)
        assert report_from_bytes(written[-1]) == report


def test_one_that_is_behind_with_one_tenant_alone_is_that_tenants_as_it_is() -> None:
    whole = Arrears(waiting_for=SIDECAR.waiting_for, refusals=SIDECAR.refusals)
    alone = replace(SIDECAR, by_tenant={"mine": whole})
    assert alone.for_tenant("mine") is alone
    assert not alone.for_tenant("other").waiting_for
    less = replace(alone, by_tenant={"mine": Arrears(refusals=SIDECAR.refusals), "other": whole})
    assert not less.for_tenant("mine").waiting_for
