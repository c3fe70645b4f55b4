"""Evaluates rule files to canonical JSON, in a process that can neither hang, crash nor harm this one.

QuickJS runs in a child with limits on each rule's time and on memory and output; a child that was killed or
has run out of memory is thrown away, and another goes on with the rules after the one that did it. The same
sources give the same values.
"""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from controlplane.problems import Problem
from controlplane.rules.places import Places, find_rules, find_variables, first_places
from controlplane.rules.sandbox_process import Ended, Stopped, run_child
from lightbulb.model import Source

_HERE = Path(__file__).parent
PRELUDE_LINE = 100_000
"""Lines up to this are the author's; workspace files are smaller."""

MAX_CHILDREN = 8
"""Children for one workspace; each that is thrown away has found at least one problem."""

MAX_MESSAGE = 300
"""Characters of what a rule throws that a problem shows."""

_FRAME = re.compile(r"(?:<input>|<eval>):(\d+)")
_CODED = re.compile(r"\x01([A-Z_]+)\x01(.*)")
_STACK = re.compile(r"\n\s+at .*", re.DOTALL)

_WITHOUT_RULES = frozenset({"SYNTAX", "NOT_A_FUNCTION"})
"""Problems of a file from which it only follows that it has no rule."""

_REMEDIES = MappingProxyType(
    {
        "SYNTAX": "mend the JavaScript",
        "EVALUATION": "mend the function; it must return a rule without throwing",
        "TIME_LIMIT": "remove the loop or the expensive expression; a rule takes milliseconds",
        "MEMORY_LIMIT": "build less; a rule is a few kilobytes",
        "TOO_DEEP": "flatten what the rule returns",
        "OUTPUT_TOO_LARGE": "return less; a rule is a few kilobytes",
        "NOT_JSON": "return only plain objects, arrays, strings, finite numbers, booleans and null",
        "NOT_DETERMINISTIC": "remove it; the same rules must give the same result everywhere and always",
        "THENABLE": "return the rule itself; nothing asynchronous runs here",
        "DUPLICATE_RULE": "rename one of them",
        "NO_RULES": "add a top-level function whose name is define...Rule, or remove the file",
        "UNKNOWN_OBJECTIVE": "use one that objectives.yaml defines",
        "UNKNOWN_CONSTANT": "use one that lightbulb.d.ts declares",
        "CRASH": "simplify the rule; it crashes the engine",
    }
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRule:
    """What a rule function returned, parsed from its canonical JSON."""

    source: Source
    value: object


@dataclass(slots=True)
class _Evaluation:
    """What the children have found so far."""

    sources: Mapping[str, str]
    places: Mapping[tuple[str, str], Source]
    values: dict[tuple[str, str], object]
    problems: list[Problem]
    done: set[tuple[str, str]]
    finished: bool = False


def evaluate(
    sources: Mapping[str, str],
    objectives: Sequence[str] | None,
    constants: Mapping[str, str],
    problems: list[Problem],
    limits: Limits | None = None,
) -> tuple[RawRule, ...]:
    """Return what every rule of `sources` (file -> JavaScript) returns, in the order of file and line.

    What is wrong is added to `problems`, and left out; what remains can be looked at further. Without
    `objectives` rules may name any.
    """
    limits = limits or Limits()
    setup = {
        "objectives": _lines(sorted(objectives or ())),
        "open": objectives is None,
        "constants": dict(constants),
        "depth": limits.depth,
    }
    places = find_rules(sources)
    state = _Evaluation(sources, first_places(places), {}, _told_by_the_text(sources, places), set())
    deadline = time.monotonic() + limits.total_seconds
    for _ in range(MAX_CHILDREN):
        if state.finished or not sources or time.monotonic() >= deadline:
            break
        _run_child(state, _request(state, setup, limits), limits, deadline)
    broken = {problem.file for problem in state.problems if problem.code in _WITHOUT_RULES}
    problems += [each for each in state.problems if each.code != "NO_RULES" or each.file not in broken]
    rules = [
        RawRule(source=_source(state, file, rule), value=value)
        for (file, rule), value in state.values.items()
    ]
    return tuple(sorted(rules, key=lambda each: (each.source.file, each.source.line, each.source.rule)))


def _lines(names: Sequence[str]) -> str:
    """Return names as the prelude searches them: a line of JSON each, the way that JavaScript writes it."""
    return "\n" + "".join(json.dumps(name, ensure_ascii=False) + "\n" for name in names)


def _request(state: _Evaluation, setup: Mapping[str, object], limits: Limits) -> str:
    return json.dumps(
        {
            "sources": {file: text for file, text in state.sources.items() if (file, "") not in state.done},
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
        if not _is_rules_fault(ended):
            raise RuntimeError(f"the sandbox itself failed: {ended.trace.strip()[-500:]}")
        running = _at_work(state)
    if running is not None:
        _blame(state, running, (*_cause(ended), 0))


def _at_work(state: _Evaluation) -> tuple[str, str] | None:
    """Return the file that a child was at, or about to begin, when it ended between rules; None after all."""
    return next(((file, "") for file in sorted(state.sources) if (file, "") not in state.done), None)


_MESSAGES = MappingProxyType(
    {
        "TIME_LIMIT": "it ran for longer than it may",
        "MEMORY_LIMIT": "out of memory",
        "CRASH": "the engine crashed",
        "OUTPUT_TOO_LARGE": "it returns more than it may",
    }
)


def _is_rules_fault(ended: Ended) -> bool:
    """Say whether a child that failed was killed, or ran out of memory; else it never worked."""
    return ended.code < 0 or "MemoryError" in ended.trace


def _cause(ended: Ended) -> tuple[str, str]:
    """Return the code and the message of the problem that ended a child."""
    if ended.stopped is Stopped.LATE or -ended.code == signal.SIGXCPU:
        return "TIME_LIMIT", "all rules together ran for longer than they may, until here"
    if ended.stopped is Stopped.SILENT or -ended.code in {signal.SIGKILL, signal.SIGPROF}:
        code = "TIME_LIMIT"
    elif -ended.code == signal.SIGXFSZ:
        code = "OUTPUT_TOO_LARGE"
    else:
        code = "MEMORY_LIMIT" if "MemoryError" in ended.trace else "CRASH"
    return code, _MESSAGES[code]


def _take_output(state: _Evaluation, output: bytes) -> tuple[str, str] | None:
    """Note what a child said, and return what was running when it ended, if anything was."""
    running: tuple[str, str] | None = None
    for line in output.decode(errors="replace").splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            break  # cut off in the middle
        running = None
        if "begin" in said:
            running = (said["begin"][0], said["begin"][1])
        elif "end" not in said:
            _take_line(state, said)
        elif said["end"]:
            state.done.add((said["end"], ""))
        else:
            state.finished = True
    return running


def _take_line(state: _Evaluation, said: Mapping[str, Any]) -> None:
    place = (said["file"], said["rule"])
    if "json" in said:
        state.values[place] = json.loads(said["json"])
        state.done.add(place)
    else:
        _blame(state, place, _read_error(said["error"], place))


def _read_error(text: str, place: tuple[str, str]) -> tuple[str, str, int]:
    """Return code, message and the author's line (0: not known) of an exception's text."""
    lines = [int(number) for number in _FRAME.findall(text)]
    line = next((number for number in lines if number <= PRELUDE_LINE), 0)
    coded = _CODED.search(text)
    # An author's error may look like one of ours; what it says must still be something that we know.
    if coded is not None and coded.group(1) in _REMEDIES:
        code, message = coded.groups()
        return code, _tidy(message) or _MESSAGES.get(code, ""), line
    message = _tidy(_STACK.sub("", text).removesuffix("\nundefined"))  # what isn't an Error has no stack
    if not message or message == "null" or "out of memory" in message:
        return "MEMORY_LIMIT", "out of memory", 0
    if "interrupted" in message:
        return "TIME_LIMIT", _MESSAGES["TIME_LIMIT"], 0
    if "call stack" in message:
        return "TOO_DEEP", "it calls itself without end", line
    if message.startswith("SyntaxError: ") and not place[1]:
        return "SYNTAX", message.removeprefix("SyntaxError: "), line
    return "EVALUATION", message, line


def _tidy(message: str) -> str:
    """Return a text of the author's as one line for any terminal and any protocol."""
    message = " ".join(message.split())
    shown = "".join(each if each.isprintable() else "?" for each in message[:MAX_MESSAGE])
    return shown + ("..." if len(message) > MAX_MESSAGE else "")


def _blame(state: _Evaluation, place: tuple[str, str], error: tuple[str, str, int]) -> None:
    """Note a problem with (file, rule); `error` is code, message and line (0: where the rule is)."""
    (file, rule), (code, message, line) = place, error
    state.done.add((file, rule))
    source = _source(state, file, rule)
    state.problems.append(
        Problem(
            file=file,
            line=line or source.line,
            rule=rule,
            code=code,
            message=message,
            remedy=_REMEDIES[code],
        )
    )


def _source(state: _Evaluation, file: str, rule: str) -> Source:
    """Return where `rule` is defined; the file's first line when it is the file itself."""
    return state.places.get((file, rule)) or Source(rule=rule, file=file, line=1)


def _told_by_the_text(sources: Mapping[str, str], places: Places) -> list[Problem]:
    return [*_duplicates(places), *map(_no_function, find_variables(sources))]


def _no_function(source: Source) -> Problem:
    return Problem(
        file=source.file,
        line=source.line,
        rule=source.rule,
        code="NOT_A_FUNCTION",
        message=f"{source.rule} is a variable, and only functions are rules",
        remedy=f"write: function {source.rule}() {{ return {{...}}; }}",
    )


def _duplicates(places: Places) -> list[Problem]:
    """Return a problem for each rule function that is defined twice, and each file without any."""
    problems: list[Problem] = []
    first: dict[str, Source] = {}
    for file, own in places.items():
        if not own:
            problems.append(
                Problem(file=file, line=1, code="NO_RULES", message="no rule", remedy=_REMEDIES["NO_RULES"])
            )
        for source in own:
            other = first.setdefault(source.rule, source)
            if other is not source:
                problems.append(
                    Problem(
                        file=file,
                        line=source.line,
                        rule=source.rule,
                        code="DUPLICATE_RULE",
                        message=f"also defined at {other.file}:{other.line}",
                        remedy=_REMEDIES["DUPLICATE_RULE"],
                    )
                )
    return problems
