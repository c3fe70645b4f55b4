from lightbulb.v1 import control_plane_pb2 as _control_plane_pb2
from lightbulb.v1 import failure_pb2 as _failure_pb2
from lightbulb.v1 import table_pb2 as _table_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StoredRoute(_message.Message):
    __slots__ = ("objective", "key", "vip")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VIP_FIELD_NUMBER: _ClassVar[int]
    objective: str
    key: str
    vip: str
    def __init__(self, objective: _Optional[str] = ..., key: _Optional[str] = ..., vip: _Optional[str] = ...) -> None: ...

class StoredShard(_message.Message):
    __slots__ = ("shard", "vip", "models", "memory_mib")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    VIP_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MIB_FIELD_NUMBER: _ClassVar[int]
    shard: str
    vip: str
    models: _containers.RepeatedScalarFieldContainer[bytes]
    memory_mib: int
    def __init__(self, shard: _Optional[str] = ..., vip: _Optional[str] = ..., models: _Optional[_Iterable[bytes]] = ..., memory_mib: _Optional[int] = ...) -> None: ...

class StoredLayer(_message.Message):
    __slots__ = ("name", "shared_with")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHARED_WITH_FIELD_NUMBER: _ClassVar[int]
    name: str
    shared_with: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., shared_with: _Optional[_Iterable[str]] = ...) -> None: ...

class StoredTenant(_message.Message):
    __slots__ = ("name", "owner", "shards", "memory_mib", "publishers", "layers")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MIB_FIELD_NUMBER: _ClassVar[int]
    PUBLISHERS_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    owner: str
    shards: _containers.RepeatedScalarFieldContainer[str]
    memory_mib: int
    publishers: _containers.RepeatedScalarFieldContainer[str]
    layers: _containers.RepeatedCompositeFieldContainer[StoredLayer]
    def __init__(self, name: _Optional[str] = ..., owner: _Optional[str] = ..., shards: _Optional[_Iterable[str]] = ..., memory_mib: _Optional[int] = ..., publishers: _Optional[_Iterable[str]] = ..., layers: _Optional[_Iterable[_Union[StoredLayer, _Mapping]]] = ...) -> None: ...

class StoredPlatform(_message.Message):
    __slots__ = ("shards", "tenants")
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    shards: _containers.RepeatedCompositeFieldContainer[StoredShard]
    tenants: _containers.RepeatedCompositeFieldContainer[StoredTenant]
    def __init__(self, shards: _Optional[_Iterable[_Union[StoredShard, _Mapping]]] = ..., tenants: _Optional[_Iterable[_Union[StoredTenant, _Mapping]]] = ...) -> None: ...

class StoredGeneration(_message.Message):
    __slots__ = ("format", "source_hash", "tables", "routes", "shards", "platform")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_HASH_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    format: int
    source_hash: str
    tables: _containers.RepeatedScalarFieldContainer[bytes]
    routes: _containers.RepeatedCompositeFieldContainer[StoredRoute]
    shards: _containers.RepeatedCompositeFieldContainer[StoredShard]
    platform: StoredPlatform
    def __init__(self, format: _Optional[int] = ..., source_hash: _Optional[str] = ..., tables: _Optional[_Iterable[bytes]] = ..., routes: _Optional[_Iterable[_Union[StoredRoute, _Mapping]]] = ..., shards: _Optional[_Iterable[_Union[StoredShard, _Mapping]]] = ..., platform: _Optional[_Union[StoredPlatform, _Mapping]] = ...) -> None: ...

class StoredEntry(_message.Message):
    __slots__ = ("number", "content_hash", "source_hash", "author", "message", "source_revision", "published_at", "tenant")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    SOURCE_HASH_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REVISION_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    number: int
    content_hash: str
    source_hash: str
    author: str
    message: str
    source_revision: str
    published_at: float
    tenant: str
    def __init__(self, number: _Optional[int] = ..., content_hash: _Optional[str] = ..., source_hash: _Optional[str] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., source_revision: _Optional[str] = ..., published_at: _Optional[float] = ..., tenant: _Optional[str] = ...) -> None: ...

