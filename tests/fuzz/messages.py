"""Decoders of what comes over the wire: ADS, resources, requests, answers, tensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from google.protobuf.message import DecodeError

from controlplane.xds.nodes import has_seen, identify
from lightbulb.ads import wire
from lightbulb.ads.loads import MAX_LOADS, ModelLoad, loads_of, progress_request
from lightbulb.ads.messages import DeltaRequest, DeltaResponse
from lightbulb.ads.server.delta import DeltaSession
from lightbulb.ads.server.snapshot import make_resource
from lightbulb.ads.server.sotw import SotwSession
from lightbulb.ads.server.tracks import SessionLimits, TooManyNames
from lightbulb.ads.values import CLUSTER, ENDPOINTS, OBJECTIVE_TABLES, BadNode, CommitStamp, Node
from lightbulb.client.replies import read_answer, read_outcomes
from lightbulb.errors import LightbulbError
from lightbulb.host.errors import BadInput
from lightbulb.host.tensors import inputs_of, outputs_wanted, parameters_of
from lightbulb.host.workflow import DTYPES, TensorSpec
from lightbulb.model import (
    DEFAULT_TENANT,
    NO_GENERATION,
    ActiveGeneration,
    HeldBack,
    ModelAssignment,
    ObjectiveControl,
    ObjectiveTable,
    OperatorShift,
    RequestContext,
    SidecarState,
)
from lightbulb.oip import open_inference_pb2 as oip
from lightbulb.resolution import codec
from lightbulb.resolution.codec import Malformed
from lightbulb.resolution.resolve import OverrideNotPermitted, Resolver
from lightbulb.rpc.answer import Query
from lightbulb.rpc.messages import answer_to_proto, request_to_proto
from lightbulb.service.responder import Responder
from lightbulb.tables.values import Tables, Timeline
from lightbulb.v1 import lightbulb_pb2 as pb
from tests.ads.worlds import fleet
from tests.fuzz.decoder import Decoder, refusing, round_trip
from tests.lightbulb.tables import OBJECTIVE, TABLE, tables_to_bytes

STAMP = CommitStamp("store", 7)
SNAPSHOT = fleet({"Ranking": ["a", "b"]})
LIMITS = SessionLimits(ack_seconds=15.0, asking_seconds=10.0)
NODES = (
    Node(id="s", cluster="c", metadata={"kind": "sidecar", "listen_port": "8080", "fence": "store:7"}),
    Node(
        id="h", metadata={"kind": "host", "shard": "a", "address": "10.0.0.1", "port": "9", "memory_mib": "1"}
    ),
    Node(id="l", metadata={"kind": "lightbulb"}),
)
CONTEXTS = (
    RequestContext(user_id="u"),
    RequestContext(
        user_id="ü" * 20,
        country="US",
        device="tv",
        locale="en",
        surface="kids",
        attributes={"a": 1, "b": 0.5, "beta": True, "app_version": "5.0.0-rc.1", "tags": ("a", 1, True)},
        allocations={"12345": 2},
    ),
)

LOADS = (ModelLoad(model="m@1", seconds=40.5, fraction=0.35, text="part 7"),)


def messages() -> Iterator[Decoder]:
    """Give the decoders."""
    yield from _ads()
    yield from _resources()
    yield from _resolving()
    yield _tensors()


def _ads() -> Iterator[Decoder]:
    requests = [
        wire.encode_delta_request(DeltaRequest(type_url=CLUSTER, node=node, subscribe=("*", "a"), nonce="3"))
        for node in NODES
    ]
    more = DeltaRequest(
        type_url=ENDPOINTS, initial_versions={"a": "1", "b": "2"}, nonce="n", error="no", refused={"a": "b"}
    )
    yield Decoder(
        name="ads-delta-request",
        samples=(*requests, *map(wire.encode_delta_request, (more, progress_request(LOADS)))),
        read=refusing(_take_delta_request, DecodeError, BadNode, TooManyNames),
    )
    yield Decoder(
        name="ads-sotw-request",
        samples=tuple(requests),
        read=refusing(_take_sotw_request, DecodeError, BadNode, TooManyNames),
    )
    response = DeltaResponse(
        type_url=OBJECTIVE_TABLES,
        nonce="5",
        resources=(make_resource("a", b"body"), make_resource("", b"")),
        removed=("x", "y"),
        stamp=str(STAMP),
    )
    yield Decoder(
        name="ads-delta-response",
        samples=(wire.encode_delta_response(response),),
        read=round_trip(_read_response, wire.encode_delta_response, DecodeError),
    )
    yield _node()


def _node() -> Decoder:
    """A node's metadata alone: values that a NUL ends."""
    keys = ("kind", "shard", "address", "port", "listen_address", "listen_port", "fence")

    def read(data: bytes) -> None:
        values = data.decode(errors="replace").split("\0")
        _check_node(Node(id="n", metadata=dict(zip(keys, values, strict=False))))

    samples = (b"host\0a\x0010.0.0.1\x009\0::1\x008080\0store:7", b"sidecar\0\0::1\x000\x00127.0.0.1\x000\0")
    return Decoder(name="node", samples=samples, read=refusing(read, BadNode))


