"""The values that resolution works on: tables, rules, conditions, and who is asking.

All values are frozen. Only `lightbulb.resolution.codec` knows their wire form, table.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType

Value = bool | int | float | str
AttributeValue = Value | tuple[Value, ...]
"""What a context's attribute may be: a scalar, or a list of them."""

DEFAULT_TENANT = "default"
"""Whose everything is where nobody speaks of tenants."""

BASIS_POINTS = 10_000
"""Splits are in basis points: hundredths of a percent."""

ROUTING_KEY_HEADER = "x-routing-key"
KEY_SEPARATOR = "|"

REASON_HEADER = "x-lightbulb-reason"
"""Trailing metadata that says why an inference call was refused. For the two reasons below, resolve again."""
MODEL_NOT_LOADED = "model-not-loaded"
"""From a serving host, with ABORTED."""
UNKNOWN_ROUTING_KEY = "unknown-routing-key"
"""From a sidecar, with NOT_FOUND."""

ARM_HEADER = "x-lightbulb-arm"
"""With an inference call: the arm of a shift that its user is in, by which sidecars count it."""
USER_HEADER = "x-lightbulb-user"
"""With an inference call: a hash of its user's id. The id itself is in the request alone."""
SIDECAR_TIMEOUT_HEADER = "x-lightbulb-timeout-ms"
"""With an inference call: after how many milliseconds its sidecar gives up. Hosts don't see it."""
SHADOW_HEADER = "x-shadow"
"""Of a copy that a sidecar makes of a request: the shadow's id. Nobody waits for its answer."""
COMPARE_HEADER = "x-lightbulb-compare"
"""Of a request that a sidecar mirrors: the shadows that get a copy, by id, with commas between them."""
MODEL_HEADER = "x-lightbulb-model"
"""Of such a copy: "name@version" of the model that answers it, in place of the one that the request names."""
PARAMETERS_HEADER = "x-lightbulb-parameters"
"""Of such a copy: a JSON object of the model's own parameters where they are others; null: it has none."""
CLIENT_HEADER = "x-lightbulb-client"
"""The client service that a request comes from, as its sidecar says."""
TRAFFIC_HEADER = "x-lightbulb-traffic"
"""What a request is for: "test" and "replay" are a client's to say, "shadow" a sidecar's; else it is live."""
SHADOW_CLUSTERS = "shadow/"
"""With a shadow's id after it: the name of the cluster that copies go to."""

EMPTY: Mapping[str, Value] = MappingProxyType({})
NO_CELLS: Mapping[str, int] = MappingProxyType({})


def routing_key(objective: str, model: str, version: str) -> str:
    """Return the key for `model` at `version` in `objective`. Its meaning never changes."""
    return KEY_SEPARATOR.join((objective, model, version))


def model_id(name: str, version: str) -> str:
    """Return the name of a loaded model: "name@version"."""
    return f"{name}@{version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """Who is asking. No attribute may have the name of a field."""

    user_id: str
    country: str = ""
    device: str = ""
    locale: str = ""
    surface: str = ""
    attributes: Mapping[str, AttributeValue] = field(default_factory=lambda: EMPTY)
    allocations: Mapping[str, int] = field(default_factory=lambda: NO_CELLS)


FIXED_ATTRIBUTES = ("country", "device", "locale", "surface")
"""Attributes that have a field of their own in every context. An empty field is an absent attribute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a rule was written; without a file it was an operator's word, which `rule` names."""

    rule: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.rule}" if self.file else self.rule


