"""The protocol cases that an ADS server must pass, for delta.

State of the world: test_sotw.py. "Envoy": also in tests/envoy, with a real one. A test's name has its number.

 1 a first request without names is a wildcard                       Envoy: a cold sidecar
 2 unsubscribing the wildcard leaves what was named; then nothing
 3 unsubscribing a name that the wildcard matches is answered
 4 subscribing to a name that is held sends it again
 5 an unknown name is removed at once, and sent when it exists       Envoy: routes that come late
 6 unsubscribing what wasn't subscribed is no error
 7 a reconnect may name the wildcard and names together
 8 a stale nonce: the subscription counts, the ACK doesn't
 9 a NACK is an error_detail
10 after a NACK of several, what is of unknown state goes again       Envoy: some may be applied
11 bytes that were refused are not sent again                         Envoy: found among others
12 ghost warming: a refused cluster is taken back; ACKs have deadlines Envoy: clusters it can't build
13 a name is in a response once                                       Envoy: refuses it twice
14 an unknown type doesn't end the stream                             (test_server.py too)
15 endpoints are sent when asked for                                  Envoy: ignores others, and ACKs
16 a reconnect is sent what differs; what it asks for may come late   Envoy: an outage; clusters that warm
17 routes and endpoints that are removed change nothing               Envoy: serves on
18 a cluster goes after the routes that name it                       Envoy: under load; the naive order
19 nothing at all deletes nothing                                     Envoy: an empty control plane
20 an older version is as good as a newer: replicas must be fenced    Envoy: takes it
21 the same content has the same version                             (test_resources.py) Envoy: an outage
22 two streams of one node have each their own state                  Envoy: two of one name
23 CDS, EDS, LDS, SRDS, RDS, removals                                 Envoy: moves under load
24 one un-ACKed response a type; changes coalesce                     Envoy: one that stands still
25 a reconnect with a hundred thousand names is taken                (test_server.py too)
26 large responses come in pieces                                     Envoy: a world in many pieces
27 what is asked for anew is provided, also what was refused
28 a first request that names anything is no wildcard
29 requests that say a thing twice, or a thing and its opposite
30 a first request that answers what was never sent
31 names are bounded in length too
"""

from dataclasses import replace

import pytest

from lightbulb.ads.messages import DeltaRequest, DeltaResponse
from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, Snapshot
from lightbulb.ads.server.tracks import SessionLimits, TooManyNames
from lightbulb.ads.values import (
    ACTIVE_GENERATION,
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    MODEL_ASSIGNMENT,
    OBJECTIVE_TABLES,
    ROUTE,
    SCOPED_ROUTE,
)
from tests.ads.worlds import LIMITS, Talk, fleet, names, of, res, with_

AB = of(ROUTE, a=1, b=1)


def opened(snapshot=AB, type_url: str = ROUTE, *subscribe: str, limits: SessionLimits = LIMITS) -> Talk:
    """A stream that has been answered, and has ACKed."""
    talk = Talk(snapshot, limits)
    for response in talk.ask(type_url, *subscribe):
        assert talk.ack(response) == ()
    return talk


def test_1_a_first_request_without_names_is_a_wildcard_and_later_ones_are_not() -> None:
    talk = Talk(of(CLUSTER, a=1, b=1))
    assert names(talk.ask(CLUSTER)) == [(["a", "b"], [])]
    later = Talk(AB)
    assert names(later.ask(ROUTE, "a")) == [(["a"], [])]
    assert later.ask(ROUTE) == ()
    assert later.session.subscriptions[ROUTE].wants("b") is False


def test_1_a_cold_wildcard_is_answered_even_with_nothing() -> None:
    assert names(Talk(EMPTY_SNAPSHOT).ask(CLUSTER)) == [([], [])]


def test_1_before_there_is_anything_to_serve_nothing_is_said() -> None:
    talk = Talk(None)
    assert talk.ask(CLUSTER) == ()
    assert talk.ask(ENDPOINTS, "a") == ()
    assert names(talk.publish(fleet({"o": "a"}))) == [(["a"], []), (["a"], [])]


def test_2_unsubscribing_the_wildcard_leaves_what_was_named_and_then_nothing() -> None:
    talk = opened(AB, ROUTE, "*", "a")
    assert talk.ask(ROUTE, drop=("*",)) == ()
    assert names(talk.publish(of(ROUTE, a=2, b=2))) == [(["a"], [])]
    talk = opened(AB, ROUTE, "*", "a")
    talk.ask(ROUTE, drop=("*",))
    assert talk.ask(ROUTE, drop=("a",)) == ()
    assert talk.ask(ROUTE) == ()
    assert talk.publish(of(ROUTE, a=3, b=3)) == ()


@pytest.mark.parametrize(("name", "expected"), [("a", (["a"], [])), ("gone", ([], ["gone"]))])
def test_3_unsubscribing_a_name_that_the_wildcard_matches_is_answered(name: str, expected) -> None:
    talk = Talk(AB)
    (first,) = talk.ask(ROUTE, "*", name)
    talk.ack(first)
    assert names(talk.ask(ROUTE, drop=(name,))) == [expected]


