"""What TypeScript says of each comparison is what `rules check` says of it: each allowed, each refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import quickjs

from controlplane.cli.actions.types import write_types
from controlplane.model import Workspace
from controlplane.problems import MAX_PROBLEMS, WorkspaceError
from controlplane.rules import sandbox
from controlplane.rules.compile import CONSTANTS, compile_workspace
from tests.docs.blocks import ROOT
from tests.rules.workspaces import GOOD
from tests.typescript.conftest import Check

PRELUDE = Path(sandbox.__file__).with_name("prelude.js").read_text()
SETUP = {"objectives": "\n", "open": False, "constants": dict(CONSTANTS), "depth": 9}

TEXT = {"country": "US", "locale": "en-US"}
"""A text that an attribute may have."""

WHOLE = ("T", "T, T", "5", "T, 5", "true", "{}", "null")
ONE = ("T", "5", "true", "T, T", "/x/", "{}")
PARTS = ("T", "T, T", "5", "T, true", "/x/")
NUMBER = ("5", "0.5", '"5"', "true", "5, 5", "")
DATE = ('"2026-01-31"', "5", '"2026-01-31", "2026-01-31"', "")
SIGNED = ('">=", 2', '"~", 2', '">=", "2"', '">="', '">=", 2, 3', "2", "")

GIVEN: Mapping[str, Sequence[str]] = {
    "in": WHOLE,
    "eq": ONE,
    "prefix": PARTS,
    "suffix": PARTS,
    "contains": PARTS,
    "matches": ('"^a"', '"^a", "b$"', "5", "/a/"),
    "lt": NUMBER,
    "le": NUMBER,
    "gt": NUMBER,
    "ge": NUMBER,
    "before": DATE,
    "after": DATE,
    "inNetwork": ('"10.0.0.0/8"', '"10.0.0.0/8", "2001:db8::/32"', "10"),
    "semver": (
        *('">=", "5.0.0"', '"~", "5.0.0"', '"=", "5.0.0"', '">=", 5', '">="', '"5.0.0"', ""),
        *('">=", "5.0.0", {strict: true}', '">=", "5.0.0", {strict: 1}', '">=", "5.0.0", {strikt: true}'),
        *('">=", "5.0.0", {}', '">=", "5.0.0", {strict: true}, 1'),
    ),
    "hasAny": WHOLE,
    "hasAll": WHOLE,
    "size": SIGNED,
    "exists": ("", "1", "undefined"),
}
"""What a method is called with; T is a text that the attribute may have."""

OTHERS = (
    *('segment("kids")', 'segment("kid")', "segment(5)", "segment()"),
    *('context.user.in("u")', "context.user.in(5)", 'context.user.eq("u")', 'context.contry.eq("US")'),
    *(
        'context.attribute("x", "y").exists()',
        "context.attribute(5).exists()",
        "context.attribute().exists()",
    ),
    *('context.attribute("country").eq("US")', 'context.attribute("country").gt(5)'),
    *("context.country", "context", '"US"', "5", "true", "null", "undefined", "{}", "[]"),
    *('{attribute: "x", op: "in", values: ["y"]}', '{attribute: "x", op: "in", values: [{}]}'),
    *('{segment: "kids"}', '{users: ["u"]}', "{users: [5]}", '{not: {users: ["u"]}}'),
    *(f'{name}({more}context.country.eq("US"))' for name in ("any", "all", "not") for more in ("", "5, ")),
    *(f'{name}(context.country.eq("US"), context.device.eq("tv"))' for name in ("any", "all", "not")),
)


def methods() -> Iterator[tuple[str, str]]:
    """Yield each method of each attribute: what it is called on, and its name."""
    context = quickjs.Context()
    context.eval(f"{PRELUDE}({json.dumps(SETUP)})")
    own = 'attribute("x")'
    for attribute in ("country", "device", "locale", "surface", own):
        for inner in ("", ".ignoringCase"):
            on = f"context.{attribute}{inner}"
            for name in json.loads(context.eval(f"JSON.stringify(Reflect.ownKeys({on}))")):
                if name != "ignoringCase":
                    yield on, name


def calls() -> Iterator[str]:
    for on, name in methods():
        text = json.dumps(TEXT.get(on.split(".")[1], "tv"))
        for given in GIVEN[name]:
            values = re.sub(r"\bT\b", text, given)
            yield f"{on}.{name}({values})"
    yield from OTHERS


COMMON = GOOD["rules.js"]
BEGIN = COMMON.count("\n") + 1
FILES = {**GOOD, "segments.yaml": "segments: [{name: kids, users: [u]}]\n"}


def rules_of(calls: Sequence[str]) -> str:
    """Return a file with a rule a line from BEGIN on, each with one of the calls as its condition."""
    lines = (
        f"/** @returns {{ContextRule}} */ function define{number}Rule() {{ return {{...common, "
        f'model: {{name: "plain"}}, priority: {number}, when: {call}}}; }}'
        for number, call in enumerate(calls)
    )
    return COMMON + "\n".join(lines) + "\n"


def refused(calls: Sequence[str]) -> set[str]:
    files = {**FILES, "rules.js": rules_of(calls)}
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(Workspace(files={name: text.encode() for name, text in files.items()}))
    problems = caught.value.problems
    assert len(problems) <= MAX_PROBLEMS  # each of them is told
    return {calls[problem.line - BEGIN] for problem in problems}


def underlined(calls: Sequence[str], folder: Path, tsc: Check) -> set[str]:
    for name, text in {**FILES, "rules.js": rules_of(calls)}.items():
        (folder / name).write_text(text)
    shutil.copy(ROOT / "rules" / "jsconfig.json", folder)
    write_types(folder, check=False, as_json=False)
    lines = (re.match(r"rules\.js\((\d+),", line) for line in tsc(folder))
    return {calls[int(match[1]) - BEGIN] for match in lines if match}


def test_types_allow_what_check_allows_and_nothing_else(tmp_path: Path, tsc: Check) -> None:
    every = tuple(calls())
    wrong = set().union(*(refused(every[begin : begin + 100]) for begin in range(0, len(every), 100)))
    assert len(wrong) > 300
    assert len(every) - len(wrong) > 100
    found = underlined(every, tmp_path, tsc)
    assert found - wrong == set()
    assert wrong - found == set()
