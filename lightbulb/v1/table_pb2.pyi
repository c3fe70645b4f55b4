import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Operator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERATOR_UNSPECIFIED: _ClassVar[Operator]
    OPERATOR_IN: _ClassVar[Operator]
    OPERATOR_PREFIX: _ClassVar[Operator]
    OPERATOR_LT: _ClassVar[Operator]
    OPERATOR_LE: _ClassVar[Operator]
    OPERATOR_GT: _ClassVar[Operator]
    OPERATOR_GE: _ClassVar[Operator]
    OPERATOR_SEMVER_EQ: _ClassVar[Operator]
    OPERATOR_SEMVER_LT: _ClassVar[Operator]
    OPERATOR_SEMVER_LE: _ClassVar[Operator]
    OPERATOR_SEMVER_GT: _ClassVar[Operator]
    OPERATOR_SEMVER_GE: _ClassVar[Operator]
    OPERATOR_EXISTS: _ClassVar[Operator]
    OPERATOR_SUFFIX: _ClassVar[Operator]
    OPERATOR_CONTAINS: _ClassVar[Operator]
    OPERATOR_MATCHES: _ClassVar[Operator]
    OPERATOR_IN_IGNORING_CASE: _ClassVar[Operator]
    OPERATOR_PREFIX_IGNORING_CASE: _ClassVar[Operator]
    OPERATOR_SUFFIX_IGNORING_CASE: _ClassVar[Operator]
    OPERATOR_CONTAINS_IGNORING_CASE: _ClassVar[Operator]
    OPERATOR_BEFORE: _ClassVar[Operator]
    OPERATOR_AFTER: _ClassVar[Operator]
    OPERATOR_IN_NETWORK: _ClassVar[Operator]
    OPERATOR_VERSION_EQ: _ClassVar[Operator]
    OPERATOR_VERSION_LT: _ClassVar[Operator]
    OPERATOR_VERSION_LE: _ClassVar[Operator]
    OPERATOR_VERSION_GT: _ClassVar[Operator]
    OPERATOR_VERSION_GE: _ClassVar[Operator]
    OPERATOR_VERSION_TILDE: _ClassVar[Operator]
    OPERATOR_VERSION_CARET: _ClassVar[Operator]
    OPERATOR_SEMVER_TILDE: _ClassVar[Operator]
    OPERATOR_SEMVER_CARET: _ClassVar[Operator]
    OPERATOR_HAS_ANY: _ClassVar[Operator]
    OPERATOR_HAS_ALL: _ClassVar[Operator]
    OPERATOR_SIZE_EQ: _ClassVar[Operator]
    OPERATOR_SIZE_LT: _ClassVar[Operator]
    OPERATOR_SIZE_LE: _ClassVar[Operator]
    OPERATOR_SIZE_GT: _ClassVar[Operator]
    OPERATOR_SIZE_GE: _ClassVar[Operator]
OPERATOR_UNSPECIFIED: Operator
OPERATOR_IN: Operator
OPERATOR_PREFIX: Operator
OPERATOR_LT: Operator
OPERATOR_LE: Operator
OPERATOR_GT: Operator
OPERATOR_GE: Operator
OPERATOR_SEMVER_EQ: Operator
OPERATOR_SEMVER_LT: Operator
OPERATOR_SEMVER_LE: Operator
OPERATOR_SEMVER_GT: Operator
OPERATOR_SEMVER_GE: Operator
OPERATOR_EXISTS: Operator
OPERATOR_SUFFIX: Operator
OPERATOR_CONTAINS: Operator
OPERATOR_MATCHES: Operator
OPERATOR_IN_IGNORING_CASE: Operator
OPERATOR_PREFIX_IGNORING_CASE: Operator
OPERATOR_SUFFIX_IGNORING_CASE: Operator
OPERATOR_CONTAINS_IGNORING_CASE: Operator
OPERATOR_BEFORE: Operator
OPERATOR_AFTER: Operator
OPERATOR_IN_NETWORK: Operator
OPERATOR_VERSION_EQ: Operator
OPERATOR_VERSION_LT: Operator
OPERATOR_VERSION_LE: Operator
OPERATOR_VERSION_GT: Operator
OPERATOR_VERSION_GE: Operator
OPERATOR_VERSION_TILDE: Operator
OPERATOR_VERSION_CARET: Operator
OPERATOR_SEMVER_TILDE: Operator
OPERATOR_SEMVER_CARET: Operator
OPERATOR_HAS_ANY: Operator
OPERATOR_HAS_ALL: Operator
OPERATOR_SIZE_EQ: Operator
OPERATOR_SIZE_LT: Operator
OPERATOR_SIZE_LE: Operator
OPERATOR_SIZE_GT: Operator
OPERATOR_SIZE_GE: Operator

