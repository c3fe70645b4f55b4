"""No two decisions hash the same text: equal salts would put the same users into both. Pure.

A test's salt is `ab:` and its id, a layer's `layer:` and its name (`controlplane.planning.layers` adds the
tenant's), a shift's `shift:`, its objective and the model that it shifts to; tests and shifts may set their
own, outside of the others' name spaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from controlplane.model import Location
from controlplane.planning.layers import LAYER, layer_salt
from controlplane.problems import Problem, problem_at
from controlplane.rules.definitions import Definitions
from controlplane.rules.lookup import version_of
from controlplane.rules.shapes import Rule, Shift
from lightbulb.model import Source, model_id

TEST, SHIFT = "ab:", "shift:"
"""What our own salts begin with; a layer's with LAYER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    """A salt, and the decision that hashes it. Uses with one decision may share their salt."""

    salt: str
    decision: tuple[str, ...]
    what: str
    """In words."""
    place: Source | Location
    foreign: tuple[str, ...] = ()
    """What its salt, which an author chose, may not begin with; empty for one of our own making."""


def test_salt(test_id: str) -> str:
    """Return the salt of a test that sets none."""
    return f"{TEST}{test_id}"


def shift_salt(rule: Shift, objective: str, version: str) -> str:
    """Return the salt of a shift of one objective."""
    return rule.salt or f"{SHIFT}{objective}:{model_id(rule.end.name, version)}"


def check_salts(rules: Iterable[Rule], definitions: Definitions, problems: list[Problem]) -> None:
    """Note salts that two decisions share, and those that are in another kind's name space."""
    _check((*_of_definitions(definitions), *_of_shifts(rules, definitions)), problems)


def check_rules_salts(rules: Iterable[Rule], definitions: Definitions, problems: list[Problem]) -> None:
    """Note what `check_salts` does of rules by themselves; with `are_apart` it finds whether there is any."""
    _check(_of_shifts(rules, definitions), problems)


def _check(uses: Iterable[_Use], problems: list[Problem]) -> None:
    first: dict[str, _Use] = {}
    for use in sorted(uses, key=lambda use: bool(use.foreign)):  # so that the one that was chosen is named
        if any(use.salt.startswith(prefix) for prefix in use.foreign):
            message = f"{use.what} has the salt {use.salt!r}, which is kept for what Lightbulb makes itself"
            remedy = f"don't begin it with {' or '.join(use.foreign)}, or leave it out"
            problems.append(problem_at(use.place, "RESERVED_SALT", message, remedy))
            continue
        other = first.setdefault(use.salt, use)
        if other.decision != use.decision:
            message = f"{use.what} has the salt {use.salt!r}, and so has {other.what} at {_at(other.place)}"
            problems.append(
                problem_at(use.place, "DUPLICATE_SALT", message, "give each its own, or leave it out")
            )


def salts_of(rules: Iterable[Rule], definitions: Definitions) -> Mapping[str, tuple[str, ...]]:
    """Return each salt that rules hash themselves, and what it decides on."""
    return {use.salt: use.decision for use in _of_shifts(rules, definitions)}


def salts_of_definitions(definitions: Definitions) -> Mapping[str, tuple[str, ...]]:
    """Return each salt of tests and layers, and what it decides on."""
    return {use.salt: use.decision for use in _of_definitions(definitions)}


def are_apart(parts: Iterable[Mapping[str, tuple[str, ...]]]) -> bool:
    """Say whether no two parts share a salt; each is salts that `check_salts` takes."""
    first: dict[str, tuple[str, ...]] = {}
    decisions = (item for part in parts for item in part.items())
    return all(first.setdefault(salt, decision) == decision for salt, decision in decisions)


def _of_definitions(definitions: Definitions) -> Iterator[_Use]:
    for test in definitions.experiments.values():
        yield _Use(
            salt=test.salt,
            decision=("test", test.id),
            what=f"test {test.id}",
            place=test.location,
            foreign=() if test.salt == test_salt(test.id) else (LAYER, SHIFT),
        )
    for test in definitions.experiments.values():
        if test.layer:
            yield _Use(
                salt=layer_salt(test.layer),
                decision=("layer", test.layer),
                what=f"layer {test.layer}",
                place=test.location,
            )


def _of_shifts(rules: Iterable[Rule], definitions: Definitions) -> Iterator[_Use]:
    for rule in rules:
        if isinstance(rule, Shift):
            yield from _of_shift(rule, definitions)


def _of_shift(rule: Shift, definitions: Definitions) -> Iterator[_Use]:
    if rule.salt:
        former = {f"{SHIFT}{name}" for name in rule.objectives}
        foreign = (TEST, LAYER) if rule.salt in former else (TEST, LAYER, SHIFT)
        decision = ("rule", str(rule.source))
        yield _Use(salt=rule.salt, decision=decision, what="this shift", place=rule.source, foreign=foreign)
        return
    version = version_of(rule.end, definitions)
    for name in rule.objectives if version is not None else ():
        salt = shift_salt(rule, name, version or "")
        yield _Use(salt=salt, decision=("shift", salt), what="this shift", place=rule.source)


def _at(place: Source | Location) -> str:
    return f"{place.file}:{place.line}" + (f" {place.rule}" if isinstance(place, Source) else "")
