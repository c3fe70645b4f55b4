"""Commands that fail: one line for people, and the same as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import click


class Failed(click.ClickException):
    """What a command was asked for, and can't do: exit code 1.

    `code` is stable, for programs; `message` says what is wrong, in one line or several; `remedy` what to do.
    """

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy
        self._text = f"{message}; {remedy}" if remedy else message

    def __str__(self) -> str:
        return self._text

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it to stderr; lines that are indented belong to the one above."""
        for line in self._text.splitlines():
            click.echo(line if line.startswith(" ") else f"error: {line}", file, err=True)

    def document(self) -> Mapping[str, Any]:
        """Return it as what JSON can say."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}


class NotInstalled(Failed):
    """A command that can't run, since something isn't installed."""

    exit_code = 2