def _read_response(data: bytes) -> DeltaResponse:
    """Read what can be written: what isn't of the response's type is told of alone."""
    return replace(wire.decode_delta_response(data), unreadable={})


_read_request = round_trip(wire.decode_delta_request, wire.encode_delta_request)


def _take_delta_request(data: bytes) -> None:
    """Do with a first request what a stream does with it, as it is and as its own answer to ours."""
    request = _read_request(data)
    assert isinstance(request, DeltaRequest)
    assert len(loads_of(request)) <= MAX_LOADS
    session = DeltaSession(SNAPSHOT, LIMITS)
    sent = session.on_request(request, 0.0)
    for each in sent:
        wire.encode_delta_response(each)
        session.on_request(replace(request, nonce=each.nonce), 1.0)
    session.on_tick(100.0)
    _check_node(request.node)


def _take_sotw_request(data: bytes) -> None:
    request = wire.decode_sotw_request(data)
    session = SotwSession(SNAPSHOT, LIMITS)
    for each in session.on_request(request, 0.0):
        wire.encode_sotw_response(each)
        session.on_request(replace(request, nonce=each.nonce, version=each.version), 1.0)
    _check_node(request.node)


def _check_node(node: Node | None) -> None:
    if node is not None:
        with suppress(BadNode):
            identify(node)
        has_seen(STAMP, node)


def _resources() -> Iterator[Decoder]:
    yield Decoder(
        name="table",
        samples=(codec.table_to_bytes(TABLE),),
        read=refusing(_take_table, Malformed),
    )
    yield Decoder(
        name="objective-tables",
        samples=(tables_to_bytes(TABLE),),
        read=round_trip(codec.objective_tables_from_bytes, codec.objective_tables_to_bytes, Malformed),
    )
    generation = ActiveGeneration(number=7, content_hash="ab", fence=9, store="s", oldest=5)
    yield Decoder(
        name="active-generation",
        samples=(codec.generation_to_bytes(generation),),
        read=round_trip(codec.generation_from_bytes, codec.generation_to_bytes, Malformed),
    )
    states = (SidecarState(generation=7), SidecarState(generation=NO_GENERATION))
    yield Decoder(
        name="sidecar-state",
        samples=tuple(map(codec.sidecar_state_to_bytes, states)),
        read=round_trip(codec.sidecar_state_from_bytes, codec.sidecar_state_to_bytes, Malformed),
    )
    shift = OperatorShift(number=7, key="Ranking|m|1", basis_points=500, salt="shift:Ranking:m@1")
    nothing = ObjectiveControl(objective="R", version=7)
    controls = (
        nothing,
        replace(nothing, shift=shift),
        replace(nothing, held_back=HeldBack(rejected=4, answer_from=3)),
    )
    yield Decoder(
        name="objective-control",
        samples=tuple(map(codec.control_to_bytes, controls)),
        read=round_trip(codec.control_from_bytes, codec.control_to_bytes, Malformed),
    )
    model = ModelAssignment(name="m", version="1", memory_mib=9, facts=("f", "g"), depends_on=("n@2",))
    slow = ModelAssignment(name="m", version="1", memory_mib=9, load_timeout=90.5)
    yield Decoder(
        name="model-assignment",
        samples=tuple(map(codec.assignment_to_bytes, (model, slow))),
        read=round_trip(codec.assignment_from_bytes, codec.assignment_to_bytes, Malformed),
    )


