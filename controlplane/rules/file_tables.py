"""The tables of a workspace, by files: of files that haven't changed they are recalled, others are made.

What an objective's table is follows from the rules that are for it, and from the YAML files. So files that
share no objective have nothing to do with each other, but that no two decisions may have one salt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from controlplane.problems import Problem, has_errors
from controlplane.rules.definitions import Definitions
from controlplane.rules.doubts import doubts_about
from controlplane.rules.file_rules import WorkspaceRules
from controlplane.rules.lookup import Named, check_names, names_in
from controlplane.rules.memory import Memory, name_of
from controlplane.rules.salts import are_apart, check_rules_salts, salts_of, salts_of_definitions
from controlplane.rules.shapes import Rule
from controlplane.rules.tables import make_tables, tables_beside, unruled
from lightbulb.model import ObjectiveTable
from lightbulb.resolution.codec import table_to_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTables:
    """What files come to that share objectives with each other and with no other file.

    `digests` are the hashes of the tables' bytes. `salts` are those of the files' rules, and what each
    decides on.
    """

    tables: tuple[ObjectiveTable, ...]
    digests: tuple[str, ...]
    warnings: tuple[Problem, ...]
    named: Named
    salts: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceTables:
    """What all files come to; `bodies` is objective -> its table's bytes, of those that were made anew."""

    parts: tuple[FileTables, ...]
    bodies: Mapping[str, bytes]


def find_tables(
    rules: WorkspaceRules, definitions: Definitions, yaml: str, problems: list[Problem], memory: Memory
) -> WorkspaceTables | None:
    """Return the tables; None when something is wrong with them, or was before; it is in `problems`.

    `yaml` is a name of all that `definitions` were read from.
    """
    groups = {
        name_of("tables", yaml, *(rules.names[file] for file in files)): files for files in _groups(rules)
    }
    if rules.complete and not has_errors(problems):
        known = {name: part for name in groups if (part := memory.recall(FileTables, name)) is not None}
        found = _beside(known, groups, rules, definitions, memory) if known else None
        if found is not None:
            return found
    every = rules.rules_of(rules.names)
    tables = make_tables(every, definitions, problems, complete=rules.complete)
    if has_errors(problems):
        return None
    return _remembered({}, groups, tables, rules, definitions, memory)


def _groups(rules: WorkspaceRules) -> Iterator[Sequence[str]]:
    """Yield the files that have to do with each other, by objectives that both have rules for."""
    files_of: dict[str, list[str]] = {}
    for file, objectives in rules.objectives.items():
        for name in objectives:
            files_of.setdefault(name, []).append(file)
    left = set(rules.objectives)
    for first in sorted(left):
        group, stack = set[str](), [first]
        while stack:
            file = stack.pop()
            if file in left:
                left.remove(file)
                group.add(file)
                stack.extend(each for name in rules.objectives[file] for each in files_of[name])
        if group:
            yield sorted(group)


def _beside(
    known: Mapping[str, FileTables],
    groups: Mapping[str, Sequence[str]],
    rules: WorkspaceRules,
    definitions: Definitions,
    memory: Memory,
) -> WorkspaceTables | None:
    """Return the tables of a workspace of which some files' are known; None when something is wrong."""
    if unruled({name for own in rules.objectives.values() for name in own}, definitions):
        return None
    problems: list[Problem] = []
    changed = rules.rules_of(file for name, files in groups.items() if name not in known for file in files)
    check_names(changed, definitions, problems)
    check_rules_salts(changed, definitions, problems)
    tables = tables_beside(changed, definitions, problems, complete=True)
    salts = (
        memory.derived(salts_of_definitions, definitions),
        *(part.salts for part in known.values()),
        salts_of(changed, definitions),
    )
    if has_errors(problems) or not are_apart(salts):
        return None
    return _remembered(known, groups, tables, rules, definitions, memory)


def _remembered(  # noqa: PLR0913, PLR0917 - all that was found
    known: Mapping[str, FileTables],
    groups: Mapping[str, Sequence[str]],
    tables: Iterable[ObjectiveTable],
    rules: WorkspaceRules,
    definitions: Definitions,
    memory: Memory,
) -> WorkspaceTables:
    """Remember the tables that weren't known, by the files that they are of."""
    bodies = {table.objective: table_to_bytes(table) for table in tables}
    made = {table.objective: table for table in tables}
    parts = []
    for name, files in groups.items():
        part = known.get(name)
        if part is None:
            objectives = sorted({each for file in files for each in rules.objectives[file]})
            own = [made[each] for each in objectives]
            part = _file_tables(own, bodies, rules.rules_of(files), definitions)
            memory.remember(name, part)
        parts.append(part)
    return WorkspaceTables(parts=tuple(parts), bodies=bodies)


def _file_tables(
    tables: Iterable[ObjectiveTable],
    bodies: Mapping[str, bytes],
    rules: Sequence[Rule],
    definitions: Definitions,
) -> FileTables:
    tables = tuple(tables)
    return FileTables(
        tables=tables,
        digests=tuple(name_of(bodies[table.objective]) for table in tables),
        warnings=tuple(doubts_about(rules, definitions)),
        named=names_in(rules, definitions),
        salts=salts_of(rules, definitions),
    )
