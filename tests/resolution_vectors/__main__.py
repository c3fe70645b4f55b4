"""Write resolution.json: tables, requests, and what each is answered; `--check` says whether it is current.

The tables and requests stand here; the answers are a Responder's, which is what a Lightbulb answers with.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from google.protobuf.json_format import MessageToDict

from lightbulb.ads.client.session import Update
from lightbulb.ads.values import Resource
from lightbulb.errors import LightbulbError
from lightbulb.model import (
    NO_GENERATION,
    AbRule,
    ActiveGeneration,
    All,
    AmongUsers,
    AnyOf,
    AttributeValue,
    Cell,
    Comparison,
    Condition,
    ContextRule,
    GuardTerms,
    HeldBack,
    InSegment,
    ModelTarget,
    Not,
    ObjectiveControl,
    ObjectiveTable,
    ObjectiveTables,
    Operator,
    OperatorShift,
    OverrideRule,
    Probation,
    Schedule,
    Segment,
    ShiftRule,
    SidecarState,
    Source,
    TableSince,
    Value,
    routing_key,
)
from lightbulb.resolution import codec
from lightbulb.resolution.allocate import HASH, UNSIGNED, bucket, salt_prefix
from lightbulb.rpc.status import error_to_proto
from lightbulb.service.responder import Responder
from lightbulb.tables.feed import TYPES, Feed
from lightbulb.v1 import lightbulb_pb2 as pb
from lightbulb.v1 import table_pb2

FILE = Path(__file__).resolve().parents[2] / "protos" / "vectors" / "resolution.json"
USERS = [f"user-{number}" for number in range(12)] + ["Zoë", "用户", "🎬", "a" * 256, "a:b", " ", "0"]
SHARES = (0, 1, 100, 1_000, 2_500, 5_000, 7_500, 9_900, 9_999, 10_000)

Operand = tuple[tuple[Value, ...], tuple[AttributeValue, ...]]
"""What a rule compares with, and attributes to compare."""

ANYTHING: tuple[AttributeValue, ...] = (
    "",
    "a",
    "true",
    "1",
    True,
    False,
    0,
    1,
    -0.0,
    1.5,
    (),
    ("a",),
    (1, True),
)
TEXTS = ("a", "A", "ab", "ba", "bab", "ß", "SS", "\u017f", "İ", "i̇", "é", "e\u0301", "🎬a", "a\x00")
NUMBERS = (0, 1, 2, 1.0, 1.5, -1, 2**53, 2**53 + 1, 2**53 * 1.0, -(2**63), 2**63 - 1, 1e308, 5e-324)
VERSIONS = (
    *(
        "1.2.3",
        "v1.2.3",
        "V1.2.3",
        "1.2",
        "1",
        "1.2.3-rc.1",
        "1.2.3-rc.2",
        "1.2.3-rc.10",
        "1.2.3-rc",
        "1.2.3-1",
        "1.2.3+x",
    ),
    *(
        "1.2.4",
        "1.3.0",
        "2.0.0",
        "1.02.3",
        "1.2.3-01",
        "1.2.3-",
        "1.2.3.4",
        " 1.2.3",
        "0.0.3",
        "0.0.4",
        "99999999999.0.0",
    ),
)
DATES = (
    *("2026-01-31", "2026-01-30", "2026-02-01", "2026-01-31T00:00:00Z", "2026-01-31T00:00:00.000000001Z"),
    *(
        "2026-01-31 00:00:00z",
        "2026-01-31T00:30:00+01:00",
        "2026-01-30T23:30:00-01:00",
        "2026-01-30T23:59:60Z",
    ),
    *("2026-01-31T00:00:00", "2026-02-30", "2026-1-31", "0000-01-01", "9999-12-31", "2026-01-31T24:00:00Z"),
)
ADDRESSES = (
    *(
        "10.0.0.1",
        "11.0.0.1",
        "::ffff:10.0.0.1",
        "2001:db8::1",
        "2001:DB8:0::1",
        "::1",
        "10.0.0",
        "010.0.0.1",
    ),
    *("10.0.0.1/8", "fe80::1%eth0", "10.0.0.256"),
)
LISTS: tuple[AttributeValue, ...] = (
    ("a", "b"),
    ("b",),
    ("a", "a"),
    (1,),
    (1.0,),
    (True,),
    ("1",),
    (1, "a", True),
)


def operands(operator: Operator) -> Sequence[Operand]:  # noqa: C901, PLR0911 - a flat match
    """Return what an operator is tried with."""
    name = operator.name
    if operator is Operator.EXISTS:
        return [((), ())]
    if operator is Operator.IN:
        return [(("a", "ß"), TEXTS), ((1, 2**53, 0.5), NUMBERS), ((True, "1", ""), ())]
    if operator is Operator.MATCHES:
        return [(("^a+b?$", r"\d{2}"), ("a", "aab", "A", "x12", "١٢", "a\n")), ((".",), ("\n", "🎬"))]
    if operator in (Operator.BEFORE, Operator.AFTER):
        return [(("2026-01-31",), DATES), (("2026-01-31T00:00:00.5+00:00",), DATES[:5])]
    if operator is Operator.IN_NETWORK:
        return [(("10.0.0.0/8", "2001:db8::/32", "fe80::/10"), ADDRESSES), (("::1", "11.0.0.1"), ADDRESSES)]
    if operator in (Operator.HAS_ANY, Operator.HAS_ALL):
        return [(("a", "b"), LISTS), ((1, True), LISTS)]
    if name.startswith("SIZE"):
        return [((1,), LISTS)]
    if name.startswith(("VERSION", "SEMVER")):
        return [
            (("1.2.3",), VERSIONS),
            (("0.0.3",), ("0.0.3", "0.0.4", "0.1.0")),
            (("1.2.3-rc.2",), VERSIONS[:9]),
        ]
    if operator in (Operator.LT, Operator.LE, Operator.GT, Operator.GE):
        return [((1,), NUMBERS), ((2.0**53,), NUMBERS)]
    return [(("a", "ss"), TEXTS)]


def source(rule: str) -> Source:
    return Source(rule=rule, file="rules.js", line=1)


def target(objective: str, name: str, version: str = "1", **parameters: Value) -> ModelTarget:
    key = routing_key(objective, name, version)
    return ModelTarget(
        name=name, version=version, type="SCORER", input_type="T", routing_key=key, parameters=parameters
    )


def table(objective: str, *models: str, **rules: object) -> ObjectiveTable:
    """Return a table whose default is its first model; the others are at their places from 1."""
    return ObjectiveTable(
        objective=objective,
        input_type="T",
        cache_lifetime=60.0,
        deadline=0.25,
        models=tuple(target(objective, *name.split("@")) for name in ("default", *models)),
        default_model=0,
        default_source=source("default"),
        **rules,  # type: ignore[arg-type]
    )


def limited(objective: str, *limits: int, **rules: object) -> ObjectiveTable:
    """Return a table of a default and a model `next`, which stands there once for each further limit."""
    made = table(objective, *("next" for _ in limits[1:]), **rules)
    models = zip(made.models, limits, strict=True)
    return replace(made, models=tuple(replace(each, parameters={"limit": limit}) for each, limit in models))


def matched(objective: str, *conditions: Condition, segments: tuple[Segment, ...] = ()) -> ObjectiveTable:
    """Return a table with a model for each condition."""
    rules = tuple(
        ContextRule(source=source("context"), when=when, model=number)
        for number, when in enumerate(conditions, start=1)
    )
    names = [f"met-{number}" for number in range(1, len(rules) + 1)]
    return table(objective, *names, context_rules=rules, segments=segments)


def test(test_id: str, *ends: int, **rest: object) -> AbRule:
    cells = tuple(Cell(number=n, end=end, model=n) for n, end in enumerate(ends, start=1))
    return AbRule(source=source("test"), test_id=test_id, salt=f"ab:{test_id}", cells=cells, **rest)  # type: ignore[arg-type]


def shift(share: int, model: int = 1, salt: str = "s", **rest: object) -> ShiftRule:
    return ShiftRule(source=source("shift"), salt=salt, basis_points=share, model=model, **rest)  # type: ignore[arg-type]


def among(attribute: str, *values: Value) -> Comparison:
    return Comparison(attribute=attribute, operator=Operator.IN, values=values)


US, TV = among("country", "US"), among("device", "tv")
GUARDS = GuardTerms(guards=("errors:1%",), alpha=0.01, interval=10.0, min_sample=100)
SEGMENTS = (Segment(name="us", when=US), Segment(name="us-tv", when=All((InSegment("us"), TV))))
OPERATED = ("operated", "operated-by-rules", "operated-as-default", "operated-first")
CELLS = (1, 3_400, 6_700, 10_000)


def tables() -> Iterator[ObjectiveTable]:
    """Yield the tables that are the same in every generation."""
    yield table("default")
    for operator in Operator:
        for number, (values, _) in enumerate(operands(operator)):
            yield matched(
                f"{operator.name}-{number}", Comparison(attribute="x", operator=operator, values=values)
            )
    yield matched("field", *(among(name, "x", "") for name in ("country", "device", "locale", "surface")))
    yield matched("nested", All((US, Not(TV))), AnyOf((TV, AmongUsers(frozenset(USERS[:2])))), AnyOf(()))
    yield matched("not", Not(among("x", "a")))
    yield matched("all-of-nothing", All(()))
    yield matched("segments", InSegment("us-tv"), Not(InSegment("us")), segments=SEGMENTS)
    models = ("m1", "m2", "m3", "m4", "m5")
    yield table("test", *models, ab_rules=(test("1", *CELLS),))
    yield table("test-eligible", *models, ab_rules=(test("1", *CELLS, eligible=US),))
    yield table(
        "test-unit", *models, ab_rules=(test("1", *CELLS, unit="session"),), shifts=(shift(5_000, 5),)
    )
    layer = {"layer_salt": "layer:l"}
    halves = (
        test("1", 10_000, layer_begin=0, layer_end=5_000, **layer),
        test("2", 5_000, 10_000, layer_begin=5_000, layer_end=9_000, **layer),
    )
    yield table("layer", *models, ab_rules=halves)
    for share in SHARES:
        yield table(f"shift-{share}", "next", shifts=(shift(share),))
    yield table("shift-when", "a", "b", shifts=(shift(5_000, 1, when=US), shift(5_000, 2, when=Not(US))))
    yield table("shift-unit", "next", shifts=(shift(5_000, unit="session"),))
    yield table("shift-field", "next", shifts=(shift(5_000, unit="device"),))
    yield table("scheduled", "next", shifts=(shift(0, schedule=Schedule(steps=(100,), guards=GUARDS)),))
    yield table("judged", "next", probation=Probation(guards=GUARDS, seconds=60.0))
    yield table("operated", "next", shifts=(shift(10_000),))
    yield table("operated-elsewhere", "next", shifts=(shift(10_000),))
    yield limited("operated-by-rules", 0, 1, 0, 2, shifts=(shift(10_000, 3),))
    yield limited("operated-as-default", 0, 1, 0)
    yield limited("operated-first", 0, 1, 2)
    permitted = (
        OverrideRule(source=source("lab"), clients=("lab",), models=(1, 2, 3)),
        OverrideRule(source=source("everyone"), clients=(), models=(0,)),
    )
    yield table("override", "two@1", "two@2", "one", overrides=permitted)
    context = (ContextRule(source=source("context"), when=TV, model=2),)
    yield table(
        "order", "cell", "tv", "next", ab_rules=(test("1", 10_000, eligible=US),), context_rules=context,
        shifts=(shift(5_000, 3),), overrides=permitted[1:],
    )  # fmt: skip


def since(name: str, *entries: tuple[int, ObjectiveTable | None], tenant: str = "default") -> ObjectiveTables:
    return ObjectiveTables(
        objective=name,
        tables=tuple(TableSince(since=begin, table=made) for begin, made in entries),
        tenant=tenant,
    )


def named(objective: str, default: str) -> ObjectiveTable:
    """Return a table that answers with `default`."""
    return ObjectiveTable(
        objective=objective, input_type="T", cache_lifetime=60.0, deadline=0.0,
        models=(target(objective, default, limit=20, share=0.5, whole=1.0, on=True, note="ü"),),
        default_model=0, default_source=source("default"),
    )  # fmt: skip


def resources() -> Mapping[str, Mapping[str, bytes]]:
    """Return what a Lightbulb is sent: by message, by name."""
    histories = [since(each.objective, (0, each)) for each in tables()] + [
        since("changed", (0, named("changed", "old")), (6, named("changed", "new"))),
        since("withdrawn", (0, named("withdrawn", "old")), (7, None)),
        since("added", (0, None), (7, named("added", "new"))),
        since("held-back", (0, named("held-back", "old")), (6, named("held-back", "rejected"))),
        since("payments", (0, named("payments", "old")), (3, named("payments", "new")), tenant="payments"),
    ]
    operated = {
        name: OperatorShift(number=17, key=routing_key(name, key, "1"), basis_points=3_000, salt="shift:17")
        for name, key in (*((name, "next") for name in OPERATED), ("operated-elsewhere", "gone"))
    }
    controls = [ObjectiveControl(objective=name, version=1, shift=each) for name, each in operated.items()]
    held_back = HeldBack(rejected=7, answer_from=5)
    controls.append(ObjectiveControl(objective="held-back", version=1, held_back=held_back))
    active = ActiveGeneration(number=7, content_hash="7", fence=7, oldest=5)
    other = ActiveGeneration(number=3, content_hash="3", fence=3, oldest=2, tenant="payments")
    states = {
        "behind": SidecarState(generation=5, others={"payments": 2}),
        "lost": SidecarState(generation=NO_GENERATION),
        "in-step": SidecarState(generation=0),
    }
    return {
        "ObjectiveTables": {each.objective: codec.objective_tables_to_bytes(each) for each in histories},
        "ObjectiveControl": {each.objective: codec.control_to_bytes(each) for each in controls},
        "ActiveGeneration": {
            "active": codec.generation_to_bytes(active),
            "active/payments": codec.generation_to_bytes(other),
        },
        "SidecarState": {name: codec.sidecar_state_to_bytes(each) for name, each in states.items()},
    }


def request(objective: str, user: str = "user-1", **given: object) -> pb.ResolveRequest:
    """Return a request: `given` are its own fields, the context's, and attributes."""
    made = pb.ResolveRequest(objective=objective, context=pb.RequestContext(user_id=user))
    for name, value in given.items():
        if name in pb.ResolveRequest.DESCRIPTOR.fields_by_name:
            setattr(made, name, value)
        elif name == "allocations":
            made.context.allocations.update(value)  # type: ignore[call-overload]
        elif name in pb.RequestContext.DESCRIPTOR.fields_by_name:
            setattr(made.context, name, value)
        else:
            made.context.attributes[name].CopyFrom(codec.attribute_to_proto(value))  # type: ignore[arg-type]
    return made


