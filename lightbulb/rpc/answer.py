"""The answer that a client gets: the routing key, and what to put into the request. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from lightbulb.model import EMPTY, HeldBack, ObjectiveTable, RequestContext, Value
from lightbulb.resolution.resolve import Allocation, Reason, Resolution, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One thing to resolve. `sidecar` is the node id of the sidecar that routes it; empty: the client's."""

    objective: str
    context: RequestContext
    override_model: str = ""
    explain: bool = False
    sidecar: str = ""


class Origin(Enum):
    """Where a client has an answer from."""

    TABLES = "tables"
    """Resolved in the client's own process."""
    LIGHTBULB = "Lightbulb"
    REMEMBERED = "remembered"
    STALE = "stale"
    """Of tables, or remembered, for longer than that is good for, while no Lightbulb answers."""
    DECLARED = "declared"
    """The client's own fallback, while no Lightbulb answers and nothing is remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveConfig:
    """What the serving host needs to know. `allocations` are those that led to the model."""

    objective: str
    model: str
    model_version: str
    model_type: str
    input_type: str
    parameters: Mapping[str, Value] = field(default_factory=lambda: EMPTY)
    allocations: tuple[Allocation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a Query. Times are in seconds; a `deadline` of 0.0 means that none is promised.

    If the query asked to explain, `steps` is the explanation, and `tests` has the ids of all A/B tests in the
    objective's rules, and `held_back` says that an operator has this answered from an older generation. `arm`
    is the arm of an operator's shift that the user is in; empty: none.

    `origin` is where this client has it from, and `age` the seconds since a Lightbulb
    gave it, or was connected to. `why` is what
    kept a better one from answering; empty: nothing.
    """

    routing_key: str
    objective_config: ObjectiveConfig
    generation: int
    cache_lifetime: float
    deadline: float
    reason: Reason
    steps: tuple[Step, ...] = ()
    tests: tuple[str, ...] = ()
    arm: str = ""
    held_back: HeldBack | None = None
    origin: Origin = Origin.LIGHTBULB
    age: float = 0.0
    why: str = ""


def make_answer(
    table: ObjectiveTable,
    resolution: Resolution,
    generation: int,
    steps: Iterable[Step] = (),
    held_back: HeldBack | None = None,
) -> Answer:
    """Return a resolution as a client gets it."""
    target, explained = resolution.target, tuple(steps)
    return Answer(
        routing_key=target.routing_key,
        objective_config=ObjectiveConfig(
            objective=table.objective,
            model=target.name,
            model_version=target.version,
            model_type=target.type,
            input_type=target.input_type,
            parameters=target.parameters,
            allocations=resolution.allocations,
        ),
        generation=generation,
        cache_lifetime=table.cache_lifetime,
        deadline=table.deadline,
        reason=resolution.reason,
        steps=explained,
        tests=tuple(rule.test_id for rule in table.ab_rules) if explained else (),
        arm=resolution.arm,
        held_back=held_back,
    )
