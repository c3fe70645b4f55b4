"""A workspace to a RuleSet: read, evaluate, look up, check, and order by precedence.

Pure but for the sandbox. Whatever is wrong with the whole workspace is reported at once.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from controlplane.model import RuleSet, Workspace
from controlplane.planning.placement import closure
from controlplane.planning.plan import does_not_fit
from controlplane.problems import Problem, WorkspaceError, has_errors, told
from controlplane.rules.definitions import FILES, Definitions, read_definitions
from controlplane.rules.doubts import doubts_about_definitions
from controlplane.rules.file_rules import Evaluation, Surroundings, evaluate_files, read_files
from controlplane.rules.file_tables import find_tables
from controlplane.rules.lookup import all_named, named_models
from controlplane.rules.memory import Memory, name_of
from controlplane.rules.never import never_apply
from controlplane.rules.oddities import misleading
from controlplane.rules.shapes import Rule
from controlplane.rules.unused import unused
from controlplane.rules.workspace import check_workspace
from controlplane.rules.yaml_file import suggest
from lightbulb.model import ObjectiveTable

T = TypeVar("T")

CONSTANTS: Mapping[str, str] = {
    name: name
    for name in ("TITLE_INPUT_TYPE", "TRANSACTION_INPUT_TYPE", "QUERY_INPUT_TYPE", "USER_INPUT_TYPE")
}
"""What rules find under `constants`; lightbulb.d.ts declares the same."""


@contextmanager
def without_collector() -> Iterator[None]:
    """Let the cyclic garbage collector rest: a hundred thousand values come, and all stay."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A workspace that can be published, and what there is to say of it all the same."""

    rules: RuleSet
    bodies: Mapping[str, bytes]
    """Objective -> its table as bytes, of tables that were made anew."""
    digests: Mapping[str, str]
    """Objective -> hash of those bytes, of all tables."""
    warnings: tuple[Problem, ...]


def _no_matter(stage: str) -> None:
    """Take no notice of what is begun."""


def compile_workspace(
    workspace: Workspace, begin: Callable[[str], None] = _no_matter, memory: Memory | None = None
) -> RuleSet:
    """Return the compiled rules of a workspace, as `compile_and_warn` does, without the warnings."""
    return compile_and_warn(workspace, begin, memory).rules


@without_collector()
def compile_and_warn(
    workspace: Workspace, begin: Callable[[str], None] = _no_matter, memory: Memory | None = None
) -> Compiled:
    """Return the compiled rules of a workspace, and its warnings.

    Raises WorkspaceError with the problems in it if one of them is an error. `begin` is told what is begun.
    What `memory` has isn't looked at again; the result is the same.
    """
    memory = memory or Memory()
    begin("looking at its files")
    problems = list(check_workspace(workspace))
    if has_errors(problems):
        raise WorkspaceError(problems)
    begin("reading its YAML files")
    definitions = read_definitions(workspace.files, problems, memory)
    problems += [
        Problem(
            file=file,
            code="UNKNOWN_FILE",
            message="no file of a workspace",
            remedy=f"rename it; {suggest(file, FILES)}",
        )
        for file in workspace.files
        if file.endswith(".yaml") and file not in FILES
    ]
    begin("evaluating its rules")
    evaluation = _evaluate(workspace, definitions, problems, memory)
    begin("reading what its rules return")
    own = read_files(evaluation, problems, memory)
    begin("comparing its rules")
    found = find_tables(own, definitions, _yaml(workspace), problems, memory)
    if found is None:
        problems += _too_large(own.rules_of(own.names), definitions)
        raise WorkspaceError(problems)
    problems += unused(all_named(each.named for each in found.parts), definitions)
    problems += (problem for part in found.parts for problem in part.warnings)
    problems += memory.derived(_doubts, definitions)
    begin("looking for rules that can never apply")
    tables = tuple(sorted((table for part in found.parts for table in part.tables), key=_objective))
    digests = {
        table.objective: digest
        for part in found.parts
        for table, digest in zip(part.tables, part.digests, strict=True)
    }
    problems += never_apply(tables, digests, memory)
    compiled = RuleSet(
        objectives=memory.derived(_sorted, definitions.objectives),
        models=memory.derived(_sorted, definitions.models),
        shards=memory.derived(_sorted, definitions.shards),
        tables=tables,
    )
    return Compiled(rules=compiled, bodies=found.bodies, digests=digests, warnings=told(problems))


def _doubts(definitions: Definitions) -> tuple[Problem, ...]:
    return tuple(doubts_about_definitions(definitions))


def _yaml(workspace: Workspace) -> str:
    """Return a name of all that tables follow from beside rules: the YAML files but for the fleet."""
    files = sorted(set(FILES) & workspace.files.keys() - {"fleet.yaml"})
    return name_of(*(part for file in files for part in (file, workspace.files[file])))


def _objective(table: ObjectiveTable) -> str:
    return table.objective


def _evaluate(
    workspace: Workspace, definitions: Definitions, problems: list[Problem], memory: Memory
) -> Evaluation:
    unreadable: list[Problem] = []
    sources = {}
    for file, content in workspace.files.items():
        if file.endswith(".js"):
            read = _text_of(file, content)
            if isinstance(read, Problem):
                unreadable.append(read)
            else:
                sources[file] = read
    problems += unreadable
    unread = definitions.unread["objectives"]
    objectives = None if unread.everything else (*definitions.objectives, *unread.names)
    around = Surroundings(objectives=objectives, constants=CONSTANTS)
    evaluation = evaluate_files(sources, around, problems, memory)
    return replace(evaluation, complete=False) if unreadable else evaluation


def _text_of(file: str, content: bytes) -> str | Problem:
    """Return a rule file's text, or why it has none that everybody reads alike."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        said = (
            content.count(b"\n", 0, error.start) + 1,
            f"not UTF-8 at byte {error.start}",
            "save it as UTF-8",
        )
    else:
        bad = misleading(text)
        if bad is None:
            return text
        said = bad
    line, message, remedy = said
    return Problem(file=file, line=line, code="SYNTAX", message=message, remedy=remedy)


def _too_large(rules: Iterable[Rule], definitions: Definitions) -> Iterable[Problem]:
    """Return the models that no shard could hold even alone: there will be no plan that finds them."""
    models, shards = definitions.models, definitions.shards.values()
    if definitions.unread["shards"] or not shards:
        return
    largest = max((shard.memory_mib for shard in shards), default=0)
    named = {name for rule in rules for name in named_models(rule, definitions)}
    if sum(models[each].memory_mib for each in closure(named, models)) <= largest:
        return  # all together would fit: no need to look at each with all that it depends on
    for name in sorted(named):
        needed = closure((name,), models)
        size = sum(models[each].memory_mib for each in needed)
        if size > largest:
            yield does_not_fit(models[name], size, largest)


def _sorted(values: Mapping[str, T]) -> tuple[T, ...]:
    return tuple(values[name] for name in sorted(values))