class StoredEvent(_message.Message):
    __slots__ = ("at", "author", "action", "generation", "detail", "kind", "cause", "tenant")
    AT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    at: float
    author: str
    action: str
    generation: int
    detail: str
    kind: str
    cause: bytes
    tenant: str
    def __init__(self, at: _Optional[float] = ..., author: _Optional[str] = ..., action: _Optional[str] = ..., generation: _Optional[int] = ..., detail: _Optional[str] = ..., kind: _Optional[str] = ..., cause: _Optional[bytes] = ..., tenant: _Optional[str] = ...) -> None: ...

class StoredRollout(_message.Message):
    __slots__ = ("format", "active", "target", "phase", "entered", "live", "held", "leaving", "pinned", "note", "failure", "withdrawn", "fence", "desired_version", "oldest", "why_withdrawn", "passed_over", "undone", "again", "release", "awaits", "awaits_until")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    DESIRED_VERSION_FIELD_NUMBER: _ClassVar[int]
    OLDEST_FIELD_NUMBER: _ClassVar[int]
    WHY_WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    PASSED_OVER_FIELD_NUMBER: _ClassVar[int]
    UNDONE_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    AWAITS_FIELD_NUMBER: _ClassVar[int]
    AWAITS_UNTIL_FIELD_NUMBER: _ClassVar[int]
    format: int
    active: int
    target: int
    phase: str
    entered: float
    live: _containers.RepeatedScalarFieldContainer[int]
    held: _containers.RepeatedScalarFieldContainer[int]
    leaving: _containers.RepeatedScalarFieldContainer[int]
    pinned: _containers.RepeatedScalarFieldContainer[int]
    note: str
    failure: str
    withdrawn: int
    fence: int
    desired_version: int
    oldest: int
    why_withdrawn: _failure_pb2.Failure
    passed_over: _failure_pb2.Missing
    undone: _containers.RepeatedScalarFieldContainer[int]
    again: bool
    release: _containers.RepeatedScalarFieldContainer[int]
    awaits: _containers.RepeatedScalarFieldContainer[int]
    awaits_until: float
    def __init__(self, format: _Optional[int] = ..., active: _Optional[int] = ..., target: _Optional[int] = ..., phase: _Optional[str] = ..., entered: _Optional[float] = ..., live: _Optional[_Iterable[int]] = ..., held: _Optional[_Iterable[int]] = ..., leaving: _Optional[_Iterable[int]] = ..., pinned: _Optional[_Iterable[int]] = ..., note: _Optional[str] = ..., failure: _Optional[str] = ..., withdrawn: _Optional[int] = ..., fence: _Optional[int] = ..., desired_version: _Optional[int] = ..., oldest: _Optional[int] = ..., why_withdrawn: _Optional[_Union[_failure_pb2.Failure, _Mapping]] = ..., passed_over: _Optional[_Union[_failure_pb2.Missing, _Mapping]] = ..., undone: _Optional[_Iterable[int]] = ..., again: _Optional[bool] = ..., release: _Optional[_Iterable[int]] = ..., awaits: _Optional[_Iterable[int]] = ..., awaits_until: _Optional[float] = ...) -> None: ...

class StoredLane(_message.Message):
    __slots__ = ("tenant", "rollout")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    rollout: StoredRollout
    def __init__(self, tenant: _Optional[str] = ..., rollout: _Optional[_Union[StoredRollout, _Mapping]] = ...) -> None: ...

