"""A serving host whose models take a while to load, so that a fault can come while they do.

SIGUSR1 makes its Python hang, until SIGUSR2: gRPC's own threads go on, and answer pings.

It also has a model that never finishes loading, versions of one for each tenant, and of course none that
nobody has.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
import time

from chaos.models import CATALOGUE, FACTS, UntrainedFraudClassifier
from chaos.tenants import ALL_OWN
from lightbulb.host.app import HostSettings, serve
from lightbulb.host.workflow import Supplies, Workflow

GIVE_UP_SECONDS = 10.0
"""How long the host waits for a model at the usual pace: less than the control plane waits for the host."""

OWN_SECONDS = 1.5
"""How long the versions that are a tenant's own take to load, so that others can be on their way too."""

HANGS = "payment-fraud-model@hangs"


def slow(workflow: type[Workflow], seconds: float) -> type[Workflow]:
    """Return the same model, that takes `seconds` longer to load."""

    class Slow(workflow):
        def __init__(self, supplies: Supplies) -> None:
            time.sleep(seconds)
            super().__init__(supplies)

    Slow.__name__ = workflow.__name__
    return Slow


class Hanging(UntrainedFraudClassifier):
    """A model that is never loaded."""

    def __init__(self, supplies: Supplies) -> None:
        threading.Event().wait()
        super().__init__(supplies)


def hangs_when_told() -> None:
    """Have signals begin and end a hang of the event loop, which runs in this thread."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    signal.signal(signal.SIGUSR1, lambda *_: signal.sigwait({signal.SIGUSR2}))


def main() -> None:
    hangs_when_told()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    node_id, shard, address, control_planes, memory, seconds, pace = sys.argv[1:]
    host, _, port = address.rpartition(":")
    catalogue = {name: slow(workflow, float(seconds)) for name, workflow in CATALOGUE.items()}
    own = slow(UntrainedFraudClassifier, OWN_SECONDS)
    catalogue |= {f"payment-fraud-model@{version}": own for version in ALL_OWN}
    settings = HostSettings(
        node_id=node_id,
        shard=shard,
        address=host,
        port=int(port),
        control_plane=control_planes,
        memory_mib=int(memory),
        load_seconds=GIVE_UP_SECONDS * float(pace),
        catalogue={**catalogue, HANGS: Hanging},
        facts=FACTS,
    )
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
