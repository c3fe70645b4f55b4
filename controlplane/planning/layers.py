"""Whose a layer is, and who has which of its buckets. Pure.

A tenant's layer is its own: two tenants' layers of one name hash users by two salts. One that the platform
lets others share is its owner's for all of them; so their tests must have different buckets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from controlplane.model import Platform
from controlplane.problems import Problem, problem_at
from lightbulb.model import BASIS_POINTS, DEFAULT_TENANT, AbRule, ObjectiveTable

LAYER = "layer:"
"""What a layer's salt begins with."""

MAX_NAMED = 5
"""Tests or ranges that an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The buckets of a layer that a tenant's test has; `unit` is what the test goes by."""

    tenant: str
    test: str
    begin: int
    end: int
    unit: str = ""


Parts = Mapping[str, tuple[Part, ...]]
"""A layer's salt -> what tests have of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """What binds the tests of one tenant.

    `owners` is a layer's name -> the tenant whose it is, of those that others let this one share. `taken` is
    what other tenants' tests have in layers that are shared.
    """

    tenant: str = DEFAULT_TENANT
    owners: Mapping[str, str] = field(default_factory=dict)
    taken: Parts = field(default_factory=dict)


def layer_salt(layer: str, tenant: str = DEFAULT_TENANT) -> str:
    """Return the salt of a tenant's layer; names have no slash."""
    return f"{LAYER}{layer}" if tenant == DEFAULT_TENANT else f"{LAYER}{tenant}/{layer}"


def layer_of(salt: str) -> tuple[str, str]:
    """Return the tenant and the name of the layer that has a salt."""
    tenant, slash, name = salt.removeprefix(LAYER).rpartition("/")
    return (tenant, name) if slash else (DEFAULT_TENANT, name)


def owners_of(platform: Platform | None, tenant: str) -> Mapping[str, str]:
    """Return a layer's name -> the tenant whose it is, of those that others let a tenant share."""
    return {
        layer.name: owner.name
        for owner in (platform.tenants if platform is not None else ())
        for layer in owner.layers
        if tenant in layer.shared_with
    }


def shared_salts(platform: Platform | None, tenant: str) -> frozenset[str]:
    """Return the salts of the layers that a tenant shares, its own or others'."""
    own = platform.tenant(tenant) if platform is not None else None
    lent = {layer_salt(layer.name, tenant) for layer in own.layers} if own is not None else set[str]()
    return frozenset(lent | {layer_salt(*each) for each in owners_of(platform, tenant).items()})


def in_layers(tables: Iterable[ObjectiveTable], layers: Layers) -> tuple[ObjectiveTable, ...]:
    """Return compiled tables with the salts of the tenant's layers; the same object where none is another."""

    def moved(rule: AbRule) -> AbRule:
        if not rule.layer_salt:
            return rule
        _, name = layer_of(rule.layer_salt)
        return replace(rule, layer_salt=layer_salt(name, layers.owners.get(name, layers.tenant)))

    if layers.tenant == DEFAULT_TENANT and not layers.owners:
        return tuple(tables)
    return tuple(
        replace(table, ab_rules=tuple(map(moved, table.ab_rules)))
        if any(rule.layer_salt for rule in table.ab_rules)
        else table
        for table in tables
    )


def parts_in(tables: Iterable[ObjectiveTable], tenant: str, salts: frozenset[str]) -> Parts:
    """Return what a tenant's tests have of some layers, each once, in the order of their buckets."""
    found: dict[str, set[Part]] = {}
    for rule in _layered(tables):
        if rule.layer_salt in salts:
            found.setdefault(rule.layer_salt, set()).add(_part(rule, tenant))
    return _in_order(found)


def together(parts: Iterable[Parts]) -> Parts:
    """Return what several have, in the order of their buckets."""
    found: dict[str, set[Part]] = {}
    for each in parts:
        for salt, own in each.items():
            found.setdefault(salt, set()).update(own)
    return _in_order(found)


def clashes(tables: Iterable[ObjectiveTable], layers: Layers) -> Iterator[Problem]:
    """Yield the tests that can't share out a layer with another tenant's: same buckets, or other units.

    Of a test that several rules use, the first of them is named.
    """
    if not layers.taken:
        return
    tables, told = tuple(tables), set[str]()
    own = parts_in(tables, layers.tenant, frozenset(layers.taken))
    for rule in _layered(tables):
        taken = layers.taken.get(rule.layer_salt, ())
        if taken and rule.test_id not in told:
            told.add(rule.test_id)
            yield from _other_unit(rule, taken)
            yield from _same_buckets(rule, taken, own[rule.layer_salt])


