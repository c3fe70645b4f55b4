"""Segments: conditions with a name, in segments.yaml; and how far one may use others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controlplane.model import DefinedSegment
from controlplane.problems import Problem, problem_at
from controlplane.rules.condition import Complain, read_condition, read_users
from controlplane.rules.loops import find_loops
from controlplane.rules.yaml_file import Misfit, YamlFile
from controlplane.rules.yaml_tree import Node, inside
from lightbulb.model import All, AnyOf, Condition, InSegment, Not, Segment
from lightbulb.resolution.segments import needed, segments_of

MAX_PARTS = 10_000
"""Comparisons of a segment, with those of the segments that it uses, each as often as it is used."""

MAX_NESTED = 16
"""How deep a segment may lie in others: for each a function calls another."""


def read_segment(file: YamlFile, node: Node) -> tuple[str, DefinedSegment]:
    """Return an item of segments.yaml: some users, a condition, or both, of which one is enough."""
    fields = file.fields(node, "a segment", ["name"], ["users", "when"])
    name = fields.take("name", file.name)
    users = fields.take("users", lambda node, what: _users(file, node, what))
    when = fields.take("when", lambda node, what: yaml_condition(file, node, what))
    fields.finish()
    parts = tuple(part for part in (users, when) if part is not None)
    if not parts:
        raise file.problem(node, "SEGMENT", f"segment {name} is empty", "give it users, or when, or both")
    condition = parts[0] if len(parts) == 1 else AnyOf(parts)
    return name, DefinedSegment(name=name, when=condition, location=file.location(node))


def yaml_condition(file: YamlFile, node: Node, path: str) -> Condition:
    """Return the condition that a node describes; what is wrong is told at its own line."""
    return read_condition(file.data(node, path), path, _complaining(file, node, path, "CONDITION"))


def _users(file: YamlFile, node: Node, path: str) -> Condition:
    return read_users(file.data(node, path), path, _complaining(file, node, path, "USERS"))


def _complaining(file: YamlFile, node: Node, path: str, code: str) -> Complain:
    """Return what notes a problem inside of a node, at the line where it stands."""

    def complain(place: str, message: str, remedy: str) -> Misfit:
        return file.problem(inside(node, place[len(path) :]), code, f"{place}: {message}", remedy)

    return complain


def in_order(defined: Mapping[str, DefinedSegment]) -> tuple[Segment, ...]:
    """Return every segment after those that it uses."""
    known = {each.name: Segment(name=each.name, when=each.when) for each in defined.values()}
    return needed(map(InSegment, known), known)


def check_nesting(defined: Mapping[str, DefinedSegment], problems: list[Problem]) -> None:
    """Note segments that use themselves, lie too deep in others, or come to too many comparisons."""
    uses = {each.name: tuple(segments_of(each.when)) for each in defined.values()}
    loops = list(find_loops(uses))
    for loop in loops:
        message = "segments use each other: " + " -> ".join(loop)
        problems.append(problem_at(defined[loop[0]].location, "SEGMENT_LOOP", message, "remove one of these"))
    if loops:
        return
    parts: dict[str, int] = {}
    depth: dict[str, int] = {}
    for segment in in_order(defined):
        name = segment.name
        depth[name] = 1 + max((depth.get(each, 0) for each in uses[name]), default=0)
        parts[name] = _parts(segment.when, parts)
        if depth[name] == MAX_NESTED + 1:
            message = f"segment {name} lies {depth[name]} deep in others; {MAX_NESTED} are allowed"
            problems.append(problem_at(defined[name].location, "TOO_DEEP", message, "write some of them out"))
        if parts[name] > MAX_PARTS:
            message = f"segment {name} comes to {parts[name]} comparisons; {MAX_PARTS} are allowed"
            problems.append(
                problem_at(defined[name].location, "TOO_LARGE", message, "use fewer segments in it")
            )
            parts[name] = 1


def _parts(condition: Condition, known: Mapping[str, int]) -> int:
    match condition:
        case All(conditions) | AnyOf(conditions):
            return sum(_parts(inner, known) for inner in conditions)
        case Not(inner):
            return _parts(inner, known)
        case InSegment(name):
            return known.get(name, 1)
    return 1


def unknown_segments(conditions: Iterable[Condition], known: Iterable[str]) -> list[str]:
    """Return the segments that conditions name and that there aren't, sorted."""
    return sorted({name for condition in conditions for name in segments_of(condition)} - set(known))
