"""A researchers' workspace of any size: objectives with five models and four rules each. Pure.

Of one tenant, or of each of many: the same workspace under other names, and the platform's that they are on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from re import compile as pattern
from textwrap import dedent

from controlplane.model import Workspace

MODELS_AN_OBJECTIVE = 5
MODELS_A_SHARD = 100
OBJECTIVES_A_FILE = 8
_NAMES = pattern(r"\bObjective(?=\d)|\bmodel-(?=\d)")
CACHE_LIFETIME = "250ms"
"""Short, so that a generation which was replaced can soon leave."""


def make_workspace(models: int, revision: int = 1, tenant: str = "") -> Workspace:
    """Return a workspace of `models` models; everything else grows with them.

    From one `revision` to the next, one objective in the middle gets another version of its default model.
    That of a `tenant` has names of its own, and no fleet.
    """
    objectives = range(models // MODELS_AN_OBJECTIVE)
    changed = len(objectives) // 2 * MODELS_AN_OBJECTIVE
    versions = [str(revision) if number == changed else "1" for number in range(models)]
    files = {
        "objectives.yaml": _listed("objectives", map(_objective, objectives)),
        "models.yaml": _listed("models", map(_model, range(models), versions)),
        "experiments.yaml": _listed("experiments", map(_experiment, objectives)),
        "fleet.yaml": _listed("shards", map(_shard, range(len(shards_of(models))))),
    }
    if tenant:
        del files["fleet.yaml"]
    for begin in range(0, len(objectives), OBJECTIVES_A_FILE):
        rules = "\n".join(map(_rules, objectives[begin : begin + OBJECTIVES_A_FILE]))
        files[f"rules_{begin:05}.js"] = rules
    return Workspace(files={name: _named(content, tenant).encode() for name, content in files.items()})


def make_platform(models: int, tenants: Iterable[str]) -> Workspace:
    """Return the platform's workspace: shards for so many models in all, and who the tenants are."""
    files = {
        "fleet.yaml": _listed("shards", map(_shard, range(len(shards_of(models))))),
        "tenants.yaml": _listed("tenants", (f"name: {tenant}, owner: team" for tenant in tenants)),
    }
    return Workspace(files={name: content.encode() for name, content in files.items()})


def objective_of(number: int, tenant: str = "") -> str:
    """Return the name of an objective."""
    return _named(f"Objective{number}", tenant)


def shifted_to(number: int) -> str:
    """Return the name of the model that an objective's rules shift users to."""
    return f"model-{(number + 1) * MODELS_AN_OBJECTIVE - 1}"


def _named(text: str, tenant: str) -> str:
    """Return a workspace's text with the tenant in each name of an objective and a model."""
    if not tenant:
        return text
    return _NAMES.sub(
        lambda name: f"{name[0]}_{tenant}_" if name[0] == "Objective" else f"{name[0]}{tenant}-", text
    )


def shards_of(models: int) -> list[str]:
    """Return the names of the shards in a workspace of `models` models."""
    return [f"shard-{number}" for number in range(models // MODELS_A_SHARD)]


def _listed(key: str, items: Iterator[str]) -> str:
    return f"{key}:\n" + "".join(f"  - {{{item}}}\n" for item in items)


def _objective(number: int) -> str:
    times = f"deadline: 250ms, cache_lifetime: {CACHE_LIFETIME}"
    return f"name: Objective{number}, input_type: TITLE_INPUT_TYPE, owner: team, {times}"


def _model(number: int, version: str) -> str:
    memory = f'name: model-{number}, version: "{version}", memory: {64 + number % 7 * 32}MiB'
    # one in ten needs an embedding beside it
    return f"{memory}, depends_on: [model-{number + 1}@1]" if number % 10 == 3 else memory


def _experiment(number: int) -> str:
    half = f"layer: {{name: layer-{number}, from: 0, to: 50}}"  # which leaves users to the rules below it
    return f"id: {number}, cells: {{1: 50, 2: 30, 3: 20}}, {half}"


def _shard(number: int) -> str:
    return f"name: shard-{number}, vip: vip-{number}, memory: 32GiB"


def _rules(objective: int) -> str:
    first = objective * MODELS_AN_OBJECTIVE
    default, two, three, conditional, shifted = (f'{{name: "model-{first + n}"}}' for n in range(5))
    return dedent(f"""\
        const common{objective} = {{
          targetObjectives: [Objectives.Objective{objective}],
          modelInputType: constants.TITLE_INPUT_TYPE,
          modelType: "SCORER",
        }};
        function defineDefault{objective}Rule() {{
          return {{...common{objective}, defaultModel: {default}}};
        }}
        function defineTest{objective}Rule() {{
          const cellToModel = {{1: {default}, 2: {two}, 3: {three}}};
          return {{...common{objective}, abTestId: {objective}, cellToModel}};
        }}
        function defineKids{objective}Rule() {{
          const when = any(context.surface.in("kids"), context.device.prefix("tv-"));
          return {{...common{objective}, when, model: {conditional}}};
        }}
        function defineShift{objective}Rule() {{
          return {{...common{objective}, shift: {{from: {default}, to: {shifted}, percent: 10}}}};
        }}
        """)
