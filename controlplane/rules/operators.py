"""JavaScript's own operators where they look at a condition, which isn't known before a request comes. Pure.

`a || b` of two conditions is the first of them, always; nothing of the second is left when the rule has run.
So it is the text that is looked at, and each such place is a problem that says what to write.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

from controlplane.problems import Problem
from controlplane.rules.flow import CHOOSING, Values
from controlplane.rules.kinds import Kind, held, is_open, own, returned
from controlplane.rules.places import RuleAt
from controlplane.rules.scopes import inner, read_scopes
from controlplane.rules.syntax import Tree

MAX_FOUND = 200
"""Problems of this kind in one file."""

MAX_SHOWN = 60
"""Characters of an author's expression that a remedy shows."""

MAX_OPERANDS = 8
"""Operands of one chain that a remedy shows."""

_CANT_TELL = "can't tell what a request will be"
_TAKES = "goes one way, whatever the request"
_TESTS = frozenset({"if_statement", "while_statement", "do_statement", "for_statement", "ternary_expression"})
_LOOKING = _TESTS | {
    "binary_expression",
    "unary_expression",
    "update_expression",
    "augmented_assignment_expression",
    "sequence_expression",
    "template_substitution",
    "switch_statement",
    "switch_case",
    "call_expression",
    "object",
    "expression_statement",
    "finally_clause",
}
_JOINS = {"||": "any", "&&": "all", "||=": "any", "&&=": "all"}
_COMPARISONS = {"==": "eq", "===": "eq", "<": "lt", "<=": "le", ">": "gt", ">=": "ge", "in": "in"}
_EQUALITIES = frozenset({"==", "===", "!=", "!=="})
_CASTS = frozenset({"Boolean", "String", "Number", "BigInt", "parseInt", "parseFloat", "isNaN"})
_LOOK_UPS = frozenset({"includes", "indexOf", "lastIndexOf", "has", "get"})
_FINDING = frozenset({"find", "findIndex", "findLast", "findLastIndex"})
_GENERAL = "combine conditions by any(...), all(...) and not(...) alone"
_BRANCH = "write a rule for each case, with the condition in its when, and not(...) of it in the other's"

_Returned = Mapping[int, Sequence[int]]
"""Function, or -1 outside of all -> what it returns."""


def find_operators(file: str, tree: Tree) -> tuple[Problem, ...]:
    """Return a problem for each operator of JavaScript's that looks at a condition."""
    if not tree.holds(_LOOKING) or not (b"context" in tree.text or b"segment" in tree.text):
        return ()
    return tuple(islice(_Operators(file, tree).find(), MAX_FOUND))


