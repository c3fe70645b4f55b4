"""What a relay holds, whatever comes and whatever Envoy says to it."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from lightbulb.ads.client.held import stamp_of, with_stamp
from lightbulb.ads.client.session import Update
from lightbulb.ads.server.order import NEVER_EMPTIED
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, Resource
from lightbulb.sidecar.holdings import TYPES, Holdings, refuse_emptying, start_from

NAMES = ("a", "b", "c")

updates = st.builds(
    lambda type_url, versions, removed: Update(
        type_url=type_url,
        added=tuple(resource(name, version) for name, version in versions.items()),
        removed=tuple(sorted(removed - versions.keys())),
    ),
    st.sampled_from((CLUSTER, ENDPOINTS)),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from("123")),
    st.sets(st.sampled_from(NAMES)),
)


def resource(name: str, version: str) -> Resource:
    return Resource(name=name, version=version, body=b"")


def versions(resources: Iterable[Resource]) -> dict[str, str]:
    return {each.name: each.version for each in resources}


@given(st.lists(st.tuples(updates, st.sets(st.sampled_from(NAMES)))))
def test_what_is_refused_stays_as_it_was_and_the_rest_is_taken(
    steps: list[tuple[Update, set[str]]],
) -> None:
    holdings = Holdings()
    for update, refused in steps:
        before = versions(holdings.accepted.get(update.type_url, {}).values())
        news: dict[str, str | None] = versions(update.added) | dict.fromkeys(update.removed)
        taken = holdings.take(update)
        assert taken.accepted is holdings.accepted
        assert_is(taken.wanted.of(update.type_url).values(), before | news)
        holdings = taken.settle(update, dict.fromkeys(refused & news.keys(), "no"))
        after = before | {name: version for name, version in news.items() if name not in refused}
        assert_is(holdings.accepted.get(update.type_url, {}).values(), after)
        assert_is(holdings.wanted.of(update.type_url).values(), after)


def assert_is(resources: Iterable[Resource], expected: dict[str, str | None]) -> None:
    assert versions(resources) == {name: version for name, version in expected.items() if version}


@given(st.lists(updates))
def test_clusters_are_never_all_taken_away(steps: list[Update]) -> None:
    holdings = Holdings().take(Update(type_url=CLUSTER, added=(resource("a", "1"),), removed=()))
    for update in steps:
        if not refuse_emptying(holdings.wanted, update):
            holdings = holdings.take(update)
        assert holdings.wanted.of(CLUSTER)


def test_a_start_is_from_all_that_envoy_needs_or_from_nothing() -> None:
    whole = {type_url: {"a": resource("a", "1")} for type_url in TYPES}
    assert start_from(whole).accepted == whole
    for type_url in NEVER_EMPTIED:
        assert start_from(whole | {type_url: {}}) == Holdings()
        assert start_from({other: each for other, each in whole.items() if other != type_url}) == Holdings()


def test_how_new_it_is_is_kept_with_what_can_be_started_from() -> None:
    kept = {type_url: {"x": resource("x", "1")} for type_url in (CLUSTER, LISTENER, SCOPED_ROUTE)}
    assert stamp_of(with_stamp(kept, "store:7")) == "store:7"
    assert stamp_of(kept) == stamp_of(with_stamp(kept, "")) == ""
    assert start_from(with_stamp(kept, "store:7")) == start_from(kept)
    assert start_from(with_stamp({}, "store:7")) == Holdings()
