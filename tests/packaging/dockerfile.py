"""The Dockerfile, read as far as a test needs it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.packaging.environments import ROOT


@dataclass
class Stage:
    """A stage: what it stands on, and its instructions in order, as (keyword, rest)."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        """Return what follows a keyword, each time."""
        return [rest for word, rest in self.instructions if word == keyword]

    def command(self, keyword: str) -> list[str]:
        """Return a command in the form of a JSON list."""
        (rest,) = self.all(keyword)
        return list(map(str, json.loads(rest[rest.index("[") :])))


def stages() -> Mapping[str, Stage]:
    """Return the stages by name; `base` of the first ones is the image that all stand on."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    arguments: dict[str, str] = {}
    found: dict[str, Stage] = {}
    stage = Stage("")
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, rest = line.partition(" ")
        if word == "ARG" and not found:
            name, _, value = rest.partition("=")
            arguments["${" + name + "}"] = value
        elif word == "FROM":
            base, _, name = rest.partition(" AS ")
            stage = found[name] = Stage(arguments.get(base, base))
        elif word:
            stage.instructions.append((word, rest))
    return found
