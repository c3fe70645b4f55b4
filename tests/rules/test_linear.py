"""What looks at texts of others takes time in proportion to them, also when they are made to be costly.

Each of these is a hundred thousand characters, or thousands of something. Linear work takes seconds
altogether; its square takes hours, and ends with the CPU that one process gets here.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from controlplane.model import Buckets, CellWeight, Experiment, Location
from controlplane.problems import Problem
from controlplane.rules.definitions import read_definitions
from controlplane.rules.overlaps import overlapping_contexts, overlapping_tests
from controlplane.rules.sandbox_faults import read_error
from controlplane.rules.segments import in_order
from controlplane.rules.shapes import AbTest, ContextCondition, ModelRef
from controlplane.rules.texts import look_at
from controlplane.rules.workspace import check_workspace
from controlplane.rules.yaml_file import suggest
from controlplane.rules.yaml_tree import BadYaml, read_tree
from lightbulb.ads.server.refusals import reasons_of
from lightbulb.model import (
    EMPTY,
    All,
    AmongUsers,
    AnyOf,
    Comparison,
    Condition,
    InSegment,
    ModelTarget,
    Not,
    ObjectiveTable,
    Operator,
    OverrideRule,
    Segment,
    Source,
    Value,
)
from lightbulb.resolution.dates import instant
from lightbulb.resolution.networks import address
from lightbulb.resolution.overlap import disjoint, possible_segments
from lightbulb.resolution.patterns import pattern_test
from lightbulb.resolution.resolve import Resolver
from lightbulb.resolution.versions import lenient_key, semver_key
from tests.rules.workspaces import workspace

CPU_SECONDS = 80
N = 100_000


def text(unit: str) -> str:
    """Return very much of something."""
    return unit * (N // len(unit))


def places(source: str) -> None:
    """Look for rules in a file."""
    look_at({"x.js": source})


def error(thrown: str) -> None:
    """Read what a rule has thrown."""
    read_error(thrown, WHY, of_file=False)
    read_error("x", {**WHY, "value": thrown}, of_file=False)


def nack() -> None:
    """Read a NACK that names thirty thousand resources, each on its line."""
    names = frozenset(f"cluster-{number:06}" for number in range(N // 32))
    reasons = reasons_of("\n".join(f"{name}: no good" for name in names), {}, sent=names, removed=())
    assert reasons.keys() == names


def yaml(content: str) -> None:
    """Read a file, which may be none."""
    try:
        read_tree(content)
    except BadYaml:
        return


def dependencies() -> None:
    """Read models of which each depends on the one before it."""
    items = "".join(
        f"  - {{name: m{number}, version: '1', memory: 1MiB, depends_on: [m{number + 1}@1]}}\n"
        for number in range(10_000)
    )
    read_definitions(workspace(models_yaml=f"models:\n{items}").files, [])


def isin(attribute: str, *values: str) -> Condition:
    """Return a comparison."""
    return Comparison(attribute=attribute, operator=Operator.IN, values=values)


def compared(operator: Operator, *values: Value) -> Comparison:
    """Return a comparison of one attribute."""
    return Comparison(attribute="x", operator=operator, values=values)


def context(number: int, when: Condition) -> ContextCondition:
    """Return a rule."""
    return ContextCondition(
        source=Source(rule=f"r{number}", file="x.js", line=number),
        objectives=("Ranking",),
        input_type="T",
        model_type="M",
        when=when,
        model=ModelRef(name="plain"),
        priority=0,
    )


def apart(conditions: list[Condition]) -> None:
    """Compare rules that exclude each other."""
    rules = [context(number, when) for number, when in enumerate(conditions)]
    assert not list(overlapping_contexts(rules))


def segment_of_many(side: Callable[[Condition], Condition]) -> None:
    """Compare rules of one large segment, or of those outside of it, that exclude each other by country."""
    users = AmongUsers(frozenset(f"user-{number}" for number in range(10_000)))
    sides = possible_segments([Segment(name="s", when=users)])
    given = [All((side(InSegment("s")), isin("country", str(number)))) for number in range(2_000)]
    rules = [context(number, when) for number, when in enumerate(given)]
    assert not list(overlapping_contexts(rules, sides))


def segments_of_segments() -> None:
    """Read segments of which each uses the one before it twice, and explain to whom they don't apply."""
    items = "".join(
        f"  - {{name: s{n}, when: {{any: [{{segment: s{n - 1}}}, {{not: {{segment: s{n - 1}}}}}]}}}}\n"
        for n in range(1, 60)
    )
    content = f"segments:\n  - {{name: s0, users: [u]}}\n{items}"
    problems: list[Problem] = []
    definitions = read_definitions(workspace(segments_yaml=content).files, problems)
    segments = in_order(definitions.segments)
    assert len(segments) == len(possible_segments(segments)) == 60
    assert {problem.code for problem in problems} == {"TOO_DEEP", "TOO_LARGE"}


