"""Layers of tenants: whose they are, and that tests of two tenants in a shared one never meet."""

from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from controlplane.admin.planner import layers_of
from controlplane.model import Plan, Platform, Workspace
from controlplane.planning.layers import Layers, Part, clashes, in_layers, layer_of, layer_salt, not_shared
from controlplane.problems import WorkspaceError
from controlplane.rollout.codec import platform_from_bytes, platform_to_bytes
from controlplane.rollout.lanes import NO_LANES
from controlplane.rollout.state import Generation, Phase, Rollout
from controlplane.rules.platform import read_platform
from lightbulb.model import BASIS_POINTS, AbRule, ObjectiveTable
from lightbulb.resolution.allocate import in_layer
from tests.lightbulb.tables import AB_RULE, TABLE

FLEET = "shards:\n  - {name: a, vip: vip-a, memory: 2GiB}\n"


def platform(search: str = "[{name: home, shared_with: [ads]}]", ads: str = "[]", more: str = "") -> Platform:
    tenants = (
        "tenants:\n"
        f"  - {{name: search, owner: s, layers: {search}}}\n"
        f"  - {{name: ads, owner: a, layers: {ads}}}\n"
        f"  - {{name: mail, owner: m}}\n  - {{name: default, owner: d}}\n{more}"
    )
    return read_platform(Workspace(files={"fleet.yaml": FLEET.encode(), "tenants.yaml": tenants.encode()}))


def rule(begin: int, end: int, test: str = "t", layer: str = "home", unit: str = "") -> AbRule:
    return replace(
        AB_RULE, test_id=test, layer_salt=f"layer:{layer}", layer_begin=begin, layer_end=end, unit=unit
    )


def table(*rules: AbRule) -> ObjectiveTable:
    return replace(TABLE, ab_rules=rules)


def compiled(tenant: str, *rules: AbRule) -> tuple[ObjectiveTable, ...]:
    """What a tenant's rules come to on the platform."""
    return in_layers((table(*rules),), layers_of(platform(), NO_LANES, tenant, {}))


def beside(tenant: str, **numbers: tuple[str, int, tuple[ObjectiveTable, ...]]) -> Layers:
    """What binds a tenant where others have generations: state of the rollout -> tenant, number, tables."""
    lanes, generations = NO_LANES, {}
    for state, (name, number, tables) in numbers.items():
        plan = Plan(tables=tables, routes=(), assignments=())
        generations[number] = Generation(number=number, content_hash="", plan=plan, tenant=name)
        before = lanes.of(name) or Rollout(phase=Phase.SETTLED, entered=0.0)
        live = (*before.live, *(() if state == "target" else (number,)))
        changes = {state: number} if state in {"active", "target"} else {}
        lanes = lanes.after(name, replace(before, live=live, held=live, **changes))
    return layers_of(platform(), lanes, tenant, generations)


def test_a_layer_is_its_tenants_and_shared_it_is_its_owners() -> None:
    salts = {
        name: [each.layer_salt for each in compiled(name, rule(0, 1), rule(0, 1, layer="own"))[0].ab_rules]
        for name in ("search", "ads", "mail", "default")
    }
    assert salts == {
        "search": ["layer:search/home", "layer:search/own"],
        "ads": ["layer:search/home", "layer:ads/own"],
        "mail": ["layer:mail/home", "layer:mail/own"],
        "default": ["layer:home", "layer:own"],
    }
    assert [layer_of(layer_salt("home", each)) for each in salts] == [(each, "home") for each in salts]
    untouched = (replace(TABLE, ab_rules=()),)
    assert in_layers(untouched, Layers(tenant="ads"))[0] is untouched[0]


def test_layers_of_one_name_deal_two_tenants_users_independently() -> None:
    """Of those in one tenant's half of its layer, half are in the other's, not all."""
    (search,), (mail,) = (compiled(each, rule(0, 5_000))[0].ab_rules for each in ("search", "mail"))
    users = [f"u{number}" for number in range(4_000)]
    inside = [user for user in users if in_layer(search, user)]
    both = sum(in_layer(mail, user) for user in inside)
    assert 0.4 < both / len(inside) < 0.6


def test_who_has_the_buckets_is_named_with_what_is_free() -> None:
    layers = beside("ads", active=("search", 7, compiled("search", rule(2_000, 5_000, "s"))))
    own = compiled("ads", rule(0, 3_000, "a"), rule(6_000, 7_050, "b"))
    (problem,) = clashes((*own, *own), layers)  # two objectives may use one test
    assert str(problem.message) == (
        "test a is to have 0-30% of layer home, of which tenant search's test s has 20-50%"
    )
    assert (problem.code, problem.rule) == ("LAYER_TAKEN", "defineAB12345Rule")
    assert problem.remedy == (
        "take what is free: 0-20%, 50-60%, 70.5-100%; or have tenant search make room, "
        "and wait until that is active"
    )
    whole = beside("ads", active=("search", 7, compiled("search", rule(0, 10_000, "s"))))
    assert next(iter(clashes(own, whole))).remedy.startswith("nothing of it is free")
    assert not list(clashes(compiled("mail", rule(0, 10_000)), replace(whole, tenant="mail")))