def test_4_a_name_that_is_held_already_is_sent_again_when_asked_for() -> None:
    assert names(opened(AB, ROUTE, "a", "b").ask(ROUTE, "a")) == [(["a"], [])]


@pytest.mark.parametrize("type_url", [ROUTE, ENDPOINTS, CLUSTER])
def test_5_an_unknown_name_is_removed_at_once_and_sent_when_it_comes_to_exist(type_url: str) -> None:
    talk = Talk(EMPTY_SNAPSHOT)
    (answer,) = talk.ask(type_url, "late")
    assert names((answer,)) == [([], ["late"])]
    assert talk.ack(answer) == ()
    assert names(talk.publish(of(type_url, late=1))) == [(["late"], [])]


def test_6_unsubscribing_what_was_not_subscribed_is_no_error_and_no_news() -> None:
    talk = opened(AB, ROUTE, "a")
    assert talk.ask(ROUTE, drop=("b", "nobody")) == ()
    assert names(talk.publish(of(ROUTE, a=2))) == [(["a"], [])]


def test_6_what_is_unsubscribed_is_not_known_to_be_held() -> None:
    talk = opened(AB, ROUTE, "a", "b")
    assert talk.ask(ROUTE, drop=("a",)) == ()
    assert talk.session.held(ROUTE).keys() == {"b"}


def test_7_a_reconnect_may_name_the_wildcard_and_names_together() -> None:
    talk = Talk(AB)
    held = {"a": res("a").version, "gone": "1"}
    assert names(talk.ask(ROUTE, "*", "a", "gone", have=held)) == [(["b"], ["gone"])]


def test_8_a_stale_nonce_changes_the_subscription_and_acknowledges_nothing() -> None:
    talk = Talk(AB)
    (first,) = talk.ask(ROUTE, "a")
    assert talk.ask(ROUTE, "b", nonce="stale") == ()  # one un-ACKed response a type
    assert talk.session.subscriptions[ROUTE].pending is not None
    assert names(talk.ack(first)) == [(["b"], [])]
    stale = talk.ask(ROUTE, nonce=first.nonce, error="late and wrong")
    assert stale == ()
    assert talk.refused(ROUTE) == {}


def test_9_a_nack_is_an_error_detail_whatever_else_the_request_says() -> None:
    talk = Talk(AB)
    (first,) = talk.ask(ROUTE, "a")
    assert talk.nack(first, "") == ()
    assert talk.refused(ROUTE) == {"a": ""}
    assert talk.session.subscriptions[ROUTE].held == {}


def test_10_after_a_nack_the_others_of_the_response_go_again() -> None:
    talk = Talk(of(ROUTE, a=1, b=1, c=1))
    (first,) = talk.ask(ROUTE, "*")
    (again,) = talk.nack(first, "Error: b: no such cluster")
    assert names((again,)) == [(["a", "c"], [])]
    assert talk.ack(again) == ()
    assert talk.refused(ROUTE) == {"b": "Error: b: no such cluster"}


def test_10_reasons_by_name_count_and_the_text_then_says_nothing() -> None:
    talk = Talk(of(ROUTE, a=1, b=1, c=1))
    (first,) = talk.ask(ROUTE, "*")
    (again,) = talk.nack(first, "b: no, since a, c", {"b": "no"})
    assert names((again,)) == [(["a", "c"], [])]
    assert talk.refused(ROUTE) == {"b": "no"}


def test_10_a_removal_that_is_refused_by_name_is_blamed_and_not_what_came_with_it() -> None:
    talk = opened(AB, ROUTE, "*")
    (both,) = talk.publish(of(ROUTE, a=2))
    assert names((both,)) == [(["a"], ["b"])]
    (again,) = talk.nack(both, "b: in use", {"b": "in use"})
    assert names((again,)) == [(["a"], [])]
    assert talk.ack(again) == ()
    assert talk.refused(ROUTE) == {"b": "in use"}


def test_10_a_nack_that_names_nobody_is_narrowed_down_by_halves() -> None:
    everything = {f"r{number:02}": 1 for number in range(20)}
    talk = Talk(of(ROUTE, **everything))
    (response,) = talk.ask(ROUTE, "*")
    sent = 0
    while True:
        sent += 1
        bad = any(each.name == "r13" for each in response.resources)
        following = talk.nack(response, "something is wrong") if bad else talk.ack(response)
        if not following:
            break
        (response,) = following
    assert sent < 15
    assert talk.refused(ROUTE).keys() == {"r13"}
    assert talk.session.subscriptions[ROUTE].held.keys() == everything.keys() - {"r13"}


def test_10_the_search_by_halves_is_over_once_all_was_taken() -> None:
    everything = {f"r{number}": 1 for number in range(8)}
    talk = Talk(of(ROUTE, **everything))
    (response,) = talk.ask(ROUTE, "*")
    (half,) = talk.nack(response, "something is wrong")
    assert len(half.resources) == 4
    (quarter,) = talk.nack(half, "something is wrong")
    assert len(quarter.resources) == 2
    (half,) = talk.ack(quarter)
    assert len(half.resources) == 4
    (rest,) = talk.ack(half)
    assert len(rest.resources) == 2
    assert talk.ack(rest) == ()
    (all_at_once,) = talk.publish(of(ROUTE, **{f"r{number}": 2 for number in range(100)}))
    assert len(all_at_once.resources) == 100