class Value(_message.Message):
    __slots__ = ("bool_value", "int64_value", "double_value", "string_value", "list_value")
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    INT64_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    LIST_VALUE_FIELD_NUMBER: _ClassVar[int]
    bool_value: bool
    int64_value: int
    double_value: float
    string_value: str
    list_value: ValueList
    def __init__(self, bool_value: _Optional[bool] = ..., int64_value: _Optional[int] = ..., double_value: _Optional[float] = ..., string_value: _Optional[str] = ..., list_value: _Optional[_Union[ValueList, _Mapping]] = ...) -> None: ...

class ValueList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class ModelTarget(_message.Message):
    __slots__ = ("name", "version", "type", "input_type", "parameters", "routing_key")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    INPUT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ROUTING_KEY_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    type: str
    input_type: str
    parameters: _containers.MessageMap[str, Value]
    routing_key: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., type: _Optional[str] = ..., input_type: _Optional[str] = ..., parameters: _Optional[_Mapping[str, Value]] = ..., routing_key: _Optional[str] = ...) -> None: ...

class Comparison(_message.Message):
    __slots__ = ("attribute", "operator", "values")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    operator: Operator
    values: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, attribute: _Optional[str] = ..., operator: _Optional[_Union[Operator, str]] = ..., values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class Conditions(_message.Message):
    __slots__ = ("conditions",)
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    conditions: _containers.RepeatedCompositeFieldContainer[Condition]
    def __init__(self, conditions: _Optional[_Iterable[_Union[Condition, _Mapping]]] = ...) -> None: ...

class Users(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Condition(_message.Message):
    __slots__ = ("all", "any", "comparison", "users", "segment")
    ALL_FIELD_NUMBER: _ClassVar[int]
    ANY_FIELD_NUMBER: _ClassVar[int]
    NOT_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    all: Conditions
    any: Conditions
    comparison: Comparison
    users: Users
    segment: str
    def __init__(self, all: _Optional[_Union[Conditions, _Mapping]] = ..., any: _Optional[_Union[Conditions, _Mapping]] = ..., comparison: _Optional[_Union[Comparison, _Mapping]] = ..., users: _Optional[_Union[Users, _Mapping]] = ..., segment: _Optional[str] = ..., **kwargs) -> None: ...

class Source(_message.Message):
    __slots__ = ("rule", "file", "line")
    RULE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    rule: str
    file: str
    line: int
    def __init__(self, rule: _Optional[str] = ..., file: _Optional[str] = ..., line: _Optional[int] = ...) -> None: ...

class OverrideRule(_message.Message):
    __slots__ = ("source", "clients", "models")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    source: Source
    clients: _containers.RepeatedScalarFieldContainer[str]
    models: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, source: _Optional[_Union[Source, _Mapping]] = ..., clients: _Optional[_Iterable[str]] = ..., models: _Optional[_Iterable[int]] = ...) -> None: ...

class Cell(_message.Message):
    __slots__ = ("number", "end", "model")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    number: int
    end: int
    model: int
    def __init__(self, number: _Optional[int] = ..., end: _Optional[int] = ..., model: _Optional[int] = ...) -> None: ...

class AbRule(_message.Message):
    __slots__ = ("source", "test_id", "salt", "layer_salt", "layer_begin", "layer_end", "eligible", "cells", "unit", "unit_cells")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TEST_ID_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    LAYER_SALT_FIELD_NUMBER: _ClassVar[int]
    LAYER_BEGIN_FIELD_NUMBER: _ClassVar[int]
    LAYER_END_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    UNIT_CELLS_FIELD_NUMBER: _ClassVar[int]
    source: Source
    test_id: str
    salt: str
    layer_salt: str
    layer_begin: int
    layer_end: int
    eligible: Condition
    cells: _containers.RepeatedCompositeFieldContainer[Cell]
    unit: str
    unit_cells: _containers.RepeatedCompositeFieldContainer[Cell]
    def __init__(self, source: _Optional[_Union[Source, _Mapping]] = ..., test_id: _Optional[str] = ..., salt: _Optional[str] = ..., layer_salt: _Optional[str] = ..., layer_begin: _Optional[int] = ..., layer_end: _Optional[int] = ..., eligible: _Optional[_Union[Condition, _Mapping]] = ..., cells: _Optional[_Iterable[_Union[Cell, _Mapping]]] = ..., unit: _Optional[str] = ..., unit_cells: _Optional[_Iterable[_Union[Cell, _Mapping]]] = ...) -> None: ...

