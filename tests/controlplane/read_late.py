"""A store that one replica reads late, as over a slow network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from controlplane.store.contract import Head, Store
from controlplane.store.open import open_store
from tests.controlplane.planes import DEADLINE

if TYPE_CHECKING:
    _Store = Store
else:
    _Store = object


class ReadLate(_Store):
    """The store at a URL; while it is paused, nobody learns from it what has changed."""

    def __init__(self, url: str) -> None:
        self._store = open_store(url, "tests")
        self._free = threading.Event()
        self._free.set()

    def pause(self) -> None:
        """Let whoever reads the head wait from now on."""
        self._free.clear()

    def go_on(self) -> None:
        """Let the head be read again."""
        self._free.set()

    def head(self) -> Head:
        assert self._free.wait(DEADLINE), f"paused for {DEADLINE:g} s"
        return self._store.head()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)
