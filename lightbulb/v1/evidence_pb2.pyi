from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StoredLatencies(_message.Message):
    __slots__ = ("edges", "counts")
    EDGES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    edges: _containers.RepeatedScalarFieldContainer[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, edges: _Optional[_Iterable[int]] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...

class StoredCounts(_message.Message):
    __slots__ = ("requests", "bad", "latencies", "compared", "disagreed")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    BAD_FIELD_NUMBER: _ClassVar[int]
    LATENCIES_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    DISAGREED_FIELD_NUMBER: _ClassVar[int]
    requests: int
    bad: int
    latencies: StoredLatencies
    compared: int
    disagreed: float
    def __init__(self, requests: _Optional[int] = ..., bad: _Optional[int] = ..., latencies: _Optional[_Union[StoredLatencies, _Mapping]] = ..., compared: _Optional[int] = ..., disagreed: _Optional[float] = ...) -> None: ...

class StoredSum(_message.Message):
    __slots__ = ("sender", "epoch", "candidate", "control")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    sender: str
    epoch: int
    candidate: StoredCounts
    control: StoredCounts
    def __init__(self, sender: _Optional[str] = ..., epoch: _Optional[int] = ..., candidate: _Optional[_Union[StoredCounts, _Mapping]] = ..., control: _Optional[_Union[StoredCounts, _Mapping]] = ...) -> None: ...

class StoredRouteFigures(_message.Message):
    __slots__ = ("route", "counts")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    route: str
    counts: StoredCounts
    def __init__(self, route: _Optional[str] = ..., counts: _Optional[_Union[StoredCounts, _Mapping]] = ...) -> None: ...

class StoredFigures(_message.Message):
    __slots__ = ("epoch", "routes", "reporting", "compared")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    REPORTING_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    routes: _containers.RepeatedCompositeFieldContainer[StoredRouteFigures]
    reporting: int
    compared: _containers.RepeatedCompositeFieldContainer[StoredCompared]
    def __init__(self, epoch: _Optional[int] = ..., routes: _Optional[_Iterable[_Union[StoredRouteFigures, _Mapping]]] = ..., reporting: _Optional[int] = ..., compared: _Optional[_Iterable[_Union[StoredCompared, _Mapping]]] = ...) -> None: ...

class StoredCompared(_message.Message):
    __slots__ = ("teller", "objective", "primary", "candidate", "pairs", "disagreement", "epoch")
    TELLER_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    DISAGREEMENT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    teller: str
    objective: str
    primary: str
    candidate: str
    pairs: int
    disagreement: float
    epoch: int
    def __init__(self, teller: _Optional[str] = ..., objective: _Optional[str] = ..., primary: _Optional[str] = ..., candidate: _Optional[str] = ..., pairs: _Optional[int] = ..., disagreement: _Optional[float] = ..., epoch: _Optional[int] = ...) -> None: ...

class StoredTally(_message.Message):
    __slots__ = ("total", "bad")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    BAD_FIELD_NUMBER: _ClassVar[int]
    total: int
    bad: float
    def __init__(self, total: _Optional[int] = ..., bad: _Optional[float] = ...) -> None: ...

class StoredPair(_message.Message):
    __slots__ = ("candidate", "control")
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    candidate: StoredTally
    control: StoredTally
    def __init__(self, candidate: _Optional[_Union[StoredTally, _Mapping]] = ..., control: _Optional[_Union[StoredTally, _Mapping]] = ...) -> None: ...

class StoredBets(_message.Message):
    __slots__ = ("log_evidence", "log_peak", "parts", "intervals", "pair", "sample", "learning", "threshold", "catastrophe")
    LOG_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    LOG_PEAK_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    INTERVALS_FIELD_NUMBER: _ClassVar[int]
    PAIR_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    LEARNING_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    CATASTROPHE_FIELD_NUMBER: _ClassVar[int]
    log_evidence: float
    log_peak: float
    parts: _containers.RepeatedScalarFieldContainer[float]
    intervals: int
    pair: StoredPair
    sample: int
    learning: StoredLatencies
    threshold: int
    catastrophe: StoredPair
    def __init__(self, log_evidence: _Optional[float] = ..., log_peak: _Optional[float] = ..., parts: _Optional[_Iterable[float]] = ..., intervals: _Optional[int] = ..., pair: _Optional[_Union[StoredPair, _Mapping]] = ..., sample: _Optional[int] = ..., learning: _Optional[_Union[StoredLatencies, _Mapping]] = ..., threshold: _Optional[int] = ..., catastrophe: _Optional[_Union[StoredPair, _Mapping]] = ...) -> None: ...

class StoredEvidence(_message.Message):
    __slots__ = ("format", "shift", "step", "bets", "blind", "reporting", "live", "sums", "forgotten")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    BETS_FIELD_NUMBER: _ClassVar[int]
    BLIND_FIELD_NUMBER: _ClassVar[int]
    REPORTING_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    SUMS_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    format: int
    shift: int
    step: int
    bets: _containers.RepeatedCompositeFieldContainer[StoredBets]
    blind: int
    reporting: int
    live: int
    sums: _containers.RepeatedCompositeFieldContainer[StoredSum]
    forgotten: bool
    def __init__(self, format: _Optional[int] = ..., shift: _Optional[int] = ..., step: _Optional[int] = ..., bets: _Optional[_Iterable[_Union[StoredBets, _Mapping]]] = ..., blind: _Optional[int] = ..., reporting: _Optional[int] = ..., live: _Optional[int] = ..., sums: _Optional[_Iterable[_Union[StoredSum, _Mapping]]] = ..., forgotten: _Optional[bool] = ...) -> None: ...
