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
        self._names: list[str] = []
        self._sorted: list[str] = []
        """Names as parts had them last, and sorted: news of a tenant are seldom other names."""

    def __call__(self, values: Mapping[str, V]) -> tuple[Resource, ...]:
        """Return the resource of each name, sorted by name."""
        return self.of_parts({"": values}, lambda part: part)

    def of_parts(
        self, parts: Mapping[str, P], values_of: Callable[[P], Mapping[str, V]]
    ) -> tuple[Resource, ...]:
        """Return the resource of each name of any part, sorted by name; of several, that of the last part.

        A part that is the very object that it was isn't looked at. `values_of` gives what one has.
        """
        self._made = {name: self._of_part(name, part, values_of) for name, part in parts.items()}
        resources: dict[str, Resource] = {}
        for each in self._made.values():
            resources.update(each.resources)
        names = list(resources)
        if names != self._names:
            self._names, self._sorted = names, sorted(names)
        return tuple(map(resources.__getitem__, self._sorted))

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
                if each in before.values and self._same(before.values[each], value)
                else self._make(each, value)
                for each, value in values.items()
            },
        )
