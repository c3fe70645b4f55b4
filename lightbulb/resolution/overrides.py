"""Which models a client may ask for by name. Pure.

Made and held in time and memory linear in the table: a client has the positions of its rules, and no copy of
what they permit. So an override costs a look-up for each rule that the client is in, mostly one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Generic, TypeVar

from lightbulb.model import model_id

T = TypeVar("T")

Named = tuple[str, str, T]
"""A model's name and version, and the answer that it is."""


@dataclass(frozen=True, slots=True)
class _Rule(Generic[T]):
    """What one rule permits: by "name@version", and the versions of each name."""

    answers: Mapping[str, T]
    versions: Mapping[str, Sequence[str]]


class Permitted(Generic[T]):
    """What the rules of one client permit; the first rule with a model answers."""

    __slots__ = ("_rules",)

    def __init__(self, rules: Sequence[_Rule[T]]) -> None:
        self._rules = rules

    def find(self, override: str) -> T | None:
        """Return the answer for "name@version"; for a name alone if only one version of it is permitted."""
        versions = {version for rule in self._rules for version in rule.versions.get(override, ())}
        wanted = model_id(override, *versions) if len(versions) == 1 else override
        return next((rule.answers[wanted] for rule in self._rules if wanted in rule.answers), None)

    def names(self) -> tuple[str, ...]:
        """Return all that may be asked for, sorted."""
        versions: dict[str, set[str]] = {}
        for rule in self._rules:
            for name, own in rule.versions.items():
                versions.setdefault(name, set()).update(own)
        ids = {each for rule in self._rules for each in rule.answers}
        return tuple(sorted(ids | {name for name, own in versions.items() if len(own) == 1}))


class Overrides(Generic[T]):
    """The override rules of a table."""

    __slots__ = ("_by_client", "_of_everyone", "_rules")

    def __init__(self, rules: Iterable[tuple[Sequence[str], Sequence[Named[T]]]]) -> None:
        """`rules` are clients (none: every client) and what they may ask for, the first that counts first."""
        self._rules: list[_Rule[T]] = []
        self._of_everyone: list[int] = []
        self._by_client: dict[str, list[int]] = {}
        for position, (clients, models) in enumerate(rules):
            self._rules.append(_rule(models))
            for client in dict.fromkeys(clients):
                self._by_client.setdefault(client, []).append(position)
            if not clients:
                self._of_everyone.append(position)

    def of(self, client: str) -> Permitted[T]:
        """Return what a client may ask for."""
        own = self._by_client.get(client, ())
        return Permitted([self._rules[position] for position in merge(own, self._of_everyone)])


def _rule(models: Sequence[Named[T]]) -> _Rule[T]:
    answers: dict[str, T] = {}
    versions: dict[str, list[str]] = {}
    for name, version, answer in models:
        if answers.setdefault(model_id(name, version), answer) is answer:
            versions.setdefault(name, []).append(version)
    return _Rule(answers, versions)