def test_what_is_active_or_on_its_way_binds_and_what_may_be_rolled_back_to_does_not() -> None:
    tables = compiled("search", rule(0, 5_000, "s"))
    mine = compiled("ads", rule(0, 5_000))
    for state, bound in (("active", True), ("target", True), ("window", False)):
        assert bool(list(clashes(mine, beside("ads", **{state: ("search", 7, tables)})))) is bound, state
    assert not list(clashes(mine, beside("ads", active=("ads", 7, mine))))  # its own


def test_a_shared_layer_is_of_one_unit() -> None:
    layers = beside("ads", active=("search", 7, compiled("search", rule(0, 5_000, "s"))))
    (problem,) = clashes(compiled("ads", rule(5_000, 6_000, "a", unit="session_id")), layers)
    assert (problem.code, problem.message) == (
        "LAYER_UNIT",
        "test a goes by session_id, and tenant search's test s by user: they can't share out layer home",
    )


RANGES = st.lists(st.integers(0, 12), min_size=2, max_size=2, unique=True).map(
    lambda ends: (min(ends) * 800, max(ends) * 800)
)


@given(ours=RANGES, theirs=st.lists(RANGES, max_size=3))
def test_a_test_is_taken_exactly_if_it_has_no_bucket_of_anothers(
    ours: tuple[int, int], theirs: list[tuple[int, int]]
) -> None:
    parts = tuple(Part(tenant="search", test=str(n), begin=b, end=e) for n, (b, e) in enumerate(theirs))
    layers = Layers(tenant="ads", owners={"home": "search"}, taken={layer_salt("home", "search"): parts})
    met = any(set(range(*ours)) & set(range(*each)) for each in theirs)
    event(f"they meet: {met}")
    found = list(clashes(compiled("ads", rule(*ours)), layers))
    assert bool(found) is met
    if found:
        free = set(range(BASIS_POINTS)) - {n for each in theirs for n in range(*each)}
        assert ("nothing of it is free" in found[0].remedy) is not bool(free)


def test_layers_that_would_be_others_are_named() -> None:
    shared, own = compiled("ads", rule(0, 1, "a"), rule(0, 1, "b")), compiled("mail", rule(0, 1, "m"))
    assert not list(not_shared(shared, Layers(tenant="ads", owners={"home": "search"})))
    (problem,) = not_shared(shared, Layers(tenant="ads"))
    assert problem.code == "LAYER_IN_USE"
    assert problem.message == (
        "tenant ads has tests in a layer home, tenant search's: a, b; it isn't shared with it"
    )
    (problem,) = not_shared(own, Layers(tenant="mail", owners={"home": "search"}))
    assert problem.message == (
        "tenant mail has tests in a layer home, its own: m; by that name it shares tenant search's"
    )


def test_the_platform_is_stored_with_its_layers() -> None:
    found = platform_from_bytes(platform_to_bytes(platform(), "source"))
    assert found is not None
    assert [each.layers for each in found.tenants] == [each.layers for each in platform().tenants]


@pytest.mark.parametrize(
    ("search", "ads", "problem"),
    [
        ("[{name: home, shared_with: [adds]}]", "[]", "UNKNOWN_TENANT: layer home of tenant search is to be"),
        (
            "[{name: home, shared_with: [mail]}]",
            "[{name: home, shared_with: [mail]}]",
            "DUPLICATE: tenant mail would have two layers home: of ",
        ),
        (
            "[{name: home, shared_with: [ads]}]",
            "[{name: home, shared_with: [mail]}]",
            "DUPLICATE: tenant ads would have two layers home: of ",
        ),
        ("[{name: home, shared_with: [search]}]", "[]", "DUPLICATE: layer home of tenant search is to be"),
        ("[{name: home, shared_with: [ads, ads]}]", "[]", "DUPLICATE: layer home of tenant search is to be"),
        ("[{name: home}]", "[]", "MISSING_KEY: a layer lacks shared_with"),
        ("[{name: a/b, shared_with: [ads]}]", "[]", "NAME: name 'a/b' is no name"),
    ],
)
def test_layers_that_can_not_be_shared_are_refused(search: str, ads: str, problem: str) -> None:
    with pytest.raises(WorkspaceError) as caught:
        platform(search, ads)
    (found,) = caught.value.problems
    assert f"{found.code}: {found.message}".startswith(problem), found
    assert found.line in {2, 3}
    assert found.remedy
