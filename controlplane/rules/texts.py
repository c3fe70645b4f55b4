"""What the text of a rule file says before it runs: its rules, and what would be misread. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from controlplane.problems import Problem, problem_at
from controlplane.rules.literals import find_lost_parts
from controlplane.rules.operators import find_operators
from controlplane.rules.places import Places, find_lost, find_modules, find_rules, find_variables
from controlplane.rules.sandbox_faults import REMEDIES
from controlplane.rules.syntax import Unread, read_tree
from lightbulb.model import Source

_WITHOUT_RULES = frozenset(
    {"SYNTAX", "MODULE", "UNREAD", "NOT_A_FUNCTION", "NOT_A_RULE", "RULE_NAME", "ALMOST_RULE"}
)
"""Problems of a file from which it only follows that it has no rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a file's text says; `unread` is the line at which it can't be read, 0 when it can.

    `variables` are those at its top, which all of its rules see.
    """

    rules: tuple[Source, ...] = ()
    variables: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    unread: int = 0


def look_at(sources: Mapping[str, str]) -> Mapping[str, Text]:
    """Return what each file says (file -> JavaScript), in the order of their names."""
    return {file: _look(file, sources[file]) for file in sorted(sources)}


def _look(file: str, source: str) -> Text:
    tree = read_tree(source)
    if isinstance(tree, Unread):
        return Text(unread=tree.line)
    return Text(
        rules=find_rules(file, tree),
        variables=find_variables(tree),
        problems=(
            *find_modules(file, tree),
            *find_lost(file, tree),
            *find_operators(file, tree),
            *find_lost_parts(file, tree),
        ),
    )


def places_of(texts: Mapping[str, Text]) -> Places:
    """Return where the rules of each file stand."""
    return {file: text.rules for file, text in texts.items()}


def first_places(places: Places) -> Mapping[tuple[str, str], Source]:
    """Return (file, rule) -> where the file defines the rule first."""
    first: dict[tuple[str, str], Source] = {}
    for own in places.values():
        for source in own:
            first.setdefault((source.file, source.rule), source)
    return first


def held_against(
    texts: Mapping[str, Text], held: Mapping[str, Collection[str]], found: Sequence[Problem]
) -> Iterator[Problem]:
    """Yield what was found when the files ran, and what their texts say to it.

    `held` is what functions named as rules there are once a file has run, of every file that has.
    """
    modules = {file for file, text in texts.items() if any(each.code == "MODULE" for each in text.problems)}
    told = {(each.file, each.line, each.code) for text in texts.values() for each in text.problems}
    kept = [
        each
        for each in found
        if (each.code != "SYNTAX" or each.file not in modules)
        and (each.code != "CONDITION_OPERATOR" or (each.file, each.line, each.code) not in told)
    ]
    stopped = {each.file for each in found if not each.rule}
    broken = {each.file for each in found if each.code in _WITHOUT_RULES}
    yield from kept
    for file, text in texts.items():
        yield from text.problems
        if file not in stopped and file in held:
            yield from _unread(file, text) if text.unread else _differing(file, text, held[file])
        clear = file not in broken and not any(each.code in _WITHOUT_RULES for each in text.problems)
        if not text.rules and not text.unread and clear:
            yield Problem(file=file, line=1, code="NO_RULES", message="no rule", remedy=REMEDIES["NO_RULES"])


def _unread(file: str, text: Text) -> Iterator[Problem]:
    """Yield that the engine takes a text which can't be looked at: something in it might be misread."""
    message = "this JavaScript is beyond what is checked before it runs"
    yield Problem(
        file=file, line=text.unread, code="UNREAD", message=message, remedy="write it in a plainer way"
    )


def _differing(file: str, text: Text, held: Collection[str]) -> Iterator[Problem]:
    """Yield each rule that only runs, or only stands in the text."""
    declared = {each.rule for each in text.rules}
    for name in sorted(set(held) - declared - {each.rule for each in text.problems}):
        shown = name if name.isprintable() else ascii(name)
        yield Problem(
            file=file,
            line=1,
            rule=shown,
            code="NOT_A_RULE",
            message="the file makes this function while it runs, and only those that it declares are rules",
            remedy="write at its top: function define...Rule() { return {...}; }",
        )
    for source in text.rules:
        if source.rule not in held:
            message = "it is no function any more once the file has run"
            yield problem_at(source, "NOT_A_RULE", message, "leave the name to the function alone")
