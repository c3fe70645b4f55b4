"""Resources that are made again only where the values that they are made of have changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import eq
from typing import Any, Generic, TypeVar

from lightbulb.ads.values import Resource

P = TypeVar("P")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part(Generic[V]):
    """What resources were made of, such as a tenant's, and these, by name."""

    of: object
    values: Mapping[str, V]
    resources: Mapping[str, Resource]


NO_PART: _Part[Any] = _Part(of=None, values={}, resources={})


class ResourceMemo(Generic[V]):
    """Makes the resources of one type; one whose value is as it was last time is the very same object.

    It holds what it made last and nothing else, so it is as large as what is shown now. `same` may say "no"
    of equal values: the resource is then made again, and is equal.
    """

    def __init__(self, make: Callable[[str, V], Resource], same: Callable[[V, V], bool] = eq) -> None:
        """Hold nothing yet."""
        self._make = make
        self._same = same
        self._made: Mapping[str, _Part[V]] = {}
        self._all: Mapping[str, Resource] = {}
        """Those of all parts, sorted by name."""

    def __call__(self, values: Mapping[str, V]) -> tuple[Resource, ...]:
        """Return the resource of each name, sorted by name."""
        return self.of_parts({"": values}, lambda part: part)

    def of_parts(
        self, parts: Mapping[str, P], values_of: Callable[[P], Mapping[str, V]]
    ) -> tuple[Resource, ...]:
        """Return the resource of each name of any part, sorted by name; of several, that of the last part.

        A part that is the very object that it was isn't looked at. `values_of` gives what one has.
        """
        before = self._made
        self._made = {name: self._of_part(name, part, values_of) for name, part in parts.items()}
        self._all = self._patched(before) or self._merged()
        return tuple(self._all.values())

    def _patched(self, before: Mapping[str, _Part[V]]) -> Mapping[str, Resource]:
        """Return all resources with those of the parts that aren't as `before`; nothing if names are others.

        News of a tenant are seldom other names, and cost what it has.
        """
        now, changed = self._made, dict[str, Resource]()
        if now.keys() != before.keys() or sum(len(each.values) for each in now.values()) != len(self._all):
            return {}  # of a name that several parts have, one is hidden
        for name, part in now.items():
            if part is not before[name]:
                if part.values.keys() != before[name].values.keys():
                    return {}
                changed.update(part.resources)
        return {**self._all, **changed}

    def _merged(self) -> Mapping[str, Resource]:
        """Return the resources of all parts."""
        resources: dict[str, Resource] = {}
        for each in self._made.values():
            resources.update(each.resources)
        return {name: resources[name] for name in sorted(resources)}

    def _of_part(self, name: str, part: P, values_of: Callable[[P], Mapping[str, V]]) -> _Part[V]:
        before = self._made.get(name, NO_PART)
        if before.of is part:
            return before
        values = values_of(part)
        return _Part(
            of=part,
            values=values,
            resources={
                each: before.resources[each]
                if each in before.values
                and (before.values[each] is value or self._same(before.values[each], value))
                else self._make(each, value)
                for each, value in values.items()
            },
        )
