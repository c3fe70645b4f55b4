"""The throw-away process that compiles and plans one workspace, once `compiler_server` has forked it.

It answers frames of `compiler_messages`, one after the other, until its input ends. The kernel bounds its CPU
and memory, and kills it when its parent dies. It runs no rule: those run in the sandbox, its child.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import IO

from controlplane.admin.compiler_messages import (
    SIZES,
    Answer,
    Compile,
    Compiled,
    Doing,
    Faulty,
    OutOfMemory,
    PlanBeside,
    Planned,
    ReadPlatform,
    Remember,
    Remembered,
    Request,
    Unservable,
    request_from,
    sizes_of,
    to_frame,
)
from controlplane.model import RuleSet
from controlplane.planning.beside import names_of, plan_beside
from controlplane.planning.layers import in_layers
from controlplane.planning.parts import Parts
from controlplane.planning.routing import Inconsistent
from controlplane.problems import MAX_TEXT, WorkspaceError, shortened
from controlplane.rollout.codec import PlanWriter, platform_to_bytes
from controlplane.rules.compile import compile_and_warn
from controlplane.rules.memory import Memory
from controlplane.rules.platform import read_platform
from lightbulb.model import ObjectiveTable
from lightbulb.resolution.codec import table_to_bytes

PR_SET_PDEATHSIG = 1


class Compiler:
    """Answers requests; holds what was compiled."""

    def __init__(self, answers: IO[bytes]) -> None:
        """Write answers there."""
        self._answers = answers
        self._rules: RuleSet | None = None
        self._bodies: dict[str, tuple[ObjectiveTable, bytes]] = {}
        """Objective -> its table, and what it is as bytes."""
        self._memory = Memory()
        self._parts = Parts()
        self._writer = PlanWriter(self._body)

    def say(self, answer: Answer) -> None:
        """Write one answer, at once."""
        self._answers.write(to_frame(answer))
        self._answers.flush()

    def answer(self, request: Request) -> None:
        """Do what is asked, and say what came of it."""
        try:
            self.say(self._done(request))
        except WorkspaceError as error:
            self.say(Faulty(problems=error.problems))
        except Inconsistent as error:
            self.say(Unservable(message=shortened(str(error), MAX_TEXT)))

    def _done(self, request: Request) -> Answer:
        match request:
            case Compile(workspace=workspace, memory=memory):
                if memory:
                    self._memory = Memory(memory)
                compiled = compile_and_warn(workspace, self._begin, self._memory)
                self._rules = compiled.rules
                self._keep(compiled.rules.tables, compiled.bodies)
                return Compiled(warnings=compiled.warnings, names=names_of(compiled.rules))
            case ReadPlatform(workspace=workspace, source_hash=source_hash):
                self._begin("reading the fleet and the tenants")
                platform = read_platform(workspace)
                return Planned(content=platform_to_bytes(platform, source_hash), release=None)
            case Remember():
                return Remembered(content=self._memory.to_bytes())
            case PlanBeside(base=base, source_hash=source_hash):
                assert self._rules is not None
                self._begin("planning where its models run")
                rules = replace(self._rules, tables=in_layers(self._rules.tables, base.layers))
                plan, release = plan_beside(rules, base, self._parts)
                return Planned(
                    content=self._writer.content(plan, source_hash),
                    release=release,
                    objectives=tuple(table.objective for table in plan.tables),
                )

    def _keep(self, tables: Iterable[ObjectiveTable], made: Mapping[str, bytes]) -> None:
        """Keep what tables are as bytes. Of one that is the same object as before it is known."""
        before, self._bodies = self._bodies, {}
        for table in tables:
            known, body = before.get(table.objective, (None, b""))
            if known is not table:
                body = made.get(table.objective) or table_to_bytes(table)
            self._bodies[table.objective] = table, body

    def _body(self, table: ObjectiveTable) -> bytes:
        known, body = self._bodies[table.objective]
        return body if known is table else table_to_bytes(table)

    def _begin(self, stage: str) -> None:
        self.say(Doing(stage=stage))


def compile_for(parent: int, cpu_seconds: int, memory_mib: int) -> None:
    """Answer at the standard output what is asked at the standard input, until there are no more requests."""
    gc.disable()  # it ends with its workspace, of which all is needed to the end
    end_with(parent)
    limit(cpu_seconds, memory_mib)
    with os.fdopen(os.dup(0), "rb") as asked, os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # whoever prints says nothing to our parent
        compiler = Compiler(answers)
        try:
            for request in requests(asked):
                compiler.answer(request)
        except MemoryError:
            compiler.say(OutOfMemory())


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies; where it can't, the end of its input ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent has died")  # before the kernel was asked to say so


def limit(cpu_seconds: int, memory_mib: int) -> None:
    """Bound this process. Its child, the sandbox, has CPU of its own, and bounds itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, hard))
    resource.setrlimit(resource.RLIMIT_AS, (memory_mib * 1024 * 1024,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def requests(source: IO[bytes]) -> Iterator[Request]:
    """Yield what is asked, until the input ends."""
    while start := source.read(SIZES.size):
        head, body = sizes_of(start)
        yield request_from(source.read(head), source.read(body))