class StoredHandover(_message.Message):
    __slots__ = ("objective", "owner", "since", "source", "former", "published", "taker", "until", "taken", "taken_from", "tried")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FORMER_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    TAKER_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FROM_FIELD_NUMBER: _ClassVar[int]
    TRIED_FIELD_NUMBER: _ClassVar[int]
    objective: str
    owner: str
    since: int
    source: int
    former: _containers.RepeatedScalarFieldContainer[str]
    published: bool
    taker: str
    until: float
    taken: int
    taken_from: int
    tried: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, objective: _Optional[str] = ..., owner: _Optional[str] = ..., since: _Optional[int] = ..., source: _Optional[int] = ..., former: _Optional[_Iterable[str]] = ..., published: _Optional[bool] = ..., taker: _Optional[str] = ..., until: _Optional[float] = ..., taken: _Optional[int] = ..., taken_from: _Optional[int] = ..., tried: _Optional[_Iterable[str]] = ...) -> None: ...

class StoredGuards(_message.Message):
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

class StoredShift(_message.Message):
    __slots__ = ("number", "key", "default_key", "salt", "steps", "generation", "table", "entered", "every", "at", "in_force", "state", "author", "why", "until", "refused", "guards", "rule")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_KEY_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    EVERY_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    number: int
    key: str
    default_key: str
    salt: str
    steps: _containers.RepeatedScalarFieldContainer[int]
    generation: int
    table: str
    entered: float
    every: float
    at: int
    in_force: float
    state: str
    author: str
    why: str
    until: float
    refused: bool
    guards: StoredGuards
    rule: _table_pb2.Source
    def __init__(self, number: _Optional[int] = ..., key: _Optional[str] = ..., default_key: _Optional[str] = ..., salt: _Optional[str] = ..., steps: _Optional[_Iterable[int]] = ..., generation: _Optional[int] = ..., table: _Optional[str] = ..., entered: _Optional[float] = ..., every: _Optional[float] = ..., at: _Optional[int] = ..., in_force: _Optional[float] = ..., state: _Optional[str] = ..., author: _Optional[str] = ..., why: _Optional[str] = ..., until: _Optional[float] = ..., refused: _Optional[bool] = ..., guards: _Optional[_Union[StoredGuards, _Mapping]] = ..., rule: _Optional[_Union[_table_pb2.Source, _Mapping]] = ...) -> None: ...

class StoredControl(_message.Message):
    __slots__ = ("objective", "tenant", "version", "shift")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tenant: str
    version: int
    shift: StoredShift
    def __init__(self, objective: _Optional[str] = ..., tenant: _Optional[str] = ..., version: _Optional[int] = ..., shift: _Optional[_Union[StoredShift, _Mapping]] = ...) -> None: ...

class StoredHeldBack(_message.Message):
    __slots__ = ("objective", "tenant", "version", "rejected", "table", "answer_from", "pins", "entered", "author", "why", "until")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FROM_FIELD_NUMBER: _ClassVar[int]
    PINS_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tenant: str
    version: int
    rejected: int
    table: str
    answer_from: int
    pins: bool
    entered: float
    author: str
    why: str
    until: float
    def __init__(self, objective: _Optional[str] = ..., tenant: _Optional[str] = ..., version: _Optional[int] = ..., rejected: _Optional[int] = ..., table: _Optional[str] = ..., answer_from: _Optional[int] = ..., pins: _Optional[bool] = ..., entered: _Optional[float] = ..., author: _Optional[str] = ..., why: _Optional[str] = ..., until: _Optional[float] = ...) -> None: ...

class StoredShadow(_message.Message):
    __slots__ = ("number", "key", "basis_points", "entered", "is_noise", "max_body", "pairs", "until", "in_force", "stopped", "author", "why", "parameters", "part")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    IS_NOISE_FIELD_NUMBER: _ClassVar[int]
    MAX_BODY_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    number: int
    key: str
    basis_points: int
    entered: float
    is_noise: bool
    max_body: int
    pairs: int
    until: float
    in_force: float
    stopped: bool
    author: str
    why: str
    parameters: str
    part: int
    def __init__(self, number: _Optional[int] = ..., key: _Optional[str] = ..., basis_points: _Optional[int] = ..., entered: _Optional[float] = ..., is_noise: _Optional[bool] = ..., max_body: _Optional[int] = ..., pairs: _Optional[int] = ..., until: _Optional[float] = ..., in_force: _Optional[float] = ..., stopped: _Optional[bool] = ..., author: _Optional[str] = ..., why: _Optional[str] = ..., parameters: _Optional[str] = ..., part: _Optional[int] = ...) -> None: ...

