"""Workspaces that differ: in who gets which model, and in which shard holds it."""

from __future__ import annotations

import random
import re
from pathlib import Path

from controlplane.model import Workspace
from controlplane.rules.workspace import read_workspace

RULES = Path(__file__).resolve().parent.parent / "rules"

# Short, so that old generations are retired while somebody looks.
_LIFETIMES = (
    ("cache_lifetime: 60s", "cache_lifetime: 500ms"),
    ("cache_lifetime: 30s", "cache_lifetime: 500ms"),
)
_MODELS = (
    "netflix-continue-watching-model-default@1",
    "netflix-continue-watching-model-cell-2@1",
    "netflix-continue-watching-model-cell-3@1",
    "payment-fraud-model@1",
    "payment-fraud-model@2",
)


def variant(random: random.Random) -> Workspace:
    """Return a workspace with other splits than most, and some models told to be on some shard."""
    files = {path: content.decode() for path, content in read_workspace(RULES).files.items()}
    for before, after in _LIFETIMES:
        files["objectives.yaml"] = files["objectives.yaml"].replace(before, after)
    percent = random.randint(0, 100)
    files["payment_fraud.js"] = re.sub(r"percent: \d+", f"percent: {percent}", files["payment_fraud.js"])
    first = random.randint(0, 98)
    second = random.randint(0, 99 - first)
    cells = f"cells: {{1: {first}, 2: {second}, 3: {100 - first - second}}}"
    files["experiments.yaml"] = re.sub(r"cells: \{.*\}", cells, files["experiments.yaml"])
    told = {model: random.choice(("a", "b", "")) for model in _MODELS}
    files["fleet.yaml"] = "shards:\n" + "".join(
        f"  - {{name: shard-{shard}, vip: vip-{shard}, memory: 12GiB, "
        f"models: [{', '.join(model for model in _MODELS if told[model] == shard)}]}}\n"
        for shard in ("a", "b")
    )
    return Workspace(files={path: text.encode() for path, text in files.items()})


def with_fraud_model(workspace: Workspace, version: str) -> Workspace:
    """Return a workspace whose shift goes to a version of the fraud model that hosts can't load."""
    files = dict(workspace.files)
    files["models.yaml"] += f"  - {{name: payment-fraud-model, version: {version}, memory: 1GiB}}\n".encode()
    shift = files["payment_fraud.js"].decode().replace('version: "2"', f'version: "{version}"')
    files["payment_fraud.js"] = re.sub(r"percent: \d+", "percent: 50", shift).encode()
    return Workspace(files=files)
