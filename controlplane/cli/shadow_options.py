"""What a shadow is asked for with, as it is typed: an end, and a size."""

from __future__ import annotations

import click

from controlplane.lifecycle.shadow import Ends
from controlplane.lifecycle.shadow_words import END_ADVICE, SIZE_ADVICE, bytes_of, end_of


class UntilType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """A number of pairs, or a duration."""

    name = "pairs|duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Ends:
        """Return when it ends."""
        found = value if isinstance(value, Ends) else end_of(str(value))
        if found is None:
            self.fail(f"{value!r} is no end: say {END_ADVICE}", param, ctx)
        return found


class SizeType(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on
    """A number of bytes, KiB or MiB."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        found = value if isinstance(value, int) else bytes_of(str(value))
        if found is None:
            self.fail(f"{value!r} is no size: {SIZE_ADVICE}", param, ctx)
        return found


UNTIL = UntilType()
SIZE = SizeType()
