"""Where the rule functions of a file stand, and what is named as one but is none. Pure, by the syntax tree.

A rule is a function declared at the top of a file whose name is define...Rule. Whatever else has such a name,
or almost, wherever it stands, would be lost without a word: it is a problem here.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping

from controlplane.problems import Problem, problem_at
from controlplane.rules.scopes import names_in
from controlplane.rules.syntax import Tree
from lightbulb.model import Source

Places = Mapping[str, tuple[Source, ...]]
"""File -> its rule functions, in the order of the text; one that is defined twice stands there twice."""

_RULE = re.compile(r"define\S*Rule", re.DOTALL)
_HEAD, _TAIL = "define", "rule"
_FUNCTIONS = frozenset({"function_declaration", "generator_function_declaration"})
_VALUES = frozenset({"arrow_function", "function_expression", "generator_function", "class"})
_NAMED = frozenset({*_FUNCTIONS, "function_expression", "generator_function", "class", "class_declaration"})
_NAMES = frozenset(
    {
        "identifier",
        "property_identifier",
        "private_property_identifier",
        "shorthand_property_identifier_pattern",
        "string",
    }
)
_REFERENCES = frozenset({"identifier", "shorthand_property_identifier"})


def is_rule_name(name: str) -> bool:
    """Say whether a function of this name at the top of a file is a rule."""
    return _RULE.fullmatch(name) is not None


class RuleAt:
    """The rule that a node stands in, for nodes in the order of the text; "" outside of all."""

    def __init__(self, tree: Tree) -> None:
        """Note where the rules of a file stand."""
        self._tree = tree
        self._rules = deque(node for node in tree.children(0) if tree.kind(node) in _FUNCTIONS)

    def __call__(self, node: int) -> str:
        """Return the rule's name."""
        tree, rules = self._tree, self._rules
        while rules and tree.ends[rules[0]] <= node:
            rules.popleft()
        name = tree.name(tree.child(rules[0], "name")) if rules and rules[0] <= node else ""
        return name if is_rule_name(name) else ""


def find_rules(file: str, tree: Tree) -> tuple[Source, ...]:
    """Return the rule functions of a file, in the order of its text."""
    return tuple(
        Source(rule=name, file=file, line=tree.line(at))
        for at, name in _declared(tree)
        if is_rule_name(name) and name.isprintable()
    )


def find_variables(tree: Tree) -> tuple[str, ...]:
    """Return the names of the variables at the top of a file."""
    return tuple(
        tree.name(node)
        for at in tree.children(0)
        if tree.kind(at) in {"lexical_declaration", "variable_declaration"}
        for declarator in tree.children(at)
        if tree.kind(declarator) == "variable_declarator"
        for node in names_in(tree, tree.child(declarator, "name"))
    )


def find_lost(file: str, tree: Tree) -> tuple[Problem, ...]:
    """Return a problem for all that is named as a rule, or almost, and would not be one."""
    top = {at for at, _ in _declared(tree)}
    lost: list[Problem] = []
    for node in range(len(tree)):
        if tree.kind(node) in _NAMES:
            name = tree.name(node).strip("\"'`#")
            if is_rule_name(name):
                source = Source(rule=name, file=file, line=tree.line(node))
                lost += _misplaced(tree, node, source, top)
    return (*lost, *_almost(file, tree))


def find_modules(file: str, tree: Tree) -> tuple[Problem, ...]:
    """Return a problem for each import and export: every file runs alone."""
    return tuple(
        _module(file, tree.line(node), tree.kind(node))
        for node in range(len(tree))
        if tree.kind(node) in {"import_statement", "export_statement"}
        or (tree.kind(node) == "import" and tree.field(node) == "function")
    )


def _module(file: str, line: int, kind: str) -> Problem:
    if kind == "export_statement":
        message = "a rule file exports nothing"
        remedy = "remove export: every function define...Rule at the top of a file is a rule"
    else:
        message = "a rule file has no imports"
        remedy = "write what it needs into the file itself: each runs alone"
    return Problem(file=file, line=line, code="MODULE", message=message, remedy=remedy)


def _declared(tree: Tree) -> Iterator[tuple[int, str]]:
    """Yield the name's node and the name of each function declared at the top of a file."""
    for node in tree.children(0):
        at = tree.child(node, "declaration") if tree.kind(node) == "export_statement" else node
        if at >= 0 and tree.kind(at) in _FUNCTIONS:
            named = tree.child(at, "name")
            yield named, tree.name(named)


def _misplaced(tree: Tree, node: int, source: Source, top: set[int]) -> Iterator[Problem]:
    """Yield what is wrong with a name of a rule, where it stands; nothing where it is only used."""
    name = source.rule
    if node in top:
        if not name.isprintable():
            yield problem_at(source, "RULE_NAME", "there is a letter in it that nobody sees", "rename it")
        return
    write = f"write at the top of the file: function {name}() {{ return {{...}}; }}"
    match _role(tree, node):
        case "variable":
            message = f"{name} is a variable, and only functions are rules"
            yield problem_at(source, "NOT_A_FUNCTION", message, write)
        case "class":
            message = f"{name} is a class, and only functions are rules"
            yield problem_at(source, "NOT_A_FUNCTION", message, write)
        case "function":
            message = f"{name} stands inside of something, and only functions at the top of a file are rules"
            yield problem_at(source, "NOT_A_RULE", message, f"{write}, or give this another name")
        case "value":
            message = f"{name} is given a value here, and a rule is the function that is declared"
            yield problem_at(source, "NOT_A_RULE", message, write)