class StoredShadowed(_message.Message):
    __slots__ = ("objective", "tenant", "version", "primary", "deadline", "shadows")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    SHADOWS_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tenant: str
    version: int
    primary: str
    deadline: float
    shadows: _containers.RepeatedCompositeFieldContainer[StoredShadow]
    def __init__(self, objective: _Optional[str] = ..., tenant: _Optional[str] = ..., version: _Optional[int] = ..., primary: _Optional[str] = ..., deadline: _Optional[float] = ..., shadows: _Optional[_Iterable[_Union[StoredShadow, _Mapping]]] = ...) -> None: ...

class StoredBegun(_message.Message):
    __slots__ = ("objective", "tenant", "tables", "waits")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    WAITS_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tenant: str
    tables: _containers.RepeatedScalarFieldContainer[str]
    waits: bool
    def __init__(self, objective: _Optional[str] = ..., tenant: _Optional[str] = ..., tables: _Optional[_Iterable[str]] = ..., waits: _Optional[bool] = ...) -> None: ...

class StoredNewDefault(_message.Message):
    __slots__ = ("objective", "tenant", "number", "key", "generation", "table", "guards", "entered", "until", "rule", "author")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    objective: str
    tenant: str
    number: int
    key: str
    generation: int
    table: str
    guards: StoredGuards
    entered: float
    until: float
    rule: _table_pb2.Source
    author: str
    def __init__(self, objective: _Optional[str] = ..., tenant: _Optional[str] = ..., number: _Optional[int] = ..., key: _Optional[str] = ..., generation: _Optional[int] = ..., table: _Optional[str] = ..., guards: _Optional[_Union[StoredGuards, _Mapping]] = ..., entered: _Optional[float] = ..., until: _Optional[float] = ..., rule: _Optional[_Union[_table_pb2.Source, _Mapping]] = ..., author: _Optional[str] = ...) -> None: ...

class StoredLanes(_message.Message):
    __slots__ = ("format", "lanes", "platform", "handovers", "controls", "held_back", "shadows", "begun", "new_defaults")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    LANES_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    HANDOVERS_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    HELD_BACK_FIELD_NUMBER: _ClassVar[int]
    SHADOWS_FIELD_NUMBER: _ClassVar[int]
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    NEW_DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    format: int
    lanes: _containers.RepeatedCompositeFieldContainer[StoredLane]
    platform: int
    handovers: _containers.RepeatedCompositeFieldContainer[StoredHandover]
    controls: _containers.RepeatedCompositeFieldContainer[StoredControl]
    held_back: _containers.RepeatedCompositeFieldContainer[StoredHeldBack]
    shadows: _containers.RepeatedCompositeFieldContainer[StoredShadowed]
    begun: _containers.RepeatedCompositeFieldContainer[StoredBegun]
    new_defaults: _containers.RepeatedCompositeFieldContainer[StoredNewDefault]
    def __init__(self, format: _Optional[int] = ..., lanes: _Optional[_Iterable[_Union[StoredLane, _Mapping]]] = ..., platform: _Optional[int] = ..., handovers: _Optional[_Iterable[_Union[StoredHandover, _Mapping]]] = ..., controls: _Optional[_Iterable[_Union[StoredControl, _Mapping]]] = ..., held_back: _Optional[_Iterable[_Union[StoredHeldBack, _Mapping]]] = ..., shadows: _Optional[_Iterable[_Union[StoredShadowed, _Mapping]]] = ..., begun: _Optional[_Iterable[_Union[StoredBegun, _Mapping]]] = ..., new_defaults: _Optional[_Iterable[_Union[StoredNewDefault, _Mapping]]] = ...) -> None: ...

