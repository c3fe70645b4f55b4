"""The `lightbulb` command: one group, whose commands are imported when they are asked for."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from types import MappingProxyType

import click

# gRPC's C core logs what we report ourselves, and better; GRPC_VERBOSITY=ERROR brings it back.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "up": "run",
        "demo": "run",
        "control-plane": "serve",
        "serve": "serve",
        "host": "serve",
        "sidecar": "sidecar",
        "rules": "rules",
        "publish": "publish",
        "status": "publish",
        "rollback": "generations",
        "history": "generations",
        "diff": "generations",
        "pin": "generations",
        "events": "generations",
        "resolve": "ask",
        "explain": "ask",
        "health": "health",
    }
)
"""Command -> module of controlplane.cli.commands that holds it, under its name with "_" for "-"."""


class LazyGroup(click.Group):
    """Imports a command's module only to run it: `lightbulb --help` needs neither Envoy nor numpy."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order of a newcomer's interest."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command, or None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"controlplane.cli.commands.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="lightbulb-routing")
def main() -> None:
    """Route requests to the right model, on the right shard, for the right user.

    Exit codes: 0 done; 1 refused or failed, with the reasons; 2 wrong usage.
    """
