"""A host loads what is assigned to it, says by name what it can't, and goes on with the rest."""

import pytest

from lightbulb.model import ModelAssignment
from servinghost.models.catalogue import CATALOGUE
from servinghost.repository import Repository, State
from servinghost.workflow import Workflow

EMBEDDINGS = ModelAssignment(name="title-embeddings", version="1", memory_mib=100)
DEFAULT = ModelAssignment(
    name="netflix-continue-watching-model-default", version="1", memory_mib=100, facts=("viewing_history",)
)
CELL_3 = ModelAssignment(
    name="netflix-continue-watching-model-cell-3",
    version="1",
    memory_mib=100,
    depends_on=("title-embeddings@1",),
)


def broken() -> Workflow:
    raise OSError("the file is cut short")


def repository(memory: int = 1_000) -> Repository:
    return Repository({**CATALOGUE, "broken@1": broken}, memory)


def test_dependencies_load_first_whatever_the_order() -> None:
    host = repository()
    assert host.load((CELL_3, EMBEDDINGS)) == {}
    assert {name: entry.state for name, entry in host.entries.items()} == {
        "title-embeddings@1": State.READY,
        "netflix-continue-watching-model-cell-3@1": State.READY,
    }


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        (ModelAssignment(name="nobody", version="1", memory_mib=1), "no such model"),
        (ModelAssignment(name="broken", version="1", memory_mib=1), "cut short"),
        (
            ModelAssignment(name="payment-fraud-model", version="1", memory_mib=2_000),
            "needs 2000 MiB; 1000 of 1000",
        ),
        (
            ModelAssignment(name="payment-fraud-model", version="1", memory_mib=1, facts=("x",)),
            "no such fact: x",
        ),
        (CELL_3, "depends on title-embeddings@1"),
    ],
)
def test_what_cant_be_loaded_is_named_and_the_rest_is_loaded(
    assignment: ModelAssignment, reason: str
) -> None:
    host = repository()
    failed = host.load((assignment, DEFAULT))
    assert list(failed) == [assignment.id]
    assert reason in failed[assignment.id]
    assert host.find(assignment.name, assignment.version) is None
    assert host.find(DEFAULT.name, "1") is not None


def test_a_model_is_not_loaded_twice_and_is_forgotten_when_unassigned() -> None:
    host = repository()
    host.load((DEFAULT,))
    held = host.find(DEFAULT.name, "")
    host.load((DEFAULT,))
    again = host.find(DEFAULT.name, "")
    assert held is not None
    assert again is not None
    assert held.workflow is again.workflow
    host.unload((DEFAULT.id,))
    assert host.find(DEFAULT.name, "") is None


def test_a_name_with_two_versions_needs_the_version() -> None:
    host = repository()
    host.load(tuple(ModelAssignment(name="payment-fraud-model", version=v, memory_mib=1) for v in ("1", "2")))
    assert host.find("payment-fraud-model", "") is None
    assert host.find("payment-fraud-model", "2") is not None
