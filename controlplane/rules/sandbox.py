"""Evaluates rule files to canonical JSON, in a process that can neither hang, crash nor harm this one.

QuickJS runs in a child with limits on CPU, memory and output, killed by the wall clock; a child that
was killed or has run out of memory is thrown away, and another goes on with the rules after the one
that did it. The same sources give the same values.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from controlplane.problems import Problem
from controlplane.rules.places import Places, find_rules, first_places
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
    """What the rules of one workspace may use."""

    cpu_seconds: int = 2
    wall_seconds: float = 10.0
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
    state = _Evaluation(sources, first_places(places), {}, _duplicates(places), set())
    for _ in range(MAX_CHILDREN):
        if state.finished or not sources:
            break
        _run_child(state, _request(state, setup, limits), limits)
    broken = {problem.file for problem in state.problems if problem.code == "SYNTAX"}
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
            "sources": dict(state.sources),
            "done": sorted(state.done),
            "prelude": (_HERE / "prelude.js").read_text(),
            "prelude_line": PRELUDE_LINE,
            "setup": json.dumps(setup),
            "cpu_seconds": limits.cpu_seconds,
            "memory_bytes": limits.memory_mib * 1024 * 1024,
            "output_bytes": limits.output_bytes,
            "result_bytes": limits.result_bytes,
        }
    )


def _run_child(state: _Evaluation, request: str, limits: Limits) -> None:
    """Let one child go as far as it gets, and note what it found and what ended it."""
    engine = find_spec("_quickjs")
    assert engine is not None
    assert engine.origin is not None
    child = [sys.executable, "-I", "-S", str(_HERE / "sandbox_child.py"), str(Path(engine.origin).parent)]
    # Output goes to a file: the kernel bounds its size, and nobody waits for a full pipe.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            child, stdin=subprocess.PIPE, stdout=output, stderr=errors, env={}, cwd="/", close_fds=True
        )
        try:
            process.communicate(request.encode(), timeout=limits.wall_seconds)
            timed_out = False
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            timed_out = True
        output.seek(0)
        running = _take_output(state, output.read(limits.output_bytes + 1))
        errors.seek(0)
        trace = errors.read(4096).decode(errors="replace")
    if running is not None:
        code = _cause(process.returncode, trace, timed_out=timed_out)
        _blame(state, running, (code, _MESSAGES[code], 0))
    elif process.returncode != 0:
        raise RuntimeError(f"the sandbox failed before any rule ran: {trace.strip()[-500:]}")


_MESSAGES = MappingProxyType(
    {
        "TIME_LIMIT": "it ran for longer than it may",
        "MEMORY_LIMIT": "out of memory",
        "CRASH": "the engine crashed",
        "OUTPUT_TOO_LARGE": "it returns more than it may",
    }
)


def _cause(code: int, trace: str, *, timed_out: bool) -> str:
    if timed_out or code in {-9, -24}:  # SIGKILL, SIGXCPU
        return "TIME_LIMIT"
    if code == -25:  # SIGXFSZ
        return "OUTPUT_TOO_LARGE"
    return "MEMORY_LIMIT" if "MemoryError" in trace else "CRASH"


def _take_output(state: _Evaluation, output: bytes) -> tuple[str, str] | None:
    """Note what a child said, and return what was running when it ended, if anything was."""
    running: tuple[str, str] | None = None
    for line in output.decode(errors="replace").splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            break  # cut off in the middle
        if "begin" in said:
            running = (said["begin"][0], said["begin"][1])
        else:
            running = None
            _take_line(state, said)
    return running


def _take_line(state: _Evaluation, said: Mapping[str, Any]) -> None:
    if "end" in said:
        state.finished = not said["end"]
        return
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
