"""A process that commits to a store, beside others, until its head has a version; prints what it made.

Each line is printed once its commit was acknowledged, so whoever kills this knows what must not be lost.
"""

import sys
from collections.abc import Iterator

from controlplane.store.contract import Conflict, Store
from controlplane.store.open import open_store
from tests.store.places import CLUSTER, entry, event, step


def race(store: Store, last: int, name: str) -> Iterator[int]:
    """Commit until the head's version is `last`; yield each version that was ours."""
    version = store.head().version
    while version < last:
        number = version + 1
        store.put_blob(f"blob {number}".encode() * 500)
        change = step(
            version,
            body=f"state {number}".encode(),
            entry=entry(number, name),
            events=(event(f"{number}"),),
            request_id=f"request {number}",
            outcome=f"{number}".encode(),
        )
        try:
            version = store.commit(change).version
        except Conflict:
            version = store.head().version
        else:
            yield version


if __name__ == "__main__":
    url, last = sys.argv[1:]
    for won in race(open_store(url, CLUSTER), int(last), "racer"):
        print(won, flush=True)
