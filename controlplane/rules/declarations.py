"""lightbulb.d.ts: what editors and TypeScript know of a workspace. Pure.

What the YAML files define comes first, as closed sets of names; then what every workspace has, from
declarations.d.ts. The same definitions give the same text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from controlplane.model import Experiment
from controlplane.problems import Problem, Severity
from controlplane.rules.compile import CONSTANTS
from controlplane.rules.definitions import Definitions, read_definitions
from controlplane.rules.doubts import comparisons, defined_conditions
from controlplane.rules.lock_file import LOCK
from controlplane.rules.memory import Memory
from controlplane.rules.unit import UNITS, unit_text
from lightbulb.model import FIXED_ATTRIBUTES

DECLARATIONS = "lightbulb.d.ts"

RUN = "run `lightbulb rules types`, and commit"
_FLEET = "fleet.yaml"
_MAX_EXACT = 2**53
_ANY_OTHER = "(string & {})"
"""A text that leaves the names beside it to be offered."""
_HEAD = """\
// What rule files find, and what they return: for editors and TypeScript.
// Written by `lightbulb rules types` from the YAML files. Commit it with them; nobody edits it.
"""


def read_types(files: Mapping[str, bytes], problems: list[Problem], memory: Memory | None = None) -> str:
    """Return the text of lightbulb.d.ts for these files; what is wrong with them is added to `problems`.

    Which users a cell has is no matter here, nor where models stand.
    """
    found: list[Problem] = []
    named = {file: content for file, content in files.items() if file not in {LOCK, _FLEET}}
    definitions = read_definitions({**named, _FLEET: b"shards: []"}, found, memory)
    problems += (problem for problem in found if problem.file != _FLEET)
    return _text(definitions)


def _text(definitions: Definitions) -> str:
    return "\n".join((_HEAD, *_blocks(definitions), _of_every_workspace()))


@cache
def _of_every_workspace() -> str:
    return Path(__file__).with_suffix(".d.ts").read_text()


def _blocks(definitions: Definitions) -> Iterator[str]:
    """Yield the declarations that follow from a workspace."""
    objectives = sorted(definitions.objectives)
    yield _members(
        "/** The objectives of objectives.yaml. */",
        "declare const Objectives: {",
        (f"readonly {_key(name)}: {_quoted(name)};" for name in objectives),
    )
    yield _members(
        "/** The input types of objectives. */",
        "declare const constants: {",
        (f"readonly {_key(name)}: {_quoted(value)};" for name, value in sorted(CONSTANTS.items())),
    )
    yield _members(
        "/** Input type -> the objectives that have it. */",
        "interface ObjectivesByType {",
        _by_type(definitions),
    )
    yield (
        "/** A model of models.yaml; its version may be left out while there is only one. */\n"
        f"type ModelRef ={_models(definitions.versions)};\n"
    )
    yield _members(
        "/** The A/B tests of experiments.yaml and their cells. */",
        "interface AbTests {",
        (_test(test) for _, test in sorted(definitions.experiments.items())),
    )
    yield f"/** The segments of segments.yaml. */\ntype Segment = {_union(definitions.segments)};\n"
    yield (
        "/** Attributes of your own: those that the YAML files name, and any other. */\n"
        f"type OwnAttribute = {_either((*map(_quoted, _attributes(definitions)), _ANY_OTHER))};\n"
    )


def _members(comment: str, begin: str, members: Iterable[str]) -> str:
    lines = "".join(f"  {member}\n" for member in members)
    end = "};" if begin.startswith("declare") else "}"
    return f"{comment}\n{begin}\n{lines}{end}\n"


def _by_type(definitions: Definitions) -> Iterator[str]:
    types: dict[str, list[str]] = {}
    for objective in definitions.objectives.values():
        types.setdefault(objective.input_type, []).append(objective.name)
    for input_type, names in sorted(types.items()):
        yield f"{_key(input_type)}: {_union(names)};"


def _models(versions: Mapping[str, tuple[str, ...]]) -> str:
    """Return what names a model: one type for all with the same versions, since TypeScript tries each."""
    names: dict[tuple[str, ...], list[str]] = {}
    for name, own in versions.items():
        names.setdefault(own, []).append(name)
    return "".join(_models_alike(alike, own) for own, alike in sorted(names.items())) or " never"


def _models_alike(names: Iterable[str], versions: tuple[str, ...]) -> str:
    """Return the type of models with the same versions; a line a model, as version control likes it."""
    lines = "".join(f"\n        | {_quoted(name)}" for name in sorted(names))
    version = f"version{'?' if len(versions) == 1 else ''}: {_union(versions)}"
    return f"\n  | {{\n      name:{lines};\n      {version};\n      parameters?: ModelParameters;\n    }}"


def _test(test: Experiment) -> str:
    cells = _either(str(cell.number) for cell in sorted(test.cells, key=lambda cell: cell.number))
    return f"{test.id if _is_number(test.id) else _key(test.id)}: {cells};"


def _is_number(text: str) -> bool:
    """Say whether a text is what JavaScript makes of a number."""
    return text.isdecimal() and text.isascii() and text == str(int(text)) and int(text) < _MAX_EXACT


def _attributes(definitions: Definitions) -> Iterable[str]:
    """Return the attributes beside the fixed ones that tests and segments name, sorted."""
    conditions = (condition for _, condition in defined_conditions(definitions))
    named = {each.attribute for condition in conditions for each in comparisons(condition)}
    units = (test.unit for test in definitions.experiments.values())
    named |= {unit for unit in units if unit_text(unit) not in UNITS}
    return sorted(named - set(FIXED_ATTRIBUTES))


def _union(names: Iterable[str]) -> str:
    return _either(map(_quoted, sorted(names)))


def _either(types: Iterable[str]) -> str:
    return " | ".join(types) or "never"


def _key(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else _quoted(name)


def _quoted(name: str) -> str:
    """Return a text as TypeScript says it, in ASCII."""
    return json.dumps(name)


def doubt_of(there: bytes | None, wanted: str) -> Problem | None:
    """Return the warning that a workspace's lightbulb.d.ts isn't there, or isn't what is `wanted`."""
    if there is None:
        code, message = "NO_TYPES", "it is not there, so that editors know no names"
    elif is_as_wanted(there, wanted):
        return None
    else:
        code, message = "STALE_TYPES", "it isn't what the YAML files say"
    return Problem(file=DECLARATIONS, code=code, message=message, remedy=RUN, severity=Severity.WARNING)


def is_as_wanted(there: bytes, wanted: str) -> bool:
    """Say whether a file has this text; version control may have given its lines other ends."""
    return there.replace(b"\r\n", b"\n") == wanted.encode()
