"""What was found in files before, so that a file which hasn't changed isn't looked at again. Pure.

An entry's name is a hash of all that it follows from, so it is right or gone, never wrong; and one is made
only of what nothing was to be said about. It all goes into bytes and comes out of them, for a folder or for
another process; bytes of another version, or that aren't whole, are as good as none.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import yaml

from controlplane.rules.value_codec import NotOurs, from_json, to_json
from lightbulb.memo import PerObject

S = TypeVar("S")
T = TypeVar("T")

MAX_BYTES = 16 * 1024 * 1024
"""Of what is kept. A larger memory isn't: all that rules may return together is four times that."""

_TITLE = "lightbulb memory 1"
_ENGINES = ("_quickjs", "tree_sitter", "tree_sitter_javascript")
CODE = tuple(
    Path(__file__).parents[2] / folder
    for folder in (
        "controlplane",
        "controlplane/lifecycle",
        "controlplane/rules",
        "controlplane/planning",
        "controlplane/planning/shares",
        "lightbulb",
        "lightbulb/resolution",
        "lightbulb/rpc",
        "lightbulb/v1",
    )
)
"""Folders of the code that what is remembered follows from."""

_DIGEST = 64
"""Characters of a hash."""


class Memory:
    """Values by the hash of what they follow from. Threads don't share one."""

    def __init__(self, kept: bytes = b"") -> None:
        """Remember what `bytes_of` gave an earlier one, or nothing."""
        self._lines = _lines(kept)
        self._values: dict[str, object] = {}
        self._used: set[str] = set()
        self._held: dict[str, Any] = {}
        self._derived: dict[object, PerObject[Any, Any]] = {}

    def recall(self, kind: type[T], name: str) -> T | None:
        """Return the value of that name, if it is remembered; the same object each time."""
        value = self._values.get(name)
        if value is None and name in self._lines:
            try:
                value = self._values[name] = from_json(self._lines[name])
            except NotOurs:
                del self._lines[name]
        if not isinstance(value, kind):
            return None
        self._used.add(name)
        return value

    def knows(self, name: str) -> bool:
        """Say whether a value is remembered by that name, and keep it: it may be wanted later."""
        known = name in self._values or name in self._lines
        if known:
            self._used.add(name)
        return known

    def remember(self, name: str, value: object) -> None:
        """Remember a value."""
        self._values[name] = value
        self._used.add(name)

    def hold(self, name: str, make: Callable[[], T]) -> T:
        """Return the value of that name, the same object each time; it isn't told to another memory."""
        if name not in self._held:
            self._held[name] = make()
        held: T = self._held[name]
        return held

    def derived(self, make: Callable[[S], T], of: S) -> T:
        """Return what `make` returns for this very object, as far as that was asked for."""
        made: T = self._derived.setdefault(make, PerObject(make))(of)
        return made

    @property
    def changed(self) -> bool:
        """Whether `to_bytes` gives something else than what it was made of."""
        return self._used != self._lines.keys()

    def to_bytes(self, *, everything: bool = False) -> bytes:
        """Return what was recalled or remembered, and with `everything` also what wasn't needed this time.

        Nothing when that is more than MAX_BYTES.
        """
        names = self._used | self._lines.keys() if everything else self._used
        lines = ((name, self._line(name)) for name in sorted(names))
        content = "".join(f"{name} {line}\n" for name, line in lines if line).encode()
        if len(content) <= MAX_BYTES:
            return _heading(content) + content
        return self.to_bytes() if everything else b""

    def _line(self, name: str) -> str:
        """Return a value as JSON; empty when it can't be kept."""
        if name not in self._lines:
            try:
                self._lines[name] = to_json(self._values[name])
            except NotOurs:
                return ""
        return self._lines[name]


def name_of(*parts: str | bytes) -> str:
    """Return the name of what follows from these, and from this version of the program."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        digest.update(b"%d:" % len(content))
        digest.update(content)
    return digest.hexdigest()


@lru_cache(maxsize=1)
def program() -> str:
    """Return a hash of the code that compiles, and of what it stands on."""
    digest = hashlib.sha256(f"{sys.version} {yaml.__version__} {list(map(_build, _ENGINES))}".encode())
    for folder in CODE:
        for path in sorted(each for each in folder.iterdir() if each.suffix in {".py", ".js"}):
            digest.update(f"{path.name}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _build(package: str) -> str:
    """Return what tells one build of a package from another."""
    found = find_spec(package)
    if found is None or found.origin is None:
        return "none"
    file = Path(found.origin).stat()
    return f"{found.origin} {file.st_size} {file.st_mtime_ns}"


def _heading(content: bytes) -> bytes:
    return f"{_TITLE} {program()} {hashlib.sha256(content).hexdigest()}\n".encode()


def _lines(kept: bytes) -> dict[str, str]:
    """Return name -> JSON of what was kept, if it is whole and of this version."""
    heading, _, content = kept.partition(b"\n")
    if not kept or heading + b"\n" != _heading(content):
        return {}
    lines = content.decode(errors="replace").splitlines()
    return {line[:_DIGEST]: line[_DIGEST + 1 :] for line in lines}
