"""JavaScript as a tree: the one place that knows the parser. Pure, and linear in the text.

The text is anybody's. The engine decides what is JavaScript; this says what stands where. A text that can't
be read in proportion to its length, or not at all, is no tree but a line.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter
import tree_sitter_javascript

_LANGUAGE = tree_sitter.Language(tree_sitter_javascript.language())
_KINDS = tuple(_LANGUAGE.node_kind_for_id(number) or "" for number in range(_LANGUAGE.node_kind_count))
_FIELDS = ("", *(_LANGUAGE.field_name_for_id(number) or "" for number in range(1, _LANGUAGE.field_count + 1)))

_CHUNK = 1024
"""Bytes that the parser gets at a time. When it goes back it asks again, so that this can be counted."""

_MOST_READ = 64
"""How many times its length a text may be read; good ones take 4."""

_ESCAPE = re.compile(r"\\u(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{4}))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The nodes of a text in its order, by their numbers: a parent comes before its children.

    A node is a number, since a file may have millions: `ends[node]` is the number after all that is inside.
    """

    text: bytes
    kinds: array[int]
    fields: array[int]
    begins: array[int]
    ends_at: array[int]
    rows: array[int]
    parents: array[int]
    ends: array[int]

    def __len__(self) -> int:
        return len(self.kinds)

    def kind(self, node: int) -> str:
        """Return what a node is, in the grammar's words."""
        return _KINDS[self.kinds[node]]

    def field(self, node: int) -> str:
        """Return what a node is to its parent; "" when the grammar doesn't say."""
        return _FIELDS[self.fields[node]]

    def line(self, node: int) -> int:
        """Return the line that a node begins on."""
        return self.rows[node] + 1

    def source(self, node: int) -> str:
        """Return the text of a node."""
        return self.text[self.begins[node] : self.ends_at[node]].decode(errors="replace")

    def name(self, node: int) -> str:
        """Return the name that an identifier means: it may be written with escapes."""
        text = self.source(node)
        return _ESCAPE.sub(_unescaped, text) if "\\" in text else text

    def children(self, node: int) -> Iterator[int]:
        """Yield what is directly inside of a node, punctuation included."""
        at, end = node + 1, self.ends[node]
        while at < end:
            yield at
            at = self.ends[at]

    def child(self, node: int, field: str) -> int:
        """Return the first child of a field; -1 when there is none."""
        return next((each for each in self.children(node) if self.field(each) == field), -1)

    def holds(self, kinds: frozenset[str]) -> bool:
        """Say whether there is a node of one of these kinds."""
        wanted = {number for number, kind in enumerate(_KINDS) if kind in kinds}
        return not wanted.isdisjoint(self.kinds)


@dataclass(frozen=True, slots=True)
class Unread:
    """A text that is no tree: the line that reading stopped at."""

    line: int


def read_tree(text: str) -> Tree | Unread:
    """Return the tree of a text, or where it can't be read."""
    content = text.encode()
    parsed = _parse(content)
    if isinstance(parsed, int):
        return Unread(content.count(b"\n", 0, parsed) + 1)
    if parsed.root_node.has_error:
        return Unread(_first_error(parsed))
    return _copied(content, parsed)


def _parse(content: bytes) -> tree_sitter.Tree | int:
    """Return what the parser makes of a text, or the byte at which it was stopped."""
    budget = _MOST_READ * (len(content) + _CHUNK)
    read = 0
    stopped = -1

    def chunk(offset: int, _: object) -> bytes:
        nonlocal read
        read += _CHUNK
        return content[offset : offset + _CHUNK] if read <= budget else b""

    def goes_on(offset: int, has_error: bool) -> bool:  # noqa: FBT001 - the parser's own signature
        nonlocal stopped
        if has_error or read > budget:
            stopped = offset
        return stopped >= 0

    try:
        parsed = tree_sitter.Parser(_LANGUAGE).parse(chunk, progress_callback=goes_on)
    except ValueError:  # it was stopped
        return max(stopped, 0)
    return stopped if stopped >= 0 else parsed


def _first_error(parsed: tree_sitter.Tree) -> int:
    """Return the line of the first node that is wrong, going only where there is one."""
    cursor = parsed.walk()
    line = 1
    while True:
        node = cursor.node
        assert node is not None
        line = node.start_point.row + 1
        if node.is_error or node.is_missing or not cursor.goto_first_child():
            return line
        while cursor.node is not None and not cursor.node.has_error:
            if not cursor.goto_next_sibling():
                return line


def _copied(content: bytes, parsed: tree_sitter.Tree) -> Tree:
    kinds, fields = array("H"), array("H")
    begins, ends_at, rows, parents, ends = (array("I") for _ in range(5))
    above: list[int] = []
    cursor = parsed.walk()
    while True:
        node = cursor.node
        assert node is not None
        kinds.append(node.kind_id)
        fields.append(cursor.field_id or 0)
        begins.append(node.start_byte)
        ends_at.append(node.end_byte)
        rows.append(node.start_point.row)
        parents.append(above[-1] if above else 0)
        ends.append(0)
        above.append(len(kinds) - 1)
        if cursor.goto_first_child():
            continue
        ends[above.pop()] = len(kinds)
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return Tree(
                    text=content,
                    kinds=kinds,
                    fields=fields,
                    begins=begins,
                    ends_at=ends_at,
                    rows=rows,
                    parents=parents,
                    ends=ends,
                )
            ends[above.pop()] = len(kinds)


def _unescaped(match: re.Match[str]) -> str:
    code = int(match.group(1) or match.group(2), 16)
    return chr(code) if code <= 0x10FFFF else match.group()
