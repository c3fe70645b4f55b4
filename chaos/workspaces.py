"""Workspaces that differ: in who gets which model, and in which shard holds it. Of one tenant, or several."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from pathlib import Path

from chaos.load import OBJECTIVES
from chaos.tenants import own_versions
from controlplane.model import Workspace
from controlplane.rules.workspace import read_workspace
from lightbulb.model import DEFAULT_TENANT

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

_FLEET = "shards:\n" + "".join(
    f"  - {{name: shard-{shard}, vip: vip-{shard}, memory: 12GiB}}\n" for shard in ("a", "b")
)
_OF_VERSIONS = b'context.attribute("app_version").semver(">=", "5.0.0")'
_OF_SURFACES = b'context.surface.in("tv")'
_ON_ONE = (", shards: [shard-a]", ", shards: [shard-b]")


def variant(random: random.Random, rules: Path = RULES) -> Workspace:
    """Return a workspace with other splits than most, and some models told to be on some shard."""
    files = {path: content.decode() for path, content in read_workspace(rules).files.items()}
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


def shifting_nobody(workspace: Workspace) -> Workspace:
    """Return a workspace whose own shift is of nobody: its table is the same in each variant."""
    files = dict(workspace.files)
    files["payment_fraud.js"] = re.sub(rb"percent: \d+", b"percent: 0", files["payment_fraud.js"])
    return Workspace(files=files)


def on_one_shard(random: random.Random) -> Workspace:
    """Return a workspace whose models are all on the first shard."""
    files = dict(variant(random).files)
    files["fleet.yaml"] = b"shards:\n  - {name: shard-a, vip: vip-a, memory: 12GiB}\n"
    return Workspace(files=files)


def with_fraud_model(workspace: Workspace, version: str) -> Workspace:
    """Return a workspace whose shift goes to a version of the fraud model that hosts can't load."""
    files = dict(workspace.files)
    files["models.yaml"] += f"  - {{name: payment-fraud-model, version: {version}, memory: 1GiB}}\n".encode()
    shift = files["payment_fraud.js"].decode().replace('version: "2"', f'version: "{version}"')
    files["payment_fraud.js"] = re.sub(r"percent: \d+", "percent: 50", shift).encode()
    return Workspace(files=files)


def for_the_release_before(workspace: Workspace) -> Workspace:
    """Return a workspace without the comparison of versions, which the release before can't read.

    It refuses such a table by its operator's number, since what clients send is compared in another way now.
    """
    files = {path: body.replace(_OF_VERSIONS, _OF_SURFACES) for path, body in workspace.files.items()}
    return Workspace(files=files)


def tenant_variant(tenant: str, random: random.Random) -> Workspace:
    """Return a workspace of one of several tenants, with a fleet, without which nothing is expected of it.

    The default's has the objectives of the repository's rules, another's the same under names of its own.
    """
    files = {path: content.decode() for path, content in variant(random).files.items()}
    for name, own in zip(OBJECTIVES, objectives_of(tenant), strict=True):
        files = {path: text.replace(name, own) for path, text in files.items()}
    version = random.choice(own_versions(tenant))
    files["models.yaml"] += f"  - {{name: payment-fraud-model, version: {version}, memory: 256MiB}}\n"
    files["payment_fraud.js"] = files["payment_fraud.js"].replace('version: "2"', f'version: "{version}"')
    files["fleet.yaml"] = _FLEET
    return Workspace(files={path: text.encode() for path, text in files.items()})


def objectives_of(tenant: str) -> tuple[str, ...]:
    """Return the objectives of a tenant, in the order of those in the repository's rules."""
    return OBJECTIVES if tenant == DEFAULT_TENANT else tuple(tenant.title() + name for name in OBJECTIVES)


def without_fleet(workspace: Workspace) -> Workspace:
    """Return a workspace as it is published where the fleet is the platform's."""
    return Workspace(files={path: body for path, body in workspace.files.items() if path != "fleet.yaml"})


def platform_variant(tenants: Iterable[str], random: random.Random) -> Workspace:
    """Return the platform's workspace, in which each tenant is on one shard, or on both."""
    listed = "".join(
        f"  - {{name: {tenant}, owner: chaos{random.choice(('', *_ON_ONE))}}}\n" for tenant in tenants
    )
    files = {"fleet.yaml": _FLEET, "tenants.yaml": f"tenants:\n{listed}"}
    return Workspace(files={path: text.encode() for path, text in files.items()})
