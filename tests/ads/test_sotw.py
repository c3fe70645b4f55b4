"""State-of-the-world ADS: the cases in which it differs from delta; numbers as in test_cases."""

from typing import Any

import pytest

from lightbulb.ads.messages import SotwRequest, SotwResponse
from lightbulb.ads.server.refusals import EVERYTHING
from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, Snapshot
from lightbulb.ads.server.sotw import SotwSession
from lightbulb.ads.server.tracks import SessionLimits, TooManyNames
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE
from tests.ads.worlds import LIMITS, fleet, of, res

AB = of(ROUTE, a=1, b=1)


class Talk:
    def __init__(self, snapshot: Snapshot | None, limits: SessionLimits = LIMITS) -> None:
        self.session = SotwSession(snapshot, limits)
        self.now = 0.0
        self.names: dict[str, tuple[str, ...]] = {}

    def ask(self, type_url: str, *names: str, **parts: Any) -> tuple[SotwResponse, ...]:
        self.names[type_url] = names
        return self.session.on_request(SotwRequest(type_url=type_url, names=names, **parts), self.now)

    def ack(self, response: SotwResponse) -> tuple[SotwResponse, ...]:
        named = self.names[response.type_url]
        return self.ask(response.type_url, *named, nonce=response.nonce, version=response.version)

    def nack(self, response: SotwResponse, error: str) -> tuple[SotwResponse, ...]:
        return self.ask(response.type_url, *self.names[response.type_url], nonce=response.nonce, error=error)

    def publish(self, snapshot: Snapshot) -> tuple[SotwResponse, ...]:
        return self.session.on_snapshot(snapshot, self.now)

    def wait(self, seconds: float) -> tuple[SotwResponse, ...]:
        self.now += seconds
        return self.session.on_tick(self.now)


def opened(snapshot: Snapshot, type_url: str, *names: str) -> Talk:
    talk = Talk(snapshot)
    (first,) = talk.ask(type_url, *names)
    assert talk.ack(first) == ()
    return talk


def contents(*responses: SotwResponse) -> list[list[str]]:
    return [[resource.name for resource in each.resources] for each in responses]


def test_1_no_names_are_everything_at_first_and_nothing_after_names() -> None:
    talk = Talk(of(CLUSTER, a=1, b=1))
    (first,) = talk.ask(CLUSTER)
    assert contents(first) == [["a", "b"]]
    assert talk.ask(CLUSTER, nonce=first.nonce) == ()
    named = opened(AB, ROUTE, "a")
    (watch,) = named.session.watches.values()
    named.ask(ROUTE, nonce=watch.nonce)
    assert named.publish(of(ROUTE, a=2, b=2)) == ()


def test_1_the_wildcard_can_be_named_and_taken_back() -> None:
    talk = opened(AB, ROUTE, "*", "a")
    (both,) = talk.publish(of(ROUTE, a=2, b=2))
    assert contents(both) == [["a", "b"]]
    assert talk.ask(ROUTE, "a", nonce=both.nonce) == ()
    assert contents(*talk.publish(of(ROUTE, a=3, b=3))) == [["a"]]


def test_1_before_there_is_anything_to_serve_nothing_is_said() -> None:
    talk = Talk(None)
    assert talk.ask(CLUSTER) == ()
    assert contents(*talk.publish(of(CLUSTER, a=1))) == [["a"]]


def test_2_fewer_names_are_no_news_and_more_names_are() -> None:
    talk = opened(AB, ROUTE, "a", "b")
    nonce = talk.session.watches[ROUTE].nonce
    assert talk.ask(ROUTE, "a", nonce=nonce) == ()
    (again,) = talk.ask(ROUTE, "a", "b", nonce=nonce)
    assert contents(again) == [["a", "b"]]


def test_5_an_unknown_name_is_answered_without_it_and_sent_when_it_comes_to_exist() -> None:
    talk = opened(EMPTY_SNAPSHOT, ROUTE, "late")
    assert contents(*talk.publish(of(ROUTE, late=1))) == [["late"]]


def test_8_a_stale_nonce_is_ignored() -> None:
    talk = Talk(AB)
    (first,) = talk.ask(ROUTE, "a")
    assert talk.ask(ROUTE, "a", "b", nonce="stale", error="no") == ()
    assert talk.session.watches[ROUTE].pending == first.resources
    assert talk.session.watches[ROUTE].names == {"a"}