@pytest.mark.parametrize(
    ("error", "refused"),
    [("x" * 600, None), (f"a: {'x' * 600}\nb: y", None), ("no", {"a": "x" * 600})],
)
def test_10_a_reason_is_kept_in_part_when_it_is_long(error: str, refused: dict[str, str] | None) -> None:
    talk = Talk(of(ROUTE, a=1))
    (response,) = talk.ask(ROUTE, "*")
    assert talk.nack(response, error, refused) == ()
    assert talk.refused(ROUTE) == {"a": "x" * 500}


def test_10_the_reason_of_a_refused_removal_is_kept_in_part_too() -> None:
    talk = opened(AB, ROUTE, "*")
    (removal,) = talk.publish(of(ROUTE, a=1))
    assert talk.nack(removal, "x" * 600) == ()
    assert talk.refused(ROUTE) == {"b": "x" * 500}


def test_11_refused_bytes_are_not_sent_again_other_bytes_are() -> None:
    talk = Talk(AB)
    (first,) = talk.ask(ROUTE, "a")
    assert talk.nack(first, "no") == ()
    assert talk.ask(ROUTE) == ()
    assert talk.publish(of(ROUTE, a=1, b=2)) == ()
    (better,) = talk.publish(of(ROUTE, a=2, b=2))
    assert names((better,)) == [(["a"], [])]
    assert talk.ack(better) == ()
    assert talk.refused(ROUTE) == {}


def test_11_a_removal_that_is_refused_is_not_repeated_either() -> None:
    talk = opened(AB, ROUTE, "*")
    (removal,) = talk.publish(of(ROUTE, a=1))
    assert talk.nack(removal, "I want to keep it") == ()
    assert talk.refused(ROUTE) == {"b": "I want to keep it"}
    assert talk.publish(of(ROUTE, a=2))[0].removed == ()
    talk = opened(AB, ROUTE, "*")
    (removal,) = talk.publish(of(ROUTE, a=1))
    assert talk.nack(removal, "no") == ()
    (back,) = talk.publish(AB)
    assert names((back,)) == [(["b"], [])]  # it may have been removed after all
    assert talk.ack(back) == ()
    assert names(talk.publish(of(ROUTE, a=1))) == [([], ["b"])]


def test_12_a_new_cluster_that_is_refused_is_taken_back_so_that_it_stops_warming() -> None:
    talk = opened(of(CLUSTER, a=1), CLUSTER)
    (bad,) = talk.publish(of(CLUSTER, a=1, b=1))
    (repair,) = talk.nack(bad, "Error adding/updating cluster(s) b: no type")
    assert names((repair,)) == [([], ["b"])]
    assert talk.ack(repair) == ()
    assert talk.refused(CLUSTER).keys() == {"b"}


def test_12_an_update_of_a_cluster_that_is_refused_is_taken_back_to_what_it_was() -> None:
    talk = opened(of(CLUSTER, a=1), CLUSTER)
    (bad,) = talk.publish(of(CLUSTER, a=2))
    (repair,) = talk.nack(bad, "a: no")
    assert repair.resources == (res("a", 1),)
    assert talk.nack(repair, "a: still no") == ()  # there is nothing better to send
    assert talk.publish(of(CLUSTER, a=2)) == ()


def test_12_a_cluster_that_left_while_its_update_was_refused_goes_after_all() -> None:
    talk = opened(of(CLUSTER, a=1, b=1), CLUSTER)
    (bad,) = talk.publish(of(CLUSTER, a=1, b=2))
    assert talk.publish(of(CLUSTER, a=1)) == ()
    (repair,) = talk.nack(bad, "b: no")
    assert repair.resources == (res("b", 1),)
    talk.ack(repair)
    (removal,) = talk.wait(LIMITS.asking_seconds)
    assert names((removal,)) == [([], ["b"])]
    assert talk.ack(removal) == ()
    assert talk.session.held(CLUSTER).keys() == {"a"}


def test_12_a_refusal_is_known_until_something_else_is_wanted_and_taken() -> None:
    talk = opened(of(CLUSTER, a=1), CLUSTER)
    (bad,) = talk.publish(of(CLUSTER, a=2))
    (repair,) = talk.nack(bad, "a: no")
    assert talk.ack(repair) == ()
    assert talk.refused(CLUSTER) == {"a": "no"}
    assert talk.publish(of(CLUSTER, a=2)) == ()
    (better,) = talk.publish(of(CLUSTER, a=3))
    assert talk.refused(CLUSTER) == {}
    assert talk.ack(better) == ()
    (again,) = talk.publish(of(CLUSTER, a=2))  # long ago; who knows
    assert talk.ack(again) == ()
    assert talk.refused(CLUSTER) == {}


