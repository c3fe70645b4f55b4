"""The commands that run a sidecar, and that help to run an Envoy of one's own."""

from __future__ import annotations

import sys
from collections.abc import Container, Coroutine
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from controlplane.cli.extras import needs
from controlplane.cli.failed import Failed, NotInstalled
from controlplane.cli.options import (
    SIDECAR,
    SIDECAR_ADMIN,
    Address,
    address_option,
    control_plane_option,
    envoy_option,
    make_takes,
    node_id_option,
    state_dir_option,
    takes_options,
)
from controlplane.cli.variables import option

RELAY_SOCKET = Path("/run/lightbulb/relay.sock")
SOCKET = click.Path(path_type=Path, dir_okay=False)

_listen_option = address_option("--listen", SIDECAR, "Where the client service sends its requests.", ip=True)
_admin_option = address_option(
    "--admin", SIDECAR_ADMIN, "Envoy's admin interface; keep it on loopback.", ip=True
)
_node_id_option = node_id_option("sidecar", "sidecar")
_client_option = option(
    "--client",
    default="",
    help="The client service that it is beside, for limits and figures.  [default: the node's id]",
)
_relay_socket_option = option(
    "--relay-socket",
    type=SOCKET,
    default=RELAY_SOCKET,
    show_default=True,
    help="Where an Envoy of your own finds the relay.",
)


@click.group(invoke_without_command=True, subcommand_metavar="[bootstrap [OPTIONS]]")
@_listen_option
@_admin_option
@control_plane_option
@_node_id_option
@_client_option
@state_dir_option("Folder to keep the configuration in, to start without a control plane.  [default: none]")
@option(
    "--concurrency", type=click.IntRange(1, 256), default=1, show_default=True, help="Envoy's worker threads."
)
@envoy_option
@option("--relay-only", is_flag=True, help="Run the relay alone, for an Envoy of your own.")
@_relay_socket_option
@takes_options
@click.pass_context
def sidecar(  # noqa: PLR0913, PLR0917 - one argument a flag
    context: click.Context,
    listen: Address,
    admin: Address,
    control_plane: tuple[Address, ...],
    node_id: str,
    client: str,
    state_dir: Path | None,
    concurrency: int,
    envoy: Path | None,
    relay_only: bool,  # noqa: FBT001 - click's way
    relay_socket: Path,
    objective: tuple[str, ...],
    tenant: tuple[str, ...],
) -> None:
    """Run an Envoy sidecar, configured by the control plane.

    The relay beside it takes Envoy's configuration from the control plane. Ends with Envoy's exit
    code. SIGTERM lets requests that are under way end.
    """
    if context.invoked_subcommand is not None:
        _refuse(context, context.params, f"belongs behind {context.invoked_subcommand}")
        return
    _refuse(
        context,
        ("concurrency", "envoy") if relay_only else ("relay_socket",),
        "is Envoy's, which --relay-only doesn't run" if relay_only else "needs --relay-only",
    )
    with needs("sidecar"):
        from lightbulb.sidecar.bootstrap import sidecar_node
        from lightbulb.sidecar.relay import RelaySettings
        from lightbulb.sidecar.run import RunSettings, run, run_relay, starting_elsewhere

    replicas, address = tuple(map(str, control_plane)), (listen.host, listen.port)
    takes = make_takes(objective, tenant)
    if relay_only:
        relay_settings = RelaySettings(
            node=sidecar_node(node_id, address, takes, client),
            control_planes=starting_elsewhere(replicas, node_id),
            socket=relay_socket.absolute(),
            state=state_dir,
            admin=(admin.host, admin.port),
        )
        _run(run_relay(relay_settings))
    else:
        settings = RunSettings(
            node_id=node_id,
            control_planes=replicas,
            listen=address,
            admin=(admin.host, admin.port),
            state=state_dir,
            concurrency=concurrency,
            envoy=envoy,
            takes=takes,
            client=client,
        )
        _run(run(settings))


@sidecar.command()
@_node_id_option
@_client_option
@_listen_option
@_admin_option
@control_plane_option
@_relay_socket_option
@option("--without-relay", is_flag=True, help="Let Envoy take its configuration from the control plane.")
@option("--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@takes_options
@click.pass_context
def bootstrap(  # noqa: PLR0913, PLR0917 - one argument a flag
    context: click.Context,
    node_id: str,
    client: str,
    listen: Address,
    admin: Address,
    control_plane: tuple[Address, ...],
    relay_socket: Path,
    without_relay: bool,  # noqa: FBT001 - click's way
    output: str,
    objective: tuple[str, ...],
    tenant: tuple[str, ...],
) -> None:
    """Print the bootstrap file for an Envoy of your own.

    That Envoy takes its configuration from a relay (`lightbulb sidecar --relay-only`), which keeps it on
    disk; with --without-relay it takes it from the control plane itself. The folder envoy/ has both files.
    """
    _refuse(
        context,
        ("relay_socket",) if without_relay else ("control_plane",),
        "needs a relay, and --without-relay has none"
        if without_relay
        else "is the relay's, or needs --without-relay",
    )
    with needs("sidecar"):
        from lightbulb.sidecar.bootstrap import SidecarSettings, make_bootstrap

    replicas = tuple((each.host, each.port) for each in control_plane)
    settings = SidecarSettings(
        node_id=node_id,
        control_plane=replicas if without_relay else relay_socket.absolute(),
        listen=(listen.host, listen.port),
        admin=(admin.host, admin.port),
        takes=make_takes(objective, tenant),
        client=client,
    )
    if output == "json":
        click.echo(make_bootstrap(settings))
        return
    with needs("sidecar"):
        from controlplane.cli.bootstrap_yaml import bootstrap_yaml

    click.echo(bootstrap_yaml(settings), nl=False)


def _refuse(context: click.Context, names: Container[str], why: str) -> None:
    """Raise click.UsageError for an option of `names` that the command line gives."""
    for each in context.command.params:
        given = context.get_parameter_source(each.name or "") is ParameterSource.COMMANDLINE
        if each.name in names and given:
            raise click.UsageError(f"{each.opts[0]} {why}", context)


def _run(work: Coroutine[Any, Any, int | None]) -> None:
    """Run a sidecar or a relay, and end with its exit code."""
    from controlplane.cli.serving import run_server
    from lightbulb.sidecar.process import NoEnvoy, SidecarFailed

    try:
        sys.exit(run_server(work))
    except NoEnvoy as error:
        raise NotInstalled("NO_ENVOY", str(error)) from error
    except SidecarFailed as error:
        raise Failed("SIDECAR_FAILED", str(error)) from error
