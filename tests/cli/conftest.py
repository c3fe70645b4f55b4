from pathlib import Path

import pytest

from tests.rules.workspaces import GOOD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the small good workspace, and nothing else."""
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text)
    return tmp_path