def test_12_endpoints_go_again_with_a_cluster_that_changes_or_it_would_wait_for_them() -> None:
    talk = sidecar(fleet({"o": "a"}))
    changed = fleet({"o": "a"})
    changed = changed.replace(CLUSTER, [res("a", 2)])
    cds, eds = talk.publish(changed)
    assert [(each.type_url, names((each,))) for each in (cds, eds)] == [
        (CLUSTER, [(["a"], [])]),
        (ENDPOINTS, [(["a"], [])]),
    ]
    assert talk.ack(eds) == ()
    assert talk.ack(cds) == ()
    assert talk.session.unsynced(changed) == ()
    reconnected = Talk(changed)
    assert names(reconnected.ask(CLUSTER, "*", have={"a": res("a", 1).version})) == [(["a"], [])]
    have = {each.name: each.version for each in changed.of(ENDPOINTS).values()}
    assert names(reconnected.ask(ENDPOINTS, "a", have=have)) == [(["a"], [])]


def test_12_a_cluster_that_never_warms_is_taken_back_tried_alone_and_given_up() -> None:
    talk = opened(of(CLUSTER, a=1), CLUSTER)
    (both,) = talk.publish(of(CLUSTER, a=1, b=1, c=1))
    assert talk.session.next_deadline() == LIMITS.ack_seconds
    assert talk.wait(LIMITS.ack_seconds - 0.1) == ()
    (repair,) = talk.wait(0.1)
    assert names((both, repair)) == [(["b", "c"], []), ([], ["b", "c"])]
    assert talk.session.subscriptions[CLUSTER].late
    (alone,) = talk.ack(repair)
    assert not talk.session.subscriptions[CLUSTER].late
    assert names((alone,)) == [(["b"], [])]
    (other,) = talk.ack(alone)
    assert names((other,)) == [(["c"], [])]
    (repair,) = talk.wait(LIMITS.ack_seconds)
    assert names((repair,)) == [([], ["c"])]
    assert talk.ack(repair) == ()
    assert talk.refused(CLUSTER) == {"c": "not acknowledged in time"}
    assert talk.session.unsynced(talk.session.snapshot) == ()


def test_12_a_cluster_that_is_late_once_is_tried_again() -> None:
    talk = opened(of(CLUSTER, a=1), CLUSTER)
    talk.publish(of(CLUSTER, a=1, b=1))
    (repair,) = talk.wait(LIMITS.ack_seconds)
    assert (names((repair,)), talk.refused(CLUSTER)) == ([([], ["b"])], {})
    (again,) = talk.ack(repair)
    assert names((again,)) == [(["b"], [])]
    assert talk.ack(again) == ()
    assert talk.session.held(CLUSTER).keys() == {"a", "b"}


def test_12_a_cluster_that_was_late_and_then_came_is_given_another_chance_later() -> None:
    talk = opened(of(CLUSTER, a=1), CLUSTER)
    talk.publish(of(CLUSTER, a=1, b=1))
    (repair,) = talk.wait(LIMITS.ack_seconds)
    (again,) = talk.ack(repair)
    talk.ack(again)
    (removal,) = talk.publish(of(CLUSTER, a=1))
    assert names((removal,)) == [([], ["b"])]
    talk.ack(removal)
    talk.publish(of(CLUSTER, a=1, b=1))
    (repair,) = talk.wait(LIMITS.ack_seconds)
    assert talk.refused(CLUSTER) == {}
    assert names(talk.ack(repair)) == [(["b"], [])]


def test_12_routes_to_a_refused_cluster_are_held_back_and_no_others() -> None:
    talk = sidecar(fleet({"o": "a", "p": "a"}, {"c": 0}))
    (cds,) = talk.publish(fleet({"o": "b", "p": "c"}))
    (repair,) = talk.nack(cds, "Error adding/updating cluster(s) b: no")
    (rds,) = talk.ack(repair)
    assert names((repair, rds)) == [([], ["b"]), (["p"], [])]
    assert talk.ack(rds) == ()
    assert ROUTE in talk.session.unsynced(talk.session.snapshot)
    assert talk.session.subscriptions[CLUSTER].held.keys() == {"a", "c"}  # o still names a
    (rds,) = talk.publish(fleet({"o": "a", "p": "a"}, {"c": 0}))  # withdrawn: o has never changed
    assert names((rds,)) == [(["p"], [])]


def test_12_routes_to_a_refused_cluster_that_may_never_have_been_applied_are_held_back() -> None:
    """A relay that reconnects while it applies a cluster says that it has one, of a version not known."""
    talk = Talk(fleet({"o": "a", "p": "b"}))
    have = {"a": "", "b": res("b").version}
    (cds,) = talk.ask(CLUSTER, "*", have=have)
    assert names((cds,)) == [(["a"], [])]
    for type_url in (ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE):
        for response in talk.ask(type_url, "*"):
            talk.ack(response)
    after = talk.nack(cds, "a: no", {"a": "no"})
    assert [names((each,)) for each in after if each.type_url == ROUTE] == [[(["p"], [])]]


def test_12_a_client_that_acknowledges_nothing_is_late_and_sent_nothing_more() -> None:
    talk = Talk(AB)
    talk.ask(ROUTE, "*")
    assert talk.wait(LIMITS.ack_seconds) == ()
    assert talk.session.subscriptions[ROUTE].late
    assert talk.publish(of(ROUTE, a=2, b=2)) == ()
    assert talk.session.next_deadline() is None