def experiments_apart() -> None:
    """Compare tests whose users exclude each other."""
    tests = {
        str(number): Experiment(
            id=str(number),
            salt=str(number),
            cells=(CellWeight(number=1, weight=10_000),),
            buckets=(Buckets(begin=0, end=10_000, owner=1),),
            layer="",
            layer_begin=0,
            layer_end=10_000,
            eligible=isin("country", str(number)),
            location=Location(file="x", line=1),
        )
        for number in range(4_000)
    }
    rules = [
        AbTest(
            source=Source(rule=name, file="x.js", line=1),
            objectives=("Ranking",),
            input_type="T",
            model_type="M",
            test_id=name,
            cells={1: ModelRef(name="plain")},
            priority=0,
        )
        for name in tests
    ]
    assert not list(overlapping_tests(rules, tests))


def wide(first: str) -> Condition:
    """Return a condition over very many attributes."""
    return All((*(isin(f"a{number}", "x", "y") for number in range(20_000)), isin("last", first)))


def overrides() -> None:
    """Make a table of very many clients ready, some of them in many rules, and ask as one of them."""
    source = Source(rule="r", file="x.js", line=1)
    target = ModelTarget(
        name="m",
        version="1",
        type="T",
        input_type="T",
        routing_key="O|m|1",
        parameters=EMPTY,
    )
    many = tuple(f"client-{number}" for number in range(20_000))
    table = ObjectiveTable(
        objective="O",
        input_type="T",
        cache_lifetime=1.0,
        deadline=1.0,
        default_model=0,
        default_source=source,
        models=(target,),
        overrides=(
            *(OverrideRule(source=source, clients=(each,), models=(0,)) for each in many),
            OverrideRule(source=source, clients=many, models=(0,) * 20_000),
        ),
    )
    permitted = Resolver(table)._overrides.of(many[-1])
    assert permitted.names() == ("m", "m@1")


WHY = MappingProxyType({"line": 3, "syntax": False, "code": "", "engine": "", "value": ""})
CONDITION = "const c = context.country.eq(1), c0 = c;"