def test_9_and_11_refused_content_is_not_sent_again_and_counts_while_it_is_wanted() -> None:
    talk = opened(of(ROUTE, a=1), ROUTE, "a")
    (bad,) = talk.publish(of(ROUTE, a=2))
    assert talk.nack(bad, "a: no") == ()
    assert talk.session.watches[ROUTE].refusals() == {"a": "no"}
    assert talk.publish(of(ROUTE, a=2, other=1)) == ()
    assert talk.publish(of(ROUTE, a=1)) == ()  # what it has
    assert talk.session.watches[ROUTE].refusals() == {}
    assert contents(*talk.publish(of(ROUTE, a=3))) == [["a"]]


def test_9_what_is_refused_is_told_of_what_is_asked_about() -> None:
    talk = opened(AB, ROUTE, "a", "b")
    refused = of(ROUTE, a=2, b=1)
    (second,) = talk.publish(refused)
    talk.nack(second, "a: no")
    talk.publish(of(ROUTE, a=3, b=1))
    watch = talk.session.watches[ROUTE]
    assert watch.refusals() == {}
    assert watch.refusals(refused.of(ROUTE)) == {"a": "no"}


def test_9_what_a_text_doesnt_name_is_refused_as_a_whole_and_what_a_nack_names_by_name() -> None:
    for error, refused, found in (
        ("no memory", {}, {(ROUTE, EVERYTHING): "no memory"}),
        ("b, c: no", {}, {(ROUTE, "b"): "b, c: no"}),
        ("two of them", {"a": "too long", "c": "unknown"}, {(ROUTE, "a"): "too long"}),
    ):
        talk = Talk(AB)
        (bad,) = talk.ask(ROUTE, "a", "b")
        assert talk.ask(ROUTE, "a", "b", nonce=bad.nonce, error=error, refused=refused) == ()
        assert talk.session.refusals(AB) == found
        assert talk.session.refusals(of(ROUTE, a=2, b=1)) == {}


def test_9_resources_of_two_types_may_have_one_name() -> None:
    both = of(CLUSTER, a=1).replace(ENDPOINTS, of(ENDPOINTS, a=1).of(ENDPOINTS).values())
    talk = Talk(both)
    for kind in (CLUSTER, ENDPOINTS):
        (bad,) = talk.ask(kind, "a")
        talk.nack(bad, kind)
    assert talk.session.refusals(both) == {(kind, "a"): kind for kind in (CLUSTER, ENDPOINTS)}


def test_12_refused_clusters_are_taken_back_to_what_was_held() -> None:
    talk = opened(of(CLUSTER, a=1), CLUSTER)
    (bad,) = talk.publish(of(CLUSTER, a=1, b=1))
    (repair,) = talk.nack(bad, "b: no")
    assert contents(repair) == [["a"]]
    assert talk.nack(repair, "I refuse everything") == ()
    assert talk.session.watches[CLUSTER].refusals() == {"b": "no"}


def test_12_clusters_that_never_warm_are_taken_back_at_the_deadline() -> None:
    talk = opened(of(CLUSTER, a=1), CLUSTER)
    talk.publish(of(CLUSTER, a=1, b=1))
    (repair,) = talk.wait(LIMITS.ack_seconds)
    assert contents(repair) == [["a"]]
    assert talk.session.watches[CLUSTER].late
    assert talk.ack(repair) == ()
    assert not talk.session.watches[CLUSTER].late


def test_12_endpoints_go_again_with_a_cluster_that_changes_and_with_no_other() -> None:
    talk = sidecar(fleet({"o": "a"}))
    moved = fleet({"o": "a"}).replace(CLUSTER, [res("a", 2)])
    assert [each.type_url for each in talk.publish(moved)] == [CLUSTER, ENDPOINTS]
    talk = sidecar(fleet({"o": "a"}))
    assert [each.type_url for each in talk.publish(fleet({"o": "a"}).replace(LISTENER, [res("l", 2)]))] == [
        LISTENER
    ]


def test_14_an_unknown_type_is_ignored() -> None:
    assert Talk(AB).ask("type.googleapis.com/unknown.Type") == ()


def test_16_and_21_a_reconnect_with_the_version_of_the_same_content_is_sent_nothing() -> None:
    (first,) = Talk(AB).ask(ROUTE, "a", "b")
    replica = Talk(of(ROUTE, b=1, a=1))
    assert replica.ask(ROUTE, "a", "b", version=first.version) == ()
    assert contents(*replica.publish(of(ROUTE, a=1, b=2))) == [["a", "b"]]


