"""Every command that there is, with arguments that it takes; and how a test runs one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import click
from click.testing import CliRunner, Result

from controlplane.cli.main import COMMANDS, main

ARGUMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "diff": ("1", "2"),
        "pin": ("1",),
        "resolve": ("Objective", "--user", "u"),
        "explain": ("Objective", "--user", "u"),
        "infer": ("Objective", "--user", "u"),
        "host": ("--shard", "a"),
        "health": ("127.0.0.1:1",),
        "figures": ("Objective",),
        "shadow report": ("records",),
        "shadow tell": ("records",),
        "replay": ("records", "--model", "m@1", "--keep", "kept"),
        "tenants offer": ("Objective", "--to", "b"),
        "tenants take": ("Objective",),
        "shift start": ("Objective", "--to", "m@1", "--percent", "5"),
        "shadow start": ("Objective", "m@1", "--percent", "5"),
        "shadow set": ("Objective", "--percent", "5"),
        "shadow stop": ("Objective",),
        **{f"shift {verb}": ("Objective",) for verb in ("hold", "resume", "step", "finish", "abort")},
    }
)
"""Command -> what it can't do without."""


def run(*arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, arguments)


def command(path: str) -> click.Command:
    """Return a command by its name, or by its group's and its own."""
    context, found = click.Context(main), main
    for name in path.split():
        assert isinstance(found, click.Group)
        child = found.get_command(context, name)
        assert child is not None, path
        found = child
    return found


def paths() -> Iterator[str]:
    """Yield what people type for each command."""
    for name in COMMANDS:
        found = command(name)
        if not isinstance(found, click.Group) or found.invoke_without_command:
            yield name
        if isinstance(found, click.Group):
            yield from (f"{name} {child}" for child in found.list_commands(click.Context(found)))


PATHS = tuple(paths())
