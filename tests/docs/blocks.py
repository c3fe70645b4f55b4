"""The fenced code blocks of a document, and what is to be done with each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

EXCLUDED = {
    "docs/benchmarks.md": "its numbers come from `make bench`, which takes minutes",
}

NOT_RUN = {
    "": "no language: a drawing",
    "text diagram": "a drawing",
    "text excerpt": "what a part that is down, broken or elsewhere shows: nothing here is to be taken down",
}
"""Info strings of blocks that can't be run, and why."""

OUTPUT = ("text", "json")
"""What the block before printed: compared with what it prints now."""

FENCE = re.compile(r"^( *)```(.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """`line` is that of the opening fence, from 1."""

    document: str
    line: int
    info: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]


def documents() -> tuple[str, ...]:
    """Return every document that readers start from, sorted."""
    paths = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *(ROOT / folder / "README.md" for folder in ("envoy", "rules")),
    ]
    names = {path.relative_to(ROOT).as_posix() for path in paths}
    return tuple(sorted(names - EXCLUDED.keys()))


def blocks_of(document: str) -> tuple[Block, ...]:
    """Return a document's blocks, in order; raise ValueError when one isn't closed."""
    found = []
    opened: tuple[int, str, str] | None = None
    inside: list[str] = []
    for number, line in enumerate((ROOT / document).read_text().splitlines(), start=1):
        fence = FENCE.match(line)
        if opened is None:
            if fence:
                opened, inside = (number, fence.group(1), fence.group(2).strip()), []
        elif fence and not fence.group(2):
            text = "".join(f"{each.removeprefix(opened[1])}\n" for each in inside)
            found.append(Block(document=document, line=opened[0], info=opened[2], text=text))
            opened = None
        else:
            inside.append(line)
    if opened is not None:
        raise ValueError(f"{document}:{opened[0]}: a block that isn't closed")
    return tuple(found)
