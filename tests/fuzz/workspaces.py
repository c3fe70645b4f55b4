"""Decoders of what researchers write, and of what the sandbox says of it: to problems, or to a plan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

from controlplane.model import RuleSet
from controlplane.planning.beside import Base, plan_beside
from controlplane.problems import Problem, WorkspaceError
from controlplane.rollout.codec import plan_from_bytes, plan_to_bytes
from controlplane.rules import sandbox, sandbox_faults
from controlplane.rules.definitions import Definitions, read_definitions, read_experiments
from controlplane.rules.lock_file import LOCK, write_lock
from controlplane.rules.locked import lock
from controlplane.rules.sandbox import RawRule
from controlplane.rules.shapes import read_rules
from controlplane.rules.tables import make_tables
from controlplane.rules.texts import look_at
from controlplane.rules.yaml_tree import BadYaml, read_tree
from controlplane.xds import resources
from lightbulb.model import Source
from tests.fuzz.decoder import Decoder, refusing
from tests.rules.workspaces import GOOD

FILES = {name: text.encode() for name, text in GOOD.items() if name.endswith(".yaml")}
FILES["segments.yaml"] = b"""segments:
  - {name: staff, users: [u1, u2]}
  - {name: abroad, users: [u3], when: {all: [{segment: staff}, {not: {attribute: country, values: [US]}}]}}