_read_table = round_trip(codec.table_from_bytes, codec.table_to_bytes)


def _take_table(data: bytes) -> None:
    """Read a table, and answer from it: what compares what can't be compared says so before that."""
    table = _read_table(data)
    assert isinstance(table, ObjectiveTable)
    try:
        resolver = Resolver(table)
    except ValueError:
        return
    for context in CONTEXTS:
        steps: list[object] = []
        answer = resolver.resolve(context)
        assert resolver.resolve(context, steps=steps) is answer
        with suppress(OverrideNotPermitted):
            resolver.resolve(context, override="cell-2", client="lab")


def _resolving() -> Iterator[Decoder]:
    tables = Tables(
        objectives={OBJECTIVE: Timeline((0,), (Resolver(TABLE),))},
        sidecars={"late": SidecarState(generation=3)},
        generations={DEFAULT_TENANT: ActiveGeneration(number=7, content_hash="h")},
    )
    respond = Responder(lambda: tables)
    queries = [
        *(Query(objective=OBJECTIVE, context=context, explain=True) for context in CONTEXTS),
        Query(objective=OBJECTIVE, context=CONTEXTS[0], override_model="cell-2"),
        Query(objective="Nobody", context=CONTEXTS[1]),
    ]
    alone = [request_to_proto(query, "lab", "late").SerializeToString() for query in queries]
    requests = [request_to_proto(query, "lab") for query in queries]
    batch = pb.BatchResolveRequest(requests=requests).SerializeToString()
    answers = tuple(map(respond.resolve, alone[:3]))
    yield Decoder(
        name="resolve-request", samples=tuple(alone), read=refusing(respond.resolve, LightbulbError)
    )
    yield Decoder(
        name="batch-resolve-request", samples=(batch,), read=refusing(respond.batch_resolve, LightbulbError)
    )
    yield Decoder(
        name="resolve-response",
        samples=answers,
        read=round_trip(
            read_answer, lambda answer: answer_to_proto(answer).SerializeToString(), LightbulbError
        ),
    )
    yield Decoder(
        name="batch-resolve-response",
        samples=(respond.batch_resolve(batch), pb.BatchResolveResponse().SerializeToString()),
        read=refusing(lambda data: read_outcomes(data, len(queries)), LightbulbError),
    )


def _tensors() -> Decoder:
    specs = [TensorSpec(name=name.lower(), datatype=name, shape=(-1,), optional=True) for name in DTYPES]
    specs += [TensorSpec(name="table", datatype="FP32", shape=(-1, 3), optional=True)]
    typed = oip.ModelInferRequest(model_name="m", model_version="1", id="7")
    typed.parameters["p"].int64_param = 3
    typed.outputs.add(name="fp32")
    for name, field, values in (
        ("int8", "int_contents", [1, -1]),
        ("uint64", "uint64_contents", [2**64 - 1]),
        ("fp32", "fp32_contents", [0.5, 1.0]),
        ("bytes", "bytes_contents", [b"", b"text"]),
        ("bool", "bool_contents", [True]),
    ):
        tensor = typed.inputs.add(name=name, datatype=name.upper(), shape=[len(values)])
        getattr(tensor.contents, field).extend(values)
    raw = oip.ModelInferRequest(raw_input_contents=[b"\0" * 24, b"\1\0\0\0a\0\0\0\0"])
    raw.inputs.add(name="table", datatype="FP32", shape=[2, 3])
    raw.inputs.add(name="bytes", datatype="BYTES", shape=[2])

    def read(data: bytes) -> None:
        request = oip.ModelInferRequest.FromString(data)
        parameters_of(request.parameters)
        outputs_wanted(request, specs)
        for name, values in inputs_of(request, specs).items():
            assert values.nbytes <= 8 * len(data), name
            values.tolist()

    samples = (typed.SerializeToString(), raw.SerializeToString())
    return Decoder(name="infer-request", samples=samples, read=refusing(read, DecodeError, BadInput))
