"""Whose a name is, as tenants come, change and let go of what they share."""

from dataclasses import replace
from types import MappingProxyType

from controlplane.lifecycle.shadow import Shadow, Shadowed
from controlplane.model import RoutingRule
from controlplane.rollout.desired_state import DesiredState
from controlplane.rollout.ownership import Ownership
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, MODEL_ASSIGNMENT, ROUTE
from lightbulb.model import ModelAssignment

NOTHING = DesiredState(
    routed={},
    rules={},
    vips={},
    required={},
    models={},
    loaded={},
    targets={},
    tables={},
    active={},
    store="store",
    version=1,
)


def rule(objective: str, vip: str) -> RoutingRule:
    return RoutingRule(key=f"{objective}|m|1", objective=objective, vip=vip)


def models(*names: str) -> dict[str, tuple[ModelAssignment, ...]]:
    return {"a": tuple(ModelAssignment(name=name, version="1", memory_mib=1) for name in names)}


class Counted(tuple[RoutingRule, ...]):
    """Rules that count how often somebody goes through them."""

    __slots__ = ()
    looks = 0

    def __iter__(self):  # type: ignore[no-untyped-def]
        Counted.looks += 1
        return super().__iter__()


SHOWN = replace(
    NOTHING,
    routed={"a": (1,), "b": (2,)},
    rules={"a": (rule("One", "vip"),), "b": (rule("Two", "vip"),)},
    loaded={"a": models("m", "n"), "b": models("m")},
    tables={"a": (), "b": ()},
)


def test_what_two_tenants_use_is_of_both_and_what_nobody_has_is_everybodys() -> None:
    ownership = Ownership()
    ownership.show(SHOWN)
    assert set(ownership.of(ROUTE, "One")) == {"a"}
    assert set(ownership.of(CLUSTER, "vip")) == {"a", "b"}
    assert set(ownership.of(MODEL_ASSIGNMENT, "m@1")) == {"a", "b"}
    assert set(ownership.of(MODEL_ASSIGNMENT, "n@1")) == {"a"}
    assert set(ownership.of(LISTENER, "lightbulb")) == {"a", "b"}
    assert set(ownership.of(ROUTE, "Three")) == {"a", "b"}


def test_what_is_shown_no_more_is_of_whoever_had_it_last() -> None:
    ownership = Ownership()
    ownership.show(SHOWN)
    ownership.show(replace(SHOWN, loaded={**SHOWN.loaded, "b": models()}, version=2))
    assert set(ownership.of(MODEL_ASSIGNMENT, "m@1")) == {"a"}
    ownership.show(replace(SHOWN, loaded={"a": models(), "b": models()}, version=3))
    assert set(ownership.of(MODEL_ASSIGNMENT, "m@1")) == {"a"}
    without = {key: {"a": part["a"]} for key, part in (("rules", SHOWN.rules), ("loaded", SHOWN.loaded))}
    ownership.show(replace(SHOWN, routed={"a": (1,), "c": (3,)}, tables={"a": ()}, version=4, **without))
    assert set(ownership.of(ROUTE, "Two")) == {"b"}
    assert set(ownership.of(CLUSTER, "vip")) == {"a"}


def test_the_cluster_of_a_shadow_is_of_its_objectives_tenant_alone() -> None:
    ownership = Ownership()
    ownership.show(SHOWN)
    shadow = Shadow(number=17, key="One|m|2", basis_points=1, entered=1.0)
    shadowed = Shadowed(objective="One", primary="One|m|1", deadline=1.0, tenant="a", shadows=(shadow,))
    ownership.show(replace(SHOWN, shadows={"One": shadowed}, version=2))
    assert set(ownership.of(CLUSTER, "shadow/17")) == set(ownership.of(ENDPOINTS, "shadow/17")) == {"a"}
    assert set(ownership.of(CLUSTER, "vip")) == {"a", "b"}
    ownership.show(replace(SHOWN, version=3))
    assert set(ownership.of(CLUSTER, "shadow/17")) == {"a"}


def test_news_of_one_tenant_look_at_no_others_rules() -> None:
    ownership, rules = Ownership(), Counted((rule("One", "vip"),))
    shown = replace(SHOWN, rules=MappingProxyType({**SHOWN.rules, "a": rules}))
    ownership.show(shown)
    before = Counted.looks
    ownership.show(replace(shown, rules={"a": rules, "b": (rule("Other", "vip"),)}, version=2))
    assert Counted.looks == before
    assert set(ownership.of(ROUTE, "Other")) == {"b"}
