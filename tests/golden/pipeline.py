"""A folder of rules through the whole pipeline, to texts that people can read. No clock, no socket."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.route.v3 import route_pb2, scoped_route_pb2
from google.protobuf import json_format
from google.protobuf.message import Message

from controlplane.admin.planner import base_of
from controlplane.planning.beside import plan_beside
from controlplane.problems import WorkspaceError
from controlplane.rollout.codec import plan_from_bytes, plan_to_bytes, shard_from_bytes
from controlplane.rollout.desired_state import models_by_shard, routing_rules, tables, vips
from controlplane.rollout.lanes import NO_LANES
from controlplane.rollout.state import Generation, Phase, Rollout
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import content_hash, read_workspace
from controlplane.xds import resources
from lightbulb.ads.values import Resource
from lightbulb.model import DEFAULT_TENANT
from lightbulb.resolution.codec import table_from_bytes
from lightbulb.v1 import table_pb2

Files = Mapping[str, str]
"""Name -> text."""

WITH_ONE_LIVE = NO_LANES.after(
    DEFAULT_TENANT, Rollout(phase=Phase.SETTLED, entered=0.0, active=1, oldest=1, live=(1,), held=(1,))
)
"""What a second generation is planned beside."""


def show(case: Path) -> Files:
    """Return what comes of `case`/rules, published after `case`/before if there is that.

    What is shown is what consumers have while both generations are live: routes and tables of both, and where
    a key moved, the later VIP.
    """
    folders = [folder for folder in (case / "before", case / "rules") if folder.is_dir()]
    generations: dict[int, Generation] = {}
    try:
        for number, folder in enumerate(folders, 1):
            generations[number] = _publish(number, folder, generations)
    except WorkspaceError as error:
        return {"problems.txt": "".join(f"{problem}\n" for problem in error.problems)}
    return dict(_texts(tuple(generations.values())))


def _publish(number: int, folder: Path, before: Mapping[int, Generation]) -> Generation:
    workspace = read_workspace(folder)
    plan, release = plan_beside(
        compile_workspace(workspace), base_of(WITH_ONE_LIVE if before else NO_LANES, DEFAULT_TENANT, before)
    )
    assert release is None, "the cases' shards have room for both generations"
    body = plan_to_bytes(plan, content_hash(workspace))
    stored = plan_from_bytes(body, _read_table, _read_shard)
    assert stored == plan
    return Generation(number=number, content_hash=hashlib.sha256(body).hexdigest(), plan=stored)


_read_table, _read_shard = cache(table_from_bytes), cache(shard_from_bytes)
"""Equal bytes are one object, as for the control plane: a table that didn't change is the same."""


def _texts(generations: tuple[Generation, ...]) -> Iterator[tuple[str, str]]:
    rules, names = routing_rules(generations), sorted(vips(generations))
    yield "generations.txt", "".join(f"{each.number} {each.content_hash}\n" for each in generations)
    yield "keys.txt", "".join(f"{rule.key} -> {rule.vip}\n" for rule in rules)
    yield "tables.json", _all(map(resources.objective_tables, tables(generations)), table_pb2.ObjectiveTables)
    models = models_by_shard(generations)
    for shard in sorted(models):
        assigned = resources.assignments(models[shard])
        yield f"assignments/{shard}.json", _all(assigned, table_pb2.ModelAssignment)
    yield "envoy/clusters.json", _all(resources.clusters(names), cluster_pb2.Cluster)
    scopes = resources.scopes(rule.objective for rule in rules)
    yield "envoy/scopes.json", _all(scopes, scoped_route_pb2.ScopedRouteConfiguration)
    yield "envoy/routes.json", _all(resources.routes(rules, names), route_pb2.RouteConfiguration)


def _all(found: Iterable[Resource], kind: type[Message]) -> str:
    return "".join(f"// {each.name}, version {each.version}\n{_json(each.body, kind)}\n" for each in found)


def _json(body: bytes, kind: type[Message]) -> str:
    """Return a message as JSON: fields in the order of the proto, maps in that of their keys."""
    return json_format.MessageToJson(
        kind.FromString(body), preserving_proto_field_name=True, sort_keys=True, ensure_ascii=False
    )
