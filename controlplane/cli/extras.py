"""Which extra a command needs, said in one line when it isn't installed.

    with needs("cli"):
        from rich.console import Console

A plain installation is what a client service needs. What a command needs beyond that it imports when it is
run, so that its `--help` always works.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator

from controlplane.cli.failed import NotInstalled

PACKAGE = "lightbulb-routing"

MODULES = frozenset(
    {
        "envoy",
        "grpc_health",
        "grpc_reflection",
        "httpx",
        "ngh2",
        "numpy",
        "openfeature",
        "quickjs",
        "re2",
        "redis",
        "rich",
        "tree_sitter",
        "tree_sitter_javascript",
        "udpa",
        "validate",
        "xds",
        "yaml",
    }
)
"""What the extras bring. Any other module that is missing is none of our business."""


class MissingExtra(NotInstalled):
    """An extra that isn't installed: exit code 2."""

    def __init__(self, extra: str, module: str) -> None:
        install = f'pip install "{PACKAGE}[{extra}]"'
        message = f'this needs the extra "{extra}", for {module}'
        super().__init__("MISSING_EXTRA", message, install)


@contextlib.contextmanager
def needs(extra: str) -> Iterator[None]:
    """Tell of a missing module of ours as of an extra that isn't installed. Raises MissingExtra.

    For imports alone: what a user's own code can't import must not be taken for ours.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in MODULES:
            raise
        raise MissingExtra(extra, module) from error


def require(extra: str, *modules: str) -> None:
    """Raise MissingExtra when there is no such module, for one that only another process imports."""
    with needs(extra):
        for module in modules:
            if importlib.util.find_spec(module) is None:
                raise ModuleNotFoundError(name=module)
