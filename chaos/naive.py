"""A control plane in the naive order: everything at once, nobody is waited for, and nothing old is kept.

It shows that the harness sees what the real one prevents.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from controlplane.cli import policy
from controlplane.cli.main import main
from controlplane.replica import replica
from controlplane.rollout.advance import Progress
from controlplane.rollout.desired_state import DesiredState
from controlplane.rollout.registry import Consumer
from controlplane.rollout.state import Policy


def nobody(*_: Any, **__: Any) -> Progress:
    return Progress()


def at_once(*_: Any, **__: Any) -> float:
    return 0.0


def everybody(desired: DesiredState, consumers: Iterable[Consumer], *_: Any) -> dict[str, tuple[Any, ...]]:
    """A host is sent requests whether or not it has loaded what they are for."""
    return {
        vip: tuple(sorted(each.address for each in consumers if each.shard == shard and each.address))
        for vip, shard in desired.vips.items()
    }


def naive_policy(_: Any) -> Policy:
    return replace(Policy(), unload=0.0, margin=0.0, window=0)


if __name__ == "__main__":
    replica.progress = nobody
    replica.retire_after = at_once
    replica.ReadyAddresses.of = staticmethod(everybody)
    policy.make_policy = naive_policy
    store = f"sqlite:{Path(tempfile.mkdtemp()) / 'store.db'}"
    sys.argv[sys.argv.index("--store") + 1] = store
    main()
