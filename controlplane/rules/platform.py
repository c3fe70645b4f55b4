"""The platform's own workspace: the fleet that all tenants share, and who the tenants are.

fleet.yaml     shards, as in a workspace; but which models stand where is the tenants' matter
tenants.yaml   tenants: [{name, owner, shards?, memory?, publishers?, layers?: [{name, shared_with}]}]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from controlplane.model import PLATFORM, Platform, Shard, SharedLayer, Tenant, Workspace
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
    problems += _wrong_layers(tenants, problems)
    if has_errors(problems):
        raise WorkspaceError(problems)
    return Platform(
        shards=tuple(shards[name] for name in sorted(shards)),
        tenants=tuple(tenants[name] for name in sorted(tenants)),
    )


def _tenant(file: YamlFile, node: Node) -> tuple[str, Tenant]:
    fields = file.fields(node, "a tenant", ["name", "owner"], ["shards", "memory", "publishers", "layers"])
    tenant = Tenant(
        name=fields.take("name", file.name),
        owner=fields.take("owner", file.text),
        shards=fields.take("shards", lambda each, what: file.each(each, what, file.name), ()),
        memory_mib=fields.take("memory", file.size, 0),
        publishers=fields.take("publishers", lambda each, what: file.each(each, what, file.text), ()),
        layers=fields.take(
            "layers", lambda each, what: file.each(each, what, lambda node, _: _shared_layer(file, node)), ()
        ),
        location=file.location(node),
    )
    fields.finish()
    return tenant.name, tenant


def _shared_layer(file: YamlFile, node: Node) -> SharedLayer:
    fields = file.fields(node, "a layer", ["name", "shared_with"])
    layer = SharedLayer(
        name=fields.take("name", file.name),
        shared_with=fields.take("shared_with", lambda each, what: file.each(each, what, file.name)),
    )
    fields.finish()
    return layer


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


def _wrong_layers(tenants: Mapping[str, Tenant], problems: list[Problem]) -> Iterator[Problem]:
    """Yield layers that are shared with nobody that there is, or of whose name a tenant would have two."""
    owner_of: dict[tuple[str, str], str] = {}
    for owner in tenants.values():
        for layer in owner.layers:
            what = f"layer {layer.name} of tenant {owner.name}"
            everybody = (owner.name, *layer.shared_with)
            if len(set(everybody)) < len(everybody):
                message = f"{what} is to be shared with one tenant twice, or with its own"
                yield problem_at(owner.location, "DUPLICATE", message, "name each other tenant once")
            for name in dict.fromkeys(everybody):
                first = owner_of.setdefault((name, layer.name), owner.name)
                if name not in tenants:
                    message = f"{what} is to be shared with {name}, which is no tenant"
                    remedy = hint(name, tenants, problems)
                    yield problem_at(owner.location, "UNKNOWN_TENANT", message, remedy)
                elif first != owner.name:
                    message = (
                        f"tenant {name} would have two layers {layer.name}: of {first} and of {owner.name}"
                    )
                    yield problem_at(owner.location, "DUPLICATE", message, "give one of them another name")


def fleet_of(platform: Platform, tenant: str) -> bytes:
    """Return the fleet.yaml that a tenant's workspace is compiled with: the shards that it may use."""
    lines = [
        f"  - {{name: {shard.name}, vip: {shard.vip}, memory: {shard.memory_mib}MiB}}\n"
        for shard in shards_of(platform, tenant)
    ]
    return ("shards:\n" + "".join(lines) if lines else "shards: []\n").encode()
