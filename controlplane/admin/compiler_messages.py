"""What a control plane and its compiler say to each other: frames of JSON and bytes, over two pipes. Pure.

Neither side runs what the other sends, nor trusts it with more memory than `MAX_HEAD` and `MAX_BODY`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise

from controlplane.model import Workspace
from controlplane.planning.beside import Base, Loaded, Names, Others, Release, Room
from controlplane.planning.layers import Layers, Part
from controlplane.problems import Problem, Severity

SIZES = struct.Struct(">IQ")
"""How a frame begins: the bytes of its JSON, and of what follows that."""

START = struct.Struct(">II")
"""What the compiler server is asked for: a compiler with so many CPU seconds and MiB of memory."""

NUMBER_BYTES = 4
"""Of what the server tells of a compiler: its process id, then its exit code; signed, the big end first."""

MAX_HEAD = 256 * 1024 * 1024
MAX_BODY = 256 * 1024 * 1024


class Strange(Exception):
    """A frame that no side of ours sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compile:
    """Asks to read and compile a workspace, which may then be planned.

    `memory` is what another compiler has `Remembered`; empty: what this one has.
    """

    workspace: Workspace
    memory: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBeside:
    """Asks for a plan of what was compiled; `source_hash` is the workspace's."""

    base: Base
    source_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlatform:
    """Asks to read the platform's own workspace."""

    workspace: Workspace
    source_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember:
    """Asks what was found in the files of what was compiled last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """Says what is begun, for whoever has to say where it stopped."""

    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The workspace has no error, so far; only these warnings. And what it names."""

    names: Names
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A generation's content, what must leave to make room for it, and the names of its objectives."""

    content: bytes
    release: Release
    objectives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What was found in files, for another compiler; empty when that is too much."""

    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulty:
    """The workspace has problems."""

    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unservable:
    """No sidecar could serve the plan."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfMemory:
    """The compiler has used up its memory."""


Request = Compile | PlanBeside | ReadPlatform | Remember
Answer = Doing | Compiled | Planned | Remembered | Faulty | Unservable | OutOfMemory


def to_frame(message: Request | Answer) -> bytes:  # noqa: C901 - one case a message
    """Return a message as bytes."""
    body = b""
    said: Mapping[str, object]
    match message:
        case Compile(workspace=workspace, memory=memory):
            said = {"compile": [(name, len(content)) for name, content in workspace.files.items()]}
            body = b"".join((*workspace.files.values(), memory))
        case ReadPlatform(workspace=workspace, source_hash=source_hash):
            files = [(name, len(content)) for name, content in workspace.files.items()]
            said = {"platform": files, "source_hash": source_hash}
            body = b"".join(workspace.files.values())
        case PlanBeside(base=base, source_hash=source_hash):
            said = {"plan": _said(base), "source_hash": source_hash}
        case Planned(content=content, release=release, objectives=objectives):
            said, body = {"planned": release, "objectives": objectives}, content
        case Remember():
            said = {"remember": True}
        case Remembered(content=content):
            said, body = {"remembered": len(content)}, content
        case Faulty(problems=problems):
            said = {"problems": list(map(asdict, problems))}
        case Compiled(warnings=warnings, names=names):
            said = {
                "compiled": list(map(asdict, warnings)),
                "objectives": names.objectives,
                "models": names.models,
            }
        case Doing(stage=stage):
            said = {"doing": stage}
        case Unservable(message=text):
            said = {"unservable": text}
        case OutOfMemory():
            said = {"is": "OutOfMemory"}
    head = json.dumps(said).encode()
    return SIZES.pack(len(head), len(body)) + head + body


def sizes_of(start: bytes) -> tuple[int, int]:
    """Return how many bytes of JSON and of body follow the start of a frame. Raises Strange."""
    head, body = SIZES.unpack(start)
    if head > MAX_HEAD or body > MAX_BODY:
        raise Strange(f"a frame of {head} and {body} bytes")
    return head, body


def request_from(head: bytes, body: bytes) -> Request:
    """Return what a control plane asks. Raises Strange."""
    match json.loads(head):
        case {"compile": list(files)}:
            ends = list(accumulate((size for _, size in files), initial=0))
            names = (name for name, _ in files)
            contents = (body[begin:end] for begin, end in pairwise(ends))
            workspace = Workspace(files=dict(zip(names, contents, strict=True)))
            return Compile(workspace=workspace, memory=body[ends[-1] :])
        case {"platform": list(files), "source_hash": str(source_hash)}:
            ends = list(accumulate((size for _, size in files), initial=0))
            contents = (body[begin:end] for begin, end in pairwise(ends))
            workspace = Workspace(files=dict(zip((name for name, _ in files), contents, strict=True)))
            return ReadPlatform(workspace=workspace, source_hash=source_hash)
        case {"remember": True}:
            return Remember()
        case {"plan": dict(base), "source_hash": str(source_hash)}:
            return PlanBeside(base=_base(base), source_hash=source_hash)
        case _:
            raise Strange("no request")