def _role(tree: Tree, node: int) -> str:
    """Return what a name is at this place: a variable, function, class or value; "" where it is only used."""
    parent = tree.parents[node]
    kind, field = tree.kind(parent), tree.field(node)
    if tree.kind(node) == "shorthand_property_identifier_pattern":
        return "variable"
    if field == "name" and kind in _NAMED:
        return "class" if "class" in kind else "function"
    if kind == "method_definition" and field == "name":
        return "function"
    if kind == "variable_declarator" and field == "name":
        return "variable"
    if kind == "field_definition" or (kind == "pair" and field == "key"):
        value = tree.child(parent, "value")
        return "function" if value >= 0 and tree.kind(value) in _VALUES else ""
    return _assigned(tree, node, parent)


def _assigned(tree: Tree, node: int, parent: int) -> str:
    """Return how a name is given a value: as a variable of a pattern, or as a value of what there is."""
    kind, field = tree.kind(parent), tree.field(node)
    if kind in {"formal_parameters", "array_pattern", "rest_pattern", "pair_pattern", "catch_clause"}:
        return "" if field == "key" else "variable"
    if kind == "arrow_function" and field == "parameter":
        return "variable"
    target = parent if kind in {"member_expression", "subscript_expression"} else node
    if target != node and field == "object":
        return ""
    above = tree.kind(tree.parents[target])
    assigns = above in {"assignment_expression", "augmented_assignment_expression", "assignment_pattern"}
    return "value" if assigns and tree.field(target) == "left" else ""


def _almost(file: str, tree: Tree) -> Iterator[Problem]:
    """Yield what nothing uses at the top of a file and is named almost as a rule."""
    near = [(node, name) for node, name in _top_functions(tree) if _is_almost(name)]
    if not near:
        return
    kinds = (node for node in range(len(tree)) if tree.kind(node) in _REFERENCES)
    used = Counter(tree.name(node) for node in kinds)
    for node, name in near:
        if used[name] == 1:
            source = Source(rule=name, file=file, line=tree.line(node))
            message = f"{name} is almost a rule's name, and nothing uses it"
            remedy = f"write {meant_name(name)} if it is a rule; or remove it"
            yield problem_at(source, "ALMOST_RULE", message, remedy)


def _top_functions(tree: Tree) -> Iterator[tuple[int, str]]:
    """Yield the name's node and the name of each function and class at the top of a file."""
    yield from _declared(tree)
    for node in tree.children(0):
        if tree.kind(node) == "class_declaration":
            named = tree.child(node, "name")
            yield named, tree.name(named)
        elif tree.kind(node) in {"lexical_declaration", "variable_declaration"}:
            for each in tree.children(node):
                named, value = tree.child(each, "name"), tree.child(each, "value")
                if value >= 0 and tree.kind(value) in _VALUES and tree.kind(named) == "identifier":
                    yield named, tree.name(named)


def _is_almost(name: str) -> bool:
    if is_rule_name(name):
        return False
    lower = name.lower()
    if lower.startswith(_HEAD) and _TAIL in lower[len(_HEAD) :]:
        return True  # defineXRules, defineXRule2
    return _head(lower) >= 0 and _tail(lower) >= 0 and len(lower) >= len(_HEAD) + len(_TAIL)


def meant_name(name: str) -> str:
    """Return the rule's name that an almost-name was meant for."""
    lower = name.lower()
    head = max(_head(lower), 0)
    at = lower.rfind(_TAIL)
    if at >= head:
        rest = name[at + len(_TAIL) :]
        middle = name[head:at] + (rest if rest != "s" else "")
    else:
        middle = name[head : len(name) - max(_tail(lower), 0)]
    return f"define{middle[:1].upper()}{middle[1:]}Rule"


def _head(lower: str) -> int:
    """Return how many letters at the beginning stand for "define", with at most one slip; -1 when none do."""
    lengths = (len(_HEAD), len(_HEAD) - 1, len(_HEAD) + 1)
    return next((length for length in lengths if within_one(lower[:length], _HEAD)), -1)


def _tail(lower: str) -> int:
    """Return how many letters at the end stand for "Rule", with at most one slip; -1 when none do."""
    lengths = (len(_TAIL), len(_TAIL) - 1, len(_TAIL) + 1)
    return next((length for length in lengths if within_one(lower[-length:], _TAIL)), -1)


def within_one(one: str, other: str) -> bool:
    """Say whether two short texts differ by one slip at most: a letter more, less, other, or two swapped."""
    if one == other:
        return True
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1:
        return False
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if len(one) < len(other):
        return one[same:] == other[same + 1 :]
    swapped = one[same : same + 2] == other[same : same + 2][::-1] and one[same + 2 :] == other[same + 2 :]
    return swapped or one[same + 1 :] == other[same + 1 :]
