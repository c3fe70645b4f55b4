"""TypeScript finds nothing wrong with our rules, and much with what `rules check` would refuse."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from controlplane.cli.actions.types import write_types
from controlplane.cli.template import TEMPLATE, make_workspace
from controlplane.problems import WorkspaceError
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import read_workspace
from tests.docs.blocks import ROOT, blocks_of
from tests.docs.reader import FIRST_LINE
from tests.typescript.conftest import Check

RULES = ROOT / "rules"
SEGMENTS = "segments:\n  - {name: reviewers, users: [user-17]}\n"
COMMON = (
    "targetObjectives: [Objectives.ContinueWatchingRanking], "
    'modelInputType: constants.TITLE_INPUT_TYPE, modelType: "SCORER"'
)
PLAIN = 'model: {name: "title-embeddings"}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of rules/, with a segment."""
    copy = tmp_path / "rules"
    shutil.copytree(RULES, copy)
    (copy / "segments.yaml").write_text(SEGMENTS)
    write_types(copy, check=False, as_json=False)
    return copy


def rule(kind: str, body: str) -> str:
    """Return a file with one rule, typed as its kind."""
    return f"/** @returns {{{kind}}} */\nfunction defineMoreRule() {{\n  return {{{COMMON}, {body}}};\n}}\n"


@pytest.mark.parametrize("workspace", [RULES, TEMPLATE], ids=["rules", "template"])
def test_our_own_rules_are_right(workspace: Path, tsc: Check) -> None:
    assert tsc(workspace) == []


def test_a_workspace_that_init_makes_is_right(tmp_path: Path, tsc: Check) -> None:
    make_workspace(tmp_path / "new")
    assert tsc(tmp_path / "new") == []


def test_a_workspace_without_anything_in_it_has_types(tmp_path: Path, tsc: Check) -> None:
    for key in ("objectives", "models", "experiments"):
        (tmp_path / f"{key}.yaml").write_text(f"{key}: []\n")
    (tmp_path / "fleet.yaml").write_text("shards: []\n")
    shutil.copy(RULES / "jsconfig.json", tmp_path)
    write_types(tmp_path, check=False, as_json=False)
    assert tsc(tmp_path) == []


STEPS = (
    'shift: {from: {name: "netflix-continue-watching-model-default"}, to: {name: "title-embeddings"}, '
    'schedule: [5, 50], every: "30m", '
)

GOOD: Mapping[str, str] = {
    "a segment": rule("ContextRule", f'when: segment("reviewers"), {PLAIN}, priority: 1'),
    "a version that needn't be there": rule(
        "ContextRule",
        'when: segment("reviewers"), model: {name: "title-embeddings", version: "1"}, priority: 1',
    ),
    "a test's id as a text": rule(
        "AbRule",
        'abTestId: "12345", cellToModel: {1: {name: "title-embeddings"}, '
        '2: {name: "title-embeddings"}, 3: {name: "title-embeddings"}}, priority: 1',
    ),
    "any unit": rule(
        "ShiftRule",
        'shift: {from: {name: "netflix-continue-watching-model-default"}, to: {name: "title-embeddings"}, '
        'percent: 5, unit: "household", when: context.attribute("household").exists()}',
    ),
    "steps with guards": rule("ShiftRule", STEPS + 'guards: ["errors:1.25x"], alpha: 0.05}'),
}

