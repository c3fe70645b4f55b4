"""lightbulb.d.ts declares what rules find: all of it, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import quickjs

from controlplane.cli.template import TEMPLATE
from controlplane.problems import Problem
from controlplane.rules import sandbox
from controlplane.rules.compile import CONSTANTS
from controlplane.rules.declarations import DECLARATIONS, read_types
from controlplane.rules.shapes import COMMON, KINDS
from controlplane.rules.unit import UNITS
from controlplane.rules.workspace import read_workspace
from tests.rules.workspaces import workspace

RULES = Path(__file__).parents[2] / "rules"
PRELUDE = Path(sandbox.__file__).with_name("prelude.js").read_text()
SEGMENTS = """segments:
  - {name: zebra, users: [user-1]}
  - {name: apple-1, when: {attribute: "plan.\\"x\\"", op: in, values: [gold]}}
"""
MEMBER = re.compile(r"^ {2}(?:readonly )?(\w+)\??(?:<[^>]*>)?[:(]", re.MULTILINE)
NAMES_OF = "(it) => JSON.stringify(Reflect.ownKeys(it))"


def types(**changes: str) -> str:
    problems: list[Problem] = []
    text = read_types(workspace(**changes).files, problems)
    assert problems == []
    return text


@pytest.mark.parametrize("folder", [RULES, TEMPLATE], ids=["rules", "template"])
def test_the_files_that_we_ship_are_up_to_date(folder: Path) -> None:
    """Where this fails: `lightbulb rules types rules; lightbulb rules types controlplane/cli/template`."""
    wanted = read_types(read_workspace(folder).files, [])
    assert (folder / DECLARATIONS).read_text() == wanted


def test_editors_are_set_up_in_one_way() -> None:
    assert (RULES / "jsconfig.json").read_bytes() == (TEMPLATE / "jsconfig.json").read_bytes()


def test_names_of_yaml_are_closed_sets() -> None:
    text = types(segments_yaml=SEGMENTS)
    for line in (
        '  readonly Ranking: "Ranking";',
        '  TITLE_INPUT_TYPE: "Ranking";',
        '        | "base"',
        '        | "plain";',
        '      version?: "1";',
        '        | "fraud";',
        '      version: "1.10" | "2";',
        "  777: 1 | 2;",
        "  778: 1;",
        'type Segment = "apple-1" | "zebra";',
        'type OwnAttribute = "plan.\\"x\\"" | (string & {});',
    ):
        assert line in text.splitlines()


def test_a_test_whose_id_is_no_number_is_named_by_a_text() -> None:
    experiments = "experiments:\n" + "".join(
        f"  - {{id: {test}, cells: {{1: 100}}}}\n"
        for test in ("'007'", "'9007199254740993'", "new-rows", "42")
    )
    text = types(experiments_yaml=experiments)
    declared = re.search(r"interface AbTests \{\n(.*?)\n\}", text, re.DOTALL)
    assert declared is not None
    assert declared[1].splitlines() == [
        '  "007": 1;',
        "  42: 1;",
        '  "9007199254740993": 1;',
        '  "new-rows": 1;',
    ]


def test_the_order_in_yaml_changes_nothing() -> None:
    first = workspace(segments_yaml=SEGMENTS).files
    turned = {}
    for file, content in first.items():
        head, *items = re.split(r"(?m)^(?=  - )", content.decode())
        turned[file] = (head + "".join(reversed(items))).encode() if file.endswith(".yaml") else content
    assert turned != first
    assert read_types(turned, []) == read_types(first, [])


# What the sandbox gives to rules, asked of the engine itself.


class Found:
    """The names that a rule finds."""

    def __init__(self) -> None:
        context = quickjs.Context()
        self._ask = context.eval
        before = set(self.names("globalThis"))
        setup = {"objectives": '\n"Ranking"\n', "open": False, "constants": dict(CONSTANTS), "depth": 9}
        context.eval(f"{PRELUDE}({json.dumps(setup)})")
        self.globals = set(self.names("globalThis")) - before

    def names(self, expression: str) -> list[str]:
        found: list[str] = json.loads(self._ask(f"({NAMES_OF})({expression})"))
        return found


@pytest.fixture(scope="module")
def found() -> Found:
    return Found()


@pytest.fixture(scope="module")
def text() -> str:
    return types()


def declared(text: str, name: str) -> Iterable[str]:
    """Return the members of an interface or object, with those of what it extends."""
    match = re.search(
        rf"(?:interface|declare const) {name}\b([^\n]*?)\{{\n(.*?)^\}};?$", text, re.DOTALL | re.MULTILINE
    )
    assert match, name
    inherited = [
        member
        for base in re.findall(r"\b[A-Z]\w+", match[1])
        if base not in {"Omit", "Readonly"}
        for member in declared(text, base)
    ]
    return {*inherited, *MEMBER.findall(match[2])}


def test_every_builder_is_declared(found: Found, text: str) -> None:
    names = set(re.findall(r"^declare (?:const|function) (\w+)", text, re.MULTILINE))
    assert names == found.globals


def test_all_of_the_context_is_declared(found: Found, text: str) -> None:
    assert declared(text, "context") == set(found.names("context"))
    assert re.findall(r"^    (\w+)\(", text, re.MULTILINE) == found.names("context.user")
    assert declared(text, "constants") == set(found.names("constants"))


def test_every_comparison_is_declared(found: Found, text: str) -> None:
    assert declared(text, "Attribute") == set(found.names('context.attribute("x")'))
    assert declared(text, "Texts") == set(found.names('context.attribute("x").ignoringCase'))


def test_every_key_of_a_rule_is_declared(text: str) -> None:
    kinds: Mapping[str, str] = {
        "DefaultRule": "defaultModel",
        "AbRule": "cellToModel",
        "ContextRule": "when",
        "ShiftRule": "shift",
        "OverridesRule": "permitOverrides",
        "ShadowRule": "shadow",
    }
    assert set(kinds.values()) == set(KINDS)
    assert set(re.findall(r"\b\w+Rule\b", text.rpartition("type SwitchboardRule")[2])) == set(kinds)
    parts = dict(re.findall(r"^type (\w+Rule) =(.*?)(?=^/\*\*|^type )", text, re.DOTALL | re.MULTILINE))
    assert keys(parts["CommonRule"], 4) == set(COMMON)
    for name, kind in kinds.items():
        assert keys(parts[name], 6 if name == "AbRule" else 2) == {kind, *KINDS[kind]}
    for unit in UNITS:
        assert f'"{unit}"' in parts["ShiftRule"]


def keys(part: str, indent: int) -> set[str]:
    return set(re.findall(rf"^ {{{indent}}}(\w+)\??:", part, re.MULTILINE))