def comparisons() -> Iterator[pb.ResolveRequest]:
    for operator in Operator:
        for number, (_, attributes) in enumerate(operands(operator)):
            objective = f"{operator.name}-{number}"
            yield request(objective)
            for value in (*attributes, *(() if number and attributes else ANYTHING)):
                yield request(objective, x=value)
    for name in ("country", "device", "locale", "surface"):
        yield request("field", **{name: "x"})
    for fields in ({}, {"country": "US"}, {"device": "tv"}, {"country": "US", "device": "tv"}):
        for objective in ("nested", "segments", "all-of-nothing"):
            yield request(objective, **fields)
    yield request("nested", user="user-9")
    for x in ("a", "b"):
        yield request("not", x=x)
    yield request("not")


def allocations() -> Iterator[pb.ResolveRequest]:  # noqa: C901 - a flat list
    for user in USERS:
        for objective in ("test", "layer", "test-eligible", *OPERATED, "operated-elsewhere"):
            yield request(objective, user)
        yield request("test-eligible", user, country="US")
        yield request("shift-when", user, country="US")
        yield request("shift-when", user)
        yield from (request(f"shift-{share}", user) for share in SHARES)
        for objective in ("test-unit", "shift-unit"):
            yield request(objective, session=user)
    for objective in ("test-unit", "shift-unit"):
        for session in (0, -7, 2**63 - 1, "", 1.5, True, ("a",)):
            yield request(objective, session=session)
        yield request(objective)
    for device in ("", "tv", "phone", "tablet"):
        yield request("shift-field", device=device)
    for cell in (0, 1, 4, 5, 2**32 - 1):
        for objective in ("test", "test-eligible", "test-unit"):
            yield request(objective, allocations={"1": cell})
    yield request("layer", allocations={"2": 1, "elsewhere": 3})
    for user in USERS[:6]:
        for country in ("US", ""):
            for device in ("tv", ""):
                yield request("order", user, country=country, device=device)
    yield request("order", country="US", device="tv", override_model="default")


