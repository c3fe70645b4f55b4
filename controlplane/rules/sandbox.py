"""Evaluates rule files to canonical JSON, in a process that can neither hang, crash nor harm this one.

QuickJS runs in a child with limits on each rule's time and on memory and output; a child that was killed or
has run out of memory is thrown away, and another goes on with the rules after the one that did it. The same
sources give the same values.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from controlplane.problems import Problem, problem_at
from controlplane.rules.places import Places
from controlplane.rules.sandbox_faults import (
    MAX_MESSAGE,
    PRELUDE_LINE,
    REMEDIES,
    UNKNOWN,
    Fault,
    fault_of,
    is_rules_fault,
    read_end,
    read_error,
)
from controlplane.rules.sandbox_process import run_child
from controlplane.rules.texts import Text, first_places, held_against, look_at, places_of
from controlplane.rules.yaml_file import hint
from lightbulb.model import FIXED_ATTRIBUTES, Source

_HERE = Path(__file__).parent
MAX_NAMED = 8
"""Rules that one problem names."""

MAX_CHILDREN = 8
"""Children for one workspace; each that is thrown away has found at least one problem."""


Asked = frozenset[str] | None
"""The objectives that a file asked for, those that there aren't too; None when it looked at all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What the rules of some files return, in the order of file and line; where they are; what each asked.

    Not `finished`: some files weren't come to, or nobody could say whether they were.
    """

    rules: tuple[RawRule, ...]
    places: Places
    asked: Mapping[str, Asked]
    finished: bool


class SandboxFailed(RuntimeError):
    """The sandbox itself failed, through no rule's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the rules of one workspace may use.

    `cpu_seconds` and `wall_seconds` are those of one rule, and of what a file does besides. All together have
    `total_seconds`: a large workspace takes a few, and whoever publishes doesn't wait for a minute.
    """

    cpu_seconds: int = 2
    wall_seconds: float = 10.0
    total_seconds: int = 50
    memory_mib: int = 256
    result_bytes: int = 256 * 1024
    output_bytes: int = 64 * 1024 * 1024
    depth: int = 64


CONTEXT = (*FIXED_ATTRIBUTES, 'attribute("...")', "user")
"""What a rule finds under `context`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRule:
    """What a rule function returned, parsed from its canonical JSON."""

    source: Source
    value: object


@dataclass(slots=True, kw_only=True)
class _Evaluation:
    """What the children have found so far."""

    sources: Mapping[str, str]
    names: Mapping[str, Sequence[str]]
    """Code of `UNKNOWN` -> the names that there are."""
    places: Mapping[tuple[str, str], Source]
    problems: list[Problem]
    values: dict[tuple[str, str], object] = field(default_factory=dict)
    done: set[tuple[str, str]] = field(default_factory=set)
    asked: dict[str, Asked] = field(default_factory=dict)
    finished: bool = False


def evaluate(
    sources: Mapping[str, str],
    objectives: Sequence[str] | None,
    constants: Mapping[str, str],
    problems: list[Problem],
    limits: Limits | None = None,
) -> tuple[RawRule, ...]:
    """Return what every rule of `sources` returns, as `evaluate_beside` does."""
    return evaluate_beside(sources, {}, objectives, constants, problems, limits).rules


def evaluate_beside(  # noqa: PLR0913, PLR0917 - what rules may read
    sources: Mapping[str, str],
    known: Places,
    objectives: Sequence[str] | None,
    constants: Mapping[str, str],
    problems: list[Problem],
    limits: Limits | None = None,
) -> Evaluated:
    """Return what every rule of `sources` (file -> JavaScript) returns.

    What is wrong is added to `problems`, and left out; what remains can be looked at further. Without
    `objectives` rules may name any. `known` are the rules of other files of the workspace, which aren't
    evaluated here.
    """
    limits = limits or Limits()
    setup = _setup(objectives, constants, limits)
    texts = look_at(sources)
    places = places_of(texts)
    state = _Evaluation(
        sources=sources,
        names={
            "UNKNOWN_OBJECTIVE": objectives or (),
            "UNKNOWN_CONSTANT": tuple(constants),
            "UNKNOWN_ATTRIBUTE": CONTEXT,
        },
        places=first_places(places),
        problems=_duplicates({**known, **places}),
    )
    deadline = time.monotonic() + limits.total_seconds
    for _ in range(MAX_CHILDREN):
        if state.finished or not sources or time.monotonic() >= deadline:
            break
        _run_child(state, _request(state, texts, setup, limits), limits, deadline)
    problems += (*_told(texts, state), *_not_evaluated(state, places))
    rules = [
        RawRule(source=_source(state, file, rule), value=value)
        for (file, rule), value in state.values.items()
    ]
    rules.sort(key=lambda each: (each.source.file, each.source.line, each.source.rule))
    return Evaluated(
        rules=tuple(rules), places=places, asked=state.asked, finished=state.finished or not sources
    )


def _told(texts: Mapping[str, Text], state: _Evaluation) -> list[Problem]:
    """Return what running the files has shown, and what their texts say to it."""
    held: dict[str, set[str]] = {file: set() for file, rule in state.done if not rule}
    for file, rule in state.done:
        if rule and file in held:
            held[file].add(rule)
    return list(held_against(texts, held, state.problems))


def _not_evaluated(state: _Evaluation, places: Places) -> Iterator[Problem]:
    """Yield a problem when there are rules that no child came to: nobody knows if they are right."""
    left = [
        source
        for file, own in places.items()
        if (file, "") not in state.done
        for source in own
        if (file, source.rule) not in state.done
    ]
    if left and not state.finished:
        names = ", ".join(f"{each.rule} ({each.file}:{each.line})" for each in left[:MAX_NAMED])
        more = ", ..." if len(left) > MAX_NAMED else ""
        message = f"{len(left)} rules were not looked at: {names}{more}"
        yield problem_at(left[0], "NOT_EVALUATED", message, REMEDIES["NOT_EVALUATED"])


