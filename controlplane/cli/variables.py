"""Options that may be given by an environment variable as well.

    --listen of `lightbulb host`     LIGHTBULB_HOST_LISTEN      LIGHTBULB_<COMMAND>_<OPTION>, for every option
    --control-plane, wherever it is  LIGHTBULB_CONTROL_PLANE    LIGHTBULB_<OPTION>, for those that are shared

The command line comes first, then the shared variable, then the command's own, then the default. An option
that is repeatable takes several values with spaces between them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click
from click.core import ParameterSource

PREFIX = "LIGHTBULB"

Command = TypeVar("Command", bound=Callable[..., Any])


class _Text(click.Parameter):
    """A parameter whose texts, and paths, can be sent and printed."""

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Convert a value. Raises click.BadParameter for one that isn't text in this locale's encoding."""
        for each in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(each, str) and not is_text(each):
                shown = os.fsencode(each).decode("ascii", "backslashreplace")
                encoding = sys.getfilesystemencoding()
                raise click.BadParameter(f"'{shown}' isn't {encoding}, as your locale says it is", ctx, self)
        return super().type_cast_value(ctx, value)


class Argument(_Text, click.Argument):
    """An argument."""


class Option(_Text, click.Option):
    """An option that, when its value is bad, names the variable that the value came from."""

    def variables(self, ctx: click.Context) -> Iterator[str]:
        """Yield the variables that it takes, the one that comes first first."""
        if isinstance(self.envvar, str):
            yield self.envvar
        if ctx.auto_envvar_prefix is not None and self.name:
            yield f"{ctx.auto_envvar_prefix}_{self.name.upper()}"

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """Remember where the value is from; click itself does so too late for errors, in some versions."""
        value, source = super().consume_value(ctx, opts)
        ctx.meta[self._key(ctx)] = source
        return value, source

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the flag, or the variable that stands for it."""
        if ctx is not None and ctx.meta.get(self._key(ctx)) is ParameterSource.ENVIRONMENT:
            for variable in self.variables(ctx):
                if os.environ.get(variable):
                    return f"variable {variable}"
        return click.Parameter.get_error_hint(self, ctx)

    def _key(self, ctx: click.Context) -> str:
        return f"{__name__} {ctx.command_path} {self.name}"


def option(flag: str, *names: str, shared: bool = False, **settings: Any) -> Callable[[Command], Command]:
    """Return an option; a `shared` one means the same in every command, and so has one variable for all."""
    variable = f"{PREFIX}_{flag.removeprefix('--').replace('-', '_').upper()}" if shared else None
    return click.option(flag, *names, cls=Option, envvar=variable, show_envvar=True, **settings)


def argument(name: str, **settings: Any) -> Callable[[Command], Command]:
    """Return an argument."""
    return click.argument(name, cls=Argument, **settings)


def is_text(value: str) -> bool:
    """Say whether a text from the system is one: bytes that aren't come as surrogates."""
    return not any("\ud800" <= each <= "\udfff" for each in value)


def bad_value(flag: str, message: str) -> click.BadParameter:
    """Return the error of an option of the running command that only the command itself can judge."""
    ctx = click.get_current_context(silent=True)
    found = (each for each in ctx.command.params if flag in each.opts) if ctx is not None else iter(())
    param = next(found, None)
    return click.BadParameter(message, ctx, param, None if param is not None else flag)