def others() -> Iterator[pb.ResolveRequest]:
    for objective in (
        "default",
        "scheduled",
        "judged",
        "changed",
        "withdrawn",
        "added",
        "held-back",
        "payments",
    ):
        for sidecar in ("", "in-step", "behind", "lost", "not-heard-of"):
            yield request(objective, sidecar=sidecar)
    for client in ("lab", "", "another"):
        for model in ("default", "default@1", "one", "two", "two@2", "two@3", "One", "@", "two@"):
            yield request("override", client=client, override_model=model)
    for objective in ("", "nowhere", "Default", "ü"):
        yield request(objective)


def hostile() -> Iterator[pb.ResolveRequest]:
    """Yield what is refused, and beside it what is just not."""
    yield pb.ResolveRequest(objective="default")
    for user in ("", "a" * 257, "🎬" * 256, "🎬" * 257):
        yield request("default", user)
    for length in (128, 129):
        yield request("default", country="c" * length)
        yield request("default", **{"n" * length: 1})
    for length in (1_024, 1_025):
        yield request("default", x="x" * length)
        yield request("default", x=("x" * length,))
    for count in (64, 65):
        yield request("default", x=(1,) * count)
        yield request("default", **{f"x{number}": 1 for number in range(count)})
    for count in (256, 257):
        yield request("default", allocations={f"{number}": 1 for number in range(count)})
    for name in ("", "user_id", "country"):
        repeated = request("default")
        repeated.context.attributes[name].string_value = "x"
        yield repeated
    empty, nested, nothing = (request("default") for _ in range(3))
    empty.context.attributes["x"].SetInParent()
    nested.context.attributes["x"].list_value.values.add().list_value.SetInParent()
    nothing.context.attributes["x"].list_value.values.add()
    yield from (empty, nested, nothing)


