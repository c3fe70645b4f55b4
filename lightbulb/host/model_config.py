"""A model as Triton's clients read it: its ModelConfig. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lightbulb.host.workflow import DTYPES, Workflow
from lightbulb.oip import open_inference_pb2 as pb

DATA_TYPES: Mapping[str, Any] = MappingProxyType(
    {name: pb.DataType.Value("TYPE_STRING" if name == "BYTES" else f"TYPE_{name}") for name in DTYPES}
)
"""The protocol's datatypes, by Triton's numbers."""


def config_of(name: str, workflow: Workflow, platform: str) -> pb.ModelConfig:
    """Return how a loaded model is set up. One that takes any tensors lists none."""
    return pb.ModelConfig(
        name=name,
        platform=platform,
        backend=platform,
        input=[
            pb.ModelInput(
                name=spec.name, data_type=DATA_TYPES[spec.datatype], dims=spec.shape, optional=spec.optional
            )
            for spec in workflow.inputs or ()
        ],
        output=[
            pb.ModelOutput(name=spec.name, data_type=DATA_TYPES[spec.datatype], dims=spec.shape)
            for spec in workflow.outputs
        ],
    )
