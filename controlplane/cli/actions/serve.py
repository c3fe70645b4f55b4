"""Runs a control plane in the foreground until SIGTERM."""

from __future__ import annotations

from pathlib import Path

from controlplane.app import ControlPlaneSettings, serve
from controlplane.cli.failed import Failed
from controlplane.cli.problems import BadWorkspace
from controlplane.cli.serving import run
from controlplane.problems import WorkspaceError
from controlplane.rules.workspace import read_workspace
from controlplane.store.contract import StoreError


def control_plane(settings: ControlPlaneSettings, folder: Path | None) -> None:
    """Run it; a workspace in `folder` is its first generation. Raises Failed."""
    try:
        run(serve(settings, None if folder is None else read_workspace(folder)))
    except WorkspaceError as error:
        raise BadWorkspace(error.problems, "nothing was published") from error
    except (StoreError, ValueError) as error:
        raise Failed("STORE", str(error)) from error