def answer_from(head: bytes, body: bytes) -> Answer:  # noqa: C901, PLR0911 - one case a message
    """Return what a compiler answers. Raises Strange."""
    try:
        said = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise Strange("no JSON") from error
    match said:
        case {"doing": str(stage)}:
            return Doing(stage=stage)
        case {"planned": None | list() as release, "objectives": list(objectives)}:
            return Planned(content=body, release=_release(release), objectives=_texts(objectives))
        case {"remembered": int()}:
            return Remembered(content=body)
        case {"problems": list(problems)}:
            return Faulty(problems=tuple(map(_problem, problems)))
        case {"unservable": str(text)}:
            return Unservable(message=text)
        case {"compiled": list(warnings), "objectives": list(objectives), "models": list(models)}:
            names = Names(objectives=_texts(objectives), models=_texts(models))
            return Compiled(names=names, warnings=tuple(map(_problem, warnings)))
        case {"is": "OutOfMemory"}:
            return OutOfMemory()
    raise Strange("no answer")


def _release(said: list[object] | None) -> Release:
    return None if said is None else tuple(number for number in said if isinstance(number, int))


def _texts(said: list[object]) -> tuple[str, ...]:
    return tuple(each for each in said if isinstance(each, str))


def _problem(said: object) -> Problem:
    match said:
        case {
            "file": str(file),
            "line": int(line),
            "rule": str(rule),
            "code": str(code),
            "message": str(message),
            "remedy": str(remedy),
            "severity": "error" | "warning" as severity,
        }:
            return Problem(
                file=file,
                line=line,
                rule=rule,
                code=code,
                message=message,
                remedy=remedy,
                severity=Severity(severity),
            )
        case _:
            raise Strange("no problem")


def _said(base: Base) -> Mapping[str, object]:
    """Return a base as JSON has it: what rooms share of a shard stands in it once, and has a number."""
    distinct: dict[int, tuple[int, Mapping[str, int]]] = {}

    def numbers(loaded: Loaded) -> Mapping[str, int]:
        return {
            shard: distinct.setdefault(id(sizes), (len(distinct), sizes))[0]
            for shard, sizes in loaded.items()
        }

    rooms = [
        {"release": room.release, "loaded": numbers(room.loaded), "own": numbers(room.own)}
        for room in base.rooms
    ]
    before: dict[str, list[str]] = {}
    for model, shard in base.before.items():
        before.setdefault(shard, []).append(model)
    others = base.others
    return {
        "sizes": [sizes for _, sizes in distinct.values()],
        "rooms": rooms,
        "before": before,
        "vips": base.vips,
        "stay": base.stay,
        "others": {
            "objectives": others.objectives,
            "models": others.models,
            "memory_mib": others.memory_mib,
        },
        "memory_mib": base.memory_mib,
        "layers": asdict(base.layers),
        "outgoing": [(number, loaded) for number, loaded in base.outgoing.items()],
    }


def _base(said: Mapping[str, object]) -> Base:
    match said:
        case {
            "sizes": list(sizes),
            "rooms": list(rooms),
            "before": dict(before),
            "vips": dict(vips),
            "stay": list(stay),
            "others": dict(others),
            "memory_mib": int(memory),
            "layers": dict(layers),
            "outgoing": list(outgoing),
        }:
            return Base(
                rooms=tuple(_room(room, sizes) for room in rooms),
                before={model: shard for shard, models in before.items() for model in models},
                vips={vip: (shard, number) for vip, (shard, number) in vips.items()},
                stay=tuple(stay),
                others=_others(others),
                memory_mib=memory,
                layers=_layers(layers),
                outgoing=dict(outgoing),
            )
        case _:
            raise Strange("no base")


def _others(said: Mapping[str, object]) -> Others:
    match said:
        case {"objectives": dict(objectives), "models": dict(models), "memory_mib": dict(memory)}:
            return Others(
                objectives=objectives,
                models={name: (tenant, definition) for name, (tenant, definition) in models.items()},
                memory_mib=memory,
            )
        case _:
            raise Strange("no tenants")


def _layers(said: Mapping[str, object]) -> Layers:
    match said:
        case {"tenant": str(tenant), "owners": dict(owners), "taken": dict(taken)}:
            parts = {salt: tuple(Part(**each) for each in own) for salt, own in taken.items()}
            return Layers(tenant=tenant, owners=owners, taken=parts)
        case _:
            raise Strange("no layers")


def _room(said: Mapping[str, object], sizes: list[Mapping[str, int]]) -> Room:
    match said:
        case {"release": None | list() as release, "loaded": dict(loaded), "own": dict(own)}:
            return Room(
                release=_release(release),
                loaded={shard: sizes[number] for shard, number in loaded.items()},
                own={shard: sizes[number] for shard, number in own.items()},
            )
        case _:
            raise Strange("no room")