def as_json(message: object) -> dict[str, object]:
    return MessageToDict(message)  # type: ignore[arg-type]


def expected(responder: Responder, asked: pb.ResolveRequest) -> dict[str, object]:
    """Return a ResolveResponse, or a ResolveError of code and reason alone."""
    try:
        body = responder.resolve(asked.SerializeToString())
    except LightbulbError as error:
        told = error_to_proto(error)
        return {"error": as_json(pb.ResolveError(code=told.code, reason=told.reason))}
    return {"response": as_json(pb.ResolveResponse.FromString(body))}


async def fed(sent: Mapping[str, Mapping[str, bytes]]) -> Feed:
    """Return a feed with these resources."""
    feed = Feed()
    feed.open_stream()
    for type_url in TYPES:
        bodies = sent[type_url.rpartition(".")[2]]
        resources = tuple(Resource(name=name, version="1", body=body) for name, body in bodies.items())
        refused = await feed.apply(Update(type_url=type_url, added=resources, removed=()))
        assert not refused, refused
    return feed


def contents() -> str:
    """Return the file: a resource, a hash or a request a line."""
    sent = resources()
    feed = asyncio.run(fed(sent))
    responder = Responder(lambda: feed.tables)
    asked = [*comparisons(), *allocations(), *others(), *hostile()]
    unique = {each.SerializeToString(deterministic=True): each for each in asked}
    shown = [
        {"message": kind, "name": name, "resource": as_json(getattr(table_pb2, kind).FromString(body))}
        for kind, bodies in sent.items()
        for name, body in bodies.items()
    ]
    hashes = [
        {
            "salt": salt,
            "unit": unit,
            "hash": HASH(salt_prefix(salt) + unit, 0, UNSIGNED),
            "bucket": bucket(salt, unit),
        }
        for salt in ("s", "ab:1", "шифт")
        for unit in USERS
    ]
    alike: dict[str, list[str]] = {}
    for each in unique.values():
        alike.setdefault(_line(expected(responder, each)), []).append(_line(as_json(each)))
    parts = {
        "resources": map(_line, shown),
        "hashes": map(_line, hashes),
        "vectors": (f"{answer[:-1]}, {_part('requests', requests)}}}" for answer, requests in alike.items()),
    }
    return "{\n" + ",\n".join(_part(name, rows) for name, rows in parts.items()) + "\n}\n"


def _line(row: object) -> str:
    return json.dumps(row, sort_keys=True)


def _part(name: str, rows: Iterable[str]) -> str:
    return f'"{name}": [\n' + ",\n".join(rows) + "\n]"


def main() -> None:
    """Write the file, or with `--check` exit 1 when it differs."""
    made = contents()
    if "--check" not in sys.argv:
        FILE.write_text(made)
    elif not FILE.exists() or FILE.read_text() != made:
        sys.exit("protos/vectors/resolution.json is out of date, run `make protos`")


if __name__ == "__main__":
    main()
