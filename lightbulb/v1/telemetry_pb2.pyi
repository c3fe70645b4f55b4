import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TellComparedRequest(_message.Message):
    __slots__ = ("teller", "epoch", "compared")
    TELLER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    teller: str
    epoch: int
    compared: _containers.RepeatedCompositeFieldContainer[ComparedAnswers]
    def __init__(self, teller: _Optional[str] = ..., epoch: _Optional[int] = ..., compared: _Optional[_Iterable[_Union[ComparedAnswers, _Mapping]]] = ...) -> None: ...

class TellComparedResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ComparedAnswers(_message.Message):
    __slots__ = ("objective", "primary", "candidate", "pairs", "disagreement")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    DISAGREEMENT_FIELD_NUMBER: _ClassVar[int]
    objective: str
    primary: str
    candidate: str
    pairs: int
    disagreement: float
    def __init__(self, objective: _Optional[str] = ..., primary: _Optional[str] = ..., candidate: _Optional[str] = ..., pairs: _Optional[int] = ..., disagreement: _Optional[float] = ...) -> None: ...

class FiguresRequest(_message.Message):
    __slots__ = ("node_id", "routes")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    routes: _containers.RepeatedCompositeFieldContainer[RouteFigures]
    def __init__(self, node_id: _Optional[str] = ..., routes: _Optional[_Iterable[_Union[RouteFigures, _Mapping]]] = ...) -> None: ...

class FiguresResponse(_message.Message):
    __slots__ = ("routes", "interval")
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    routes: _containers.RepeatedScalarFieldContainer[str]
    interval: _duration_pb2.Duration
    def __init__(self, routes: _Optional[_Iterable[str]] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RouteFigures(_message.Message):
    __slots__ = ("route", "ends", "durations")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    ENDS_FIELD_NUMBER: _ClassVar[int]
    DURATIONS_FIELD_NUMBER: _ClassVar[int]
    route: str
    ends: _containers.RepeatedCompositeFieldContainer[EndCount]
    durations: _containers.RepeatedCompositeFieldContainer[DurationBin]
    def __init__(self, route: _Optional[str] = ..., ends: _Optional[_Iterable[_Union[EndCount, _Mapping]]] = ..., durations: _Optional[_Iterable[_Union[DurationBin, _Mapping]]] = ...) -> None: ...

class EndCount(_message.Message):
    __slots__ = ("grpc_status", "flags", "requests")
    GRPC_STATUS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    grpc_status: str
    flags: str
    requests: int
    def __init__(self, grpc_status: _Optional[str] = ..., flags: _Optional[str] = ..., requests: _Optional[int] = ...) -> None: ...

class DurationBin(_message.Message):
    __slots__ = ("microseconds", "requests")
    MICROSECONDS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    microseconds: int
    requests: int
    def __init__(self, microseconds: _Optional[int] = ..., requests: _Optional[int] = ...) -> None: ...

class GetFiguresRequest(_message.Message):
    __slots__ = ("objective",)
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    objective: str
    def __init__(self, objective: _Optional[str] = ...) -> None: ...

class GetFiguresResponse(_message.Message):
    __slots__ = ("shift", "arms", "reporting", "interval")
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    ARMS_FIELD_NUMBER: _ClassVar[int]
    REPORTING_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    shift: int
    arms: _containers.RepeatedCompositeFieldContainer[ArmFigures]
    reporting: int
    interval: _duration_pb2.Duration
    def __init__(self, shift: _Optional[int] = ..., arms: _Optional[_Iterable[_Union[ArmFigures, _Mapping]]] = ..., reporting: _Optional[int] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ArmFigures(_message.Message):
    __slots__ = ("arm", "requests", "bad", "durations")
    ARM_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    BAD_FIELD_NUMBER: _ClassVar[int]
    DURATIONS_FIELD_NUMBER: _ClassVar[int]
    arm: str
    requests: int
    bad: int
    durations: _containers.RepeatedCompositeFieldContainer[DurationBin]
    def __init__(self, arm: _Optional[str] = ..., requests: _Optional[int] = ..., bad: _Optional[int] = ..., durations: _Optional[_Iterable[_Union[DurationBin, _Mapping]]] = ...) -> None: ...
