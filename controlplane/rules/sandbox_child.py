"""The throw-away process that evaluates rule files: one JSON request in, lines of JSON out.

Run as a script by `sandbox`, with the folder of the engine's module and its parent's id, and nothing else:
no environment, no site, no packages of ours. Each line of output is one of

    {"begin": [file, rule]}            about to evaluate it; rule "" is the file itself
    {"end": file, "asked": [name]}     its last rule was called, and its context is gone; it asked for these
                                       objectives, and for all if null is among them
    {"end": ""}                        nothing is left to do
    {"file": file, "rule": rule, "json": text}
    {"file": file, "rule": rule, "error": text, "why": what the prelude knows of it}
    {"file": file, "rule": rule, "fault": "OUTPUT_TOO_LARGE"}

so that whoever reads them knows what was running when the process was killed. The kernel kills it when one
of them runs for too long: the engine ends most by itself, but not what loops inside of it.
"""

# This runs with `python -I -S`: the standard library's light modules only.
import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

sys.path.append(sys.argv[1])

import _quickjs  # type: ignore[import-not-found]  # its folder is an argument

OUT_OF_MEMORY = "out of memory"
UNTOLD = "(Failed obtaining QuickJS error string"
"""What the engine's module says of an exception that is no text."""

CALL_STACK = "Maximum call stack size exceeded"
PR_SET_PDEATHSIG = 1

END = 10_000
"""Characters of an error's text that are told, from its beginning and from its end."""

GRACE_SECONDS = 1
"""CPU that the engine has to notice by itself that the time is over."""


def main() -> None:
    """Evaluate what the request says, and end early when the engine can't be trusted any more."""
    end_with(int(sys.argv[2]))
    request = json.load(sys.stdin)
    limit(request)
    done = {tuple(each) for each in request["done"]}
    for file, source in sorted(request["sources"].items()):
        say(end=file, asked=evaluate(file, source, done, request))
    say(end="")


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies, which may be killed itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(0)


def limit(request: dict[str, Any]) -> None:
    """Bound this process, for good: CPU seconds, memory, files."""
    cpu = request["total_seconds"]
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    memory = request["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (request["output_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def evaluate(file: str, source: str, done: set[Any], request: dict[str, Any]) -> list[Any]:
    """Evaluate one file in a context of its own, and call each of its rules; return what it asked for."""
    begin(file, "", request)
    context = _quickjs.Context()
    context.set_memory_limit(request["memory_bytes"] // 2)
    context.set_time_limit(request["cpu_seconds"])
    # Far down, so that a frame of the prelude's can be told from one of the author's by its line.
    host = context.eval("\n" * request["prelude_line"] + f"{request['prelude']}({request['setup']})")
    try:
        # On the first line, so that lines stay the author's own.
        context.eval('"use strict";' + source)
        host(context.eval(f"[{','.join(request['variables'][file])}]"))
        names = json.loads(host())
    except _quickjs.JSException as error:
        tell(file, "", error, host)
        return [None]
    for name in names:
        if (file, name) in done:
            continue
        begin(file, name, request)
        try:
            text = json.loads(host(name))
            if len(text) > request["result_bytes"]:
                say(file=file, rule=name, fault="OUTPUT_TOO_LARGE")
            else:
                say(file=file, rule=name, json=text)
        except _quickjs.JSException as error:
            tell(file, name, error, host)
    try:
        asked: list[Any] = json.loads(host(None))
    except _quickjs.JSException:
        return [None]
    return asked


def begin(file: str, rule: str, request: dict[str, Any]) -> None:
    """Say what is about to run, and give it its time, in CPU seconds from now."""
    say(begin=[file, rule])
    signal.setitimer(signal.ITIMER_PROF, request["cpu_seconds"] + GRACE_SECONDS)


def tell(file: str, rule: str, error: Exception, host: Any) -> None:
    """Say what went wrong, and end the process when that was the engine: its state can't be relied on.

    Of what is thrown the prelude knows more than its text, which may be any; when the engine has run out of
    memory it knows nothing.
    """
    text = str(error)
    try:
        why = json.loads(host(False))  # noqa: FBT003 - the prelude's own words
    except _quickjs.JSException:
        why = None
    thrown = why is not None and was_thrown(text, why["said"])
    if text.startswith(UNTOLD):  # to ask for its text has thrown something else
        why |= {"line": 0, "code": "", "engine": "", "value": "what has no text"}
    if thrown:
        why["said"], why["value"] = "", ends_of(why["value"])
    say(file=file, rule=rule, error=ends_of(text), why=why if thrown else None)
    if why["engine"] in {"interrupted", OUT_OF_MEMORY} if thrown else CALL_STACK not in text:
        sys.exit(0)


def was_thrown(text: str, said: str) -> bool:
    """Say whether an exception's text is of what was thrown last, which says `said`; else the engine failed.

    The engine throws null when it has no memory left for more, which shows in how much there was.
    """
    if text.startswith(UNTOLD):
        return True
    if said == "null":
        return text.strip() == said and most_memory() < resource.getrlimit(resource.RLIMIT_AS)[0] // 4
    return text.startswith(said) and (said != "" or text.strip() in {"", "undefined"})


def most_memory() -> int:
    """Return the bytes that this process had when it had the most."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib is none of the light modules
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # which Linux would count from before exec


def ends_of(text: str) -> str:
    """Return a text as it is, or if it is long both its ends: what was thrown, and from where."""
    return text if len(text) <= 2 * END else text[:END] + "\n" + text[-END:]


def say(**line: object) -> None:
    """Write one line, at once."""
    print(json.dumps(line), flush=True)  # noqa: T201 - this process speaks by its output


main()
