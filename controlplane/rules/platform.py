"""The platform's own workspace: the fleet that all tenants share, and who the tenants are.

fleet.yaml     shards, as in a workspace; but which models stand where is the tenants' matter
tenants.yaml   tenants: [{name, owner, shards?, memory?, publishers?}]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controlplane.model import PLATFORM, Platform, Shard, Tenant, Workspace
from controlplane.planning.replan import shards_of
from controlplane.problems import Problem, WorkspaceError, has_errors, problem_at
from controlplane.rules.definitions import check_vips, read_items, read_shard
from controlplane.rules.workspace import check_workspace
from controlplane.rules.yaml_file import YamlFile, hint, suggest
from controlplane.rules.yaml_tree import Node

FLEET, TENANTS = "fleet.yaml", "tenants.yaml"
MAX_TENANTS = 1_000


def read_platform(workspace: Workspace) -> Platform:
    """Return the platform's values; raises WorkspaceError with all that is wrong with them."""
    problems = list(check_workspace(workspace))
    if has_errors(problems):
        raise WorkspaceError(problems)
    files = workspace.files
    problems += [
        Problem(
            file=file,
            code="UNKNOWN_FILE",
            message="no file of the platform's",
            remedy=f"take it out, or publish it as a tenant's; {suggest(file, (FLEET, TENANTS))}",
        )
        for file in sorted(files)
        if file not in {FLEET, TENANTS}
    ]
    shards = read_items(files, FLEET, "shards", read_shard, problems)
    tenants = read_items(files, TENANTS, "tenants", _tenant, problems)
    check_vips(shards, problems)
    problems += _misplaced(shards.values())
    problems += _wrong(tenants, shards, problems)
    if has_errors(problems):
        raise WorkspaceError(problems)
    return Platform(
        shards=tuple(shards[name] for name in sorted(shards)),
        tenants=tuple(tenants[name] for name in sorted(tenants)),
    )


def _tenant(file: YamlFile, node: Node) -> tuple[str, Tenant]:
    fields = file.fields(node, "a tenant", ["name", "owner"], ["shards", "memory", "publishers"])
    tenant = Tenant(
        name=fields.take("name", file.name),
        owner=fields.take("owner", file.text),
        shards=fields.take("shards", lambda each, what: file.each(each, what, file.name), ()),
        memory_mib=fields.take("memory", file.size, 0),
        publishers=fields.take("publishers", lambda each, what: file.each(each, what, file.text), ()),
        location=file.location(node),
    )
    fields.finish()
    return tenant.name, tenant


def _misplaced(shards: Iterable[Shard]) -> Iterable[Problem]:
    for shard in shards:
        if shard.models:
            yield problem_at(
                shard.location,
                "MODELS_OF_TENANTS",
                f"shard {shard.name} names models, which are the tenants'",
                "take `models` out; tenants.yaml says which shards a tenant has",
            )


def _wrong(
    tenants: Mapping[str, Tenant], shards: Mapping[str, Shard], problems: list[Problem]
) -> Iterable[Problem]:
    if len(tenants) > MAX_TENANTS:
        message = f"{len(tenants)} tenants; at most {MAX_TENANTS}"
        yield Problem(file=TENANTS, code="TOO_MANY", message=message, remedy="put some teams into one")
    for tenant in tenants.values():
        if tenant.name == PLATFORM:
            yield problem_at(
                tenant.location, "NAME", f"{PLATFORM} is the platform's own name", "choose another"
            )
        for name in tenant.shards:
            if name not in shards:
                message = f"tenant {tenant.name} is to have shard {name}, which is not there"
                yield problem_at(tenant.location, "UNKNOWN_SHARD", message, hint(name, shards, problems))


def fleet_of(platform: Platform, tenant: str) -> bytes:
    """Return the fleet.yaml that a tenant's workspace is compiled with: the shards that it may use."""
    lines = [
        f"  - {{name: {shard.name}, vip: {shard.vip}, memory: {shard.memory_mib}MiB}}\n"
        for shard in shards_of(platform, tenant)
    ]
    return ("shards:\n" + "".join(lines) if lines else "shards: []\n").encode()
