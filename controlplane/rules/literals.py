r"""What is lost inside of JavaScript's literals: keys that stand twice, backslashes that mean nothing. Pure.

The engine takes both without a word: of two equal keys the last one counts, and in a text `\d` is `d`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from controlplane.problems import Problem
from controlplane.rules.places import RuleAt
from controlplane.rules.syntax import Tree

MAX_FOUND = 200
"""Problems of this kind in one file."""

_ESCAPES = frozenset("\\'\"`/$bfnrtvux0123456789\n\r\u2028\u2029")
"""What may follow a backslash: what it changes, and what is common though it changes nothing."""

_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_CODE = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_BASES = {"0x": 16, "0o": 8, "0b": 2}


def find_lost_parts(file: str, tree: Tree) -> Iterator[Problem]:
    """Return a problem for each key and each backslash that would be lost, in the order of the text."""
    return islice(_find(file, tree), MAX_FOUND)


def _find(file: str, tree: Tree) -> Iterator[Problem]:
    rule_at = RuleAt(tree)
    for node in range(len(tree)):
        kind = tree.kind(node)
        if kind not in {"object", "escape_sequence"}:
            continue
        for at, code, message, remedy in _keys(tree, node) if kind == "object" else _escape(tree, node):
            rule = rule_at(node)
            yield Problem(file=file, line=tree.line(at), rule=rule, code=code, message=message, remedy=remedy)


_Found = tuple[int, str, str, str]


def _keys(tree: Tree, node: int) -> Iterator[_Found]:
    """Yield the keys of an object that stand in it twice; a getter and a setter are one."""
    first: dict[tuple[str, str], int] = {}
    for each in tree.children(node):
        kind = tree.kind(each)
        if kind == "shorthand_property_identifier":
            named = each
        elif kind in {"pair", "method_definition"}:
            named = tree.child(each, "key" if kind == "pair" else "name")
        else:
            continue
        name = _key(tree, named)
        if name is None or (name == "__proto__" and kind == "pair"):  # the engine itself looks at that one
            continue
        accessor = tree.kind(each + 1) if kind == "method_definition" else ""
        as_what = accessor if accessor in {"get", "set"} else ""
        taken = [first[name, other] for other in _others(as_what) if (name, other) in first]
        if taken:
            message = (
                f"{name} stands in this object already, on line {tree.line(taken[0])}: the last one counts"
            )
            yield named, "DUPLICATE_KEY", message, "keep one of them"
        first.setdefault((name, as_what), named)


def _others(as_what: str) -> tuple[str, ...]:
    return (as_what, "") if as_what else ("", "get", "set")


def _key(tree: Tree, node: int) -> str | None:
    """Return the name that a key means; None when it is computed."""
    kind = tree.kind(node)
    if kind == "computed_property_name":
        inside = [each for each in tree.children(node) if tree.kind(each) not in {"[", "]"}]
        return (
            _key(tree, inside[0])
            if len(inside) == 1 and tree.kind(inside[0]) in {"string", "number"}
            else None
        )
    if kind == "number":
        return _number(tree.source(node))
    if kind == "string":
        return "".join(_text(tree, each) for each in tree.children(node))
    return tree.name(node)


def _text(tree: Tree, node: int) -> str:
    """Return what a part of a string means."""
    text = tree.source(node)
    match tree.kind(node):
        case "string_fragment":
            return text
        case "escape_sequence":
            coded = _CODE.fullmatch(text)
            if coded is not None:
                code = int(coded[1] or coded[2] or coded[3], 16)
                return chr(code) if code <= 0x10FFFF else text
            return _CONTROL.get(text[1:], "" if text[1:] in {"\n", "\r\n", "\u2028", "\u2029"} else text[1:])
    return ""


def _number(text: str) -> str | None:
    """Return the name that a number is as a key."""
    plain = text.replace("_", "").lower().removesuffix("n")
    try:
        base = _BASES.get(plain[:2])
        value = float(int(plain[2:], base) if base else float(plain))
    except (ValueError, OverflowError):
        return None
    return str(int(value)) if value.is_integer() and value < 1e21 else repr(value)


def _escape(tree: Tree, node: int) -> Iterator[_Found]:
    """Yield a backslash that JavaScript drops; one that `matches` reads as a backspace too."""
    text = tree.source(node)
    holder = tree.parents[node]
    above = tree.parents[holder]
    tagged = tree.kind(holder) == "template_string" and tree.kind(above) == "call_expression"
    if tree.kind(holder) not in {"string", "template_string"} or tagged:
        return
    after = text[1:]
    if after == "b" and _is_pattern(tree, above):
        message = "\\b is a backspace in a text"
        yield node, "ESCAPE", message, "write \\\\b"
    elif after[:1] not in _ESCAPES:
        message = f"JavaScript drops a backslash before {after}: {text} in a text is {after}"
        yield node, "ESCAPE", message, f"write \\{text} for a backslash and {after}, or {after} alone"


def _is_pattern(tree: Tree, above: int) -> bool:
    """Say whether a text is an argument of `matches`."""
    if tree.kind(above) != "arguments":
        return False
    called = tree.child(tree.parents[above], "function")
    return (
        called >= 0
        and tree.kind(called) == "member_expression"
        and (tree.name(tree.child(called, "property")) == "matches")
    )
