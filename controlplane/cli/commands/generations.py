"""`lightbulb rollback`, `history`, `diff`, `pin` and `events`."""

from __future__ import annotations

import click

from controlplane.cli.extras import needs
from controlplane.cli.options import (
    Address,
    NameType,
    author_option,
    control_plane_option,
    limit_option,
    tenant_option,
)
from controlplane.cli.output import output_option
from controlplane.cli.variables import argument, option


@click.command()
@argument("generation", type=click.IntRange(1), required=False)
@control_plane_option
@tenant_option
@option("--message", "-m", default="", help="Why.")
@author_option
@option("--reload", is_flag=True, help="Load it, if it isn't loaded; as slow as a publish.")
@option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@option(
    "--objective",
    type=NameType("an objective", optional=True),
    default="",
    help="Of this objective alone: it is answered from GENERATION, and all others as they are.",
)
@option(
    "--expect",
    type=click.IntRange(1),
    help="Refuse it unless this generation is the newest: somebody may have undone it already.",
)
def rollback(  # noqa: PLR0913 - one argument an option
    *,
    generation: int | None,
    control_plane: tuple[Address, ...],
    tenant: str,
    message: str,
    author: str,
    reload: bool,
    dry_run: bool,
    objective: str,
    expect: int | None,
) -> None:
    """Make GENERATION active again; without it, undo the newest publish.

    One that is on its way is withdrawn then; else what was active before it is active again. What is left
    is marked: another rollback goes further back, and never to a marked one, unless you name it.

    With --objective no generation changes: that objective's table is rejected, and it is answered from an
    older one, until another table of it is published.

    At once: generations are kept loaded for this. `lightbulb status` says which. Exits 0 once every
    Lightbulb answers from it, and 1, naming the others, when that isn't so after 5 s.
    """
    with needs("cli"):
        from controlplane.cli.actions import generations as action

    wanted = action.Wanted(
        generation=generation or 0,
        tenant=tenant,
        message=message,
        author=author,
        reload=reload,
        expect=expect or 0,
        objective=objective,
    )
    if dry_run:
        action.preview(control_plane, wanted)
    else:
        action.rollback(control_plane, wanted)


@click.command()
@control_plane_option
@tenant_option
@limit_option
@output_option
def history(*, control_plane: tuple[Address, ...], tenant: str, limit: int, output: bool) -> None:
    """List the published generations, the newest first."""
    with needs("cli"):
        from controlplane.cli.actions import generations as action

    action.history(control_plane, tenant, limit, as_json=output)


@click.command()
@argument("one", type=click.IntRange(1), metavar="FROM")
@argument("other", type=click.IntRange(1), metavar="TO")
@control_plane_option
@output_option
def diff(*, one: int, other: int, control_plane: tuple[Address, ...], output: bool) -> None:
    """Show what differs between generations FROM and TO.

    Exit code 0, also when something does.
    """
    with needs("cli"):
        from controlplane.cli.actions import generations as action

    action.diff(control_plane, one, other, as_json=output)


@click.command()
@argument("generation", type=click.IntRange(1))
@control_plane_option
@tenant_option
@author_option
@option("--release", is_flag=True, help="Let it go instead.")
def pin(
    *, generation: int, control_plane: tuple[Address, ...], tenant: str, author: str, release: bool
) -> None:
    """Keep GENERATION loaded for a rollback, whatever is published."""
    with needs("cli"):
        from controlplane.cli.actions import generations as action

    action.pin(control_plane, generation, tenant=tenant, author=author, release=release)


@click.command()
@control_plane_option
@tenant_option
@limit_option
@output_option
def events(*, control_plane: tuple[Address, ...], tenant: str, limit: int, output: bool) -> None:
    """List who did what, and what the system did."""
    with needs("cli"):
        from controlplane.cli.actions import generations as action

    action.events(control_plane, tenant, limit, as_json=output)