BAD: Mapping[str, tuple[str, str]] = {
    "a misspelt model": (
        rule("ContextRule", 'when: segment("reviewers"), model: {name: "title-embedings"}'),
        """Did you mean '"title-embeddings"'?""",
    ),
    "a version that there isn't": (
        rule("ContextRule", 'when: segment("reviewers"), model: {name: "payment-fraud-model", version: "3"}'),
        """Type '"3"' is not assignable to type '"1" | "2"'""",
    ),
    "no version where there are two": (
        rule("ContextRule", 'when: segment("reviewers"), model: {name: "payment-fraud-model"}'),
        "Property 'version' is missing",
    ),
    "a misspelt objective": (
        rule("ContextRule", f'when: segment("reviewers"), {PLAIN}').replace("ingRanking", "ingRankin"),
        "Did you mean 'ContinueWatchingRanking'?",
    ),
    "another input type": (
        rule("ContextRule", f'when: segment("reviewers"), {PLAIN}').replace("TITLE_", "TRANSACTION_"),
        "is not assignable to type",
    ),
    "a missing cell": (
        rule(
            "AbRule",
            'abTestId: 12345, cellToModel: {1: {name: "title-embeddings"}, 3: {name: "title-embeddings"}}',
        ),
        "Property '2' is missing",
    ),
    "a cell too many": (
        rule(
            "AbRule",
            'abTestId: 12345, cellToModel: {1: {name: "title-embeddings"}, 2: {name: "title-embeddings"}, '
            '3: {name: "title-embeddings"}, 4: {name: "title-embeddings"}}',
        ),
        "'4' does not exist in type 'CellToModel<12345>'",
    ),
    "a test that there isn't": (
        rule("AbRule", 'abTestId: 12346, cellToModel: {1: {name: "title-embeddings"}}'),
        "Type '12346' is not assignable to type '\"12345\" | 12345'",
    ),
    "a segment that there isn't": (
        rule("ContextRule", f'when: segment("reviewer"), {PLAIN}'),
        """Argument of type '"reviewer"' is not assignable to parameter of type '"reviewers"'""",
    ),
    "an attribute that there isn't": (
        rule("ContextRule", f'when: context.contry.eq("US"), {PLAIN}'),
        "Did you mean 'country'?",
    ),
    "an attribute's type": (
        rule("ContextRule", f"when: context.country.gt(5), {PLAIN}"),
        "Property 'gt' does not exist on type 'CodeAttribute'",
    ),
    "a number as a text": (
        rule("ContextRule", f'when: context.attribute("screen_inches").ge("40"), {PLAIN}'),
        "Argument of type 'string' is not assignable to parameter of type 'number'",
    ),
    "an attribute as a condition": (
        rule("ContextRule", f"when: context.country, {PLAIN}"),
        "is not assignable to type 'Condition'",
    ),
    "a parameter that is none": (
        rule(
            "ContextRule",
            'when: segment("reviewers"), model: {name: "title-embeddings", parameters: {a: []}}',
        ),
        "is not assignable to type",
    ),
    "two kinds in one": (
        rule("ContextRule", f'when: segment("reviewers"), {PLAIN}, shift: {{}}'),
        "'shift' does not exist in type",
    ),
    "steps of a part": (rule("ShiftRule", STEPS + 'unit: "device"}'), "is not assignable to type"),
    "no model": (rule("ContextRule", 'when: segment("reviewers")'), "Property 'model' is missing"),
    "nothing": ("/** @returns {DefaultRule} */\nfunction defineMoreRule() {}\n", "must return a value"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_compiles_is_right(name: str, folder: Path, tsc: Check) -> None:
    (folder / "more.js").write_text(GOOD[name])
    compile_workspace(read_workspace(folder))
    assert tsc(folder) == []


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused_is_underlined(name: str, folder: Path, tsc: Check) -> None:
    text, said = BAD[name]
    (folder / "more.js").write_text(text)
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(read_workspace(folder))
    assert {problem.file for problem in caught.value.problems} == {"more.js"}
    found = "\n".join(tsc(folder))
    assert found.startswith("more.js(")
    assert said in found


def test_what_yaml_no_longer_has_is_underlined_where_it_is_used(folder: Path, tsc: Check) -> None:
    models = folder / "models.yaml"
    models.write_text(models.read_text().replace('version: "2"', 'version: "3"'))
    assert tsc(folder) == []
    write_types(folder, check=False, as_json=False)
    (found,) = (line for line in tsc(folder) if not line.startswith(" "))
    assert re.match(r"payment_fraud\.js\(\d+,\d+\): error TS\d+: ", found)


def test_every_rule_of_the_researchers_book_is_right(folder: Path, tsc: Check) -> None:
    """A reader with an editor sees nothing underlined, after each of the rules."""
    seen = 0
    for block in blocks_of("docs/researcher.md"):
        if block.info in {"js", "yaml"}:
            match = FIRST_LINE.fullmatch(block.text.partition("\n")[0])
            assert match is not None
            path = folder / match[1]
            path.write_text(path.read_text() + block.text if match[2] else block.text)
            write_types(folder, check=False, as_json=False)
            assert tsc(folder) == [], str(block)
            rules = len(re.findall(r"^function define", block.text, re.MULTILINE))
            assert block.text.count("/** @returns {") == rules, f"{block}: a rule without its type"
            seen += rules
    assert seen > 5
