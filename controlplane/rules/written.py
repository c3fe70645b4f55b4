"""The functions and objects that names of a file mean for sure: they are written where it is bound. Pure."""

from __future__ import annotations

from controlplane.rules.scopes import FUNCTIONS, Scopes, inner
from controlplane.rules.syntax import Tree


class Written:
    """Of each node and binding, the function or the object literal that it is, where that is known."""

    def __init__(self, tree: Tree, scopes: Scopes) -> None:
        """Look for all."""
        self._tree = tree
        self._bindings = scopes.bindings
        self._known: dict[int, int] = {}
        self._properties: dict[int, dict[str, int]] = {}
        for node in range(len(tree)):
            self._bind(node, tree.kind(node))
        for node in range(len(tree) - 1, -1, -1):  # what is inside comes first
            self._pass_up(node, tree.kind(node))

    def known(self, node: int) -> int:
        """Return the function or object that a node is where it is written; -1 when that isn't known."""
        return self._known.get(node, -1)

    def properties_of(self, holder: int) -> dict[str, int]:
        """Return the properties that stand in an object: name -> value."""
        if holder not in self._properties:
            self._properties[holder] = self._read(holder)
        return self._properties[holder]

    def _read(self, holder: int) -> dict[str, int]:
        tree = self._tree
        found: dict[str, int] = {}
        for each in inner(tree, holder):
            kind = tree.kind(each)
            if kind == "pair":
                found[key(tree, tree.child(each, "key"))] = tree.child(each, "value")
            elif kind == "method_definition" and tree.kind(each + 1) != "get":
                found[key(tree, tree.child(each, "name"))] = each
            elif kind == "shorthand_property_identifier":
                found[tree.name(each)] = each
        return found

    def _bind(self, node: int, kind: str) -> None:
        tree = self._tree
        if _is_written(kind):
            self._known[node] = node
        if kind in {"function_declaration", "generator_function_declaration"}:
            self._known[self._bindings[tree.child(node, "name")]] = node
        elif kind == "variable_declarator":
            name, value = tree.child(node, "name"), self._unwrapped(tree.child(node, "value"))
            if value >= 0 and tree.kind(name) == "identifier" and _is_written(tree.kind(value)):
                self._known[self._bindings[name]] = value

    def _unwrapped(self, node: int) -> int:
        while node >= 0 and self._tree.kind(node) == "parenthesized_expression":
            node = next(inner(self._tree, node), -1)
        return node

    def _pass_up(self, node: int, kind: str) -> None:
        tree = self._tree
        if kind == "identifier":
            self._same(node, self._bindings[node])
        elif kind == "parenthesized_expression":
            self._same(node, next(inner(tree, node), -1))
        elif kind == "member_expression":
            holder = self.known(tree.child(node, "object"))
            if holder >= 0 and tree.kind(holder) == "object":
                name = tree.name(tree.child(node, "property"))
                self._same(node, self.properties_of(holder).get(name, -1))

    def _same(self, node: int, begin: int) -> None:
        if begin >= 0 and begin in self._known:
            self._known[node] = self._known[begin]


def _is_written(kind: str) -> bool:
    return kind in FUNCTIONS or kind == "object"


def key(tree: Tree, node: int) -> str:
    """Return the name that a property's key means; "" when it is computed."""
    return "" if tree.kind(node) == "computed_property_name" else tree.name(node).strip("\"'`")