"""
COMMON = {"targetObjectives": ["Ranking"], "modelInputType": "TITLE_INPUT_TYPE", "modelType": "SCORER"}
BODIES: tuple[Mapping[str, object], ...] = (
    {"defaultModel": {"name": "plain"}},
    {"abTestId": 12345, "priority": 2, "cellToModel": {"1": {"name": "plain"}, "2": {"name": "fancy"}}},
    {
        "when": {
            "all": [
                {"attribute": "plan", "op": "in", "values": ["US", 1, True]},
                {"not": {"any": [{"attribute": "country", "op": "exists", "values": []}]}},
            ]
        },
        "model": {"name": "fancy", "version": "1", "parameters": {"a": 1, "b": 0.5, "c": "x", "d": False}},
    },
    {
        "when": {"attribute": "app_version", "op": "semver >=", "values": ["5.0.0"]},
        "model": {"name": "fancy"},
        "priority": 1,
    },
    {"shift": {"from": {"name": "plain"}, "to": {"name": "fancy"}, "percent": 12.5, "salt": "s"}},
    {
        "shift": {
            "from": {"name": "plain"},
            "to": {"name": "fancy"},
            "percent": 1,
            "unit": "session",
            "when": {"any": [{"segment": "staff"}, {"not": {"users": ["u1", "u2"]}}]},
        }
    },
    {"permitOverrides": [{"name": "fancy"}, {"name": "fraud", "version": "2"}], "clients": ["lab"]},
)


NAMES = {"UNKNOWN_OBJECTIVE": ("Ranking",), "UNKNOWN_CONSTANT": ("TITLE_INPUT_TYPE",)}


def workspaces() -> Iterator[Decoder]:
    """Give the decoders."""
    yield Decoder(
        name="yaml", samples=tuple(FILES.values()), read=refusing(_read_yaml, BadYaml, UnicodeDecodeError)
    )
    for file, content in {**FILES, LOCK: _lock()}.items():
        yield Decoder(name=file, samples=(content,), read=_definitions_reader(file))
    samples = tuple(json.dumps([{**COMMON, **body}]).encode() for body in BODIES)
    every = json.dumps([{**COMMON, **body} for body in BODIES]).encode()
    yield Decoder(name="rules", samples=(*samples, every), read=refusing(_read_values, NotJson))
    yield Decoder(
        name="rule-files", samples=(GOOD["rules.js"].encode(),), read=refusing(_find, UnicodeDecodeError)
    )
    said = (
        {"begin": ["rules.js", ""]},
        {"begin": ["rules.js", "defineDefaultRule"]},
        {"file": "rules.js", "rule": "defineDefaultRule", "json": "{}"},
        {"file": "rules.js", "rule": "defineAbRule", "error": "\x01NOT_JSON\x01.x is NaN\n    at <input>:7"},
        {"end": "rules.js"},
        {"end": ""},
    )
    lines = "".join(f"{json.dumps(each)}\n" for each in said).encode()
    thrown = (
        b"Error: no\n    at defineARule (<input>:7)",
        b"\x01NOT_JSON\x01.x is NaN",
        b"SyntaxError: x <eval>:3",
    )
    yield Decoder(name="sandbox-error", samples=thrown, read=_read_error)
    yield Decoder(name="sandbox-output", samples=(lines,), read=refusing(_take_output, sandbox.SandboxFailed))


class NotJson(Exception):
    """Not what the sandbox gives: it parses what a rule returns, as deep as it lets a rule nest that."""


def _read_yaml(data: bytes) -> None:
    read_tree(data.decode())


def _find(data: bytes) -> None:
    look_at({"rules.js": data.decode()})


def _definitions_reader(file: str) -> Callable[[bytes], object]:
    raw = [_raw({**COMMON, **body}, line) for line, body in enumerate(BODIES, 1)]

    def read(data: bytes) -> None:
        problems: list[Problem] = []
        definitions = read_definitions({**FILES, file: data}, problems)
        _carry_on(raw, definitions, problems)

    return read


def _lock() -> bytes:
    tests, _ = lock(read_experiments(FILES, []).values(), {})
    return write_lock(tests).encode()


_definitions = read_definitions(FILES, [])


def _read_values(data: bytes) -> None:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotJson from error
    if not isinstance(values, list) or _depth(data) > sandbox.Limits().depth:
        raise NotJson
    if re.search("[\ud800-\udfff]", json.dumps(values, ensure_ascii=False)):
        raise NotJson  # half a surrogate pair
    _carry_on([_raw(value, line) for line, value in enumerate(values, 1)], _definitions, [])


def _depth(data: bytes) -> int:
    """Return how deep brackets go, in texts too: never less than the depth of the value."""
    deepest = depth = 0
    for byte in data:
        depth += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, depth)
    return deepest


def _raw(value: object, line: int) -> RawRule:
    return RawRule(source=Source(rule=f"defineRule{line}", file="rules.js", line=line), value=value)


def _carry_on(raw: list[RawRule], definitions: Definitions, problems: list[Problem]) -> None:
    """Go on to what sidecars are sent: what nothing is found wrong with can be planned, kept and routed."""
    rules = read_rules(raw, problems)
    tables = make_tables(rules, definitions, problems, complete=len(rules) == len(raw))
    for problem in problems:
        str(problem).encode()
    if problems:
        return
    found = RuleSet(
        objectives=tuple(definitions.objectives.values()),
        models=tuple(definitions.models.values()),
        shards=tuple(definitions.shards.values()),
        tables=tables,
    )
    try:
        plan, _ = plan_beside(found, Base())
    except WorkspaceError:
        return
    body = plan_to_bytes(plan, "")
    assert plan_from_bytes(body) == plan
    vips = [assignment.vip for assignment in plan.assignments]
    resources.routes(plan.routes, vips)
    resources.clusters(vips)


def _take_output(data: bytes) -> None:
    state = sandbox._Evaluation(sources={"rules.js": ""}, names=NAMES, places={}, problems=[])
    sandbox._take_output(state, data)
    for problem in state.problems:
        str(problem).encode()


def _read_error(data: bytes) -> None:
    text = data.decode(errors="replace")
    why = {"line": 1, "syntax": True, "code": text[:4], "engine": text[4:8], "value": text[8:]}
    fault = sandbox_faults.read_error(text, why if data else None, of_file=True)
    assert fault.code in sandbox_faults.REMEDIES.keys() | sandbox_faults.UNKNOWN.keys()
    assert fault.message.isprintable()
    assert 0 <= fault.line <= sandbox_faults.PRELUDE_LINE
