"""A small good workspace, and how a test changes it."""

from collections.abc import Mapping

import pytest

from controlplane.model import Workspace
from controlplane.problems import WorkspaceError
from controlplane.rules.compile import compile_workspace

GOOD: Mapping[str, str] = {
    "objectives.yaml": """objectives:
  - {name: Ranking, input_type: TITLE_INPUT_TYPE, owner: home, deadline: 250ms, cache_lifetime: 1m}
""",
    "models.yaml": """models:
  - {name: plain, version: "1", memory: 100MiB}
  - {name: fancy, version: "1", memory: 1GiB, facts: [history], depends_on: [base@1]}
  - {name: base, version: "1", memory: 200MiB}
  - {name: fraud, version: 1.10, memory: 300MiB}
  - {name: fraud, version: "2", memory: 300MiB}
""",
    "experiments.yaml": """experiments:
  - id: 12345
    cells: {1: 50, 2: 50}
  - id: 777
    cells: {1: 33.33, 2: 66.67}
    layer: {name: home, from: 0, to: 50}
    eligible: {attribute: country, op: in, values: [NO, US]}
  - id: 778
    cells: {1: 100}
    layer: {name: home, from: 50, to: 100}
""",
    "fleet.yaml": """shards:
  - {name: a, vip: vip-a, memory: 2GiB}
  - {name: b, vip: vip-b, memory: 2GiB}
""",
    "rules.js": """const common = {
  targetObjectives: [Objectives.Ranking], modelInputType: constants.TITLE_INPUT_TYPE, modelType: "SCORER"};
function defineDefaultRule() { return {...common, defaultModel: {name: "plain"}}; }
function defineAbRule() {
  return {...common, abTestId: 12345, cellToModel: {1: {name: "plain"}, 2: {name: "fancy"}}};
}
""",
}


def workspace(**changes: str) -> Workspace:
    """Return the good workspace with files replaced: `models_yaml` for models.yaml, `more_js` for more.js."""
    files = dict(GOOD)
    for name, content in changes.items():
        files[".".join(name.rsplit("_", 1))] = content
    return Workspace(files={name: content.encode() for name, content in files.items()})


def problems_of(it: Workspace) -> list[str]:
    """Return what is said of a workspace, which must not compile."""
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(it)
    return [str(problem) for problem in caught.value.problems]


def rule(body: str, name: str = "defineMoreRule") -> str:
    """Return a rule of Ranking on line 2 of a file."""
    common = 'targetObjectives: ["Ranking"], modelInputType: "TITLE_INPUT_TYPE", modelType: "SCORER"'
    return f"// more\nfunction {name}() {{ return {{{common}, {body}}}; }}\n"