class ContextRule(_message.Message):
    __slots__ = ("source", "when", "model")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    source: Source
    when: Condition
    model: int
    def __init__(self, source: _Optional[_Union[Source, _Mapping]] = ..., when: _Optional[_Union[Condition, _Mapping]] = ..., model: _Optional[int] = ...) -> None: ...

class Guards(_message.Message):
    __slots__ = ("guards", "alpha", "interval", "min_sample")
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MIN_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    guards: _containers.RepeatedScalarFieldContainer[str]
    alpha: float
    interval: float
    min_sample: int
    def __init__(self, guards: _Optional[_Iterable[str]] = ..., alpha: _Optional[float] = ..., interval: _Optional[float] = ..., min_sample: _Optional[int] = ...) -> None: ...

class Schedule(_message.Message):
    __slots__ = ("steps", "every", "guards")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    EVERY_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedScalarFieldContainer[int]
    every: float
    guards: Guards
    def __init__(self, steps: _Optional[_Iterable[int]] = ..., every: _Optional[float] = ..., guards: _Optional[_Union[Guards, _Mapping]] = ...) -> None: ...

class Probation(_message.Message):
    __slots__ = ("guards", "seconds")
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    guards: Guards
    seconds: float
    def __init__(self, guards: _Optional[_Union[Guards, _Mapping]] = ..., seconds: _Optional[float] = ...) -> None: ...

class ShadowRule(_message.Message):
    __slots__ = ("source", "model", "basis_points", "noise_floor", "max_body", "pairs", "lasts")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    NOISE_FLOOR_FIELD_NUMBER: _ClassVar[int]
    MAX_BODY_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    LASTS_FIELD_NUMBER: _ClassVar[int]
    source: Source
    model: int
    basis_points: int
    noise_floor: bool
    max_body: int
    pairs: int
    lasts: float
    def __init__(self, source: _Optional[_Union[Source, _Mapping]] = ..., model: _Optional[int] = ..., basis_points: _Optional[int] = ..., noise_floor: _Optional[bool] = ..., max_body: _Optional[int] = ..., pairs: _Optional[int] = ..., lasts: _Optional[float] = ...) -> None: ...

class ShiftRule(_message.Message):
    __slots__ = ("source", "salt", "basis_points", "model", "when", "unit", "schedule")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    source: Source
    salt: str
    basis_points: int
    model: int
    when: Condition
    unit: str
    schedule: Schedule
    def __init__(self, source: _Optional[_Union[Source, _Mapping]] = ..., salt: _Optional[str] = ..., basis_points: _Optional[int] = ..., model: _Optional[int] = ..., when: _Optional[_Union[Condition, _Mapping]] = ..., unit: _Optional[str] = ..., schedule: _Optional[_Union[Schedule, _Mapping]] = ...) -> None: ...

class Segment(_message.Message):
    __slots__ = ("name", "when")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    when: Condition
    def __init__(self, name: _Optional[str] = ..., when: _Optional[_Union[Condition, _Mapping]] = ...) -> None: ...

