"""resolution.json, read for tests."""

import json
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict

from lightbulb.v1 import lightbulb_pb2 as pb
from lightbulb.v1 import table_pb2

FILE = json.loads((Path(__file__).parents[2] / "protos/vectors/resolution.json").read_text())
HASHES: list[dict[str, Any]] = FILE["hashes"]


def vectors() -> list[tuple[pb.ResolveRequest, dict[str, Any]]]:
    """Return each request, and its `response` or `error`."""
    return [
        (ParseDict(request, pb.ResolveRequest()), {name: row[name] for name in row.keys() - {"requests"}})
        for row in FILE["vectors"]
        for request in row["requests"]
    ]


def resources(kind: str) -> dict[str, bytes]:
    """Return the resources that are such messages, by name."""
    return {
        each["name"]: ParseDict(each["resource"], getattr(table_pb2, kind)()).SerializeToString()
        for each in FILE["resources"]
        if each["message"] == kind
    }
