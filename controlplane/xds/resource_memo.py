"""Resources that are made again only where the values that they are made of have changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import eq
from typing import Generic, TypeVar

from lightbulb.ads.values import Resource

V = TypeVar("V")


class ResourceMemo(Generic[V]):
    """Makes the resources of one type; one whose value is as it was last time is the very same object.

    It holds what it made last and nothing else, so it is as large as what is shown now. `same` may say "no"
    of equal values: the resource is then made again, and is equal.
    """

    def __init__(self, make: Callable[[str, V], Resource], same: Callable[[V, V], bool] = eq) -> None:
        """Hold nothing yet."""
        self._make = make
        self._same = same
        self._made: Mapping[str, tuple[V, Resource]] = {}

    def __call__(self, values: Mapping[str, V]) -> tuple[Resource, ...]:
        """Return the resource of each name, sorted by name."""
        before, same = self._made, self._same
        self._made = {
            name: held
            if (held := before.get(name)) is not None and same(held[0], values[name])
            else (values[name], self._make(name, values[name]))
            for name in sorted(values)
        }
        return tuple(resource for _, resource in self._made.values())