def test_13_a_name_is_in_a_response_once() -> None:
    talk = Talk(AB)
    (response,) = talk.ask(ROUTE, "*", "a", "a", "b")
    assert names((response,)) == [(["a", "b"], [])]


def test_14_an_unknown_type_is_ignored_and_the_stream_goes_on() -> None:
    talk = Talk(AB)
    assert talk.ask("type.googleapis.com/unknown.Type", "x") == ()
    assert names(talk.ask(ROUTE, "a")) == [(["a"], [])]


def test_15_endpoints_are_sent_only_when_asked_for() -> None:
    talk = opened(fleet({"o": "a"}), CLUSTER)
    assert talk.publish(fleet({"o": "a"}, {"a": 2})) == ()
    assert names(talk.ask(ENDPOINTS, "a")) == [(["a"], [])]


def test_16_a_reconnect_is_sent_what_differs_and_only_that() -> None:
    held = {"a": res("a").version, "b": res("b").version}
    assert Talk(AB).ask(ROUTE, "*", have=held) == ()
    assert names(Talk(of(ROUTE, a=1)).ask(ROUTE, "*", have=held)) == [([], ["b"])]
    assert names(Talk(of(ROUTE, a=1, b=2)).ask(ROUTE, "*", have=held)) == [(["b"], [])]


def test_16_a_reconnecting_sidecar_keeps_a_cluster_until_its_routes_are_new() -> None:
    before, after = fleet({"o": "a"}), fleet({"o": "b"})
    held = {kind: {r.name: r.version for r in before.of(kind).values()} for kind in before.by_type}
    talk = Talk(after)
    (cds,) = talk.ask(CLUSTER, "*", have=held[CLUSTER])
    assert names((cds,)) == [(["b"], [])]
    (eds,) = talk.ask(ENDPOINTS, "a", "b", have=held[ENDPOINTS])
    assert names((eds,)) == [(["b"], [])]  # "a" is gone, but its cluster isn't yet
    for kind in (LISTENER, SCOPED_ROUTE):
        assert talk.ask(kind, "*", have=held[kind]) == ()
    assert talk.ask(ROUTE, "o", have=held[ROUTE]) == ()
    assert talk.ack(eds) == ()
    (rds,) = talk.ack(cds)
    assert names((rds,)) == [(["o"], [])]
    assert names(talk.ack(rds)) == [([], ["a"]), ([], ["a"])]


def test_16_a_client_of_clusters_only_is_told_of_removals_after_a_while() -> None:
    talk = Talk(of(CLUSTER, a=1))
    held = {"a": res("a").version, "b": "1"}
    assert talk.ask(CLUSTER, "*", have=held) == ()
    assert talk.session.next_deadline() == LIMITS.asking_seconds
    (question,) = talk.wait(LIMITS.asking_seconds)
    assert names((question,)) == [([], [])]  # who answers it has asked for no routes
    assert names(talk.ack(question)) == [([], ["b"])]


def reconnected(before: Snapshot, after: Snapshot, *kinds: str) -> Talk:
    """A sidecar that has `before`, and of whose first requests to a server of `after` these were read."""
    talk = Talk(after)
    for kind in kinds:
        assert again(talk, before, kind) == ()
    return talk


def again(talk: Talk, before: Snapshot, kind: str) -> tuple[DeltaResponse, ...]:
    """The first request of a type on a new stream of a sidecar that has `before`."""
    asked = ("*",) if kind in {CLUSTER, LISTENER, SCOPED_ROUTE} else tuple(before.of(kind))
    return talk.ask(kind, *asked, have={name: each.version for name, each in before.of(kind).items()})


def test_16_however_late_a_request_for_routes_is_read_their_clusters_stay() -> None:
    before, after = fleet({"o": "ab"}), fleet({"o": "a"})
    talk = reconnected(before, after, CLUSTER, ENDPOINTS)
    questions = talk.wait(100 * LIMITS.asking_seconds)  # the server stood, or its client, or the network
    assert names(questions) == [([], [])] * 2
    for kind in (LISTENER, SCOPED_ROUTE, ROUTE):
        assert again(talk, before, kind) == ()
    clusters, endpoints = questions
    assert talk.ack(clusters) == ()
    (rds,) = talk.ack(endpoints)
    assert names((rds,)) == [(["o"], [])]
    assert names(talk.ack(rds)) == [([], ["b"])] * 2


def test_16_a_client_that_answered_is_asked_nothing_more() -> None:
    held = {"a": "old", "b": "1"}
    talk = Talk(of(CLUSTER, a=1))
    (update,) = talk.ask(CLUSTER, "*", have=held)
    assert talk.ack(update) == ()
    assert talk.session.next_deadline() == LIMITS.asking_seconds
    assert names(talk.wait(LIMITS.asking_seconds)) == [([], ["b"])]


def test_16_a_removal_that_waits_for_routes_has_no_deadline_of_its_own() -> None:
    talk = reconnected(
        fleet({"o": "ab"}), fleet({"o": "ab"}), CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE
    )
    (rds,) = talk.publish(fleet({"o": "a"}))
    assert talk.wait(LIMITS.asking_seconds) == ()
    assert talk.session.next_deadline() == LIMITS.ack_seconds
    assert names(talk.ack(rds)) == [([], ["b"])] * 2


