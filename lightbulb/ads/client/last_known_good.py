r"""Keeps on disk what a subscriber holds, so that it starts again without its server.

    kept = LastKnownGood(folder, "lightbulb-1")
    held = kept.load()              at start; nothing when there is nothing that can be used
    task = create_task(kept.run())
    kept.keep(held)                 after every update that was applied: cheap, never waits
    await kept.flush()              at the end, once `run` was cancelled

One file, replaced as a whole, so that it is never half-written; a checksum says whether it is what was
written. A disk that is full or broken is logged, and nothing else: what is held serves on.

    "lightbulb last known good 1\n" | SHA-256 of the rest | name | type, name, version, body | ...

Every text and body is preceded by its length: four bytes, the highest first.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from lightbulb.ads.client.held import NOTHING_HELD, Held
from lightbulb.ads.values import Resource
from lightbulb.whole_file import replace_file

log = logging.getLogger(__name__)

MAGIC = b"lightbulb last known good 1\n"
EVERY = 1.0
"""Seconds between two writes, at least; what comes meanwhile goes into the second."""
RETRY = 10.0
"""Seconds until a write that failed is tried again."""

_DIGEST = hashlib.sha256().digest_size
_LENGTH = 4


class Unusable(ValueError):
    """A file that can't be used; the message says why."""


def encode(name: str, held: Held) -> bytes:
    """Return the file that keeps `held` for the subscriber `name`; the same for the same."""
    fields = [name.encode()]
    for type_url, resources in sorted(held.items()):
        for each in sorted(resources.values(), key=lambda resource: resource.name):
            fields += type_url.encode(), each.name.encode(), each.version.encode(), each.body
    content = b"".join(part for field in fields for part in (len(field).to_bytes(_LENGTH, "big"), field))
    return MAGIC + hashlib.sha256(content).digest() + content


def decode(name: str, data: bytes) -> Held:
    """Return what the file keeps; raise Unusable when it is damaged, or isn't this subscriber's."""
    if not data.startswith(MAGIC):
        raise Unusable("not a file of this kind, or of another format's version")
    begin = len(MAGIC) + _DIGEST
    if hashlib.sha256(memoryview(data)[begin:]).digest() != data[len(MAGIC) : begin]:
        raise Unusable("its checksum doesn't match: it is damaged or cut short")
    fields = list(_fields(data, begin))
    if not fields or len(fields) % 4 != 1:
        raise Unusable("its resources are incomplete")
    try:
        return _held(name, fields)
    except UnicodeDecodeError as error:
        raise Unusable(f"a name in it is no text: {error}") from error


def _held(name: str, fields: list[bytes]) -> Held:
    if fields[0].decode() != name:
        raise Unusable(f"it was kept by {fields[0].decode()!r}, not by {name!r}")
    held: dict[str, dict[str, Resource]] = {}
    for type_url, resource, version, body in _groups(fields[1:]):
        held.setdefault(type_url.decode(), {})[resource.decode()] = Resource(
            name=resource.decode(), version=version.decode(), body=body
        )
    return MappingProxyType({type_url: MappingProxyType(own) for type_url, own in held.items()})


def _fields(data: bytes, begin: int) -> Iterator[bytes]:
    while begin < len(data):
        end = begin + _LENGTH + int.from_bytes(data[begin : begin + _LENGTH], "big")
        if end > len(data) or begin + _LENGTH > len(data):
            raise Unusable("its last field is cut short")
        yield data[begin + _LENGTH : end]
        begin = end


def _groups(fields: list[bytes]) -> Iterable[tuple[bytes, bytes, bytes, bytes]]:
    return zip(*[iter(fields)] * 4, strict=True)


class LastKnownGood:
    """The file of one subscriber. `name` is its node id; `every` and `retry` are in seconds."""

    def __init__(self, folder: Path, name: str, *, every: float = EVERY, retry: float = RETRY) -> None:
        self.path = folder / f"{quote(name, safe='')}.last-known-good"
        self._name = name
        self._every = every
        self._retry = retry
        self._news = asyncio.Event()
        self._writing = threading.Lock()
        self._held = self._written = NOTHING_HELD
        self._failing = False

    def load(self) -> Held:
        """Return what was kept. What can't be used is logged and moved aside, and nothing is returned."""
        try:
            held = decode(self._name, self.path.read_bytes())
        except FileNotFoundError:
            return NOTHING_HELD
        except OSError as error:
            log.error("%s can't be read (%s): starting without what was kept", self.path, error)  # noqa: TRY400
            return NOTHING_HELD
        except ValueError as error:
            self._move_aside(error)
            return NOTHING_HELD
        self._held = self._written = held
        return held

    def _move_aside(self, why: ValueError) -> None:
        aside = self.path.with_name(f"{self.path.name}.corrupt")
        try:
            self.path.replace(aside)
            where = f"moved to {aside.name}"
        except OSError as error:
            where = f"it can't be moved aside: {error}"
        log.error("%s refused: %s; %s: starting without what was kept", self.path, why, where)

    def keep(self, held: Held) -> None:
        """Have `held` on disk soon, if `run` runs."""
        if held != self._held:
            self._held = held
            self._news.set()

    async def run(self) -> None:
        """Write what is to be kept, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if await asyncio.to_thread(self._write):
                await asyncio.sleep(self._every)
            else:
                self._news.set()
                await asyncio.sleep(self._retry)

    async def flush(self) -> None:
        """Write what hasn't been; return once it has, or can't be."""
        await asyncio.to_thread(self._write)

    def _write(self) -> bool:
        """Return whether what is to be kept is on disk. Writers take turns: each writes the newest."""
        with self._writing:
            held = self._held
            if held is self._written:
                return True
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(self.path, encode(self._name, held))
            except OSError as error:
                if not self._failing:
                    log.error("%s can't be written (%s): trying on, serving on", self.path, error)  # noqa: TRY400
                self._failing = True
                return False
            if self._failing:
                log.info("%s is written again", self.path)
            self._failing = False
            self._written = held
            return True