def _other_unit(rule: AbRule, taken: Iterable[Part]) -> Iterator[Problem]:
    other = next((each for each in taken if each.unit != rule.unit), None)
    if other is not None:
        units = f"{rule.unit or 'user'}, and {_whose(other)} by {other.unit or 'user'}"
        message = f"test {rule.test_id} goes by {units}: they can't share out layer {_name(rule)}"
        yield problem_at(rule.source, "LAYER_UNIT", message, "give both one unit, or two layers")


def _same_buckets(rule: AbRule, taken: tuple[Part, ...], own: Iterable[Part]) -> Iterator[Problem]:
    having = [each for each in taken if each.begin < rule.layer_end and rule.layer_begin < each.end]
    if having:
        wanted = _percent(rule.layer_begin, rule.layer_end)
        had = _listed(f"{_whose(each)} has {_percent(each.begin, each.end)}" for each in having)
        message = f"test {rule.test_id} is to have {wanted} of layer {_name(rule)}, of which {had}"
        beside = [each for each in own if each.test != rule.test_id]
        remedy = _remedy((*taken, *beside), having[0].tenant)
        yield problem_at(rule.source, "LAYER_TAKEN", message, remedy)


def not_shared(tables: Iterable[ObjectiveTable], layers: Layers) -> Iterator[Problem]:
    """Yield the layers that tables have tests in, and whose name means another layer for their tenant."""
    tests: dict[str, dict[str, AbRule]] = {}
    for rule in _layered(tables):
        tests.setdefault(rule.layer_salt, {}).setdefault(rule.test_id, rule)
    for salt, own in tests.items():
        owner, name = layer_of(salt)
        means = layers.owners.get(name, layers.tenant)
        if means == owner:
            continue
        of, listed = "its own" if owner == layers.tenant else f"tenant {owner}'s", _listed(own)
        message = f"tenant {layers.tenant} has tests in a layer {name}, {of}: {listed}"
        if means == layers.tenant:
            message += "; it isn't shared with it"
            remedy = "share it, or have these taken out, and wait until that is active"
        else:
            message += f"; by that name it shares tenant {means}'s"
            remedy = (
                "give the shared one another name, or have these taken out, and wait until that is active"
            )
        yield problem_at(next(iter(own.values())).source, "LAYER_IN_USE", message, remedy)


def _layered(tables: Iterable[ObjectiveTable]) -> Iterator[AbRule]:
    return (rule for table in tables for rule in table.ab_rules if rule.layer_salt)


def _part(rule: AbRule, tenant: str) -> Part:
    return Part(tenant=tenant, test=rule.test_id, begin=rule.layer_begin, end=rule.layer_end, unit=rule.unit)


def _in_order(found: Mapping[str, set[Part]]) -> Parts:
    return {salt: tuple(sorted(parts, key=_order)) for salt, parts in sorted(found.items())}


def _order(part: Part) -> tuple[int, int, str, str, str]:
    return part.begin, part.end, part.tenant, part.test, part.unit


def _name(rule: AbRule) -> str:
    return layer_of(rule.layer_salt)[1]


def _whose(part: Part) -> str:
    return f"tenant {part.tenant}'s test {part.test}"


def _percent(begin: int, end: int) -> str:
    return f"{begin / 100:g}-{end / 100:g}%"


def _listed(texts: Iterable[str]) -> str:
    every = tuple(texts)
    more = f" and {len(every) - MAX_NAMED} more" if len(every) > MAX_NAMED else ""
    return ", ".join(every[:MAX_NAMED]) + more


def _remedy(parts: Iterable[Part], tenant: str) -> str:
    free = _listed(_percent(*each) for each in _free(parts))
    ask = f"have tenant {tenant} make room, and wait until that is active"
    return f"take what is free: {free}; or {ask}" if free else f"nothing of it is free: {ask}"


def _free(parts: Iterable[Part]) -> Iterator[tuple[int, int]]:
    """Yield the ranges that nobody has."""
    reached = 0
    for part in sorted(parts, key=_order):
        if part.begin > reached:
            yield reached, part.begin
        reached = max(reached, part.end)
    if reached < BASIS_POINTS:
        yield reached, BASIS_POINTS