def test_16_while_clusters_are_held_back_endpoints_warm_them_and_routes_wait() -> None:
    before, after = fleet({"o": "a"}, {"b": 0}), fleet({"o": "bc"})
    talk = Talk(after)
    (eds,) = again(talk, before, ENDPOINTS)
    assert names((eds,)) == [(["b"], [])]  # it has them; that there are none of "a" would empty its cluster
    for kind in (LISTENER, SCOPED_ROUTE, ROUTE):
        assert again(talk, before, kind) == ()
    assert talk.ack(eds) == ()
    (cds,) = again(talk, before, CLUSTER)  # they are warm
    assert names((cds,)) == [(["c"], [])]
    (eds,) = talk.ask(ENDPOINTS, "c")
    assert talk.ack(eds) == ()
    (rds,) = talk.ack(cds)
    assert names((rds,)) == [(["o"], [])]
    assert names(talk.ack(rds)) == [([], ["a"])] * 2


def test_18_a_cluster_that_came_back_with_an_overdue_update_goes_after_its_routes() -> None:
    before = fleet({"o": "a"})
    talk = reconnected(before, before, CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE)
    after = fleet({"o": "b"})
    talk.publish(after.replace(CLUSTER, [res("a", 2), res("b")]))
    talk.publish(after)
    (repair,) = talk.wait(LIMITS.ack_seconds)
    assert names((repair,)) == [([], ["b"])]
    (trial,) = talk.ack(repair)
    assert names((trial,)) == [(["b"], [])]


def sidecar(snapshot) -> Talk:
    """A sidecar that has everything."""
    talk = Talk(snapshot)
    for kind, subscribe in (
        (CLUSTER, ()),
        (ENDPOINTS, tuple(snapshot.of(ENDPOINTS))),
        (LISTENER, ()),
        (SCOPED_ROUTE, ()),
        (ROUTE, tuple(snapshot.of(ROUTE))),
    ):
        for response in talk.ask(kind, *subscribe):
            assert talk.ack(response) == ()
    assert talk.session.unsynced(snapshot) == ()
    return talk


def test_17_and_18_clusters_go_after_the_routes_that_named_them() -> None:
    talk = sidecar(fleet({"o": "ab", "p": "b"}))
    (rds, *none) = talk.publish(fleet({"o": "b", "p": "b"}))
    assert (none, rds.type_url, names((rds,))) == ([], ROUTE, [(["o"], [])])
    assert [each.type_url for each in talk.ack(rds)] == [CLUSTER, ENDPOINTS]


def test_17_and_18_a_cluster_that_is_mended_keeps_its_endpoints_until_its_routes_are_new() -> None:
    talk = sidecar(fleet({"o": "ab"}))
    bad, eds = talk.publish(fleet({"o": "ab"}).replace(CLUSTER, [res("a"), res("b", 2)]))
    assert talk.ack(eds) == ()
    assert talk.publish(fleet({"o": "a"})) == ()
    (repair,) = talk.nack(bad, "b: no")  # it warms again: with the endpoints that the sidecar has
    (rds,) = talk.ack(repair)
    assert names((repair, rds)) == [(["b"], []), (["o"], [])]
    assert names(talk.ack(rds)) == [([], ["b"])] * 2


def test_18_a_scope_that_goes_is_gone_before_its_cluster() -> None:
    talk = sidecar(fleet({"o": "a", "p": "b"}))
    removals = talk.publish(fleet({"o": "a"}))
    assert [each.type_url for each in removals] == [SCOPED_ROUTE, ROUTE]
    scopes, routes = removals
    assert talk.ack(routes) == ()
    assert [(each.type_url, each.removed) for each in talk.ack(scopes)] == [
        (CLUSTER, ("b",)),
        (ENDPOINTS, ("b",)),
    ]


@pytest.mark.parametrize("type_url", [CLUSTER, LISTENER, SCOPED_ROUTE])
def test_19_nothing_at_all_deletes_nothing_and_what_should_go_goes_later(type_url: str) -> None:
    talk = opened(of(type_url, a=1, b=1), type_url)
    assert talk.wait(LIMITS.asking_seconds) == ()
    assert talk.publish(EMPTY_SNAPSHOT) == ()
    assert talk.session.subscriptions[type_url].held.keys() == {"a", "b"}
    assert names(talk.publish(of(type_url, b=1))) == [([], ["a"])]


def test_21_the_same_content_has_the_same_version_and_moves_nobody() -> None:
    talk = sidecar(fleet({"o": "ab"}))
    assert talk.publish(fleet({"o": "ba"})) == ()
    assert talk.session.unsynced(fleet({"o": "ab"})) == ()  # another object with the same content
    assert talk.session.unsynced(talk.session.snapshot) == ()


def test_22_two_streams_of_one_node_have_each_their_own_state() -> None:
    one, two = Talk(AB), Talk(AB)
    (first,) = one.ask(ROUTE, "a")
    one.nack(first, "no")
    assert names(two.ask(ROUTE, "a")) == [(["a"], [])]


