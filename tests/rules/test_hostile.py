"""Hostile rules and workspaces: each is refused where it is wrong, or means what a careful reader expects.

The cases are data, in `hostile/`: [what an author writes, what comes of it]. That is the line and the code of
each problem, or what it compiles to. `conditions.json` has conditions, `files.json` rule files, and the
others have what stands in YAML files. Rules of many cases are compiled in one workspace, each for an
objective of its own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import pytest

from controlplane.model import RuleSet, Workspace
from controlplane.problems import Problem, Severity, WorkspaceError
from controlplane.rules.compile import compile_workspace
from controlplane.rules.memory import Memory
from lightbulb.model import All, AmongUsers, AnyOf, Comparison, Condition, InSegment, Not, ObjectiveTable
from tests.rules.workspaces import GOOD

HERE = Path(__file__).parent / "hostile"
COMMON = 'targetObjectives: ["OBJ"], modelInputType: "TITLE_INPUT_TYPE", modelType: "SCORER"'
TOGETHER = 90
Case = tuple[str, list[str]]


def batched(items: Iterable[tuple[int, str]], size: int) -> Iterator[list[tuple[int, str]]]:
    left = iter(items)
    while part := list(islice(left, size)):
        yield part


def cases(name: str) -> list[Case]:
    return [(text, outcome) for text, outcome in json.loads((HERE / f"{name}.json").read_text())]


def rule_file(text: str, number: int) -> str:
    return text.replace("COMMON", COMMON).replace("OBJ", f"O{number}").replace("RULE", f"defineC{number}Rule")


def condition_file(text: str) -> str:
    model = '{name: "fancy"}'
    return f"// a rule\nfunction RULE() {{ return {{COMMON,\nwhen: {text},\nmodel: {model}}}; }}\n"


def together(files: Mapping[int, str], lost: Iterable[int] = ()) -> Workspace:
    """Return a workspace with a file and an objective for each case, but for those that are lost."""
    names = [f"O{number}" for number in files]
    objectives = "".join(
        f"  - {{name: {name}, input_type: TITLE_INPUT_TYPE, owner: home, deadline: 1s}}\n" for name in names
    )
    default = f'{{name: "plain"}}}}; }}\nconst names = {json.dumps(names)};'
    common = COMMON.replace('["OBJ"]', "names")
    return Workspace(
        files={
            "objectives.yaml": f"objectives:\n{objectives}".encode(),
            **{name: GOOD[name].encode() for name in ("models.yaml", "experiments.yaml", "fleet.yaml")},
            "segments.yaml": b"segments:\n  - {name: a, users: [u]}\n",
            "rules.js": f"function defineRule() {{ return {{{common}, defaultModel: {default}".encode(),
            **{f"c{number}.js": text.encode() for number, text in files.items() if number not in lost},
        }
    )


def problems_of(workspace: Workspace, memory: Memory | None = None) -> tuple[Problem, ...] | RuleSet:
    """Return what is wrong with a workspace, or what it compiles to."""
    try:
        return compile_workspace(workspace, memory=memory)
    except WorkspaceError as refused:
        return tuple(each for each in refused.problems if each.severity is Severity.ERROR)


def outcomes(files: Mapping[int, str]) -> Mapping[int, list[str]]:
    """Return what comes of each file; so many are compiled together that all their problems are told."""
    parts = batched(files.items(), TOGETHER)
    return {number: outcome for part in parts for number, outcome in _outcomes(dict(part)).items()}


def _outcomes(files: Mapping[int, str]) -> Mapping[int, list[str]]:
    """Return what comes of each file, all compiled together, then those that are good once more."""
    found = problems_of(together(files))
    refused: dict[int, list[str]] = {number: [] for number in files}
    if isinstance(found, tuple):
        for problem in found:
            number = int(problem.file.removeprefix("c").removesuffix(".js"))  # no other file is blamed
            refused[number].append(told(problem, number))
    bad = [number for number, problems in refused.items() if problems]
    compiled = problems_of(together(files, bad))
    assert isinstance(compiled, RuleSet), compiled
    tables = {int(table.objective[1:]): table for table in compiled.tables}
    return {number: sorted(refused[number]) or meaning(tables[number]) for number in files}


def told(problem: Problem, number: int) -> str:
    """Return the line and code of a problem, which says where it is and what to do."""
    assert problem.line >= 1, problem
    assert problem.message, problem
    assert problem.remedy, problem
    assert problem.rule in {"", f"defineC{number}Rule"} or problem.code in {"NOT_A_RULE", "ALMOST_RULE"}, (
        problem
    )
    assert "\n" not in str(problem).split("\n    ")[0], problem
    return f"{problem.line} {problem.code}"


def meaning(table: ObjectiveTable) -> list[str]:
    """Return what a table has beside its default."""
    models = [f"{model.name}@{model.version}{dict(model.parameters) or ''}" for model in table.models]
    return [
        *(f"{shown(each.when)} -> {models[each.model]}" for each in table.context_rules),
        *(
            f"{test.test_id} {[(c.number, c.end, models[c.model]) for c in test.cells]}"
            for test in table.ab_rules
        ),
        *(f"{each.basis_points} -> {models[each.model]}" for each in table.shifts),
        *(f"{each.clients} {[models[at] for at in each.models]}" for each in table.overrides),
    ]


def shown(condition: Condition) -> str:
    match condition:
        case Comparison(attribute=attribute, operator=operator, values=values):
            return f"{attribute} {operator.value} {list(values)}"
        case Not(inner):
            return f"not({shown(inner)})"
        case All(inner):
            return f"all({', '.join(map(shown, inner))})"
        case AnyOf(inner):
            return f"any({', '.join(map(shown, inner))})"
        case AmongUsers(users):
            return f"users {sorted(users)}"
        case InSegment(name):
            return f"segment {name}"


def differing(found: Mapping[int, list[str]], expected: Sequence[Case]) -> dict[str, object]:
    return {
        text: (found[number], outcome)
        for number, (text, outcome) in enumerate(expected)
        if found[number] != outcome
    }


def test_conditions() -> None:
    expected = cases("conditions")
    files = {n: rule_file(condition_file(text), n) for n, (text, _) in enumerate(expected)}
    assert differing(outcomes(files), expected) == {}


def test_rule_files() -> None:
    expected = cases("files")
    files = {number: rule_file(text, number) for number, (text, _) in enumerate(expected)}
    assert differing(outcomes(files), expected) == {}


YAML_FILES = ("objectives", "models", "experiments", "fleet", "segments")


@pytest.mark.parametrize("name", YAML_FILES)
def test_yaml_files(name: str) -> None:
    expected, memory = cases(name), Memory()
    found = {n: yaml_outcome(f"{name}.yaml", text, memory) for n, (text, _) in enumerate(expected)}
    assert differing(found, expected) == {}


def yaml_outcome(file: str, text: str, memory: Memory) -> list[str]:
    """Return the problems with one file of a workspace; nothing when it is good."""
    files = {name: content.encode() for name, content in GOOD.items()}
    found = problems_of(Workspace(files={**files, file: text.encode()}), memory)
    if isinstance(found, RuleSet):
        return []
    for problem in found:
        assert problem.line >= 1, problem
        assert problem.message, problem
        assert problem.remedy, problem
    return [f"{'' if each.file == file else each.file + ' '}{each.line} {each.code}" for each in found]
