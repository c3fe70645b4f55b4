"""What depends on itself. Pure, and linear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


def find_loops(needs: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Yield loops, each once, its first name repeated at the end. What isn't a key needs nothing."""
    finished: set[str] = set()
    for start in needs:
        loop = _loop(start, needs, finished)
        if loop:
            yield loop


def _loop(start: str, needs: Mapping[str, Iterable[str]], finished: set[str]) -> list[str]:
    """Return the first loop found from `start`; empty if none."""
    path: dict[str, int] = {}
    """Name -> how many come before it."""
    stack = [(start, False)]
    while stack:
        name, leaving = stack.pop()
        if leaving:
            finished.add(path.popitem()[0])
        elif name in path:
            finished.update(path)
            return [*list(path)[path[name] :], name]
        elif name not in finished and name in needs:
            path[name] = len(path)
            stack.append((name, True))
            stack.extend((each, False) for each in needs[name])
    return []
