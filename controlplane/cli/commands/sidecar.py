"""The command that runs a sidecar: an Envoy, and the relay that configures it."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import click

from controlplane.cli.options import (
    SIDECAR,
    SIDECAR_ADMIN,
    TEXT,
    Address,
    address_option,
    control_planes_option,
    envoy_option,
)


@click.command()
@address_option("--listen", SIDECAR, "Where the client service sends its requests.", ip=True)
@address_option("--admin", SIDECAR_ADMIN, "Envoy's admin interface; keep it on loopback.", ip=True)
@control_planes_option
@click.option("--node-id", type=TEXT, default="sidecar", show_default=True, help="This sidecar's name.")
@click.option(
    "--state-dir",
    "state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to keep the configuration in, to start without a control plane.  [default: none]",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 256), default=1, show_default=True, help="Envoy's worker threads."
)
@envoy_option
def sidecar(  # noqa: PLR0913, PLR0917 - one argument a flag
    listen: Address,
    admin: Address,
    control_planes: tuple[Address, ...],
    node_id: str,
    state: Path | None,
    concurrency: int,
    envoy: Path | None,
) -> None:
    """Run an Envoy sidecar, configured by the control plane.

    The relay beside it takes Envoy's configuration from the control plane. Ends with Envoy's exit
    code. SIGTERM lets requests that are under way end.
    """
    from lightbulb.sidecar.process import SidecarFailed  # noqa: PLC0415
    from lightbulb.sidecar.run import RunSettings, run  # noqa: PLC0415 - loads grpc

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = RunSettings(
        node_id=node_id,
        control_planes=tuple(map(str, control_planes)),
        listen=(listen.host, listen.port),
        admin=(admin.host, admin.port),
        state=state,
        concurrency=concurrency,
        envoy=envoy,
    )
    try:
        sys.exit(asyncio.run(run(settings)))
    except SidecarFailed as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
