"""What goes wrong in the sandbox: an exception's text, or a child's end, as a code and a message. Pure.

An author's code may throw any text: what is taken from it is one short line, in time linear in the text.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from types import MappingProxyType

from controlplane.rules.sandbox_process import Ended, Stopped

PRELUDE_LINE = 100_000
"""Lines up to this are the author's; workspace files are smaller."""

MAX_MESSAGE = 300
"""Characters of what a rule throws that a problem shows."""

REMEDIES = MappingProxyType(
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
        "NOT_EVALUATED": "mend what was stopped before them, then check again",
        "HIDDEN_CODE": "write the code itself, so that it can be looked at",
        "CONDITION_OPERATOR": "combine conditions by any(...), all(...) and not(...) alone",
        "CRASH": "simplify the rule; it crashes the engine",
    }
)

UNKNOWN = MappingProxyType(
    {"UNKNOWN_OBJECTIVE": "objective", "UNKNOWN_CONSTANT": "constant", "UNKNOWN_ATTRIBUTE": "attribute"}
)
"""Code -> what kind of name isn't known. The message of such a fault is the name alone."""

_MESSAGES = MappingProxyType(
    {
        "TIME_LIMIT": "it ran for longer than it may",
        "MEMORY_LIMIT": "out of memory",
        "CRASH": "the engine crashed",
        "OUTPUT_TOO_LARGE": "it returns more than it may",
        "TOO_DEEP": "it calls itself without end",
    }
)

_ENGINE = MappingProxyType({"interrupted": "TIME_LIMIT", "out of memory": "MEMORY_LIMIT"})
"""What the engine throws of itself; the line at which it noticed says nothing."""

_UNTHROWN = MappingProxyType(
    {
        "RangeError: Maximum call stack size exceeded": "TOO_DEEP",
        "InternalError: interrupted": "TIME_LIMIT",
    }
)
"""What the engine says without a throw; any other time it has no memory left."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a rule or a file; `line` is the author's, 0 when it isn't known."""

    code: str
    message: str
    line: int = 0


def fault_of(code: str) -> Fault:
    """Return a fault of which the code says it all."""
    return Fault(code, _MESSAGES[code])


def read_error(text: str, why: object, *, of_file: bool) -> Fault:
    """Return what an exception says; `of_file` when it is of a file, before any rule is called.

    `why` is what the prelude knows of it, which an author's text can't forge; None when it wasn't thrown, but
    the engine failed.
    """
    message = _tidy(text.strip().removesuffix("\nundefined"))  # what isn't an Error has no stack
    match why:
        case {
            "line": int(line),
            "syntax": bool(syntax),
            "code": str(code),
            "engine": str(engine),
            "value": str(value),
        }:
            pass
        case _:
            return fault_of(_UNTHROWN.get(text.partition("\n")[0], "MEMORY_LIMIT"))
    if code in REMEDIES.keys() | UNKNOWN.keys():
        said = message.removeprefix("Error:").strip()
        return Fault(code, said or _MESSAGES.get(code, ""), line)
    if engine in _ENGINE:
        return fault_of(_ENGINE[engine])
    if syntax and of_file:
        return Fault("SYNTAX", message.removeprefix("SyntaxError: "), line)
    return Fault("EVALUATION", f"it throws {_tidy(value)}, which is no Error" if value else message, line)


def is_rules_fault(ended: Ended) -> bool:
    """Say whether a child that failed was killed, or ran out of memory; else it never worked."""
    return ended.code < 0 or "MemoryError" in ended.trace


def read_end(ended: Ended) -> Fault:
    """Return what ended a child."""
    if ended.stopped is Stopped.LATE or -ended.code == signal.SIGXCPU:
        return Fault("TIME_LIMIT", "all rules together ran for longer than they may, until here")
    if ended.stopped is Stopped.SILENT or -ended.code in {signal.SIGKILL, signal.SIGPROF}:
        code = "TIME_LIMIT"
    elif -ended.code == signal.SIGXFSZ:
        code = "OUTPUT_TOO_LARGE"
    else:
        code = "MEMORY_LIMIT" if "MemoryError" in ended.trace else "CRASH"
    return fault_of(code)


def _tidy(message: str) -> str:
    """Return a text of the author's as one line for any terminal and any protocol."""
    message = " ".join(message.split())
    shown = "".join(each if each.isprintable() else "?" for each in message[:MAX_MESSAGE])
    return shown + ("..." if len(message) > MAX_MESSAGE else "")