class StoredConsumer(_message.Message):
    __slots__ = ("id", "kind", "shard", "address", "port", "waiting_for", "rejected", "loaded", "routes", "since", "disconnected", "orphaned", "synced_since", "refused_of", "unsynced_since", "refusals", "left", "by_tenant", "synced_by_tenant", "takes_part", "tenants", "unknown", "loading", "refused_before", "refused_numbers", "silent_since", "disobeys")
    class RejectedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ByTenantEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: StoredArrears
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[StoredArrears, _Mapping]] = ...) -> None: ...
    class SyncedByTenantEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: StoredSynced
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[StoredSynced, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    DISCONNECTED_FIELD_NUMBER: _ClassVar[int]
    ORPHANED_FIELD_NUMBER: _ClassVar[int]
    SYNCED_SINCE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_OF_FIELD_NUMBER: _ClassVar[int]
    UNSYNCED_SINCE_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    BY_TENANT_FIELD_NUMBER: _ClassVar[int]
    SYNCED_BY_TENANT_FIELD_NUMBER: _ClassVar[int]
    TAKES_PART_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    LOADING_FIELD_NUMBER: _ClassVar[int]
    REFUSED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    SILENT_SINCE_FIELD_NUMBER: _ClassVar[int]
    DISOBEYS_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: str
    shard: str
    address: str
    port: int
    waiting_for: _containers.RepeatedScalarFieldContainer[str]
    rejected: _containers.ScalarMap[str, str]
    loaded: _containers.RepeatedScalarFieldContainer[str]
    routes: _containers.RepeatedScalarFieldContainer[int]
    since: float
    disconnected: bool
    orphaned: bool
    synced_since: float
    refused_of: int
    unsynced_since: float
    refusals: _containers.RepeatedCompositeFieldContainer[_failure_pb2.Refusal]
    left: bool
    by_tenant: _containers.MessageMap[str, StoredArrears]
    synced_by_tenant: _containers.MessageMap[str, StoredSynced]
    takes_part: bool
    tenants: _containers.RepeatedScalarFieldContainer[str]
    unknown: _containers.RepeatedScalarFieldContainer[str]
    loading: _containers.RepeatedCompositeFieldContainer[_control_plane_pb2.ModelLoading]
    refused_before: _containers.RepeatedCompositeFieldContainer[_failure_pb2.Refusal]
    refused_numbers: _containers.RepeatedScalarFieldContainer[int]
    silent_since: float
    disobeys: bool
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[str] = ..., shard: _Optional[str] = ..., address: _Optional[str] = ..., port: _Optional[int] = ..., waiting_for: _Optional[_Iterable[str]] = ..., rejected: _Optional[_Mapping[str, str]] = ..., loaded: _Optional[_Iterable[str]] = ..., routes: _Optional[_Iterable[int]] = ..., since: _Optional[float] = ..., disconnected: _Optional[bool] = ..., orphaned: _Optional[bool] = ..., synced_since: _Optional[float] = ..., refused_of: _Optional[int] = ..., unsynced_since: _Optional[float] = ..., refusals: _Optional[_Iterable[_Union[_failure_pb2.Refusal, _Mapping]]] = ..., left: _Optional[bool] = ..., by_tenant: _Optional[_Mapping[str, StoredArrears]] = ..., synced_by_tenant: _Optional[_Mapping[str, StoredSynced]] = ..., takes_part: _Optional[bool] = ..., tenants: _Optional[_Iterable[str]] = ..., unknown: _Optional[_Iterable[str]] = ..., loading: _Optional[_Iterable[_Union[_control_plane_pb2.ModelLoading, _Mapping]]] = ..., refused_before: _Optional[_Iterable[_Union[_failure_pb2.Refusal, _Mapping]]] = ..., refused_numbers: _Optional[_Iterable[int]] = ..., silent_since: _Optional[float] = ..., disobeys: _Optional[bool] = ...) -> None: ...