def test_23_everything_at_once_goes_out_in_order_each_step_after_its_acknowledgements() -> None:
    talk = sidecar(fleet({"o": "a"}))
    (cds,) = talk.publish(fleet({"o": "b", "p": "b"}))
    assert (cds.type_url, names((cds,))) == (CLUSTER, [(["b"], [])])
    (eds,) = talk.ask(ENDPOINTS, "b")
    assert names((eds,)) == [(["b"], [])]
    assert talk.ack(eds) == ()  # Envoy ACKs the cluster once it is warm
    routes = talk.ack(cds)
    assert [(each.type_url, names((each,))) for each in routes] == [
        (SCOPED_ROUTE, [(["p"], [])]),
        (ROUTE, [(["o"], [])]),
    ]
    srds, rds = routes
    assert talk.ack(srds) == ()
    assert names(talk.ack(rds)) == [([], ["a"]), ([], ["a"])]


def test_23_a_generation_follows_the_tables_that_carry_it() -> None:
    talk = Talk(with_(of(OBJECTIVE_TABLES, o=1), ACTIVE_GENERATION, active=1))
    (tables,) = talk.ask(OBJECTIVE_TABLES, "*")
    assert talk.ask(ACTIVE_GENERATION, "*") == ()
    assert [each.type_url for each in talk.ack(tables)] == [ACTIVE_GENERATION]


def test_23_a_cold_sidecar_is_not_told_that_there_is_nothing_while_a_gate_is_shut() -> None:
    talk = Talk(fleet({"o": "a"}))
    talk.ask(CLUSTER)
    assert talk.ask(LISTENER) == ()
    assert talk.ask(SCOPED_ROUTE) == ()


def test_24_changes_for_a_slow_reader_coalesce_to_the_latest() -> None:
    talk = Talk(AB)
    (first,) = talk.ask(ROUTE, "a")
    for version in range(2, 1_000):
        assert talk.publish(of(ROUTE, a=version)) == ()
    (latest,) = talk.ack(first)
    assert latest.resources == (res("a", 999),)


def test_25_a_reconnect_with_a_hundred_thousand_names_is_taken() -> None:
    many = {f"cluster-{number}": 1 for number in range(100_000)}
    snapshot = of(CLUSTER, **many)
    held = {r.name: r.version for r in snapshot.of(CLUSTER).values()}
    assert Talk(snapshot).ask(CLUSTER, have=held) == ()


def test_25_and_more_names_than_a_stream_may_have_are_refused() -> None:
    talk = Talk(AB, replace(LIMITS, names=3))
    talk.ask(ROUTE, "a", "b")
    with pytest.raises(TooManyNames, match="more than 3 names"):
        talk.ask(ENDPOINTS, "c", "d")


def test_26_a_large_answer_comes_in_pieces_each_acknowledged() -> None:
    size = len("r0") + len(res("r0").body)
    talk = Talk(of(ROUTE, **{f"r{n}": 1 for n in range(7)}), replace(LIMITS, response_bytes=3 * size))
    (response,) = talk.ask(ROUTE, "*")
    pieces = [response]
    while following := talk.ack(pieces[-1]):
        pieces.extend(following)
    assert [len(piece.resources) for piece in pieces] == [3, 3, 1]
    assert talk.session.unsynced(talk.session.snapshot) == ()


def test_26_a_resource_larger_than_a_piece_goes_alone() -> None:
    talk = Talk(AB, replace(LIMITS, response_bytes=1))
    (first,) = talk.ask(ROUTE, "*")
    assert names((first, *talk.ack(first))) == [(["a"], []), (["b"], [])]


def test_a_model_that_a_host_refused_is_asked_for_again_after_a_while_and_when_it_is_published_again() -> (
    None
):
    talk = Talk(of(MODEL_ASSIGNMENT, m=1, n=1))
    (first,) = talk.ask(MODEL_ASSIGNMENT)
    (rest,) = talk.nack(first, "m: no room")
    talk.ack(rest)
    assert talk.refused(MODEL_ASSIGNMENT) == {"m": "no room"}
    assert talk.wait(LIMITS.retry_seconds - 1) == ()
    (again,) = talk.wait(1)
    assert [each.name for each in again.resources] == ["m"]
    assert talk.refused(MODEL_ASSIGNMENT) == {}
    talk.nack(again, "m: no room")
    assert talk.publish(of(MODEL_ASSIGNMENT, n=1)) == ()
    assert names(talk.publish(of(MODEL_ASSIGNMENT, m=1, n=1))) == [(["m"], [])]


def test_26_removals_and_names_that_nobody_has_come_in_pieces_too() -> None:
    unknown = tuple(f"{number:03}" + "x" * 97 for number in range(100))
    talk = Talk(EMPTY_SNAPSHOT, replace(LIMITS, response_bytes=1000))
    pieces = list(talk.ask(ROUTE, *unknown))
    while following := talk.ack(pieces[-1]):
        pieces.extend(following)
    assert [len(piece.removed) for piece in pieces] == [10] * 10
    assert [name for piece in pieces for name in piece.removed] == list(unknown)


