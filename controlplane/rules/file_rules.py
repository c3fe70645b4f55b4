"""The rules of a workspace, file by file: those of a file that hasn't changed are recalled, others evaluated.

A file is evaluated alone, and sees of the workspace which objectives there are. So what it gives follows from
its text and from the objectives that it asked for. Only what nothing is to be said about is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from controlplane.problems import Problem, has_errors
from controlplane.rules.memory import Memory, name_of
from controlplane.rules.sandbox import Evaluated, RawRule, evaluate_beside
from controlplane.rules.shapes import Rule, read_rules
from lightbulb.model import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules:
    """What one file gives, without its rules, which are remembered beside it.

    `asked` has each objective that it asked for, and whether there was one; `every` is the hash of all their
    names, if it looked at all. `objectives` are those that its rules are for.
    """

    objectives: tuple[str, ...]
    places: tuple[Source, ...]
    asked: Mapping[str, bool]
    every: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRules:
    """The rules of one file, by line."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceRules:
    """The files that have rules, and what is known of each; `complete` when no rule is missing.

    `names` are names of a file's text, and `objectives` those that its rules are for. `rules_of` gives the
    rules of some files, in the order of file and line: of a file that didn't change they may not be needed.
    """

    names: Mapping[str, str]
    objectives: Mapping[str, tuple[str, ...]]
    rules_of: Callable[[Iterable[str]], tuple[Rule, ...]]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What rules may read beside their own file; without `objectives` they may name any."""

    objectives: Sequence[str] | None
    constants: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the files gave, before it is read; `names` are names of their texts."""

    names: Mapping[str, str]
    around: Surroundings
    known: Mapping[str, FileRules]
    """Of files that needn't be read either."""
    evaluated: Evaluated
    complete: bool


def evaluate_files(
    sources: Mapping[str, str], around: Surroundings, problems: list[Problem], memory: Memory
) -> Evaluation:
    """Evaluate those of `sources` (file -> JavaScript) that `memory` hasn't; note what is wrong."""
    names = {file: name_of("rules", file, text) for file, text in sources.items()}
    known = _recalled(names, around, memory)
    found: list[Problem] = []
    evaluated = _evaluate(sources, known, around, found)
    if known and not evaluated.finished:
        known, found = {}, []  # which files it comes to depends on all of them
        evaluated = _evaluate(sources, known, around, found)
    problems += found
    return Evaluation(
        names=names,
        around=around,
        known=known,
        evaluated=evaluated,
        complete=not has_errors(found),
    )


def read_files(evaluation: Evaluation, problems: list[Problem], memory: Memory) -> WorkspaceRules:
    """Return the rules; what is wrong is added to `problems`, and left out."""
    raw, names = evaluation.evaluated.rules, evaluation.names
    read = {file: read_rules(own, problems) for file, own in _by_file(raw)}
    _remember(evaluation, read, problems, memory)
    objectives = {file: own.objectives for file, own in evaluation.known.items()}
    objectives |= {file: _targets(own) for file, own in read.items()}

    def rules_of(files: Iterable[str]) -> tuple[Rule, ...]:
        own = (read[file] if file in read else _recall(memory, names[file]) for file in sorted(files))
        return tuple(rule for rules in own for rule in rules)

    return WorkspaceRules(
        names={file: names[file] for file in objectives},
        objectives=objectives,
        rules_of=rules_of,
        complete=evaluation.complete and sum(map(len, read.values())) == len(raw),
    )


def _targets(rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple(sorted({name for rule in rules for name in rule.objectives}))


def _recall(memory: Memory, name: str) -> tuple[Rule, ...]:
    own = memory.recall(OwnRules, _of_rules(name))
    assert own is not None, "it is remembered with what else is known of the file"
    return own.rules


def _evaluate(
    sources: Mapping[str, str],
    known: Mapping[str, FileRules],
    around: Surroundings,
    problems: list[Problem],
) -> Evaluated:
    return evaluate_beside(
        {file: text for file, text in sources.items() if file not in known},
        {file: own.places for file, own in known.items()},
        around.objectives,
        around.constants,
        problems,
    )


def _by_file(rules: Iterable[RawRule]) -> Iterator[tuple[str, Iterable[RawRule]]]:
    return groupby(rules, key=lambda each: each.source.file)


def _recalled(names: Mapping[str, str], around: Surroundings, memory: Memory) -> Mapping[str, FileRules]:
    """Return what is remembered of files, as far as they would find the same objectives."""
    if around.objectives is None:
        return {}
    there, every = frozenset(around.objectives), _every(around.objectives)
    found = {}
    for file, name in names.items():
        own = memory.recall(FileRules, name)
        if own is None or own.every not in {"", every} or not memory.knows(_of_rules(name)):
            continue
        if all((asked in there) is known for asked, known in own.asked.items()):
            found[file] = own
    return found


def _remember(
    evaluation: Evaluation, read: Mapping[str, tuple[Rule, ...]], problems: Iterable[Problem], memory: Memory
) -> None:
    """Remember what files gave that have no problem."""
    objectives, evaluated = evaluation.around.objectives, evaluation.evaluated
    if objectives is None:
        return
    faulty = {problem.file for problem in problems}
    there, every = frozenset(objectives), _every(objectives)
    for file in (read.keys() & evaluated.asked.keys()) - faulty:
        asked = evaluated.asked[file]
        own = FileRules(
            objectives=_targets(read[file]),
            places=evaluated.places.get(file, ()),
            asked={name: name in there for name in sorted(asked or ())},
            every=every if asked is None else "",
        )
        name = evaluation.names[file]
        memory.remember(name, own)
        memory.remember(_of_rules(name), OwnRules(rules=read[file]))


def _of_rules(name: str) -> str:
    """Return the name of a file's rules, by that of the file."""
    return name_of("own rules", name)


def _every(objectives: Iterable[str]) -> str:
    return name_of(*sorted(objectives))