class Operator(Enum):
    """How a Comparison compares. The values are the names in rules.

    VERSION_… take versions as clients write them ("v5.1"), SEMVER_… semantic versions alone.
    """

    IN = "in"
    IN_IGNORING_CASE = "in ignoring case"
    PREFIX = "prefix"
    PREFIX_IGNORING_CASE = "prefix ignoring case"
    SUFFIX = "suffix"
    SUFFIX_IGNORING_CASE = "suffix ignoring case"
    CONTAINS = "contains"
    CONTAINS_IGNORING_CASE = "contains ignoring case"
    MATCHES = "matches"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    BEFORE = "before"
    AFTER = "after"
    IN_NETWORK = "in network"
    VERSION_EQ = "semver =="
    VERSION_LT = "semver <"
    VERSION_LE = "semver <="
    VERSION_GT = "semver >"
    VERSION_GE = "semver >="
    VERSION_TILDE = "semver ~"
    VERSION_CARET = "semver ^"
    SEMVER_EQ = "strict semver =="
    SEMVER_LT = "strict semver <"
    SEMVER_LE = "strict semver <="
    SEMVER_GT = "strict semver >"
    SEMVER_GE = "strict semver >="
    SEMVER_TILDE = "strict semver ~"
    SEMVER_CARET = "strict semver ^"
    HAS_ANY = "has any"
    HAS_ALL = "has all"
    SIZE_EQ = "size =="
    SIZE_LT = "size <"
    SIZE_LE = "size <="
    SIZE_GT = "size >"
    SIZE_GE = "size >="
    EXISTS = "exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`attribute operator values`. False when the attribute is absent."""

    attribute: str
    operator: Operator
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class All:
    """True when every condition is true, or when there is none."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when at least one condition is true."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the condition is false."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class AmongUsers:
    """True for the users with these ids."""

    users: frozenset[str]


@dataclass(frozen=True, slots=True)
class InSegment:
    """True when the condition of the table's segment of that name is."""

    segment: str


