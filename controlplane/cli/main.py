"""The `lightbulb` command: one group, whose commands are imported when they are asked for."""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import click
from click.shell_completion import CompletionItem

from controlplane.cli.output import print_error, wants_json
from controlplane.cli.streams import make_safe
from controlplane.cli.system_errors import system_failure
from controlplane.cli.variables import PREFIX

# gRPC's C core logs what we report ourselves, and better; GRPC_VERBOSITY=ERROR brings it back.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

# As Python ends it looks for garbage several times, in all that was imported: a sixth of the CPU that
# `lightbulb status` would take.
atexit.register(gc.freeze)

_ARGUMENTS = "controlplane.cli.main.arguments"


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: the module of controlplane.cli.commands that holds it, and what it does, in one line.

    It stands there under its name, with "_" for "-".
    """

    module: str
    summary: str


COMMANDS: Mapping[str, Entry] = MappingProxyType(
    {
        "up": Entry("run", "Run everything until Ctrl-C, and say what to try."),
        "demo": Entry("run", "Run everything, and check what many users are answered."),
        "init": Entry("init", "Make a workspace to start from."),
        "rules": Entry("rules", "Check a workspace of rules: `rules check`."),
        "publish": Entry("publish", "Publish a workspace, and see it become active."),
        "status": Entry("publish", "Show what is active, and who has acknowledged it."),
        "rollback": Entry("generations", "Make a loaded generation active again, at once."),
        "shift": Entry("shift", "Move a share of the users to another model: `shift start`, `abort`."),
        "shadow": Entry("shadow", "Copy requests to another model, and compare: `shadow start`, `report`."),
        "replay": Entry("replay", "Ask a model again what users asked, and compare the answers."),
        "history": Entry("generations", "List the published generations, the newest first."),
        "diff": Entry("generations", "Show what differs between generations FROM and TO."),
        "pin": Entry("generations", "Keep a generation loaded, whatever is published."),
        "events": Entry("generations", "List who did what, and what the system did."),
        "figures": Entry("figures", "Show what sidecars counted of an objective's shift."),
        "tenants": Entry("tenants", "Hand an objective to another tenant: `tenants offer`, `take`."),
        "store": Entry("store", "Go on with a store that lost commits: `store resume`."),
        "resolve": Entry("ask", "Print one user's routing key and ObjectiveConfig, as JSON."),
        "explain": Entry("ask", "Say step by step why one user gets that model."),
        "infer": Entry("infer", "Send one request through the sidecar, and say who answered."),
        "health": Entry("health", "Say whether a process serves, by the exit code."),
        "control-plane": Entry("serve", "Run a control plane: publishes in, configuration out."),
        "serve": Entry("serve", "Run a Lightbulb: answers which model, and its routing key."),
        "host": Entry("serve", "Run a reference serving host of one shard."),
        "sidecar": Entry("sidecar", "Run an Envoy sidecar, configured by the control plane."),
    }
)
"""Commands, in the order of a newcomer's interest."""


class LazyGroup(click.Group):
    """Imports a command's module only to run it: `lightbulb --help` needs no more than click."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command, or None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"controlplane.cli.commands.{COMMANDS[cmd_name].module}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands, and the group's own options, that begin so."""
        commands = [
            CompletionItem(name, help=entry.summary)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the arguments: they say how to tell of what is wrong with them."""
        ctx.meta[_ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; tell of a failure as JSON when that is asked for."""
        try:
            return _invoke(super().invoke, ctx)
        except click.ClickException as error:
            if not wants_json(ctx, ctx.meta[_ARGUMENTS]):
                raise
            print_error(error)
            ctx.exit(error.exit_code)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line; what the system refuses is told in a line, output among it."""
        make_safe()
        try:
            return super().main(*args, **extra)
        except OSError as error:
            failure = system_failure(error)
            failure.show()
            sys.exit(failure.exit_code)


def _invoke(command: Callable[[click.Context], Any], ctx: click.Context) -> Any:
    """Run a command. Raises Failed for what the system refuses, but not when the output's reader is gone."""
    try:
        return command(ctx)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        raise system_failure(error) from error


@click.group(
    "lightbulb",
    cls=LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "auto_envvar_prefix": PREFIX,
    },
)
@click.version_option(package_name="lightbulb-routing", allow_from_autoenv=False)
def main() -> None:
    """Route requests to the right model, on the right shard, for the right user.

    Every option has an environment variable too, which the command's --help names.

    Exit codes: 0 done; 1 refused or failed, with the reasons; 2 wrong usage, or an extra that is missing.
    """
