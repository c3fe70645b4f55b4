import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from lightbulb.v1 import table_pb2 as _table_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_OVERRIDE: _ClassVar[Reason]
    REASON_AB_TEST: _ClassVar[Reason]
    REASON_CONTEXT: _ClassVar[Reason]
    REASON_SHIFT: _ClassVar[Reason]
    REASON_DEFAULT: _ClassVar[Reason]
REASON_UNSPECIFIED: Reason
REASON_OVERRIDE: Reason
REASON_AB_TEST: Reason
REASON_CONTEXT: Reason
REASON_SHIFT: Reason
REASON_DEFAULT: Reason

class RequestContext(_message.Message):
    __slots__ = ("user_id", "country", "device", "locale", "surface", "attributes", "allocations")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _table_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_table_pb2.Value, _Mapping]] = ...) -> None: ...
    class AllocationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    LOCALE_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ALLOCATIONS_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    country: str
    device: str
    locale: str
    surface: str
    attributes: _containers.MessageMap[str, _table_pb2.Value]
    allocations: _containers.ScalarMap[str, int]
    def __init__(self, user_id: _Optional[str] = ..., country: _Optional[str] = ..., device: _Optional[str] = ..., locale: _Optional[str] = ..., surface: _Optional[str] = ..., attributes: _Optional[_Mapping[str, _table_pb2.Value]] = ..., allocations: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ResolveRequest(_message.Message):
    __slots__ = ("objective", "context", "override_model", "client", "explain", "sidecar")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_MODEL_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    SIDECAR_FIELD_NUMBER: _ClassVar[int]
    objective: str
    context: RequestContext
    override_model: str
    client: str
    explain: bool
    sidecar: str
    def __init__(self, objective: _Optional[str] = ..., context: _Optional[_Union[RequestContext, _Mapping]] = ..., override_model: _Optional[str] = ..., client: _Optional[str] = ..., explain: _Optional[bool] = ..., sidecar: _Optional[str] = ...) -> None: ...

class Allocation(_message.Message):
    __slots__ = ("test_id", "cell")
    TEST_ID_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    test_id: str
    cell: int
    def __init__(self, test_id: _Optional[str] = ..., cell: _Optional[int] = ...) -> None: ...

class ObjectiveConfig(_message.Message):
    __slots__ = ("objective", "model", "model_version", "model_type", "input_type", "parameters", "allocations")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _table_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_table_pb2.Value, _Mapping]] = ...) -> None: ...
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    INPUT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ALLOCATIONS_FIELD_NUMBER: _ClassVar[int]
    objective: str
    model: str
    model_version: str
    model_type: str
    input_type: str
    parameters: _containers.MessageMap[str, _table_pb2.Value]
    allocations: _containers.RepeatedCompositeFieldContainer[Allocation]
    def __init__(self, objective: _Optional[str] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., model_type: _Optional[str] = ..., input_type: _Optional[str] = ..., parameters: _Optional[_Mapping[str, _table_pb2.Value]] = ..., allocations: _Optional[_Iterable[_Union[Allocation, _Mapping]]] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("stage", "source", "decided", "detail")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    stage: Reason
    source: _table_pb2.Source
    decided: bool
    detail: str
    def __init__(self, stage: _Optional[_Union[Reason, str]] = ..., source: _Optional[_Union[_table_pb2.Source, _Mapping]] = ..., decided: _Optional[bool] = ..., detail: _Optional[str] = ...) -> None: ...

class ResolveResponse(_message.Message):
    __slots__ = ("routing_key", "objective_config", "generation", "cache_lifetime", "reason", "deadline", "steps", "tests", "arm", "held_back")
    ROUTING_KEY_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_CONFIG_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CACHE_LIFETIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TESTS_FIELD_NUMBER: _ClassVar[int]
    ARM_FIELD_NUMBER: _ClassVar[int]
    HELD_BACK_FIELD_NUMBER: _ClassVar[int]
    routing_key: str
    objective_config: ObjectiveConfig
    generation: int
    cache_lifetime: _duration_pb2.Duration
    reason: Reason
    deadline: _duration_pb2.Duration
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    tests: _containers.RepeatedScalarFieldContainer[str]
    arm: str
    held_back: _table_pb2.HeldBack
    def __init__(self, routing_key: _Optional[str] = ..., objective_config: _Optional[_Union[ObjectiveConfig, _Mapping]] = ..., generation: _Optional[int] = ..., cache_lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[_Union[Reason, str]] = ..., deadline: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., tests: _Optional[_Iterable[str]] = ..., arm: _Optional[str] = ..., held_back: _Optional[_Union[_table_pb2.HeldBack, _Mapping]] = ...) -> None: ...

class BatchResolveRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[ResolveRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[ResolveRequest, _Mapping]]] = ...) -> None: ...

class ResolveError(_message.Message):
    __slots__ = ("code", "message", "reason", "field", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    reason: str
    field: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., reason: _Optional[str] = ..., field: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class BatchResolveResult(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: ResolveResponse
    error: ResolveError
    def __init__(self, response: _Optional[_Union[ResolveResponse, _Mapping]] = ..., error: _Optional[_Union[ResolveError, _Mapping]] = ...) -> None: ...

class BatchResolveResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchResolveResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchResolveResult, _Mapping]]] = ...) -> None: ...

class GetFreshnessRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetFreshnessResponse(_message.Message):
    __slots__ = ("generation", "connected", "age")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    generation: int
    connected: bool
    age: _duration_pb2.Duration
    def __init__(self, generation: _Optional[int] = ..., connected: _Optional[bool] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
