"""Plans to resources: the same bytes everywhere, and nothing that Envoy would refuse."""

import subprocess
import sys
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import RoutingRule
from controlplane.planning.routing import NO_ROUTING, Inconsistent, Routing, check_routes, routing
from controlplane.xds.resources import clusters, endpoints, routes, scopes


def rule(key: str, vip: str = "a") -> RoutingRule:
    return RoutingRule(objective=key.partition("|")[0], key=key, vip=vip)


RULES = [rule(f"o{number % 3}|m|{number}", "ab"[number % 2]) for number in range(30)]

PRINT_VERSIONS = """
from controlplane.xds.resources import *
from controlplane.xds.listener import listener
from tests.xds.test_resources import RULES
made = [*routes(RULES, "ab"), *clusters("ab"), *scopes({r.objective for r in RULES}),
        *endpoints({"b": (("10.0.0.1", 1),), "a": ()}), listener("127.0.0.1", 1, "homepage")]
print(*(f"{each.name} {each.version}" for each in made), sep="\\n")
"""


def versions(seed: str) -> str:
    command = [sys.executable, "-c", PRINT_VERSIONS]
    done = subprocess.run(
        command,
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_21_two_replicas_make_the_same_bytes() -> None:
    assert versions("1") == versions("2") != ""


@given(st.permutations(RULES))
def test_21_the_order_of_the_rules_does_not_matter(shuffled: list[RoutingRule]) -> None:
    assert routes(shuffled, "ab") == routes(RULES, "ba")


def test_one_changed_key_changes_its_objectives_routes_and_no_others() -> None:
    changed = [rule("o1|new|1"), *RULES]
    before = {each.name: each.version for each in routes(RULES, "ab")}
    after = {each.name: each.version for each in routes(changed, "ab")}
    assert {name for name in after if after[name] != before[name]} == {"o1"}


def test_a_route_says_which_clusters_it_needs() -> None:
    assert {each.name: each.refers for each in routes([rule("o|m|1", "a"), rule("o|m|2", "b")], "abc")} == {
        "o": {"a", "b"}
    }


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([rule("o|m|1", "nowhere")], ["o|m|1: no cluster for VIP 'nowhere'"]),
        ([rule("o|m|1", "a"), rule("o|m|1", "b")], ["o|m|1 goes to both a and b"]),
        ([rule("o|m"), rule("o|m x|1")], ["'o|m' is not a routing key", "'o|m x|1' is not a routing key"]),
        ([RoutingRule(objective="o", key="p|m|1", vip="a")], ["'p|m|1' is not a routing key of o"]),
    ],
)
def test_what_a_sidecar_would_refuse_never_leaves_the_house(
    rules: Iterable[RoutingRule], words: list[str]
) -> None:
    rules = tuple(rules)
    with pytest.raises(Inconsistent) as error:
        routes(rules, "ab")
    assert all(each in str(error.value) for each in words)
    with pytest.raises(Inconsistent) as at_publish:
        check_routes(rules, "ab")
    assert str(at_publish.value) == str(error.value)
    check_routes(RULES, "ab")


def test_nothing_to_route_makes_no_empty_map() -> None:
    assert routes([], "a") == ()
    assert scopes([]) == ()
    assert [each.name for each in clusters("ba")] == ["a", "b"]
    assert [each.name for each in endpoints({"b": (), "a": ()})] == ["a", "b"]


def found(rules: tuple[RoutingRule, ...], vips: str, before: Routing) -> Routing | str:
    try:
        return routing(rules, vips, before)
    except Inconsistent as error:
        return str(error)


def test_keys_of_objectives_that_are_as_they_were_arent_looked_at_again_and_come_out_the_same() -> None:
    chance, before, reached = Random(1), NO_ROUTING, set[str]()
    rules = [rule(f"{name}|m|1", vip) for name in "ab" for vip in "xy"]
    for _ in range(300):
        some, vips = tuple(chance.sample(rules, chance.randrange(4))), chance.choice(("x", "xy", "xyz"))
        now, anew = found(some, vips, before), found(some, vips, NO_ROUTING)
        if isinstance(now, str) or isinstance(anew, str):
            assert now == anew
            reached.add("refused")
            continue
        assert now.targets == anew.targets
        assert found(some, f"{vips}w", now) is now
        kept = any(own is before.targets.get(name) for name, own in now.targets.items())
        reached.add("kept" if kept else "made")
        before = now
    assert reached == {"refused", "kept", "made"}