class ObjectiveTable(_message.Message):
    __slots__ = ("objective", "input_type", "cache_lifetime", "deadline", "models", "overrides", "ab_rules", "context_rules", "shift", "default_model", "default_source", "segments", "shifts", "probation", "shadows")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    INPUT_TYPE_FIELD_NUMBER: _ClassVar[int]
    CACHE_LIFETIME_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    AB_RULES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_RULES_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODEL_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    SHIFTS_FIELD_NUMBER: _ClassVar[int]
    PROBATION_FIELD_NUMBER: _ClassVar[int]
    SHADOWS_FIELD_NUMBER: _ClassVar[int]
    objective: str
    input_type: str
    cache_lifetime: _duration_pb2.Duration
    deadline: _duration_pb2.Duration
    models: _containers.RepeatedCompositeFieldContainer[ModelTarget]
    overrides: _containers.RepeatedCompositeFieldContainer[OverrideRule]
    ab_rules: _containers.RepeatedCompositeFieldContainer[AbRule]
    context_rules: _containers.RepeatedCompositeFieldContainer[ContextRule]
    shift: ShiftRule
    default_model: int
    default_source: Source
    segments: _containers.RepeatedCompositeFieldContainer[Segment]
    shifts: _containers.RepeatedCompositeFieldContainer[ShiftRule]
    probation: Probation
    shadows: _containers.RepeatedCompositeFieldContainer[ShadowRule]
    def __init__(self, objective: _Optional[str] = ..., input_type: _Optional[str] = ..., cache_lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., deadline: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., models: _Optional[_Iterable[_Union[ModelTarget, _Mapping]]] = ..., overrides: _Optional[_Iterable[_Union[OverrideRule, _Mapping]]] = ..., ab_rules: _Optional[_Iterable[_Union[AbRule, _Mapping]]] = ..., context_rules: _Optional[_Iterable[_Union[ContextRule, _Mapping]]] = ..., shift: _Optional[_Union[ShiftRule, _Mapping]] = ..., default_model: _Optional[int] = ..., default_source: _Optional[_Union[Source, _Mapping]] = ..., segments: _Optional[_Iterable[_Union[Segment, _Mapping]]] = ..., shifts: _Optional[_Iterable[_Union[ShiftRule, _Mapping]]] = ..., probation: _Optional[_Union[Probation, _Mapping]] = ..., shadows: _Optional[_Iterable[_Union[ShadowRule, _Mapping]]] = ...) -> None: ...

class TableSince(_message.Message):
    __slots__ = ("since", "table")
    SINCE_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    since: int
    table: ObjectiveTable
    def __init__(self, since: _Optional[int] = ..., table: _Optional[_Union[ObjectiveTable, _Mapping]] = ...) -> None: ...

class ObjectiveTables(_message.Message):
    __slots__ = ("objective", "tables", "tenant")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tables: _containers.RepeatedCompositeFieldContainer[TableSince]
    tenant: str
    def __init__(self, objective: _Optional[str] = ..., tables: _Optional[_Iterable[_Union[TableSince, _Mapping]]] = ..., tenant: _Optional[str] = ...) -> None: ...

class OperatorShift(_message.Message):
    __slots__ = ("number", "key", "basis_points", "salt", "rule")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    number: int
    key: str
    basis_points: int
    salt: str
    rule: Source
    def __init__(self, number: _Optional[int] = ..., key: _Optional[str] = ..., basis_points: _Optional[int] = ..., salt: _Optional[str] = ..., rule: _Optional[_Union[Source, _Mapping]] = ...) -> None: ...

class HeldBack(_message.Message):
    __slots__ = ("rejected", "answer_from")
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FROM_FIELD_NUMBER: _ClassVar[int]
    rejected: int
    answer_from: int
    def __init__(self, rejected: _Optional[int] = ..., answer_from: _Optional[int] = ...) -> None: ...

class ObjectiveControl(_message.Message):
    __slots__ = ("objective", "version", "shift", "held_back")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    HELD_BACK_FIELD_NUMBER: _ClassVar[int]
    objective: str
    version: int
    shift: OperatorShift
    held_back: HeldBack
    def __init__(self, objective: _Optional[str] = ..., version: _Optional[int] = ..., shift: _Optional[_Union[OperatorShift, _Mapping]] = ..., held_back: _Optional[_Union[HeldBack, _Mapping]] = ...) -> None: ...

class ActiveGeneration(_message.Message):
    __slots__ = ("number", "content_hash", "fence", "store", "oldest", "tenant")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    OLDEST_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    number: int
    content_hash: str
    fence: int
    store: str
    oldest: int
    tenant: str
    def __init__(self, number: _Optional[int] = ..., content_hash: _Optional[str] = ..., fence: _Optional[int] = ..., store: _Optional[str] = ..., oldest: _Optional[int] = ..., tenant: _Optional[str] = ...) -> None: ...

class SidecarState(_message.Message):
    __slots__ = ("generation", "others")
    class OthersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    generation: int
    others: _containers.ScalarMap[str, int]
    def __init__(self, generation: _Optional[int] = ..., others: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ModelAssignment(_message.Message):
    __slots__ = ("name", "version", "memory_mib", "facts", "depends_on", "load_timeout")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MIB_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    LOAD_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    memory_mib: int
    facts: _containers.RepeatedScalarFieldContainer[str]
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    load_timeout: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., memory_mib: _Optional[int] = ..., facts: _Optional[_Iterable[str]] = ..., depends_on: _Optional[_Iterable[str]] = ..., load_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
