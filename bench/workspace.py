"""A researchers' workspace of any size: objectives with five models and four rules each. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

from controlplane.model import Workspace

MODELS_AN_OBJECTIVE = 5
MODELS_A_SHARD = 100
OBJECTIVES_A_FILE = 8
CACHE_LIFETIME = "250ms"
"""Short, so that a generation which was replaced can soon leave."""


def make_workspace(models: int, revision: int = 1) -> Workspace:
    """Return a workspace of `models` models; everything else grows with them.

    From one `revision` to the next, one objective in the middle gets another version of its default model.
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
    for begin in range(0, len(objectives), OBJECTIVES_A_FILE):
        rules = "\n".join(map(_rules, objectives[begin : begin + OBJECTIVES_A_FILE]))
        files[f"rules_{begin:05}.js"] = rules
    return Workspace(files={name: content.encode() for name, content in files.items()})


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
