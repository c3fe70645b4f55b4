"""The commands that run one process of the system in the foreground until SIGTERM."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from controlplane.cli.options import (
    CONTROL_PLANE,
    FIRST_HOST,
    IP,
    LIGHTBULB,
    TEXT,
    WORKSPACE,
    Address,
    address_option,
    control_planes_option,
    joined,
)
from lightbulb.errors import CannotListen

STORE = "sqlite:.lightbulb/store.db"


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end; a port that is taken is an error message, not a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(main)
    except CannotListen as error:
        text = str(error)
        click.echo(
            f"error: {text} with --listen" if text.endswith("another address") else f"error: {text}", err=True
        )
        sys.exit(1)


@click.command("control-plane")
@address_option("--listen", CONTROL_PLANE, "Where ADS and the API listen.")
@click.option(
    "--store",
    default=STORE,
    show_default=True,
    help="What is published is kept here: sqlite:PATH, or for several replicas redis://HOST:PORT.",
)
@click.option(
    "--cluster", type=TEXT, default="default", show_default=True, help="Name of what this store is for."
)
@click.option(
    "--replica", type=TEXT, default="control-plane", show_default=True, help="This replica's own name."
)
@click.option(
    "--policy",
    "policy",
    multiple=True,
    metavar="NAME=NUMBER",
    help="Who is waited for how long, in seconds, and what is kept; see docs/operator.md. Repeatable.",
)
@click.option(
    "--rules",
    "folder",
    type=WORKSPACE,
    help="Publish this workspace at the start, if nothing was ever published.",
)
def control_plane(  # noqa: PLR0913, PLR0917 - one argument a flag
    listen: Address, store: str, cluster: str, replica: str, policy: tuple[str, ...], folder: Path | None
) -> None:
    """Run a control plane: publishes in, configuration out."""
    from controlplane.app import ControlPlaneSettings, serve  # noqa: PLC0415 - loads Envoy's API
    from controlplane.cli.policy import make_policy  # noqa: PLC0415
    from controlplane.cli.problems import print_problems  # noqa: PLC0415
    from controlplane.problems import WorkspaceError  # noqa: PLC0415
    from controlplane.rules.workspace import read_workspace  # noqa: PLC0415
    from controlplane.store.contract import StoreError  # noqa: PLC0415

    try:
        workspace = None if folder is None else read_workspace(folder)
        settings = ControlPlaneSettings(
            address=str(listen), store=store, cluster=cluster, replica=replica, policy=make_policy(policy)
        )
        run(serve(settings, workspace))
    except WorkspaceError as error:
        print_problems(error.problems, "nothing was published")
        sys.exit(1)
    except (StoreError, ValueError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


@click.command()
@address_option("--listen", LIGHTBULB, "Where the Lightbulb service listens.")
@control_planes_option
@click.option("--node-id", type=TEXT, default="lightbulb", show_default=True, help="This Lightbulb's name.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep here what the control plane sent, to start from while there is none.  [default: not kept]",
)
def serve(listen: Address, control_planes: tuple[Address, ...], node_id: str, state_dir: Path | None) -> None:
    """Run a Lightbulb: answers which model, and its routing key."""
    from lightbulb.service.server import LightbulbSettings  # noqa: PLC0415 - loads grpc
    from lightbulb.service.server import serve as serve_lightbulb  # noqa: PLC0415

    settings = LightbulbSettings(
        listen=str(listen), control_plane=joined(control_planes), node_id=node_id, state=state_dir
    )
    run(serve_lightbulb(settings))


@click.command()
@address_option("--listen", FIRST_HOST, "Where the Open Inference service listens.", ip=True)
@click.option("--advertise", type=IP, default="", help="Where sidecars find it, when that isn't --listen.")
@control_planes_option
@click.option("--shard", type=TEXT, required=True, help="Shard in fleet.yaml that this host belongs to.")
@click.option("--node-id", type=TEXT, default="host", show_default=True, help="This host's name.")
@click.option(
    "--memory-mib", type=click.IntRange(1), default=4096, show_default=True, help="Memory for models."
)
@click.option(
    "--models",
    type=TEXT,
    default="examples.models",
    show_default=True,
    help="Python module with CATALOGUE (and FACTS): what this host can load.",
)
def host(  # noqa: PLR0913, PLR0917 - one argument a flag
    listen: Address,
    advertise: str,
    control_planes: tuple[Address, ...],
    shard: str,
    node_id: str,
    memory_mib: int,
    models: str,
) -> None:
    """Run a reference serving host of one shard.

    It loads what is assigned to its shard, and answers ModelInfer.
    """
    if not advertise and ipaddress.ip_address(listen.host).is_unspecified:
        raise click.UsageError(f"sidecars can't find a host at {listen.host}: add --advertise IP")
    from lightbulb.host.app import HostSettings  # noqa: PLC0415 - loads numpy
    from lightbulb.host.app import serve as serve_host  # noqa: PLC0415
    from lightbulb.host.catalogue import NoCatalogue, load_models  # noqa: PLC0415

    try:
        loadable = load_models(models)
    except NoCatalogue as error:
        raise click.BadParameter(str(error), param_hint="--models") from error
    settings = HostSettings(
        node_id=node_id,
        shard=shard,
        address=listen.host,
        port=listen.port,
        control_plane=joined(control_planes),
        memory_mib=memory_mib,
        advertise=advertise,
        catalogue=loadable.catalogue,
        facts=loadable.facts,
    )
    run(serve_host(settings))