def test_26_resources_and_removals_share_the_room_of_a_response() -> None:
    talk = opened(of(ROUTE, aaaa=1, bbbb=1), ROUTE, limits=replace(LIMITS, response_bytes=20))
    pieces = list(talk.publish(of(ROUTE, cccc=1, dddd=1)))  # names of 4 bytes, bodies of 6
    while following := talk.ack(pieces[-1]):
        pieces.extend(following)
    assert names(tuple(pieces)) == [(["cccc"], ["aaaa", "bbbb"]), (["dddd"], [])]


@pytest.mark.parametrize("asked", ["a", "*"])
def test_27_a_refused_version_is_sent_again_when_it_is_asked_for_anew(asked: str) -> None:
    talk = Talk(of(ROUTE, a=1))
    (first,) = talk.ask(ROUTE, asked)
    assert talk.nack(first, "a: no") == ()
    (again,) = talk.ask(ROUTE, asked)
    assert again.resources == first.resources
    assert talk.refused(ROUTE) == {}
    assert talk.ack(again) == ()
    assert talk.session.unsynced(of(ROUTE, a=1)) == ()


def test_27_a_refused_version_is_sent_again_after_it_was_wanted_no_more() -> None:
    talk = Talk(AB)
    (first,) = talk.ask(ROUTE, "a")
    assert talk.nack(first, "a: no") == ()
    assert talk.ask(ROUTE, drop=("a",)) == ()
    assert names(talk.ask(ROUTE, "a")) == [(["a"], [])]


def test_27_the_wildcard_asked_for_anew_sends_all_and_is_answered_with_nothing_too() -> None:
    talk = opened(AB, ROUTE, "*")
    assert names(talk.ask(ROUTE, "*")) == [(["a", "b"], [])]
    assert names(opened(EMPTY_SNAPSHOT, ROUTE, "a").ask(ROUTE, "*")) == [([], [])]


def test_28_a_first_request_that_only_unsubscribes_is_no_wildcard_nor_is_a_later_one() -> None:
    for drop in (("a",), ("*",)):
        talk = Talk(AB)
        assert talk.ask(ROUTE, drop=drop) == ()
        assert talk.ask(ROUTE) == ()
        assert talk.publish(of(ROUTE, a=2, b=2)) == ()
        assert names(talk.ask(ROUTE, "b")) == [(["b"], [])]


def test_28_a_variant_is_no_wildcard_and_there_is_none() -> None:
    talk = Talk(AB)
    assert talk.session.on_request(DeltaRequest(type_url=ROUTE, variants=("a",)), 0.0) == ()
    assert talk.publish(of(ROUTE, a=2, b=2)) == ()


def test_29_a_name_twice_in_a_request_is_one() -> None:
    talk = opened(AB, ROUTE, "a", "a", "none", "none")
    assert talk.session.subscriptions[ROUTE].names == {"a", "none"}
    assert names(talk.ask(ROUTE, "a", "a")) == [(["a"], [])]
    talk.ask(ROUTE, drop=("a", "a"))
    assert talk.session.subscriptions[ROUTE].names_length == len("none")


@pytest.mark.parametrize("first", [True, False])
def test_29_a_name_that_comes_and_goes_in_one_request_has_gone(first: bool) -> None:
    talk = Talk(AB) if first else opened(AB, ROUTE, "b")
    assert talk.ask(ROUTE, "a", drop=("a",)) == ()
    assert talk.publish(of(ROUTE, a=2, b=1)) == ()


@pytest.mark.parametrize("error", [None, "no", ""])
def test_30_a_first_request_may_carry_a_nonce_of_a_stream_before_or_of_another_type(
    error: str | None,
) -> None:
    talk = opened(AB)
    nonce = "1"  # that of the routes
    assert names(talk.ask(CLUSTER, "*", nonce=nonce, error=error)) == [([], [])]
    assert talk.refused(ROUTE) == talk.refused(CLUSTER) == {}


def test_30_a_nack_without_a_text_is_a_nack() -> None:
    talk = Talk(AB)
    (first,) = talk.ask(ROUTE, "a")
    assert talk.nack(first, "") == ()
    assert talk.refused(ROUTE) == {"a": ""}


def test_30_what_a_client_has_and_doesnt_ask_for_is_none_of_ours() -> None:
    talk = Talk(AB)
    assert names(talk.ask(ROUTE, "a", have={"b": "old", "gone": "old"})) == [(["a"], [])]
    assert talk.session.held(ROUTE).keys() == set()
    assert names(talk.ask(ROUTE, "b")) == []  # the first isn't answered yet


def test_31_long_names_are_refused_before_anything_is_kept() -> None:
    talk = Talk(AB, replace(LIMITS, name_length=3, names_length=10))
    with pytest.raises(TooManyNames, match="a name of 4 characters; 3 are allowed"):
        talk.ask(ROUTE, "aaaa")
    with pytest.raises(TooManyNames, match="more than 10 characters"):
        talk.ask(ROUTE, "a", have={f"{number:03}": "1" for number in range(4)})
    assert talk.session.subscriptions == {}
    talk.ask(ROUTE, "aaa", "bbb", "ccc")
    with pytest.raises(TooManyNames, match="more than 10 characters"):
        talk.ask(ROUTE, "ddd")
