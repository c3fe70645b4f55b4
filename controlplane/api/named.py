"""Models, as requests name them."""

from __future__ import annotations

from controlplane.api.errors import InvalidRequest
from lightbulb.v1 import control_plane_pb2 as pb

MAX_MODEL = 300
"""Characters of a model's name, or version, that is asked for."""

Naming = pb.StartShift | pb.StartShadow | pb.SetShadow | pb.StopShadow


def check_named(asked: Naming, path: str) -> None:
    """Raise InvalidRequest for a name or a version that is none; `path` is the part that has them."""
    for name, text in (("model", asked.model), ("version", asked.version)):
        if len(text) > MAX_MODEL:
            raise InvalidRequest(f"{name} is longer than {MAX_MODEL} characters", path=f"{path}.{name}")
