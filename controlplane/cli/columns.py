"""Texts in columns. Rich's tables take a third of a millisecond a row, and a workspace has thousands."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console

_GAP = "  "


def print_columns(console: Console, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below a header, each column as wide as its widest text."""
    widths = [max(map(cell_len, column)) for column in zip(header, *rows, strict=True)]
    console.out(_line(header, widths), style="bold", highlight=False)
    if rows:
        console.out("\n".join(_line(row, widths) for row in rows), highlight=False)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
    return _GAP.join(cells).rstrip()