Condition = Comparison | All | AnyOf | Not | AmongUsers | InSegment


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A condition with a name. A table has it once, however many of its conditions use it."""

    name: str
    when: Condition


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
    """The clients named may ask for these models; with no names, every client. Models are table indexes."""

    source: Source
    clients: tuple[str, ...]
    models: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Basis points of an A/B test, from the previous range's `end` to this one's, and the cell that has them.

    A cell may have several ranges, with one model, or an empty one.
    """

    number: int
    end: int
    model: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AbRule:
    """An A/B test of one objective. Without a layer, `layer_salt` is empty.

    `unit` is the attribute whose value is hashed, for the layer too; empty: the user's id. A context without
    it takes no part in the test.
    """

    source: Source
    test_id: str
    salt: str
    cells: tuple[Cell, ...]
    layer_salt: str = ""
    layer_begin: int = 0
    layer_end: int = BASIS_POINTS
    eligible: Condition | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRule:
    """Contexts that match `when` get `model`."""

    source: Source
    when: Condition
    model: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardTerms:
    """What may undo a shift or a new default, as a rule says it; who judges by it knows what it means.

    They share `alpha`; `interval` is in seconds, and `min_sample` in requests.
    """

    guards: tuple[str, ...]
    alpha: float
    interval: float
    min_sample: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The steps of a shift, in basis points, and how many seconds each lasts; 0.0: steps come by hand."""

    steps: tuple[int, ...]
    every: float = 0.0
    guards: GuardTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probation:
    """For how many seconds a new default is judged, and by what."""

    guards: GuardTerms
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftRule:
    """Of those who meet `when`, the first `basis_points` get `model` in place of the default.

    `unit` is the attribute whose value is hashed; empty: the user's id. A context without it isn't shifted.
    With a `schedule` the rule itself shifts nobody: the control plane begins a shift of its own by it.
    """

    source: Source
    salt: str
    basis_points: int
    model: int
    unit: str = ""
    when: Condition | None = None
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRule:
    """So many basis points of the requests to the default are copied to `model`, whose answers nobody gets.

    With `noise_floor` they are copied to the default too. Bodies of more than `max_body` bytes aren't. It
    ends after so many answered `pairs`, or seconds (`lasts`); 0: not so. The control plane begins it.
    """

    source: Source
    model: int
    basis_points: int
    noise_floor: bool = False
    max_body: int = 0
    pairs: int = 0
    lasts: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorShift:
    """The first `basis_points` of an objective's users get the model of a routing key: an operator says so.

    It stands in place of the rules' shifts. `number` tells it from every other. `rule`: whose steps they are;
    None: an operator's own.
    """

    number: int
    key: str
    basis_points: int
    salt: str
    rule: Source | None = None

    @property
    def candidate_arm(self) -> str:
        """The arm of those who get the model."""
        return f"{self.number}c"

    @property
    def control_arm(self) -> str:
        """The arm of those who were drawn as they were, and keep the default."""
        return f"{self.number}k"

    @property
    def source(self) -> Source:
        """What stands where a rule's place would; an operator's nobody wrote in a file."""
        if self.rule is not None:
            return replace(self.rule, rule=f"{self.rule.rule}: shift {self.number}")
        return Source(rule=f"operator: shift {self.number}", file="", line=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """An objective's table in generation `rejected` isn't answered from, but that in `answer_from` is."""

    rejected: int
    answer_from: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveControl:
    """What an operator decided about an objective, whichever generation it is answered from.

    `version` is that of the head that last changed it: a lower one is older.
    """

    objective: str
    version: int
    shift: OperatorShift | None = None
    held_back: HeldBack | None = None


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class ObjectiveTable:
    """All that is needed to resolve one objective. Times are in seconds; a deadline of 0.0 means none.

    A segment stands after those that it uses. At most one of the shifts is meant for any request. `probation`
    is how the default is judged while it is new. `shadows` are answered by nobody's leave but the control
    plane's: their models are loaded, and nothing here leads to them.
    """

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
    shifts: tuple[ShiftRule, ...] = ()
    segments: tuple[Segment, ...] = ()
    probation: Probation | None = None
    shadows: tuple[ShadowRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSince:
    """A table, and the first generation that it holds in. None: the objective isn't in that generation."""

    since: int
    table: ObjectiveTable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveTables:
    """One objective in every generation of its tenant that may be answered from.

    Each table holds until the next one begins. `tables` ascends by `since`, and the first begins at 0.
    """

    objective: str
    tables: tuple[TableSince, ...]
    tenant: str = DEFAULT_TENANT


NO_GENERATION = 2**64 - 1
"""The generation of a sidecar that routes no live one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarState:
    """The generation that a sidecar's clients are answered from. 0: the active one. NO_GENERATION: none.

    `generation` is that of the default tenant; `others` are tenant -> that of each other one, where it isn't
    the active one.
    """

    generation: int
    others: Mapping[str, int] = field(default_factory=lambda: NO_CELLS)

    def of(self, tenant: str) -> int:
        """Return what it is for a tenant's objectives."""
        return self.generation if tenant == DEFAULT_TENANT else self.others.get(tenant, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveGeneration:
    """The generation of a tenant to answer from; 0 before the first.

    `fence` rises whenever another generation becomes active. `store` is the store that counts these numbers;
    it may be empty. `oldest` is the oldest generation that a client may still hold; 0 if that isn't known.
    """

    number: int
    content_hash: str
    fence: int = 0
    store: str = ""
    oldest: int = 0
    tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAssignment:
    """A model that a serving host must load. `depends_on` has the ids of the models that it calls.

    `load_timeout` is how many seconds that may take; 0.0: it doesn't say.
    """

    name: str
    version: str
    memory_mib: int
    facts: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    load_timeout: float = 0.0
    id: str = field(init=False, repr=False, compare=False)
    """The ADS resource name: kept, since it is asked for again and again."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", model_id(self.name, self.version))


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How new tables are: their generation (0: none yet), and whether a control plane is connected.

    `age` is for how many seconds none was; 0 while one is.
    """

    generation: int
    connected: bool
    age: float
