"""YAML text to a tree of nodes that know their line, in one pass. Tags, anchors and aliases are refused.

PyYAML could compose the tree as well, but its nodes are some ten objects each, and a workspace has a
hundred thousand of them: Python's garbage collector would go through those again and again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from controlplane.rules.oddities import misleading
from controlplane.rules.yaml_faults import explained

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH = 64
"""As deep as a rule may nest what it returns: what reads a tree here goes down it by calls."""

MAX_SHOWN = 60
"""Characters of a value that a remedy repeats."""


class BadYaml(Exception):
    """Text that can't be read: the line, what is wrong, and what to do."""

    def __init__(self, line: int, message: str, remedy: str) -> None:
        self.line = line
        self.message = message
        self.remedy = remedy
        super().__init__(f"{line}: {message}; {remedy}")


@dataclass(slots=True)
class ScalarNode:
    """A value as it is written; `quoted` says that it is a text, whatever it looks like."""

    line: int
    value: str
    quoted: bool
    lines: int = 1
    """How many it goes on over."""


@dataclass(slots=True)
class SequenceNode:
    """A list."""

    line: int
    items: list[Node]


@dataclass(slots=True)
class MappingNode:
    """Keys and values in turn, in the order of the text, duplicates too."""

    line: int
    items: list[Node]

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Return each key and its value."""
        turns = iter(self.items)
        return zip(turns, turns, strict=True)


Node = ScalarNode | SequenceNode | MappingNode


_STEP = re.compile(r"\.([a-z]+)|\[([0-9]+)\]")


def inside(node: Node, path: str) -> Node:
    """Return what stands at a path in a node: `.all[1].values`; the last on the way that is there."""
    for key, index in _STEP.findall(path):
        match node:
            case MappingNode():
                pairs = node.pairs()
                found = next((value for name, value in pairs if getattr(name, "value", None) == key), None)
            case SequenceNode(items=items) if index and int(index) < len(items):
                found = items[int(index)]
            case _:
                found = None
        if found is None:
            return node
        node = found
    return node


def read_tree(text: str) -> Node | None:
    """Return the one document in `text`; None when there is none. Raises BadYaml."""
    text = text.removeprefix("\ufeff")
    bad = misleading(text)
    if bad is not None:
        raise BadYaml(*bad)
    try:
        return _read(yaml.parse(text, Loader=Loader))
    except yaml.YAMLError as error:
        raise BadYaml(*explained(error, text)) from error


def _read(events: Iterator[yaml.Event]) -> Node | None:
    documents: list[Node] = []
    begins: list[int] = []
    open_lists = [documents]  # what is being filled, from the outermost inwards
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            node = _node(event)
            if isinstance(node, ScalarNode):
                open_lists[-1].append(node)
                continue
            if len(open_lists) > MAX_DEPTH:
                raise BadYaml(node.line, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
            open_lists[-1].append(node)
            open_lists.append(node.items)
        elif isinstance(event, yaml.CollectionEndEvent):
            open_lists.pop()
        elif isinstance(event, yaml.DocumentStartEvent):
            begins.append(_line(event))
    if len(documents) > 1:
        raise BadYaml(begins[1], "another document begins", "keep one, without --- between")
    return documents[0] if documents else None


def _node(event: yaml.NodeEvent) -> Node:
    """Return the node that begins with an event; what a collection holds comes after it."""
    line = _line(event)
    if event.anchor:  # an alias has one too
        raise BadYaml(line, "anchors and aliases are not allowed", "write it out")
    tag = getattr(event, "tag", None)
    if tag:
        raise BadYaml(line, f"the tag {_short(tag)} is not allowed", _without_tag(tag, event))
    if isinstance(event, yaml.ScalarEvent):
        end = event.end_mark
        return ScalarNode(line, event.value, bool(event.style), end.line + 2 - line if end is not None else 1)
    return (MappingNode if isinstance(event, yaml.MappingStartEvent) else SequenceNode)(line, [])


def _short(tag: str) -> str:
    """Return a tag as it is written, or its beginning."""
    return tag.replace("tag:yaml.org,2002:", "!!")[:60]


def _without_tag(tag: str, event: yaml.NodeEvent) -> str:
    """Return what to write in place of a tagged node."""
    text = event.value if isinstance(event, yaml.ScalarEvent) else ""
    if tag not in {"!", "tag:yaml.org,2002:str"} or not text or len(text) > MAX_SHOWN:
        return "leave it out"
    return f"quote it: {json.dumps(text, ensure_ascii=False)}"


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1
