"""The values that resolution works on: tables, rules, conditions, and who is asking.

Frozen all the way down. `lightbulb.resolution.codec` maps them to and from protos/lightbulb/v1/table.proto;
nothing else knows the wire form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

Value = bool | int | float | str

BASIS_POINTS = 10_000
"""Every split is in hundredths of a percent."""

ROUTING_KEY_HEADER = "x-routing-key"
KEY_SEPARATOR = "|"

REASON_HEADER = "x-lightbulb-reason"
"""Trailing metadata that says why an inference call was refused, where resolving again may help:"""
MODEL_NOT_LOADED = "model-not-loaded"
"""with ABORTED, from a serving host,"""
UNKNOWN_ROUTING_KEY = "unknown-routing-key"
"""with NOT_FOUND, from a sidecar."""

EMPTY: Mapping[str, Value] = MappingProxyType({})
NO_CELLS: Mapping[str, int] = MappingProxyType({})


def routing_key(objective: str, model: str, version: str) -> str:
    """Return the key that names `model` at `version` for `objective`, now and for ever."""
    return KEY_SEPARATOR.join((objective, model, version))


def model_id(name: str, version: str) -> str:
    """Return the name of a loaded model: "name@version"."""
    return f"{name}@{version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """Who is asking. `attributes` may not repeat the names of the fixed fields."""

    user_id: str
    country: str = ""
    device: str = ""
    locale: str = ""
    surface: str = ""
    attributes: Mapping[str, Value] = field(default_factory=lambda: EMPTY)
    allocations: Mapping[str, int] = field(default_factory=lambda: NO_CELLS)


FIXED_ATTRIBUTES = ("country", "device", "locale", "surface")
"""Attributes that every context has a field for; empty counts as absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a rule was written."""

    rule: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.rule}"


class Operator(Enum):
    """How a Comparison compares. Values are the names that rules use."""

    IN = "in"
    PREFIX = "prefix"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    SEMVER_EQ = "semver =="
    SEMVER_LT = "semver <"
    SEMVER_LE = "semver <="
    SEMVER_GT = "semver >"
    SEMVER_GE = "semver >="
    EXISTS = "exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`attribute operator values`; false when the attribute is absent."""

    attribute: str
    operator: Operator
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class All:
    """True when every condition is; true when empty."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when at least one condition is; false when empty."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the condition is not."""

    condition: Condition


Condition = Comparison | All | AnyOf | Not


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTarget:
    """One model as one objective serves it."""

    name: str
    version: str
    type: str
    input_type: str
    routing_key: str
    parameters: Mapping[str, Value] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideRule:
    """`clients` (empty: every client) may ask for these models (indexes into the table's)."""

    source: Source
    clients: tuple[str, ...]
    models: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of an A/B test: basis points from the previous cell's end up to `end`."""

    number: int
    end: int
    model: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AbRule:
    """An A/B test of one objective. `layer_salt` is empty when the test has no layer."""

    source: Source
    test_id: str
    salt: str
    cells: tuple[Cell, ...]
    layer_salt: str = ""
    layer_begin: int = 0
    layer_end: int = BASIS_POINTS
    eligible: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRule:
    """Contexts that match `when` get `model`."""

    source: Source
    when: Condition
    model: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftRule:
    """Users in the first `basis_points` get `model` in place of the default."""

    source: Source
    salt: str
    basis_points: int
    model: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveTable:
    """All that is needed to resolve one objective. Times in seconds; deadline 0.0 means none."""

    objective: str
    input_type: str
    cache_lifetime: float
    deadline: float
    models: tuple[ModelTarget, ...]
    default_model: int
    default_source: Source
    overrides: tuple[OverrideRule, ...] = ()
    ab_rules: tuple[AbRule, ...] = ()
    context_rules: tuple[ContextRule, ...] = ()
    shift: ShiftRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSince:
    """A table (None: the objective is not there) in generation `since` and later, up to the next one's."""

    since: int
    table: ObjectiveTable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveTables:
    """One objective in every generation that may be answered from.

    `tables` is never empty, ascends by `since`, and begins at 0.
    """

    objective: str
    tables: tuple[TableSince, ...]


NO_GENERATION = 2**64 - 1
"""What a sidecar that routes no live generation is at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarState:
    """The generation to answer a sidecar's clients from; 0: the active one; NO_GENERATION: none."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveGeneration:
    """Which generation to answer from; 0 before the first.

    `fence` rises whenever another generation becomes active. `store` is whose numbers these are; empty
    when it isn't said. `oldest` is what a client may still hold at the least; 0 when it isn't said.
    """

    number: int
    content_hash: str
    fence: int = 0
    store: str = ""
    oldest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAssignment:
    """A model that a serving host must have loaded. `depends_on` holds "name@version"."""

    name: str
    version: str
    memory_mib: int
    facts: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The ADS resource name."""
        return model_id(self.name, self.version)