class StoredArrears(_message.Message):
    __slots__ = ("waiting_for", "refusals", "refused_of", "unsynced_since")
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_OF_FIELD_NUMBER: _ClassVar[int]
    UNSYNCED_SINCE_FIELD_NUMBER: _ClassVar[int]
    waiting_for: _containers.RepeatedScalarFieldContainer[str]
    refusals: _containers.RepeatedCompositeFieldContainer[_failure_pb2.Refusal]
    refused_of: int
    unsynced_since: float
    def __init__(self, waiting_for: _Optional[_Iterable[str]] = ..., refusals: _Optional[_Iterable[_Union[_failure_pb2.Refusal, _Mapping]]] = ..., refused_of: _Optional[int] = ..., unsynced_since: _Optional[float] = ...) -> None: ...

class StoredSynced(_message.Message):
    __slots__ = ("version", "at")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    version: int
    at: float
    def __init__(self, version: _Optional[int] = ..., at: _Optional[float] = ...) -> None: ...

class StoredReport(_message.Message):
    __slots__ = ("replica", "heartbeat", "version", "consumers", "seen", "generation", "forked")
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONSUMERS_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    FORKED_FIELD_NUMBER: _ClassVar[int]
    replica: str
    heartbeat: float
    version: int
    consumers: _containers.RepeatedCompositeFieldContainer[StoredConsumer]
    seen: int
    generation: int
    forked: bool
    def __init__(self, replica: _Optional[str] = ..., heartbeat: _Optional[float] = ..., version: _Optional[int] = ..., consumers: _Optional[_Iterable[_Union[StoredConsumer, _Mapping]]] = ..., seen: _Optional[int] = ..., generation: _Optional[int] = ..., forked: _Optional[bool] = ...) -> None: ...

class StoredOutcome(_message.Message):
    __slots__ = ("generation", "unchanged", "on_its_way", "pinned", "left", "version", "content_hash", "request_digest", "warnings", "moves", "replanned", "until", "shift", "answered_from", "shadows")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    ON_ITS_WAY_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    MOVES_FIELD_NUMBER: _ClassVar[int]
    REPLANNED_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FROM_FIELD_NUMBER: _ClassVar[int]
    SHADOWS_FIELD_NUMBER: _ClassVar[int]
    generation: int
    unchanged: bool
    on_its_way: bool
    pinned: _containers.RepeatedScalarFieldContainer[int]
    left: int
    version: int
    content_hash: str
    request_digest: bytes
    warnings: _containers.RepeatedCompositeFieldContainer[_control_plane_pb2.Problem]
    moves: _containers.RepeatedCompositeFieldContainer[_control_plane_pb2.Move]
    replanned: _containers.RepeatedScalarFieldContainer[str]
    until: float
    shift: int
    answered_from: int
    shadows: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, generation: _Optional[int] = ..., unchanged: _Optional[bool] = ..., on_its_way: _Optional[bool] = ..., pinned: _Optional[_Iterable[int]] = ..., left: _Optional[int] = ..., version: _Optional[int] = ..., content_hash: _Optional[str] = ..., request_digest: _Optional[bytes] = ..., warnings: _Optional[_Iterable[_Union[_control_plane_pb2.Problem, _Mapping]]] = ..., moves: _Optional[_Iterable[_Union[_control_plane_pb2.Move, _Mapping]]] = ..., replanned: _Optional[_Iterable[str]] = ..., until: _Optional[float] = ..., shift: _Optional[int] = ..., answered_from: _Optional[int] = ..., shadows: _Optional[_Iterable[str]] = ...) -> None: ...
