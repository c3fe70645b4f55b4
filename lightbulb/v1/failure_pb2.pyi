from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FailureKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_KIND_UNSPECIFIED: _ClassVar[FailureKind]
    FAILURE_KIND_REFUSED: _ClassVar[FailureKind]
    FAILURE_KIND_DEADLINE: _ClassVar[FailureKind]
    FAILURE_KIND_SUPERSEDED: _ClassVar[FailureKind]
    FAILURE_KIND_OVERTAKEN: _ClassVar[FailureKind]
    FAILURE_KIND_NO_ROOM: _ClassVar[FailureKind]
FAILURE_KIND_UNSPECIFIED: FailureKind
FAILURE_KIND_REFUSED: FailureKind
FAILURE_KIND_DEADLINE: FailureKind
FAILURE_KIND_SUPERSEDED: FailureKind
FAILURE_KIND_OVERTAKEN: FailureKind
FAILURE_KIND_NO_ROOM: FailureKind

class Refusal(_message.Message):
    __slots__ = ("consumer_kind", "consumer_id", "resource_type", "resource", "reason")
    CONSUMER_KIND_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    consumer_kind: str
    consumer_id: str
    resource_type: str
    resource: str
    reason: str
    def __init__(self, consumer_kind: _Optional[str] = ..., consumer_id: _Optional[str] = ..., resource_type: _Optional[str] = ..., resource: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Laggard(_message.Message):
    __slots__ = ("consumer_kind", "consumer_id", "shard", "resource_types", "disconnected")
    CONSUMER_KIND_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_ID_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_TYPES_FIELD_NUMBER: _ClassVar[int]
    DISCONNECTED_FIELD_NUMBER: _ClassVar[int]
    consumer_kind: str
    consumer_id: str
    shard: str
    resource_types: _containers.RepeatedScalarFieldContainer[str]
    disconnected: bool
    def __init__(self, consumer_kind: _Optional[str] = ..., consumer_id: _Optional[str] = ..., shard: _Optional[str] = ..., resource_types: _Optional[_Iterable[str]] = ..., disconnected: _Optional[bool] = ...) -> None: ...

class Missing(_message.Message):
    __slots__ = ("refusals", "laggards", "more")
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    LAGGARDS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    refusals: _containers.RepeatedCompositeFieldContainer[Refusal]
    laggards: _containers.RepeatedCompositeFieldContainer[Laggard]
    more: int
    def __init__(self, refusals: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ..., laggards: _Optional[_Iterable[_Union[Laggard, _Mapping]]] = ..., more: _Optional[int] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("kind", "missing", "seconds", "superseded_by", "rollback")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDED_BY_FIELD_NUMBER: _ClassVar[int]
    ROLLBACK_FIELD_NUMBER: _ClassVar[int]
    kind: FailureKind
    missing: Missing
    seconds: float
    superseded_by: int
    rollback: bool
    def __init__(self, kind: _Optional[_Union[FailureKind, str]] = ..., missing: _Optional[_Union[Missing, _Mapping]] = ..., seconds: _Optional[float] = ..., superseded_by: _Optional[int] = ..., rollback: _Optional[bool] = ...) -> None: ...
