"""The commands that run one process of the system in the foreground until SIGTERM."""

from __future__ import annotations

import ipaddress
import math
from pathlib import Path

import click

from controlplane.cli.extras import needs, require
from controlplane.cli.failed import Failed
from controlplane.cli.options import (
    ADDRESS,
    CONTROL_PLANE,
    DURATION,
    FIRST_HOST,
    IP,
    LIGHTBULB,
    RECORDS,
    TEXT,
    WORKSPACE,
    Address,
    address_option,
    control_plane_option,
    joined,
    make_takes,
    models_option,
    node_id_option,
    state_dir_option,
    takes_options,
)
from controlplane.cli.variables import option

LEAST_KEY = 16
MOST_KEY = 64
"""Bytes of the key of records: more are none to its hash."""

STORE = "sqlite:.lightbulb/store.db"


@click.command("control-plane")
@address_option("--listen", CONTROL_PLANE, "Where ADS and the API listen.")
@option(
    "--store",
    default=STORE,
    show_default=True,
    help="What is published is kept here: sqlite:PATH, or for several replicas redis://HOST:PORT, "
    "redis+sentinel://HOST:PORT,HOST:PORT/SERVICE.",
)
@option(
    "--store-replicas",
    type=click.IntRange(0, 16),
    default=0,
    show_default=True,
    help="Of Redis: how many of its replicas a commit waits for, up to 1 s; if fewer have it, that is said.",
)
@option("--cluster", type=TEXT, default="default", show_default=True, help="Name of what this store is for.")
@option("--replica", type=TEXT, default="control-plane", show_default=True, help="This replica's own name.")
@option(
    "--policy",
    multiple=True,
    metavar="NAME=NUMBER",
    help="Who is waited for how long, in seconds, and what is kept; see docs/operator.md. Repeatable.",
)
@option("--rules", type=WORKSPACE, help="Publish this workspace at the start, if nothing was ever published.")
def control_plane(  # noqa: PLR0913, PLR0917 - one argument a flag
    listen: Address,
    store: str,
    store_replicas: int,
    cluster: str,
    replica: str,
    policy: tuple[str, ...],
    rules: Path | None,
) -> None:
    """Run a control plane: publishes in, configuration out."""
    with needs("control-plane"):
        from controlplane.app import ControlPlaneSettings
        from controlplane.cli.actions import serve as action
        from controlplane.cli.policy import make_policy
    require(
        "control-plane", "quickjs", "tree_sitter_javascript", "yaml"
    )  # imported where rules are read and evaluated
    if not store.startswith("sqlite:"):
        require("redis", "redis")  # the store imports it later, where its absence would say less

    settings = ControlPlaneSettings(
        address=str(listen),
        store=store,
        store_replicas=store_replicas,
        cluster=cluster,
        replica=replica,
        policy=make_policy(policy),
    )
    action.control_plane(settings, rules)


@click.command()
@address_option("--listen", LIGHTBULB, "Where the Lightbulb service listens.")
@control_plane_option
@node_id_option("lightbulb", "Lightbulb")
@state_dir_option(
    "Keep here what the control plane sent, to start from while there is none.  [default: not kept]"
)
@option(
    "--tables-listen",
    type=ADDRESS,
    help="Where clients that resolve in their own process get tables.  [default: nowhere]",
)
@option(
    "--max-age",
    type=DURATION,
    help="Health says NOT_SERVING after so long without a control plane, such as 10m.  [default: never]",
)
@option(
    "--transport",
    type=click.Choice(["grpcio", "native"]),
    default="grpcio",
    show_default=True,
    help="What brings calls. `native` takes less CPU, and has neither reflection nor Watch of health.",
)
@takes_options
def serve(  # noqa: PLR0913, PLR0917 - one argument a flag
    listen: Address,
    control_plane: tuple[Address, ...],
    node_id: str,
    state_dir: Path | None,
    tables_listen: Address | None,
    max_age: float | None,
    transport: str,
    objective: tuple[str, ...],
    tenant: tuple[str, ...],
) -> None:
    """Run a Lightbulb: answers which model, and its routing key."""
    with needs("service"):
        from controlplane.cli.serving import run
        from lightbulb.service.server import LightbulbSettings
        from lightbulb.service.server import serve as serve_lightbulb
    if transport == "native":
        require("native", "ngh2")  # imported where the transport is made

    settings = LightbulbSettings(
        listen=str(listen),
        control_plane=joined(control_plane),
        node_id=node_id,
        state=state_dir,
        takes=make_takes(objective, tenant),
        tables=str(tables_listen or ""),
        max_age=math.inf if max_age is None else max_age,
        native=transport == "native",
    )
    run(serve_lightbulb(settings))