def _setup(
    objectives: Sequence[str] | None, constants: Mapping[str, str], limits: Limits
) -> Mapping[str, object]:
    return {
        "objectives": _lines(sorted(objectives or ())),
        "open": objectives is None,
        "constants": dict(constants),
        "depth": limits.depth,
        "last_line": PRELUDE_LINE,
    }


def _lines(names: Sequence[str]) -> str:
    """Return names as the prelude searches them: a line of JSON each, the way that JavaScript writes it."""
    return "\n" + "".join(json.dumps(name, ensure_ascii=False) + "\n" for name in names)


def _request(
    state: _Evaluation, texts: Mapping[str, Text], setup: Mapping[str, object], limits: Limits
) -> str:
    left = {file: text for file, text in state.sources.items() if (file, "") not in state.done}
    return json.dumps(
        {
            "sources": left,
            "variables": {file: texts[file].variables for file in left},
            "done": sorted(state.done),
            "prelude": (_HERE / "prelude.js").read_text(),
            "prelude_line": PRELUDE_LINE,
            "setup": json.dumps(setup),
            "cpu_seconds": limits.cpu_seconds,
            "total_seconds": limits.total_seconds,
            "memory_bytes": limits.memory_mib * 1024 * 1024,
            "output_bytes": limits.output_bytes,
            "result_bytes": limits.result_bytes,
        }
    )


def _run_child(state: _Evaluation, request: str, limits: Limits, deadline: float) -> None:
    """Let one child go as far as it gets, and note what it found and what ended it."""
    ended = run_child(
        request.encode(),
        silence=limits.wall_seconds,
        deadline=deadline,
        output_bytes=limits.output_bytes,
    )
    running = _take_output(state, ended.output)
    if running is None and ended.code != 0:
        if not is_rules_fault(ended):
            raise SandboxFailed(f"the sandbox itself failed: {ended.trace.strip()[-500:]}")
        running = _at_work(state)
    if running is not None:
        _blame(state, running, read_end(ended))


def _at_work(state: _Evaluation) -> tuple[str, str] | None:
    """Return the file that a child was at, or about to begin, when it ended between rules; None after all."""
    return next(((file, "") for file in sorted(state.sources) if (file, "") not in state.done), None)


def _take_output(state: _Evaluation, output: bytes) -> tuple[str, str] | None:
    """Note what a child said, and return what was running when it ended, if anything was.

    Raises SandboxFailed when it said what no child of ours says.
    """
    running: tuple[str, str] | None = None
    for line in output.decode(errors="replace").splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            break  # cut off in the middle
        except RecursionError as error:
            raise _strange(line) from error
        running = None
        match said:
            case {"begin": [str(file), str(rule)]} if file in state.sources:
                running = (file, rule)
            case {"end": ""}:
                state.finished = True
            case {"end": str(file), "asked": list(asked)} if file in state.sources:
                state.done.add((file, ""))
                state.asked[file] = None if None in asked else frozenset(map(str, asked))
            case {"file": str(file), "rule": str(rule)} if file in state.sources:
                _take_line(state, (file, rule), said)
            case _:
                raise _strange(line)
    return running


def _take_line(state: _Evaluation, place: tuple[str, str], said: Mapping[str, object]) -> None:
    rule = place[1]
    if rule and place not in state.places:
        state.done.add(place)  # the file has made it while it ran: it is no rule
        return
    match said:
        case {"json": str(text)}:
            state.values[place] = _parse_value(text)
            state.done.add(place)
        case {"error": str(text), "why": why}:
            _blame(state, place, read_error(text, why, of_file=not rule))
        case {"fault": "OUTPUT_TOO_LARGE"}:
            _blame(state, place, fault_of("OUTPUT_TOO_LARGE"))
        case _:
            raise _strange(str(said))


def _parse_value(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _strange(text) from error


def _strange(said: str) -> SandboxFailed:
    return SandboxFailed(f"the sandbox itself failed: it said {said[:MAX_MESSAGE]!r}")


def _blame(state: _Evaluation, place: tuple[str, str], fault: Fault) -> None:
    """Note a problem with (file, rule); where the fault has no line, it is where the rule is."""
    file, rule = place
    state.done.add(place)
    message, remedy = _words(fault, state)
    state.problems.append(
        Problem(
            file=file,
            line=fault.line or _source(state, file, rule).line,
            rule=rule if rule.isprintable() else ascii(rule),
            code=fault.code,
            message=message,
            remedy=remedy,
        )
    )


def _words(fault: Fault, state: _Evaluation) -> tuple[str, str]:
    """Return the message and the remedy."""
    kind = UNKNOWN.get(fault.code)
    if kind is None:
        return fault.message, REMEDIES[fault.code]
    return f"{kind} {fault.message} is unknown", hint(fault.message, state.names[fault.code], state.problems)


def _source(state: _Evaluation, file: str, rule: str) -> Source:
    """Return where `rule` is defined; the file's first line when it is the file itself."""
    return state.places.get((file, rule)) or Source(rule=rule, file=file, line=1)


def _duplicates(places: Places) -> list[Problem]:
    """Return a problem for each rule function that is defined twice."""
    problems: list[Problem] = []
    first: dict[str, Source] = {}
    for _, own in sorted(places.items()):
        for source in own:
            other = first.get(source.rule)
            if other is None:
                first[source.rule] = source
            else:
                message = f"also defined at {other.file}:{other.line}"
                problems.append(problem_at(source, "DUPLICATE_RULE", message, REMEDIES["DUPLICATE_RULE"]))
    return problems