def test_16_what_a_reconnecting_client_has_is_known_though_there_was_something_else_to_show() -> None:
    (first,) = Talk(AB).ask(ROUTE, "a", "b")
    talk = Talk(None)
    assert talk.ask(ROUTE, "a", "b", version=first.version) == ()
    assert talk.publish(AB) == ()
    assert talk.session.held(ROUTE) == {"a": res("a").version, "b": res("b").version}


def test_16_a_reconnecting_sidecar_keeps_its_clusters_until_its_routes_are_new() -> None:
    before = fleet({"o": "a"})
    old, talk = sidecar(before), Talk(before)
    for kind, asked in old.names.items():
        assert talk.ask(kind, *asked, version=old.session.watches[kind].version) == ()
    assert talk.session.unsynced(before) == ()
    (cds,) = talk.publish(fleet({"o": "b"}))
    assert (cds.type_url, contents(cds)) == (CLUSTER, [["a", "b"]])


def test_16_however_late_a_request_for_routes_is_read_their_clusters_stay() -> None:
    before = fleet({"o": "ab"})
    old, talk = sidecar(before), Talk(before)
    versions = {kind: old.session.watches[kind].version for kind in old.names}
    for kind in (CLUSTER, ENDPOINTS):
        assert talk.ask(kind, *old.names[kind], version=versions[kind]) == ()
    assert talk.publish(fleet({"o": "a"})) == ()
    clusters, endpoints = talk.wait(100 * LIMITS.asking_seconds)
    assert contents(clusters, endpoints) == [["a", "b"]] * 2  # as they are: who answers has asked for all
    for kind in (LISTENER, SCOPED_ROUTE):
        assert talk.ask(kind, *old.names[kind], version=versions[kind]) == ()
    assert talk.ask(ROUTE, "o", version=versions[ROUTE]) == ()
    assert talk.ack(clusters) == ()
    (rds,) = talk.ack(endpoints)
    assert rds.type_url == ROUTE
    assert contents(*talk.ack(rds)) == [["a"]] * 2


def test_16_a_client_of_clusters_only_is_told_of_removals_after_a_while() -> None:
    talk = Talk(of(CLUSTER, a=1, b=1))
    version = opened(of(CLUSTER, a=1, b=1), CLUSTER).session.watches[CLUSTER].version
    assert talk.ask(CLUSTER, version=version) == ()
    assert talk.publish(of(CLUSTER, a=1)) == ()
    (question,) = talk.wait(LIMITS.asking_seconds)
    assert contents(question) == [["a", "b"]]
    assert contents(*talk.ack(question)) == [["a"]]


def test_16_while_clusters_are_held_back_endpoints_warm_them_and_routes_wait() -> None:
    before = fleet({"o": "a"})
    old, talk = sidecar(before), Talk(fleet({"o": "a", "p": "a"}))
    (eds,) = talk.ask(ENDPOINTS, "a", version=old.session.watches[ENDPOINTS].version)
    assert contents(eds) == [["a"]]
    assert talk.ask(ROUTE, "o", "p", version=old.session.watches[ROUTE].version) == ()
    assert talk.ack(eds) == ()
    (rds,) = talk.ask(CLUSTER, version=old.session.watches[CLUSTER].version)
    assert contents(rds) == [["o", "p"]]


@pytest.mark.parametrize("type_url", [CLUSTER, LISTENER, SCOPED_ROUTE])
def test_19_nothing_at_all_deletes_nothing(type_url: str) -> None:
    talk = opened(of(type_url, a=1), type_url)
    talk.now = LIMITS.asking_seconds
    assert talk.publish(EMPTY_SNAPSHOT) == ()
    assert contents(*talk.publish(of(type_url, b=1))) == [["b"]]


def sidecar(snapshot: Snapshot) -> Talk:
    talk = Talk(snapshot)
    for kind, asked in (
        (CLUSTER, ()),
        (ENDPOINTS, tuple(snapshot.of(ENDPOINTS))),
        (LISTENER, ()),
        (SCOPED_ROUTE, ()),
        (ROUTE, tuple(snapshot.of(ROUTE))),
    ):
        for response in talk.ask(kind, *asked):
            assert talk.ack(response) == ()
    assert talk.session.unsynced(snapshot) == ()
    return talk


