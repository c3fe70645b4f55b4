"""What goes wrong in the sandbox: an exception's text, or a child's end, as a code and a message. Pure.

An author's code may throw any text: what is taken from it is one short line, in time linear in the text.
"""

from __future__ import annotations

import re
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

_FRAME = re.compile(r"(?:<input>|<eval>):([0-9]{1,9})")
_CODED = re.compile(r"\x01([A-Z_]+)\x01(.*)")
_STACK = re.compile(r"\n[ \t]++at .*", re.DOTALL)

_BY_TEXT = (
    (re.compile(r"^(null)?$|out of memory"), "MEMORY_LIMIT"),
    (re.compile(r"interrupted"), "TIME_LIMIT"),
    (re.compile(r"call stack"), "TOO_DEEP"),
)
"""What the engine says of itself. The first that matches counts."""

_NOWHERE = frozenset({"MEMORY_LIMIT", "TIME_LIMIT"})
"""Faults of a whole rule: the line at which the engine noticed says nothing."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a rule or a file; `line` is the author's, 0 when it isn't known."""

    code: str
    message: str
    line: int = 0


def read_error(text: str, *, of_file: bool) -> Fault:
    """Return what an exception's text says; `of_file` when it is of a file, before any rule is called."""
    lines = [int(number) for number in _FRAME.findall(text)]
    line = next((number for number in lines if number <= PRELUDE_LINE), 0)
    coded = _CODED.search(text)
    # An author's error may look like one of ours; what it says must still be something that we know.
    if coded is not None and coded.group(1) in REMEDIES.keys() | UNKNOWN.keys():
        code, message = coded.groups()
        return Fault(code, _tidy(message) or _MESSAGES.get(code, ""), line)
    message = _tidy(_STACK.sub("", text).removesuffix("\nundefined"))  # what isn't an Error has no stack
    for pattern, code in _BY_TEXT:
        if pattern.search(message):
            return Fault(code, _MESSAGES[code], 0 if code in _NOWHERE else line)
    if of_file and message.startswith("SyntaxError: "):
        return Fault("SYNTAX", message.removeprefix("SyntaxError: "), line)
    return Fault("EVALUATION", message, line)


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
    return Fault(code, _MESSAGES[code])


def _tidy(message: str) -> str:
    """Return a text of the author's as one line for any terminal and any protocol."""
    message = " ".join(message.split())
    shown = "".join(each if each.isprintable() else "?" for each in message[:MAX_MESSAGE])
    return shown + ("..." if len(message) > MAX_MESSAGE else "")