class _Operators:
    def __init__(self, file: str, tree: Tree) -> None:
        self._file = file
        self._tree = tree
        self._scopes = read_scopes(tree)
        self._values = Values(tree, self._scopes)
        self._rule_at = RuleAt(tree)

    def find(self) -> Iterator[Problem]:
        """Yield what is found, in the order of the text."""
        tree = self._tree
        for node in range(len(tree)):
            kind = tree.kind(node)
            if kind not in _LOOKING:
                continue
            said = self._look(node, kind)
            if said is None:
                continue
            at, message, remedy = said
            yield Problem(
                file=self._file,
                line=tree.line(at),
                rule=self._rule_at(node),
                code="CONDITION_OPERATOR",
                message=message,
                remedy=remedy,
            )

    def _look(self, node: int, kind: str) -> tuple[int, str, str] | None:
        """Return where, what is wrong and what to write; None when nothing is."""
        match kind:
            case "binary_expression" | "augmented_assignment_expression":
                return self._look_at_operator(node)
            case "unary_expression":
                return self._look_at_unary(node)
            case "call_expression":
                return self._look_at_call(node)
            case "sequence_expression":
                return self._look_at_comma(node)
            case _:
                return self._look_at_rest(node, kind)

    def _look_at_rest(self, node: int, kind: str) -> tuple[int, str, str] | None:
        if kind == "object":
            return self._look_at_spreads(node)
        if kind == "expression_statement":
            return self._look_at_statement(next(inner(self._tree, node), -1))
        if kind == "finally_clause":
            return self._look_at_finally(node)
        return self._look_at_test(node, kind) if kind in _TESTS else self._look_inside(node, kind)

    def _look_at_comma(self, node: int) -> tuple[int, str, str] | None:
        *dropped, last = inner(self._tree, node)
        bad = next((each for each in dropped if self._is_open(each)), -1)
        if bad < 0:
            return None
        remedy = f"write all({self._shown(dropped[0])}, {self._shown(last)}), or any(...)"
        return self._said(bad, "a comma drops its left side", bad, remedy)

    def _look_at_spreads(self, node: int) -> tuple[int, str, str] | None:
        """Look at conditions that are laid over each other: `{...a, ...b}`."""
        tree = self._tree
        parts = inner(tree, node)
        spread = [next(inner(tree, each)) for each in parts if tree.kind(each) == "spread_element"]
        return self._look_at_laid([each for each in spread if self._is(each, Kind.CONDITION)])

    def _look_at_laid(self, laid: Sequence[int]) -> tuple[int, str, str] | None:
        if len(laid) < 2:
            return None
        remedy = f"write all({', '.join(map(self._shown, laid[:MAX_OPERANDS]))}), or any(...)"
        return self._said(laid[1], "of conditions in one object only the last counts", laid[1], remedy)

    def _look_at_statement(self, node: int) -> tuple[int, str, str] | None:
        """Look at a condition that is built and used for nothing."""
        if node < 0 or self._tree.kind(node) != "call_expression" or not self._is(node, Kind.CONDITION):
            return None
        return self._said(node, "a condition that nothing takes", node, "return it in a rule, or take it out")

    def _look_at_finally(self, node: int) -> tuple[int, str, str] | None:
        """Look at a return in `finally`: it takes the place of what was returned before it."""
        every, conditions = self._returns
        later, dropped = self._first_of(every, node), self._first_of(conditions, self._tree.parents[node])
        if later < 0 or not 0 <= dropped < node:
            return None
        return self._said(later, "a return in finally drops the one before it", dropped, _BRANCH)

    def _first_of(self, returned: _Returned, part: int) -> int:
        """Return the first of what the function around a part of it returns there; -1 when nothing."""
        known = returned.get(self._scopes.around[part], [])
        at = bisect_left(known, part)
        return known[at] if at < len(known) and known[at] < self._tree.ends[part] else -1

    @cached_property
    def _returns(self) -> tuple[_Returned, _Returned]:
        """What each function returns, in the order of the text; and of these what may hold a condition."""
        tree, around = self._tree, self._scopes.around
        every, conditions = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
        for node in range(len(tree)):
            if tree.kind(node) == "return_statement":
                value = next((each for each in inner(tree, node) if tree.kind(each) != "return"), node)
                every[around[node]].append(value)
                if self._may_hold_condition(value):
                    conditions[around[node]].append(value)
        return every, conditions

    def _may_hold_condition(self, node: int) -> bool:
        return self._is_open(node) or bool(held(self._values.bits(node)) & Kind.CONDITION)

    def _look_inside(self, node: int, kind: str) -> tuple[int, str, str] | None:
        """Look at what has one operand."""
        bad = self._first_open(node)
        if bad < 0:
            return None
        words = {"template_substitution": "a template", "switch_statement": "switch", "switch_case": "case"}
        what = f"{words.get(kind, '++')} {_CANT_TELL}"
        return self._said(node, what, bad, _BRANCH if kind.startswith("switch") else _GENERAL)

    def _first_open(self, node: int) -> int:
        """Return a child that may be open; -1 when none may."""
        return next((each for each in inner(self._tree, node) if self._is_open(each)), -1)

    def _is_open(self, node: int) -> bool:
        """Say whether a node may be a condition, or one that isn't built yet."""
        bits = self._values.bits(node)
        not_called = own(bits) & Kind.FUNCTION and returned(bits) & Kind.CONDITION
        return is_open(bits) or bool(not_called)

    def _is_ordinary(self, node: int) -> bool:
        bits = own(self._values.bits(node))
        return bool(bits) and not bits & ~(Kind.ORDINARY | Kind.ABSENT)

    def _look_at_operator(self, node: int) -> tuple[int, str, str] | None:
        tree = self._tree
        left, right, at = (tree.child(node, field) for field in ("left", "right", "operator"))
        operator = tree.source(at)
        if operator == "=" or (operator in _EQUALITIES and self._asks_if_absent(left, right)):
            return None
        if operator == "in" and self._is(right, Kind.CONTEXT) and not self._is_open(left):
            return None  # which attributes there are is known
        if self._is_open(left):
            bad = left
        elif self._is_open(right) and not (operator in CHOOSING and self._is_ordinary(left)):
            bad = right
        else:
            return None
        keeps = "keeps only one of its sides, whatever the request"
        what = f"{operator} {keeps if operator in CHOOSING else _CANT_TELL}"
        return self._said(at, what, bad, self._instead(node, operator, left, right))

    def _asks_if_absent(self, left: int, right: int) -> bool:
        """Say whether it is asked only if something is there."""
        return any(self._tree.kind(each) in {"null", "undefined"} for each in (left, right))

    def _instead(self, node: int, operator: str, left: int, right: int) -> str:
        """Return what to write for a binary operator."""
        if self._not_built(left) or self._not_built(right):
            if operator in _COMPARISONS and self._is(left, Kind.ATTRIBUTE):
                wanted = self._shown(right).removeprefix("[").removesuffix("]")
                return f"write {self._shown(left)}.{_COMPARISONS[operator]}({wanted})"
            if operator in {"!=", "!=="} and self._is(left, Kind.ATTRIBUTE):
                return f"write not({self._shown(left)}.eq({self._shown(right)}))"
        if operator in _JOINS:
            return f"write {_JOINS[operator]}({self._operands(node, operator)})"
        if operator in {"??", "??="}:
            return f"write {self._shown(left)} alone, or any(...) of both; {_GENERAL}"
        return _GENERAL

    def _is(self, node: int, kind: Kind) -> bool:
        return bool(own(self._values.bits(node)) & kind)

    def _not_built(self, node: int) -> bool:
        return self._is_open(node) and not self._is(node, Kind.CONDITION)

    def _operands(self, node: int, operator: str) -> str:
        """Return the operands of a chain of one operator, as the arguments of what is meant."""
        tree = self._tree
        operands: list[int] = []
        at = self._top(node, operator)
        while len(operands) < MAX_OPERANDS and tree.kind(at) == tree.kind(node):
            named = tree.child(at, "operator")
            if tree.source(named) != operator:
                break
            operands.append(tree.child(at, "right"))
            at = tree.child(at, "left")
        operands.append(at)
        return ", ".join(self._shown(each) for each in reversed(operands))

    def _top(self, node: int, operator: str) -> int:
        """Return the whole of a chain of one operator that a node begins."""
        tree = self._tree
        for _ in range(MAX_OPERANDS):
            above = tree.parents[node]
            if tree.kind(above) != tree.kind(node) or tree.field(node) != "left":
                break
            if tree.source(tree.child(above, "operator")) != operator:
                break
            node = above
        return node

    def _look_at_test(self, node: int, kind: str) -> tuple[int, str, str] | None:
        tree = self._tree
        test = tree.child(node, "condition")
        if test < 0 or not self._is_open(test) or own(self._values.bits(test)) & Kind.ABSENT:
            return None
        if kind == "ternary_expression":
            at = next(each for each in tree.children(node) if tree.kind(each) == "?")
            return self._said(at, f"? : {_TAKES}", test, _BRANCH)
        word = kind.partition("_")[0]
        return self._said(node, f"{word} {_TAKES}", test, _BRANCH)

    def _look_at_unary(self, node: int) -> tuple[int, str, str] | None:
        tree = self._tree
        at, operand = tree.child(node, "operator"), tree.child(node, "argument")
        operator = tree.source(at)
        if operator in {"typeof", "delete"} or not self._is_open(operand):
            return None
        if operator != "!":
            return self._said(at, f"{operator} {_CANT_TELL}", operand, _GENERAL)
        if own(self._values.bits(operand)) & Kind.ABSENT:
            return None
        shown = self._shown(operand)
        return self._said(at, "! is false, whatever the request", operand, f"write not({shown})")

    def _look_at_call(self, node: int) -> tuple[int, str, str] | None:
        """Look at a call that makes a truth, a text or a number of a condition."""
        tree = self._tree
        called, arguments = tree.child(node, "function"), tree.child(node, "arguments")
        if tree.kind(called) == "identifier" and tree.name(called) in _CASTS:
            bad = self._first_open(arguments)
            return None if bad < 0 else self._said(node, f"{tree.name(called)} {_CANT_TELL}", bad, _GENERAL)
        if tree.kind(called) != "member_expression":
            return None
        name = tree.name(tree.child(called, "property"))
        holder = tree.child(called, "object")
        if name == "assign" and tree.source(holder) == "Object":
            given = [each for each in inner(tree, arguments) if self._is(each, Kind.CONDITION)]
            return self._look_at_laid(given)
        if name in _LOOK_UPS or (name == "is" and tree.source(holder) == "Object"):
            return self._look_at_look_up(node, name, holder, arguments)
        return self._look_at_items(node, name, holder, next(inner(tree, arguments), -1))

    def _look_at_look_up(
        self, node: int, name: str, holder: int, arguments: int
    ) -> tuple[int, str, str] | None:
        """Look at a call that looks for a condition, or for what isn't known yet, among values."""
        for each in inner(self._tree, arguments):
            if self._is_open(each) and not self._is(
                each, Kind.CONTEXT
            ):  # which attributes there are is known
                return self._said(node, f"{name} {_CANT_TELL}", each, self._among(holder, each))
        return None

    def _among(self, holder: int, looked_up: int) -> str:
        """Return what to write for a look-up among written values."""
        values = self._shown(holder).removeprefix("[").removesuffix("]")
        if self._tree.kind(holder) != "array" or not self._is(looked_up, Kind.ATTRIBUTE):
            return _BRANCH
        return f"write {self._shown(looked_up)}.in({values})"

    def _look_at_items(self, node: int, name: str, holder: int, test: int) -> tuple[int, str, str] | None:
        """Look at a method of a list that asks whether its items' conditions are true."""
        if test < 0 or name not in {"some", "every"} | _FINDING:
            return None
        of_test = returned(self._values.bits(test))
        if name in _FINDING:
            if not of_test & Kind.CONDITION or of_test & Kind.ABSENT:
                return None
            return node, f"{name} {_CANT_TELL}: {self._shown(test)} gives a condition", _BRANCH
        is_boolean = self._tree.kind(test) == "identifier" and self._tree.name(test) == "Boolean"
        held_ones = held(self._values.bits(holder)) & Kind.CONDITION
        if not held_ones or not (is_boolean or of_test & Kind.CONDITION):
            return None
        joined = "any" if name == "some" else "all"
        return self._said(node, f"{name} {_CANT_TELL}", holder, f"write {joined}(...{self._shown(holder)})")

    def _said(self, at: int, what: str, bad: int, remedy: str) -> tuple[int, str, str]:
        bits = self._values.bits(bad)
        shown = self._shown(bad)
        if self._is(bad, Kind.CONDITION):
            return at, f"{what}: {shown} is a condition", remedy
        if self._is(bad, Kind.COMPARISON):
            write = f"write {shown}(...)" if remedy is _GENERAL or remedy is _BRANCH else remedy
            return at, f"{what}: {shown} isn't called", f"call it: {write.removeprefix('write ')}"
        if self._is(bad, Kind.BUILDER) or own(bits) & Kind.FUNCTION:
            return at, f"{what}: {shown} isn't called", f"call it: {shown}(...); {_GENERAL}"
        noun = "holds conditions" if held(bits) & Kind.CONDITION else "is known only when a request comes"
        return at, f"{what}: {shown} {noun}", remedy

    def _shown(self, node: int) -> str:
        """Return an author's expression as one short line."""
        tree = self._tree
        if tree.kind(node) == "parenthesized_expression":
            node = next(inner(tree, node), node)
        text = " ".join(tree.source(node).split())
        return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