INPUTS: Mapping[str, Callable[[], object]] = MappingProxyType(
    {
        "blanks after function": lambda: places("/*\nfunction" + text(" ") + "\n*/"),
        "blanks around async": lambda: places(text(" ") + "async" + text("\t") + "function" + text(" ")),
        "lines of blanks": lambda: places(text(" " * 99 + "\n")),
        "a long name": lambda: places("function define" + text("Rule") + " ("),
        "names without an end": lambda: places(text("function defineRule\n")),
        "comments without an end": lambda: places(text("/* ")),
        "comments": lambda: places(text("/**/")),
        "stars": lambda: places("/*" + text("*")),
        "variables": lambda: places(text("var define")),
        "brackets": lambda: places(text("[") + text("]")),
        "brackets without an end": lambda: places(text("[")),
        "slashes and stars": lambda: places(text("/* /.test(a)\n")),
        "conditions in a chain": lambda: places(CONDITION + text("c || ") + "c"),
        "calls in a chain": lambda: places(CONDITION + "c" + text(".a(c)")),
        "computed keys": lambda: places(CONDITION + text("({[") + "c" + text("]:c})")),
        "functions in functions": lambda: places(
            CONDITION + text("function f(c){c||c;") + text("}" + " " * 18)
        ),
        "names in scopes": lambda: places(CONDITION + text("{let c;") + text("}" + " " * 6)),
        "copies of copies": lambda: places(
            CONDITION + "".join(f"const c{n + 1}=c{n};" for n in range(50_000)) + "c50000||1"
        ),
        "finally in finally": lambda: places(CONDITION + "try{}finally{" * 16_000 + "}" * 16_000),
        "try in try": lambda: places(CONDITION + "try{" * 20_000 + "}finally{}" * 20_000),
        "line ends thrown": lambda: error(text("\n")),
        "blanks thrown": lambda: error(text("\n ")),
        "at thrown": lambda: error(text("\n at")),
        "frames thrown": lambda: error(text("<input>:")),
        "digits thrown": lambda: error("<input>:" + text("9")),
        "codes thrown": lambda: error(text("\x01AB") + text("\x01")),
        "a NACK": nack,
        "a NACK of brackets": lambda: reasons_of(text("[].:"), {}, sent={"a", "b"}, removed=()),
        "a long unknown name": lambda: suggest(text("ab"), [text("ba")]),
        "versions": lambda: semver_key("1.1.1-" + text("1.")),
        "versions of clients": lambda: lenient_key("v1" + text(".1")),
        "dates": lambda: instant("2026-01-31T00:00:00." + text("0")),
        "addresses": lambda: address(text("1:")),
        "patterns": lambda: pattern_test(["(x+x+)+y", "(a|aa)+$", "([ab]*a){20}$"])(text("xa") + "b"),
        "file names": lambda: check_workspace(workspace(**{text("a."): ""})),
        "yaml, nested": lambda: yaml(text("[")),
        "yaml, keys": lambda: yaml(text("? ")),
        "yaml, quotes": lambda: yaml('"' + text("\\x20")),
        "yaml, lines": lambda: yaml("a: " + text("b\n ")),
        "yaml, a flow": lambda: yaml("{" + text("a: b, ")),
        "dependencies": dependencies,
        "conditions apart": lambda: apart([isin("country", str(number)) for number in range(4_000)]),
        "conditions apart, negated": lambda: apart(
            [Not(AnyOf((Not(isin("country", str(number))), isin("b", "c")))) for number in range(2_000)]
        ),
        "conditions apart, one by one": lambda: apart(
            [
                All(tuple(isin(f"a{min(one, other)}-{max(one, other)}", str(one)) for other in range(150)))
                for one in range(150)
            ]
        ),
        "ranges apart": lambda: apart(
            [All((compared(Operator.GE, at), compared(Operator.LT, at + 1))) for at in range(4_000)]
        ),
        "texts and beginnings apart": lambda: apart(
            [
                *(compared(Operator.IN_IGNORING_CASE, f"A{at:04}", f"z{at:04}") for at in range(2_000)),
                *(compared(Operator.PREFIX, f"m{at:04}", f"n{at:04}") for at in range(2_000)),
            ]
        ),
        "many ranges": lambda: disjoint(
            AnyOf(tuple(compared(Operator.PREFIX, *map(str, range(at, at + 99))) for at in range(500))),
            All(tuple(Not(compared(Operator.PREFIX, str(at))) for at in range(20_000))),
        ),
        "a segment of many rules": lambda: segment_of_many(lambda segment: segment),
        "outside of a segment, many rules": lambda: segment_of_many(Not),
        "many attributes": lambda: disjoint(wide("x"), wide("y")),
        "many values": lambda: disjoint(
            AnyOf(tuple(isin("a", str(number)) for number in range(20_000))),
            All(tuple(Not(isin("a", str(number))) for number in range(20_000))),
        ),
        "override clients": overrides,
        "segments of segments": segments_of_segments,
        "a long problem": lambda: str(
            Problem(file=text("a"), rule=text("b"), code="X", message=text("c"), remedy=text("d"))
        ),
    }
)


def test_no_text_takes_the_square_of_its_length() -> None:
    program = (
        "import resource, tests.rules.test_linear as it\n"
        f"resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS}))\n"
        "for name, run in it.INPUTS.items():\n    run()\n    print(name, flush=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    finished = ended.stdout.splitlines()
    assert finished == list(INPUTS), (
        f"{list(INPUTS)[len(finished)]!r} took too long, or failed: {ended.returncode} {ended.stderr}"
    )
