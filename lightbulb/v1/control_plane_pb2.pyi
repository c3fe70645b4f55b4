from lightbulb.v1 import failure_pb2 as _failure_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_ERROR: _ClassVar[Severity]
    SEVERITY_WARNING: _ClassVar[Severity]

class ShiftVerb(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHIFT_VERB_UNSPECIFIED: _ClassVar[ShiftVerb]
    SHIFT_VERB_HOLD: _ClassVar[ShiftVerb]
    SHIFT_VERB_RESUME: _ClassVar[ShiftVerb]
    SHIFT_VERB_STEP: _ClassVar[ShiftVerb]
    SHIFT_VERB_FINISH: _ClassVar[ShiftVerb]
    SHIFT_VERB_ABORT: _ClassVar[ShiftVerb]

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHASE_UNSPECIFIED: _ClassVar[Phase]
    PHASE_LOADING: _ClassVar[Phase]
    PHASE_ROUTING: _ClassVar[Phase]
    PHASE_RETIRING: _ClassVar[Phase]
    PHASE_UNLOADING: _ClassVar[Phase]
    PHASE_SETTLED: _ClassVar[Phase]
    PHASE_RELEASING: _ClassVar[Phase]
    PHASE_WAITING: _ClassVar[Phase]

class ShiftState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHIFT_STATE_UNSPECIFIED: _ClassVar[ShiftState]
    SHIFT_STATE_STARTING: _ClassVar[ShiftState]
    SHIFT_STATE_RUNNING: _ClassVar[ShiftState]
    SHIFT_STATE_HELD: _ClassVar[ShiftState]
    SHIFT_STATE_FINISHED: _ClassVar[ShiftState]
    SHIFT_STATE_ABORTING: _ClassVar[ShiftState]
    SHIFT_STATE_CLEARING: _ClassVar[ShiftState]

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_PUBLISHED: _ClassVar[EventKind]
    EVENT_KIND_RELOADED: _ClassVar[EventKind]
    EVENT_KIND_ROLLED_BACK: _ClassVar[EventKind]
    EVENT_KIND_PINNED: _ClassVar[EventKind]
    EVENT_KIND_UNPINNED: _ClassVar[EventKind]
    EVENT_KIND_ACTIVATED: _ClassVar[EventKind]
    EVENT_KIND_WITHDRAWN: _ClassVar[EventKind]
    EVENT_KIND_LOADING: _ClassVar[EventKind]
    EVENT_KIND_ROUTING: _ClassVar[EventKind]
    EVENT_KIND_RETIRING: _ClassVar[EventKind]
    EVENT_KIND_UNLOADING: _ClassVar[EventKind]
    EVENT_KIND_SETTLED: _ClassVar[EventKind]
    EVENT_KIND_RESUMED: _ClassVar[EventKind]
    EVENT_KIND_WAITING: _ClassVar[EventKind]
    EVENT_KIND_RELEASING: _ClassVar[EventKind]
    EVENT_KIND_OFFERED: _ClassVar[EventKind]
    EVENT_KIND_TAKEN_BACK: _ClassVar[EventKind]
    EVENT_KIND_TAKEN: _ClassVar[EventKind]
    EVENT_KIND_HANDED_OVER: _ClassVar[EventKind]
    EVENT_KIND_SHIFT_STARTED: _ClassVar[EventKind]
    EVENT_KIND_SHIFT_CHANGED: _ClassVar[EventKind]
    EVENT_KIND_SHIFT_STEPPED: _ClassVar[EventKind]
    EVENT_KIND_SHIFT_HELD: _ClassVar[EventKind]
    EVENT_KIND_SHIFT_RESUMED: _ClassVar[EventKind]
    EVENT_KIND_SHIFT_FINISHED: _ClassVar[EventKind]
    EVENT_KIND_SHIFT_ABORTED: _ClassVar[EventKind]
    EVENT_KIND_SHIFT_ENDED: _ClassVar[EventKind]
    EVENT_KIND_HELD_BACK: _ClassVar[EventKind]
    EVENT_KIND_HOLD_BACK_ENDED: _ClassVar[EventKind]
    EVENT_KIND_SHADOW_STARTED: _ClassVar[EventKind]
    EVENT_KIND_SHADOW_CHANGED: _ClassVar[EventKind]
    EVENT_KIND_SHADOW_STOPPED: _ClassVar[EventKind]
    EVENT_KIND_SHIFT_PASSED_OVER: _ClassVar[EventKind]
    EVENT_KIND_PROBATION_STARTED: _ClassVar[EventKind]
    EVENT_KIND_PROBATION_ENDED: _ClassVar[EventKind]
    EVENT_KIND_SHADOW_PASSED_OVER: _ClassVar[EventKind]
SEVERITY_UNSPECIFIED: Severity
SEVERITY_ERROR: Severity
SEVERITY_WARNING: Severity
SHIFT_VERB_UNSPECIFIED: ShiftVerb
SHIFT_VERB_HOLD: ShiftVerb
SHIFT_VERB_RESUME: ShiftVerb
SHIFT_VERB_STEP: ShiftVerb
SHIFT_VERB_FINISH: ShiftVerb
SHIFT_VERB_ABORT: ShiftVerb
PHASE_UNSPECIFIED: Phase
PHASE_LOADING: Phase
PHASE_ROUTING: Phase
PHASE_RETIRING: Phase
PHASE_UNLOADING: Phase
PHASE_SETTLED: Phase
PHASE_RELEASING: Phase
PHASE_WAITING: Phase
SHIFT_STATE_UNSPECIFIED: ShiftState
SHIFT_STATE_STARTING: ShiftState
SHIFT_STATE_RUNNING: ShiftState
SHIFT_STATE_HELD: ShiftState
SHIFT_STATE_FINISHED: ShiftState
SHIFT_STATE_ABORTING: ShiftState
SHIFT_STATE_CLEARING: ShiftState
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_PUBLISHED: EventKind
EVENT_KIND_RELOADED: EventKind
EVENT_KIND_ROLLED_BACK: EventKind
EVENT_KIND_PINNED: EventKind
EVENT_KIND_UNPINNED: EventKind
EVENT_KIND_ACTIVATED: EventKind
EVENT_KIND_WITHDRAWN: EventKind
EVENT_KIND_LOADING: EventKind
EVENT_KIND_ROUTING: EventKind
EVENT_KIND_RETIRING: EventKind
EVENT_KIND_UNLOADING: EventKind
EVENT_KIND_SETTLED: EventKind
EVENT_KIND_RESUMED: EventKind
EVENT_KIND_WAITING: EventKind
EVENT_KIND_RELEASING: EventKind
EVENT_KIND_OFFERED: EventKind
EVENT_KIND_TAKEN_BACK: EventKind
EVENT_KIND_TAKEN: EventKind
EVENT_KIND_HANDED_OVER: EventKind
EVENT_KIND_SHIFT_STARTED: EventKind
EVENT_KIND_SHIFT_CHANGED: EventKind
EVENT_KIND_SHIFT_STEPPED: EventKind
EVENT_KIND_SHIFT_HELD: EventKind
EVENT_KIND_SHIFT_RESUMED: EventKind
EVENT_KIND_SHIFT_FINISHED: EventKind
EVENT_KIND_SHIFT_ABORTED: EventKind
EVENT_KIND_SHIFT_ENDED: EventKind
EVENT_KIND_HELD_BACK: EventKind
EVENT_KIND_HOLD_BACK_ENDED: EventKind
EVENT_KIND_SHADOW_STARTED: EventKind
EVENT_KIND_SHADOW_CHANGED: EventKind
EVENT_KIND_SHADOW_STOPPED: EventKind
EVENT_KIND_SHIFT_PASSED_OVER: EventKind
EVENT_KIND_PROBATION_STARTED: EventKind
EVENT_KIND_PROBATION_ENDED: EventKind
EVENT_KIND_SHADOW_PASSED_OVER: EventKind

class WorkspaceFile(_message.Message):
    __slots__ = ("path", "content")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    path: str
    content: bytes
    def __init__(self, path: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class PublishRequest(_message.Message):
    __slots__ = ("files", "author", "message", "source_revision", "request_id", "tenant", "dry_run")
    FILES_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[WorkspaceFile]
    author: str
    message: str
    source_revision: str
    request_id: str
    tenant: str
    dry_run: bool
    def __init__(self, files: _Optional[_Iterable[_Union[WorkspaceFile, _Mapping]]] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., source_revision: _Optional[str] = ..., request_id: _Optional[str] = ..., tenant: _Optional[str] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("file", "line", "rule", "code", "message", "remedy", "severity")
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    file: str
    line: int
    rule: str
    code: str
    message: str
    remedy: str
    severity: Severity
    def __init__(self, file: _Optional[str] = ..., line: _Optional[int] = ..., rule: _Optional[str] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., remedy: _Optional[str] = ..., severity: _Optional[_Union[Severity, str]] = ...) -> None: ...

class Move(_message.Message):
    __slots__ = ("tenant", "model", "to")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    model: str
    to: str
    def __init__(self, tenant: _Optional[str] = ..., model: _Optional[str] = ..., to: _Optional[str] = ..., **kwargs) -> None: ...

class PublishResponse(_message.Message):
    __slots__ = ("generation", "content_hash", "problems", "unchanged", "version", "warnings", "moves", "replanned")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    MOVES_FIELD_NUMBER: _ClassVar[int]
    REPLANNED_FIELD_NUMBER: _ClassVar[int]
    generation: int
    content_hash: str
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    unchanged: bool
    version: int
    warnings: _containers.RepeatedCompositeFieldContainer[Problem]
    moves: _containers.RepeatedCompositeFieldContainer[Move]
    replanned: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, generation: _Optional[int] = ..., content_hash: _Optional[str] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., unchanged: _Optional[bool] = ..., version: _Optional[int] = ..., warnings: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., moves: _Optional[_Iterable[_Union[Move, _Mapping]]] = ..., replanned: _Optional[_Iterable[str]] = ...) -> None: ...

class RollbackRequest(_message.Message):
    __slots__ = ("generation", "author", "message", "reload", "request_id", "dry_run", "expected_newest", "tenant", "objective")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RELOAD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_NEWEST_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    generation: int
    author: str
    message: str
    reload: bool
    request_id: str
    dry_run: bool
    expected_newest: int
    tenant: str
    objective: str
    def __init__(self, generation: _Optional[int] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., reload: _Optional[bool] = ..., request_id: _Optional[str] = ..., dry_run: _Optional[bool] = ..., expected_newest: _Optional[int] = ..., tenant: _Optional[str] = ..., objective: _Optional[str] = ...) -> None: ...

class RollbackResponse(_message.Message):
    __slots__ = ("generation", "unchanged", "on_its_way", "version", "left", "answered_from")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    ON_ITS_WAY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FROM_FIELD_NUMBER: _ClassVar[int]
    generation: int
    unchanged: bool
    on_its_way: bool
    version: int
    left: int
    answered_from: int
    def __init__(self, generation: _Optional[int] = ..., unchanged: _Optional[bool] = ..., on_its_way: _Optional[bool] = ..., version: _Optional[int] = ..., left: _Optional[int] = ..., answered_from: _Optional[int] = ...) -> None: ...

class OfferRequest(_message.Message):
    __slots__ = ("objective", "tenant", "to", "back", "author", "message", "request_id")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    BACK_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tenant: str
    to: str
    back: bool
    author: str
    message: str
    request_id: str
    def __init__(self, objective: _Optional[str] = ..., tenant: _Optional[str] = ..., to: _Optional[str] = ..., back: _Optional[bool] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class OfferResponse(_message.Message):
    __slots__ = ("unchanged", "version", "until")
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    unchanged: bool
    version: int
    until: float
    def __init__(self, unchanged: _Optional[bool] = ..., version: _Optional[int] = ..., until: _Optional[float] = ...) -> None: ...

class StartShift(_message.Message):
    __slots__ = ("model", "version", "steps", "every", "guards", "alpha", "interval", "min_sample")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    EVERY_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MIN_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    steps: _containers.RepeatedScalarFieldContainer[int]
    every: float
    guards: _containers.RepeatedScalarFieldContainer[str]
    alpha: float
    interval: float
    min_sample: int
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., steps: _Optional[_Iterable[int]] = ..., every: _Optional[float] = ..., guards: _Optional[_Iterable[str]] = ..., alpha: _Optional[float] = ..., interval: _Optional[float] = ..., min_sample: _Optional[int] = ...) -> None: ...

class ShiftRequest(_message.Message):
    __slots__ = ("objective", "tenant", "start", "verb", "author", "message", "request_id")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    VERB_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tenant: str
    start: StartShift
    verb: ShiftVerb
    author: str
    message: str
    request_id: str
    def __init__(self, objective: _Optional[str] = ..., tenant: _Optional[str] = ..., start: _Optional[_Union[StartShift, _Mapping]] = ..., verb: _Optional[_Union[ShiftVerb, str]] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ShiftResponse(_message.Message):
    __slots__ = ("shift", "unchanged", "version", "notes")
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    shift: int
    unchanged: bool
    version: int
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, shift: _Optional[int] = ..., unchanged: _Optional[bool] = ..., version: _Optional[int] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class StartShadow(_message.Message):
    __slots__ = ("model", "version", "basis_points", "noise_floor", "max_body", "pairs", "lasts")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    NOISE_FLOOR_FIELD_NUMBER: _ClassVar[int]
    MAX_BODY_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    LASTS_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    basis_points: int
    noise_floor: bool
    max_body: int
    pairs: int
    lasts: float
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., basis_points: _Optional[int] = ..., noise_floor: _Optional[bool] = ..., max_body: _Optional[int] = ..., pairs: _Optional[int] = ..., lasts: _Optional[float] = ...) -> None: ...

class SetShadow(_message.Message):
    __slots__ = ("model", "version", "basis_points", "pairs", "lasts")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    LASTS_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    basis_points: int
    pairs: int
    lasts: float
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., basis_points: _Optional[int] = ..., pairs: _Optional[int] = ..., lasts: _Optional[float] = ...) -> None: ...

class StopShadow(_message.Message):
    __slots__ = ("model", "version")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class ShadowRequest(_message.Message):
    __slots__ = ("objective", "tenant", "start", "set", "stop", "author", "message", "request_id")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tenant: str
    start: StartShadow
    set: SetShadow
    stop: StopShadow
    author: str
    message: str
    request_id: str
    def __init__(self, objective: _Optional[str] = ..., tenant: _Optional[str] = ..., start: _Optional[_Union[StartShadow, _Mapping]] = ..., set: _Optional[_Union[SetShadow, _Mapping]] = ..., stop: _Optional[_Union[StopShadow, _Mapping]] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ShadowResponse(_message.Message):
    __slots__ = ("shadows", "unchanged", "version")
    SHADOWS_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    shadows: _containers.RepeatedScalarFieldContainer[str]
    unchanged: bool
    version: int
    def __init__(self, shadows: _Optional[_Iterable[str]] = ..., unchanged: _Optional[bool] = ..., version: _Optional[int] = ...) -> None: ...

class TakeRequest(_message.Message):
    __slots__ = ("objective", "tenant", "author", "message", "request_id")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tenant: str
    author: str
    message: str
    request_id: str
    def __init__(self, objective: _Optional[str] = ..., tenant: _Optional[str] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class TakeResponse(_message.Message):
    __slots__ = ("generation", "unchanged", "version", "problems")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    generation: int
    unchanged: bool
    version: int
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    def __init__(self, generation: _Optional[int] = ..., unchanged: _Optional[bool] = ..., version: _Optional[int] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ...) -> None: ...

class PinRequest(_message.Message):
    __slots__ = ("generation", "release", "author", "request_id", "tenant")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    generation: int
    release: bool
    author: str
    request_id: str
    tenant: str
    def __init__(self, generation: _Optional[int] = ..., release: _Optional[bool] = ..., author: _Optional[str] = ..., request_id: _Optional[str] = ..., tenant: _Optional[str] = ...) -> None: ...

class PinResponse(_message.Message):
    __slots__ = ("pinned",)
    PINNED_FIELD_NUMBER: _ClassVar[int]
    pinned: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, pinned: _Optional[_Iterable[int]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    def __init__(self, tenant: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    def __init__(self, tenant: _Optional[str] = ...) -> None: ...

class Consumer(_message.Message):
    __slots__ = ("node_id", "kind", "waiting_for", "rejected", "disconnected", "answered_from", "shard", "stale", "refusals", "more_refusals", "tenants", "unknown_objectives", "loading", "unknown_tenants", "silent", "disobeys")
    class RejectedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    DISCONNECTED_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FROM_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    MORE_REFUSALS_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_OBJECTIVES_FIELD_NUMBER: _ClassVar[int]
    LOADING_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_TENANTS_FIELD_NUMBER: _ClassVar[int]
    SILENT_FIELD_NUMBER: _ClassVar[int]
    DISOBEYS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    kind: str
    waiting_for: _containers.RepeatedScalarFieldContainer[str]
    rejected: _containers.ScalarMap[str, str]
    disconnected: bool
    answered_from: int
    shard: str
    stale: bool
    refusals: _containers.RepeatedCompositeFieldContainer[_failure_pb2.Refusal]
    more_refusals: int
    tenants: _containers.RepeatedScalarFieldContainer[str]
    unknown_objectives: _containers.RepeatedScalarFieldContainer[str]
    loading: _containers.RepeatedCompositeFieldContainer[ModelLoading]
    unknown_tenants: _containers.RepeatedScalarFieldContainer[str]
    silent: bool
    disobeys: bool
    def __init__(self, node_id: _Optional[str] = ..., kind: _Optional[str] = ..., waiting_for: _Optional[_Iterable[str]] = ..., rejected: _Optional[_Mapping[str, str]] = ..., disconnected: _Optional[bool] = ..., answered_from: _Optional[int] = ..., shard: _Optional[str] = ..., stale: _Optional[bool] = ..., refusals: _Optional[_Iterable[_Union[_failure_pb2.Refusal, _Mapping]]] = ..., more_refusals: _Optional[int] = ..., tenants: _Optional[_Iterable[str]] = ..., unknown_objectives: _Optional[_Iterable[str]] = ..., loading: _Optional[_Iterable[_Union[ModelLoading, _Mapping]]] = ..., unknown_tenants: _Optional[_Iterable[str]] = ..., silent: _Optional[bool] = ..., disobeys: _Optional[bool] = ...) -> None: ...

class ModelLoading(_message.Message):
    __slots__ = ("model", "since", "fraction", "text")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    model: str
    since: float
    fraction: float
    text: str
    def __init__(self, model: _Optional[str] = ..., since: _Optional[float] = ..., fraction: _Optional[float] = ..., text: _Optional[str] = ...) -> None: ...

class Replica(_message.Message):
    __slots__ = ("name", "leading", "silent")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEADING_FIELD_NUMBER: _ClassVar[int]
    SILENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    leading: bool
    silent: bool
    def __init__(self, name: _Optional[str] = ..., leading: _Optional[bool] = ..., silent: _Optional[bool] = ...) -> None: ...

class StoreLoss(_message.Message):
    __slots__ = ("version", "seen", "seen_by")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    SEEN_BY_FIELD_NUMBER: _ClassVar[int]
    version: int
    seen: int
    seen_by: str
    def __init__(self, version: _Optional[int] = ..., seen: _Optional[int] = ..., seen_by: _Optional[str] = ...) -> None: ...

class ResumeStoreRequest(_message.Message):
    __slots__ = ("author", "message", "dry_run")
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    author: str
    message: str
    dry_run: bool
    def __init__(self, author: _Optional[str] = ..., message: _Optional[str] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class ResumeStoreResponse(_message.Message):
    __slots__ = ("unchanged", "was_at", "seen", "seen_by", "version", "restored", "lost_from", "lost_to", "begins_again", "replica", "known")
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    WAS_AT_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    SEEN_BY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RESTORED_FIELD_NUMBER: _ClassVar[int]
    LOST_FROM_FIELD_NUMBER: _ClassVar[int]
    LOST_TO_FIELD_NUMBER: _ClassVar[int]
    BEGINS_AGAIN_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    unchanged: bool
    was_at: int
    seen: int
    seen_by: str
    version: int
    restored: _containers.RepeatedScalarFieldContainer[int]
    lost_from: int
    lost_to: int
    begins_again: bool
    replica: str
    known: int
    def __init__(self, unchanged: _Optional[bool] = ..., was_at: _Optional[int] = ..., seen: _Optional[int] = ..., seen_by: _Optional[str] = ..., version: _Optional[int] = ..., restored: _Optional[_Iterable[int]] = ..., lost_from: _Optional[int] = ..., lost_to: _Optional[int] = ..., begins_again: _Optional[bool] = ..., replica: _Optional[str] = ..., known: _Optional[int] = ...) -> None: ...

class Lane(_message.Message):
    __slots__ = ("tenant", "active_generation", "target_generation", "phase", "detail", "failed_generation", "failure", "waiting_for", "live_generations", "pinned_generations", "loading_until")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_GENERATION_FIELD_NUMBER: _ClassVar[int]
    TARGET_GENERATION_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    FAILED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    LIVE_GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    PINNED_GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    LOADING_UNTIL_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    active_generation: int
    target_generation: int
    phase: Phase
    detail: str
    failed_generation: int
    failure: str
    waiting_for: _failure_pb2.Missing
    live_generations: _containers.RepeatedScalarFieldContainer[int]
    pinned_generations: _containers.RepeatedScalarFieldContainer[int]
    loading_until: float
    def __init__(self, tenant: _Optional[str] = ..., active_generation: _Optional[int] = ..., target_generation: _Optional[int] = ..., phase: _Optional[_Union[Phase, str]] = ..., detail: _Optional[str] = ..., failed_generation: _Optional[int] = ..., failure: _Optional[str] = ..., waiting_for: _Optional[_Union[_failure_pb2.Missing, _Mapping]] = ..., live_generations: _Optional[_Iterable[int]] = ..., pinned_generations: _Optional[_Iterable[int]] = ..., loading_until: _Optional[float] = ...) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("active_generation", "content_hash", "phase", "detail", "consumers", "target_generation", "failed_generation", "failure", "live_generations", "pinned_generations", "version", "replicas", "store_problem", "replica", "why_failed", "waiting_for", "passed_over", "ends_at", "tenant", "lanes", "loading_until", "store_loss", "store_warning", "handovers", "shifts", "held_back", "shadows", "new_defaults", "waiting_shifts")
    ACTIVE_GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    CONSUMERS_FIELD_NUMBER: _ClassVar[int]
    TARGET_GENERATION_FIELD_NUMBER: _ClassVar[int]
    FAILED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    LIVE_GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    PINNED_GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    STORE_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    WHY_FAILED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    PASSED_OVER_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    LANES_FIELD_NUMBER: _ClassVar[int]
    LOADING_UNTIL_FIELD_NUMBER: _ClassVar[int]
    STORE_LOSS_FIELD_NUMBER: _ClassVar[int]
    STORE_WARNING_FIELD_NUMBER: _ClassVar[int]
    HANDOVERS_FIELD_NUMBER: _ClassVar[int]
    SHIFTS_FIELD_NUMBER: _ClassVar[int]
    HELD_BACK_FIELD_NUMBER: _ClassVar[int]
    SHADOWS_FIELD_NUMBER: _ClassVar[int]
    NEW_DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    WAITING_SHIFTS_FIELD_NUMBER: _ClassVar[int]
    active_generation: int
    content_hash: str
    phase: Phase
    detail: str
    consumers: _containers.RepeatedCompositeFieldContainer[Consumer]
    target_generation: int
    failed_generation: int
    failure: str
    live_generations: _containers.RepeatedScalarFieldContainer[int]
    pinned_generations: _containers.RepeatedScalarFieldContainer[int]
    version: int
    replicas: _containers.RepeatedCompositeFieldContainer[Replica]
    store_problem: str
    replica: str
    why_failed: _failure_pb2.Failure
    waiting_for: _failure_pb2.Missing
    passed_over: _failure_pb2.Missing
    ends_at: float
    tenant: str
    lanes: _containers.RepeatedCompositeFieldContainer[Lane]
    loading_until: float
    store_loss: StoreLoss
    store_warning: str
    handovers: _containers.RepeatedCompositeFieldContainer[Handover]
    shifts: _containers.RepeatedCompositeFieldContainer[Shift]
    held_back: _containers.RepeatedCompositeFieldContainer[HeldBackObjective]
    shadows: _containers.RepeatedCompositeFieldContainer[Shadow]
    new_defaults: _containers.RepeatedCompositeFieldContainer[NewDefault]
    waiting_shifts: _containers.RepeatedCompositeFieldContainer[WaitingShift]
    def __init__(self, active_generation: _Optional[int] = ..., content_hash: _Optional[str] = ..., phase: _Optional[_Union[Phase, str]] = ..., detail: _Optional[str] = ..., consumers: _Optional[_Iterable[_Union[Consumer, _Mapping]]] = ..., target_generation: _Optional[int] = ..., failed_generation: _Optional[int] = ..., failure: _Optional[str] = ..., live_generations: _Optional[_Iterable[int]] = ..., pinned_generations: _Optional[_Iterable[int]] = ..., version: _Optional[int] = ..., replicas: _Optional[_Iterable[_Union[Replica, _Mapping]]] = ..., store_problem: _Optional[str] = ..., replica: _Optional[str] = ..., why_failed: _Optional[_Union[_failure_pb2.Failure, _Mapping]] = ..., waiting_for: _Optional[_Union[_failure_pb2.Missing, _Mapping]] = ..., passed_over: _Optional[_Union[_failure_pb2.Missing, _Mapping]] = ..., ends_at: _Optional[float] = ..., tenant: _Optional[str] = ..., lanes: _Optional[_Iterable[_Union[Lane, _Mapping]]] = ..., loading_until: _Optional[float] = ..., store_loss: _Optional[_Union[StoreLoss, _Mapping]] = ..., store_warning: _Optional[str] = ..., handovers: _Optional[_Iterable[_Union[Handover, _Mapping]]] = ..., shifts: _Optional[_Iterable[_Union[Shift, _Mapping]]] = ..., held_back: _Optional[_Iterable[_Union[HeldBackObjective, _Mapping]]] = ..., shadows: _Optional[_Iterable[_Union[Shadow, _Mapping]]] = ..., new_defaults: _Optional[_Iterable[_Union[NewDefault, _Mapping]]] = ..., waiting_shifts: _Optional[_Iterable[_Union[WaitingShift, _Mapping]]] = ...) -> None: ...

class Shadow(_message.Message):
    __slots__ = ("id", "objective", "tenant", "model", "primary", "basis_points", "is_noise", "max_body", "pairs", "until", "entered", "in_force", "stopped", "author", "why", "waiting_for", "copies")
    ID_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    IS_NOISE_FIELD_NUMBER: _ClassVar[int]
    MAX_BODY_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    COPIES_FIELD_NUMBER: _ClassVar[int]
    id: str
    objective: str
    tenant: str
    model: str
    primary: str
    basis_points: int
    is_noise: bool
    max_body: int
    pairs: int
    until: float
    entered: float
    in_force: float
    stopped: bool
    author: str
    why: str
    waiting_for: _containers.RepeatedScalarFieldContainer[str]
    copies: Copies
    def __init__(self, id: _Optional[str] = ..., objective: _Optional[str] = ..., tenant: _Optional[str] = ..., model: _Optional[str] = ..., primary: _Optional[str] = ..., basis_points: _Optional[int] = ..., is_noise: _Optional[bool] = ..., max_body: _Optional[int] = ..., pairs: _Optional[int] = ..., until: _Optional[float] = ..., entered: _Optional[float] = ..., in_force: _Optional[float] = ..., stopped: _Optional[bool] = ..., author: _Optional[str] = ..., why: _Optional[str] = ..., waiting_for: _Optional[_Iterable[str]] = ..., copies: _Optional[_Union[Copies, _Mapping]] = ...) -> None: ...

class Copies(_message.Message):
    __slots__ = ("answered", "shed", "too_large", "late", "failed")
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    SHED_FIELD_NUMBER: _ClassVar[int]
    TOO_LARGE_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    answered: int
    shed: int
    too_large: int
    late: int
    failed: int
    def __init__(self, answered: _Optional[int] = ..., shed: _Optional[int] = ..., too_large: _Optional[int] = ..., late: _Optional[int] = ..., failed: _Optional[int] = ...) -> None: ...

class HeldBackObjective(_message.Message):
    __slots__ = ("objective", "tenant", "rejected", "answered_from", "author", "why", "since", "until")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FROM_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tenant: str
    rejected: int
    answered_from: int
    author: str
    why: str
    since: float
    until: float
    def __init__(self, objective: _Optional[str] = ..., tenant: _Optional[str] = ..., rejected: _Optional[int] = ..., answered_from: _Optional[int] = ..., author: _Optional[str] = ..., why: _Optional[str] = ..., since: _Optional[float] = ..., until: _Optional[float] = ...) -> None: ...

class Shift(_message.Message):
    __slots__ = ("number", "objective", "tenant", "model", "default_model", "basis_points", "steps", "at", "every", "state", "entered", "in_force", "author", "why", "until", "refused", "waiting_for", "rules", "guards", "rule")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODEL_FIELD_NUMBER: _ClassVar[int]
    BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    EVERY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    number: int
    objective: str
    tenant: str
    model: str
    default_model: str
    basis_points: int
    steps: _containers.RepeatedScalarFieldContainer[int]
    at: int
    every: float
    state: ShiftState
    entered: float
    in_force: float
    author: str
    why: str
    until: float
    refused: bool
    waiting_for: _containers.RepeatedScalarFieldContainer[str]
    rules: str
    guards: _containers.RepeatedCompositeFieldContainer[GuardVerdict]
    rule: str
    def __init__(self, number: _Optional[int] = ..., objective: _Optional[str] = ..., tenant: _Optional[str] = ..., model: _Optional[str] = ..., default_model: _Optional[str] = ..., basis_points: _Optional[int] = ..., steps: _Optional[_Iterable[int]] = ..., at: _Optional[int] = ..., every: _Optional[float] = ..., state: _Optional[_Union[ShiftState, str]] = ..., entered: _Optional[float] = ..., in_force: _Optional[float] = ..., author: _Optional[str] = ..., why: _Optional[str] = ..., until: _Optional[float] = ..., refused: _Optional[bool] = ..., waiting_for: _Optional[_Iterable[str]] = ..., rules: _Optional[str] = ..., guards: _Optional[_Iterable[_Union[GuardVerdict, _Mapping]]] = ..., rule: _Optional[str] = ...) -> None: ...

class WaitingShift(_message.Message):
    __slots__ = ("objective", "tenant", "waits_for")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tenant: str
    waits_for: str
    def __init__(self, objective: _Optional[str] = ..., tenant: _Optional[str] = ..., waits_for: _Optional[str] = ...) -> None: ...

class NewDefault(_message.Message):
    __slots__ = ("number", "objective", "tenant", "model", "generation", "until", "guards", "rule", "author")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    number: int
    objective: str
    tenant: str
    model: str
    generation: int
    until: float
    guards: _containers.RepeatedCompositeFieldContainer[GuardVerdict]
    rule: str
    author: str
    def __init__(self, number: _Optional[int] = ..., objective: _Optional[str] = ..., tenant: _Optional[str] = ..., model: _Optional[str] = ..., generation: _Optional[int] = ..., until: _Optional[float] = ..., guards: _Optional[_Iterable[_Union[GuardVerdict, _Mapping]]] = ..., rule: _Optional[str] = ..., author: _Optional[str] = ...) -> None: ...

class GuardVerdict(_message.Message):
    __slots__ = ("guard", "outcome", "text", "note")
    GUARD_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    guard: str
    outcome: str
    text: str
    note: str
    def __init__(self, guard: _Optional[str] = ..., outcome: _Optional[str] = ..., text: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class Handover(_message.Message):
    __slots__ = ("objective", "owner", "since", "former", "taker", "until", "taken")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    FORMER_FIELD_NUMBER: _ClassVar[int]
    TAKER_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    objective: str
    owner: str
    since: int
    former: _containers.RepeatedScalarFieldContainer[str]
    taker: str
    until: float
    taken: int
    def __init__(self, objective: _Optional[str] = ..., owner: _Optional[str] = ..., since: _Optional[int] = ..., former: _Optional[_Iterable[str]] = ..., taker: _Optional[str] = ..., until: _Optional[float] = ..., taken: _Optional[int] = ...) -> None: ...

class GetHistoryRequest(_message.Message):
    __slots__ = ("limit", "before", "tenant")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    before: int
    tenant: str
    def __init__(self, limit: _Optional[int] = ..., before: _Optional[int] = ..., tenant: _Optional[str] = ...) -> None: ...

class HistoryEntry(_message.Message):
    __slots__ = ("generation", "content_hash", "author", "message", "source_revision", "published_at", "state", "rolled_back", "tenant")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REVISION_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ROLLED_BACK_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    generation: int
    content_hash: str
    author: str
    message: str
    source_revision: str
    published_at: float
    state: str
    rolled_back: bool
    tenant: str
    def __init__(self, generation: _Optional[int] = ..., content_hash: _Optional[str] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., source_revision: _Optional[str] = ..., published_at: _Optional[float] = ..., state: _Optional[str] = ..., rolled_back: _Optional[bool] = ..., tenant: _Optional[str] = ...) -> None: ...

class GetHistoryResponse(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[HistoryEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[HistoryEntry, _Mapping]]] = ...) -> None: ...

class DiffRequest(_message.Message):
    __slots__ = ("to",)
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    to: int
    def __init__(self, to: _Optional[int] = ..., **kwargs) -> None: ...

class MovedUsers(_message.Message):
    __slots__ = ("before", "after", "least", "most", "where", "exact", "counted")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LEAST_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    COUNTED_FIELD_NUMBER: _ClassVar[int]
    before: str
    after: str
    least: float
    most: float
    where: str
    exact: bool
    counted: int
    def __init__(self, before: _Optional[str] = ..., after: _Optional[str] = ..., least: _Optional[float] = ..., most: _Optional[float] = ..., where: _Optional[str] = ..., exact: _Optional[bool] = ..., counted: _Optional[int] = ...) -> None: ...

class Difference(_message.Message):
    __slots__ = ("kind", "name", "added", "removed", "moves", "operator")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    MOVES_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    added: _containers.RepeatedScalarFieldContainer[str]
    removed: _containers.RepeatedScalarFieldContainer[str]
    moves: _containers.RepeatedCompositeFieldContainer[MovedUsers]
    operator: str
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., added: _Optional[_Iterable[str]] = ..., removed: _Optional[_Iterable[str]] = ..., moves: _Optional[_Iterable[_Union[MovedUsers, _Mapping]]] = ..., operator: _Optional[str] = ...) -> None: ...

class DiffResponse(_message.Message):
    __slots__ = ("differences",)
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    differences: _containers.RepeatedCompositeFieldContainer[Difference]
    def __init__(self, differences: _Optional[_Iterable[_Union[Difference, _Mapping]]] = ...) -> None: ...

class GetEventsRequest(_message.Message):
    __slots__ = ("limit", "tenant")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    tenant: str
    def __init__(self, limit: _Optional[int] = ..., tenant: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("at", "author", "action", "generation", "detail", "kind", "failure", "passed_over", "tenant")
    AT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    PASSED_OVER_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    at: float
    author: str
    action: str
    generation: int
    detail: str
    kind: EventKind
    failure: _failure_pb2.Failure
    passed_over: _failure_pb2.Missing
    tenant: str
    def __init__(self, at: _Optional[float] = ..., author: _Optional[str] = ..., action: _Optional[str] = ..., generation: _Optional[int] = ..., detail: _Optional[str] = ..., kind: _Optional[_Union[EventKind, str]] = ..., failure: _Optional[_Union[_failure_pb2.Failure, _Mapping]] = ..., passed_over: _Optional[_Union[_failure_pb2.Missing, _Mapping]] = ..., tenant: _Optional[str] = ...) -> None: ...

class GetEventsResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...