def test_18_and_23_a_move_is_made_before_it_is_broken() -> None:
    talk = sidecar(fleet({"o": "a"}))
    (cds,) = talk.publish(fleet({"o": "b"}))
    assert (cds.type_url, contents(cds)) == (CLUSTER, [["a", "b"]])
    watch = talk.session.watches[ENDPOINTS]
    (eds,) = talk.ask(ENDPOINTS, "a", "b", nonce=watch.nonce)
    assert talk.ack(eds) == ()
    (rds,) = talk.ack(cds)
    assert rds.type_url == ROUTE
    removals = talk.ack(rds)
    assert [(each.type_url, contents(each)) for each in removals] == [
        (CLUSTER, [["b"]]),
        (ENDPOINTS, [["b"]]),
    ]


def test_23_routes_wait_while_clusters_are_refused() -> None:
    talk = sidecar(fleet({"o": "a"}))
    (cds,) = talk.publish(fleet({"o": "b"}))
    repair, eds = talk.nack(cds, "b: no")  # what is taken back wants its endpoints again
    assert (repair.type_url, eds.type_url) == (CLUSTER, ENDPOINTS)
    assert talk.ack(eds) == ()
    assert talk.ack(repair) == ()
    assert ROUTE in talk.session.unsynced(talk.session.snapshot)
    (srds,) = talk.publish(fleet({"o": "a", "p": "a"}))
    assert srds.type_url == SCOPED_ROUTE


def test_25_more_names_than_a_stream_may_have_are_refused() -> None:
    talk = Talk(AB, SessionLimits(names=1))
    with pytest.raises(TooManyNames, match="more than 1 names"):
        talk.ask(ROUTE, "a", "b")


def test_a_response_has_the_version_of_its_content() -> None:
    talk = Talk(of(ROUTE, a=1))
    (first,) = talk.ask(ROUTE, "a")
    assert first.resources == (res("a", 1),)
    talk.ack(first)
    (second,) = talk.publish(of(ROUTE, a=2))
    assert second.version != first.version
    talk.ack(second)
    (third,) = talk.publish(of(ROUTE, a=1))
    assert third.version == first.version


def test_19_a_reconnect_to_a_server_that_has_nothing_deletes_nothing_and_a_cold_start_is_answered() -> None:
    assert Talk(EMPTY_SNAPSHOT).ask(CLUSTER, version="of another stream") == ()
    (cold,) = Talk(EMPTY_SNAPSHOT).ask(CLUSTER)
    assert cold.resources == ()


def test_27_what_was_refused_is_sent_again_when_it_is_asked_for_anew() -> None:
    talk = Talk(of(ROUTE, a=1))
    (first,) = talk.ask(ROUTE, "a")
    assert talk.nack(first, "a: no") == ()
    (nothing,) = talk.ask(ROUTE, nonce=first.nonce)
    assert contents(nothing) == [[]]
    assert talk.ack(nothing) == ()
    (again,) = talk.ask(ROUTE, "a", nonce=nothing.nonce)
    assert again.resources == first.resources


def test_28_a_first_request_for_a_variant_is_no_wildcard() -> None:
    talk = Talk(of(CLUSTER, a=1))
    (first,) = talk.ask(CLUSTER, variants=("a",))
    assert first.resources == ()


def test_29_a_name_twice_is_one_and_an_answer_with_other_names_is_both() -> None:
    talk = Talk(AB)
    (first,) = talk.ask(ROUTE, "a", "a")
    assert contents(first) == [["a"]]
    (second,) = talk.ask(ROUTE, "b", "b", nonce=first.nonce, version=first.version)
    assert contents(second) == [["b"]]


def test_30_a_nonce_and_an_error_of_a_stream_before_say_nothing() -> None:
    talk = Talk(AB)
    (first,) = talk.ask(ROUTE, "a", nonce="7", error="")
    assert contents(first) == [["a"]]
    assert talk.nack(first, "") == ()
    assert talk.session.refusals(AB) == {(ROUTE, "a"): ""}


def test_31_long_names_are_refused() -> None:
    talk = Talk(AB, SessionLimits(name_length=3, names_length=10))
    with pytest.raises(TooManyNames, match="a name of 4 characters; 3 are allowed"):
        talk.ask(ROUTE, "aaaa")
    with pytest.raises(TooManyNames, match="more than 10 characters"):
        talk.ask(ROUTE, "aaa", "bbb", "ccc", "ddd")
