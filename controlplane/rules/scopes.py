"""What each name in a file means: which declaration it is bound to. Pure, in time linear in the file.

A binding is a number from `len(tree)` on, so that it and the nodes can be told apart.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from controlplane.rules.syntax import Tree

FUNCTIONS = frozenset(
    {
        "function_declaration",
        "generator_function_declaration",
        "function_expression",
        "generator_function",
        "arrow_function",
        "method_definition",
    }
)
_SCOPES = FUNCTIONS | {
    "program",
    "statement_block",
    "for_statement",
    "for_in_statement",
    "catch_clause",
    "switch_body",
}
_NAMES = frozenset({"identifier", "shorthand_property_identifier_pattern"})
_REFERENCES = _NAMES | {"shorthand_property_identifier"}
_PUNCTUATION = frozenset({"(", ")", "[", "]", "{", "}", ",", ";", "...", "=", "comment", "html_comment"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """What names are bound to: of each node its binding, or -1; and the function around it, or -1."""

    bindings: array[int]
    around: array[int]
    count: int
    """How many bindings there are."""


@dataclass(slots=True)
class _Scope:
    """A part of the text that names are declared in."""

    function: int
    names: dict[str, int]


def inner(tree: Tree, node: int) -> Iterator[int]:
    """Yield the children of a node that say something."""
    return (each for each in tree.children(node) if tree.kind(each) not in _PUNCTUATION)


def names_in(tree: Tree, pattern: int) -> Iterator[int]:
    """Yield the names that a pattern declares, none of its defaults and keys."""
    left = [pattern]
    while left:
        node = left.pop()
        kind = tree.kind(node)
        if kind in _NAMES:
            yield node
        else:
            left.extend(_inside(tree, node, kind))


def _inside(tree: Tree, node: int, kind: str) -> Iterator[int]:
    """Yield what a pattern is made of, but for its defaults and keys."""
    if kind in {"assignment_pattern", "object_assignment_pattern"}:
        yield tree.child(node, "left")
    elif kind == "pair_pattern":
        yield tree.child(node, "value")
    elif kind in {"object_pattern", "array_pattern", "rest_pattern"}:
        yield from inner(tree, node)


def read_scopes(tree: Tree) -> Scopes:
    """Return what the names of a file are bound to."""
    declaring = _Declaring(tree)
    declaring.run()
    visible: dict[str, list[int]] = {}
    bindings = array("i", bytes(4 * len(tree)))
    open_scopes: list[tuple[int, dict[str, int]]] = []
    for node in range(len(tree)):
        while open_scopes and open_scopes[-1][0] <= node:
            for name in open_scopes.pop()[1]:
                visible[name].pop()
        scope = declaring.scopes.get(node)
        if scope is not None:
            open_scopes.append((tree.ends[node], scope.names))
            for name, binding in scope.names.items():
                visible.setdefault(name, []).append(binding)
        bindings[node] = -1
        if tree.kind(node) in _REFERENCES:
            found = visible.get(tree.name(node))
            bindings[node] = declaring.declared.get(node, found[-1] if found else -1)
    return Scopes(bindings=bindings, around=declaring.around, count=declaring.next - len(tree))


class _Declaring:
    """Goes through a file once, and notes what each scope declares."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.scopes: dict[int, _Scope] = {}
        self.declared: dict[int, int] = {}
        self.around = array("i", bytes(4 * len(tree)))
        self.next = len(tree)
        self._targets: dict[int, _Scope] = {}

    def run(self) -> None:
        """Declare everything."""
        tree = self._tree
        top = _Scope(-1, {})
        stack: list[tuple[int, _Scope, _Scope]] = [(len(tree) + 1, top, top)]
        for node in range(len(tree)):
            while stack[-1][0] <= node:
                stack.pop()
            _, scope, function = stack[-1]
            self.around[node] = function.function
            kind = tree.kind(node)
            self._declare(node, kind, scope, function)
            if kind in _SCOPES:
                own = _Scope(node if kind in FUNCTIONS else function.function, {})
                self.scopes[node] = own
                stack.append((tree.ends[node], own, own if kind in FUNCTIONS else function))
                self._open(node, kind, own)

    def _declare(self, node: int, kind: str, scope: _Scope, function: _Scope) -> None:
        """Note what a node declares in the scope that it stands in."""
        tree = self._tree
        if kind in {"function_declaration", "generator_function_declaration", "class_declaration"}:
            self._add(tree.child(node, "name"), scope)
        elif kind == "variable_declarator":
            is_var = tree.kind(tree.parents[node]) == "variable_declaration"
            self._targets[tree.child(node, "name")] = function if is_var else scope
        elif node in self._targets:
            target = self._targets.pop(node)
            if kind in _NAMES:
                self._add(node, target)
            else:
                self._targets.update((each, target) for each in _inside(tree, node, kind))

    def _open(self, node: int, kind: str, own: _Scope) -> None:
        """Note what a scope declares by itself: parameters, and the like."""
        tree = self._tree
        if kind in FUNCTIONS:
            for each in tree.children(node):
                if tree.kind(each) == "formal_parameters":
                    self._targets.update((param, own) for param in inner(tree, each))
                elif tree.field(each) == "parameter":
                    self._targets[each] = own
            if kind in {"function_expression", "generator_function"}:
                self._add(tree.child(node, "name"), own)
        elif kind == "catch_clause":
            self._targets[tree.child(node, "parameter")] = own
        elif kind == "for_in_statement" and tree.child(node, "kind") >= 0:
            self._targets[tree.child(node, "left")] = own

    def _add(self, node: int, scope: _Scope) -> None:
        if node < 0:
            return
        name = self._tree.name(node)
        if name not in scope.names:
            scope.names[name] = self.next
            self.next += 1
        self.declared[node] = scope.names[name]