@click.command()
@address_option("--listen", FIRST_HOST, "Where the Open Inference service listens.", ip=True)
@option("--advertise", type=IP, default="", help="Where sidecars find it, when that isn't --listen.")
@control_plane_option
@option("--shard", type=TEXT, required=True, help="Shard in fleet.yaml that this host belongs to.")
@node_id_option("host", "host")
@option("--memory-mib", type=click.IntRange(1), default=4096, show_default=True, help="Memory for models.")
@models_option
@option(
    "--records",
    type=RECORDS,
    help="Keep records of requests that have a shadow in this folder, 256 MiB at most, or in a Redis: "
    "redis://HOST:PORT.  [default: none]",
)
@option(
    "--records-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of 16 secret bytes or more that users' ids are hashed with there, the same for all hosts.",
)
@option(
    "--records-requests",
    is_flag=True,
    help="Keep requests too, up to 64 KiB each, as they came, users' ids and all; for `lightbulb replay`.",
)
def host(  # noqa: PLR0913 - one argument a flag
    *,
    listen: Address,
    advertise: str,
    control_plane: tuple[Address, ...],
    shard: str,
    node_id: str,
    memory_mib: int,
    models: str,
    records: Path | str | None,
    records_key: Path | None,
    records_requests: bool,
) -> None:
    """Run a reference serving host of one shard.

    It loads what is assigned to its shard, and answers ModelInfer.
    """
    if not advertise and ipaddress.ip_address(listen.host).is_unspecified:
        raise click.UsageError(f"sidecars can't find a host at {listen.host}: add --advertise IP")
    with needs("host"):
        from controlplane.cli.serving import run
        from lightbulb.host.app import HostSettings, Records
        from lightbulb.host.app import serve as serve_host
        from lightbulb.host.catalogue import NoCatalogue, load_models

    if isinstance(records, str):
        require("redis", "redis")
    try:
        loadable = load_models(models)
    except NoCatalogue as error:
        raise Failed("MODELS", str(error), "name another module with --models") from error
    settings = HostSettings(
        node_id=node_id,
        shard=shard,
        address=listen.host,
        port=listen.port,
        control_plane=joined(control_plane),
        memory_mib=memory_mib,
        advertise=advertise,
        catalogue=loadable.catalogue,
        facts=loadable.facts,
        records=(
            Records(place=records, key=_key(records_key), requests=records_requests)
            if records is not None
            else None
        ),
    )
    run(serve_host(settings))


def _key(path: Path | None) -> bytes:
    """Return a key. Raises click.UsageError and Failed."""
    make = "`head -c 32 /dev/urandom > records.key` makes one"
    if path is None:
        raise click.UsageError(f"--records takes a key for users' ids: add --records-key FILE; {make}")
    try:
        key = path.read_bytes()
    except OSError as error:
        raise Failed("RECORDS_KEY", f"can't read {path} ({error.strerror})", make) from error
    if len(key) < LEAST_KEY:
        raise Failed("RECORDS_KEY", f"{path} has {len(key)} bytes, not {LEAST_KEY} at least", make)
    return key[:MOST_KEY]
