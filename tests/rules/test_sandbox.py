"""Rules run in a process that can't hang, crash or mislead this one; each hazard is a rule here.

Each row of docs' table of hazards (an engine without care -> what is done about it) has a test:

    infinite loop                  "an infinite loop", the wall clock decides, a busy process
    Object.json() and toJSON       "toJSON", "a getter that loops", "a proxy that loops"
    native loops                   a native loop ...
    deep recursion, deep nesting   "endless recursion", "deep nesting", "deep nesting in JSON.stringify"
    memory bomb                    "a memory bomb", the rule after it
    catastrophic expression        "a catastrophic expression"
    what differs from run to run   "the clock" to "the locale", the same sources give the same bytes
    prototype pollution            "prototype pollution", "a changed built-in", "a changed prototype"
    promises, async                "a promise" to "an async rule", jobs are never run
    NaN, Infinity, -0, ...         "NaN" to "half a surrogate pair"
    integers above 2^53            "an inexact integer", an id above 2^53
    a context in two threads       several threads evaluate at once
    callbacks into Python          nothing of this process reaches a rule
"""

import json
import os
import resource
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from controlplane.problems import Problem
from controlplane.rules import sandbox
from controlplane.rules.sandbox import MAX_CHILDREN, Limits, RawRule, evaluate
from controlplane.rules.sandbox_process import Ended, run_child

OBJECTIVES = ("ContinueWatchingRanking", "PaymentFraudDetection")
CONSTANTS = {"TITLE_INPUT_TYPE": "TITLE_INPUT_TYPE"}
QUICK = Limits(cpu_seconds=1, wall_seconds=60.0, total_seconds=200)


def ran(
    sources: Mapping[str, str],
    limits: Limits = QUICK,
    *,
    objectives: Sequence[str] | None = OBJECTIVES,
    constants: Mapping[str, str] = CONSTANTS,
) -> tuple[tuple[RawRule, ...], list[Problem]]:
    """Return what rules evaluate to, and the problems with them in the order in which they were found."""
    found: list[Problem] = []
    return evaluate(sources, objectives, constants, found, limits), found


def values(source: str) -> list[object]:
    rules, found = ran({"rules.js": source})
    assert found == []
    return [rule.value for rule in rules]


def problems(sources: Mapping[str, str], limits: Limits = QUICK) -> list[Problem]:
    return sorted(ran(sources, limits)[1])


HAZARDS = {
    # what QuickJS does to a careless host -> (body of the rule, code, part of the message)
    "an infinite loop": ("for (;;) {}", "TIME_LIMIT", "longer"),
    "a catastrophic expression": ("return {a: /^(a+)+$/.test('a'.repeat(40) + 'b')}", "TIME_LIMIT", "longer"),
    "a memory bomb": ("const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)", "MEMORY_LIMIT", "memory"),
    "endless recursion": ("return defineHazardRule()", "TOO_DEEP", "without end"),
    "deep nesting": (
        "let a = {}; for (let i = 0; i < 1e5; i++) a = {a}; return a",
        "TOO_DEEP",
        "deeper than 64",
    ),
    "a frame of 5,000 digits": (
        "throw new Error('<input>:' + '9'.repeat(5000))",
        "EVALUATION",
        "Error: <input>:9",
    ),
    "a cycle": ("const a = {}; a.b = [a]; return a", "NOT_JSON", ".b[0] is part of itself"),
    "toJSON": ("return {toJSON() { for (;;) {} }}", "NOT_JSON", ".toJSON is a function"),
    "a getter that loops": ("return {get a() { for (;;) {} }}", "TIME_LIMIT", "longer"),
    "a proxy that loops": ("return new Proxy({}, {ownKeys() { for (;;) {} }})", "TIME_LIMIT", "longer"),
    "deep nesting in JSON.stringify": (
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return {a: JSON.stringify(a)}",
        "TOO_DEEP",
        "without end",
    ),
    "NaN": ("return {a: [1, {b: NaN}]}", "NOT_JSON", ".a[1].b is NaN"),
    "Infinity": ("return {a: -1 / 0}", "NOT_JSON", ".a is -Infinity"),
    "positive infinity": ("return {a: 1 / 0}", "NOT_JSON", ".a is Infinity"),
    "minus zero": ("return {a: -0}", "NOT_JSON", ".a is -0"),
    "undefined": ("return {a: undefined}", "NOT_JSON", ".a is undefined"),
    "a hole": ("return {a: [1, , 2]}", "NOT_JSON", ".a[1] is undefined"),
    "a function": ("return {a: () => 1}", "NOT_JSON", ".a is a function"),
    "a symbol": ("return {a: Symbol('x')}", "NOT_JSON", ".a is a symbol"),
    "a symbol for a key": ("return {[Symbol('x')]: 1}", "NOT_JSON", "symbol for a key"),
    "a BigInt": ("return {a: 10n}", "NOT_JSON", ".a is a bigint"),
    "an inexact integer": ("return {a: 9007199254740993}", "NOT_JSON", "above 2^53"),
    "half a surrogate pair": ("return {a: ['\\ud800']}", "NOT_JSON", ".a[0] has half a surrogate"),
    "half a surrogate pair for a key": ("return {'\\ud800': 1}", "NOT_JSON", "has half a surrogate"),
    "a map": ("return {a: new Map()}", "NOT_JSON", ".a is not a plain object"),
    "nothing": ("", "NOT_JSON", "undefined"),
    "null": ("return null", "NOT_JSON", "null"),
    "a promise": ("return Promise.resolve({})", "THENABLE", "thenable"),
    "a thenable inside": ("return {a: {then() {}}}", "THENABLE", ".a is a promise"),
    "the clock": ("return {a: Date.now()}", "NOT_DETERMINISTIC", "Date"),
    "chance": ("return {a: Math.random()}", "NOT_DETERMINISTIC", "Math.random"),
    "weak references": ("return {a: new WeakRef({})}", "NOT_DETERMINISTIC", "WeakRef"),
    "finalization": ("return {a: new FinalizationRegistry(() => 1)}", "NOT_DETERMINISTIC", "Finalization"),
    "shared memory": ("return {a: Atomics}", "NOT_DETERMINISTIC", "Atomics"),
    "performance": ("return {a: performance.now()}", "NOT_DETERMINISTIC", "performance"),
    "the locale": ("return {a: 'a'.localeCompare('b')}", "NOT_DETERMINISTIC", "localeCompare"),
    "prototype pollution": ("Array.prototype.toJSON = () => 1; return {a: [1]}", "EVALUATION", "extensible"),
    "a changed built-in": ("JSON.stringify = () => '{}'; return {a: 1}", "EVALUATION", "read-only"),
    "a changed prototype": ("Object.prototype.then = () => 1; return {a: 1}", "EVALUATION", "extensible"),
    "a hook of the engine's": ("Error.prepareStackTrace = () => 1; null.x", "EVALUATION", "read-only"),
    "no stack": ("Error.stackTraceLimit = 0; null.x", "EVALUATION", "read-only"),
    "too much": ("return {a: 'x'.repeat(1e6)}", "OUTPUT_TOO_LARGE", "more than it may"),
    "a throw of null": ("throw null", "EVALUATION", "throws null"),
    "a throw of undefined": ("throw undefined", "EVALUATION", "throws undefined"),
    "a throw of an object": ("throw {code: 5}", "EVALUATION", 'throws {"code":5}'),
    "a throw of a symbol": ("throw Symbol('a')", "EVALUATION", "no text"),
    "a throw of what can't be told": ("throw new Proxy({}, {get() { throw 1 }})", "EVALUATION", "no text"),
    "a text of an interruption": ("throw Error('the migration was interrupted')", "EVALUATION", "migration"),
    "a text of memory": ("throw Error('out of memory')", "EVALUATION", "Error: out of memory"),
    "a bare text of an interruption": ("throw 'InternalError: interrupted'", "EVALUATION", "interrupted"),
    "a text of the call stack": (
        "throw RangeError('Maximum call stack size exceeded')",
        "EVALUATION",
        "Maximum call stack",
    ),
    "a code in a text": ("throw Error('\\x01TIME_LIMIT\\x01x')", "EVALUATION", "?TIME_LIMIT?x"),
    "an engine's error of its own making": (
        "throw new InternalError('interrupted')",
        "EVALUATION",
        "not defined",
    ),
    "frames in a text": (
        "throw Error('x\\n    at defineHazardRule (<input>:1:1)\\n    at f (<input>:2)')",
        "EVALUATION",
        "Error: x",
    ),
    "frames in a function's name": (
        "({['x (<input>:1:1)\\n at y']() { throw Error('q') }})['x (<input>:1:1)\\n at y']()",
        "EVALUATION",
        "Error: q",
    ),
    "a forged stack": (
        "const e = Error('x'); e.stack = 'at f (<input>:1:1)'; e.lineNumber = 1; throw e",
        "EVALUATION",
        "Error: x",
    ),
    "lines of a text that runs": ("eval('\\n'.repeat(998) + 'throw 1')", "HIDDEN_CODE", "out of reach"),
    "lines of a made function": (
        "new Function('\\n'.repeat(998) + 'throw 1')()",
        "HIDDEN_CODE",
        "out of reach",
    ),
    "a made function's maker": ("(() => 1).constructor('throw 1')()", "HIDDEN_CODE", "out of reach"),
    "a made generator": ("(function* () {}).constructor('throw 1')()", "HIDDEN_CODE", "out of reach"),
    "a made async function": ("(async () => 1).constructor('throw 1')()", "HIDDEN_CODE", "out of reach"),
    "a text of a condition": ("return {a: [any(segment('a'))].join()}", "CONDITION_OPERATOR", "operator"),
    "an order of conditions": (
        "return {a: [segment('a'), segment('b')].sort()}",
        "CONDITION_OPERATOR",
        "operator",
    ),
    "a throw": ("throw new Error('boom')", "EVALUATION", "boom"),
    "a throw of no error": ("throw 'boom\\n\\x1b[2J'", "EVALUATION", "boom ?[2J"),
    "a throw that looks like ours": ("throw Error('\\x01NOPE\\x01x')", "EVALUATION", "?NOPE?x"),
    "a misspelt objective": (
        "return {a: Objectives.ContinueWatching}",
        "UNKNOWN_OBJECTIVE",
        "objective ContinueWatching is unknown",
    ),
    "a misspelt constant": ("return {a: constants.TITLE}", "UNKNOWN_CONSTANT", "constant TITLE is unknown"),
    "a bad condition": ("return context.country.in()", "EVALUATION", "at least one value"),
    "a version as a number": (
        "return context.attribute('v').semver('>=', 1.2)",
        "EVALUATION",
        "takes strings",
    ),
    "an unknown option": (
        "return context.attribute('v').semver('>', '1', {lax: 1})",
        "EVALUATION",
        "strict: true",
    ),
    "two values for one": (
        "return context.country.eq('US', 'CA')",
        "EVALUATION",
        "eq() takes one value, not 2",
    ),
    "two conditions for one": (
        "not(context.country.exists(), context.device.exists())",
        "EVALUATION",
        "not() takes one value, not 2",
    ),
    "a value for none": (
        "return context.country.exists('US')",
        "EVALUATION",
        "exists() takes nothing, not 1",
    ),
    "two names for one": ("context.attribute('a', 'b').exists()", "EVALUATION", "takes one value"),
    "a JavaScript pattern": (
        "return context.device.matches(/^tv/i)",
        "EVALUATION",
        "a RegExp: quote the pattern",
    ),
    "an unknown sign": ("context.attribute('tags').size('=', 2)", "EVALUATION", "one of == < <= > >="),
    "files": ("return {a: require('fs')}", "EVALUATION", "require"),
    "the network": ("return {a: fetch('http://127.0.0.1')}", "EVALUATION", "fetch"),
    "the environment": ("return {a: process.env}", "EVALUATION", "process"),
}


def hazard_file(body: str) -> str:
    return f"// a comment\n\nfunction defineHazardRule() {{\n  {body}\n}}\n"


@pytest.fixture(scope="module")
def found() -> dict[str, Problem]:
    """Every hazard evaluated; those that end a child get few others beside them."""
    killers = [name for name, (_, code, _) in HAZARDS.items() if code in {"TIME_LIMIT", "MEMORY_LIMIT"}]
    assert len(killers) < MAX_CHILDREN
    harmless = {name: hazard_file(HAZARDS[name][0]) for name in HAZARDS if name not in killers}
    result = {problem.file: problem for problem in problems(harmless)}
    result |= {
        problem.file: problem
        for problem in problems({name: hazard_file(HAZARDS[name][0]) for name in killers})
    }
    return result


@pytest.mark.parametrize("name", HAZARDS)
def test_a_hazard_is_a_problem_with_file_rule_and_remedy(name: str, found: dict[str, Problem]) -> None:
    _, code, message = HAZARDS[name]
    problem = found[name]
    assert (problem.rule, problem.code) == ("defineHazardRule", code)
    assert message in problem.message
    assert problem.line in {3, 4}
    assert problem.remedy


@pytest.mark.parametrize(
    ("named", "remedy"),
    [
        (f"Objectives.{OBJECTIVES[0]}s", f"did you mean {OBJECTIVES[0]}?"),
        ("constants.TITLE_INPUT_TIP", "did you mean TITLE_INPUT_TYPE?"),
        ("constants.Z", f"use one of: {', '.join(sorted(CONSTANTS))}"),
    ],
)
def test_what_was_probably_meant_is_the_remedy_of_an_unknown_name(named: str, remedy: str) -> None:
    (problem,) = problems({"rules.js": hazard_file(f"return {{a: {named}}}")})
    assert problem.message.endswith(f" {named.partition('.')[2]} is unknown")
    assert problem.remedy == remedy


@pytest.mark.parametrize(
    ("loop", "codes"),
    [
        ("'a'.repeat(5e7).indexOf('a'.repeat(2e7) + 'b')", {"TIME_LIMIT"}),
        ("Array(1e9).fill(1).length", {"TIME_LIMIT", "MEMORY_LIMIT"}),
        ("Array.from({length: 3e7}, (_, i) => 'x' + i).indexOf('')", {"TIME_LIMIT", "MEMORY_LIMIT"}),
    ],
)
def test_a_native_loop_that_the_engine_cant_interrupt_is_ended_from_outside(
    loop: str, codes: set[str]
) -> None:
    good = "function defineGoodRule() { return {} }"
    (problem,) = problems(
        {"native.js": f"function defineLoopRule() {{ return {{a: {loop}}} }}", "z.js": good}
    )
    assert (problem.file, problem.rule) == ("native.js", "defineLoopRule")
    assert problem.code in codes


LOOP_THEN_GOOD = """function defineBadRule() { BODY }
function defineGoodRule() { return {a: 1} }"""


@pytest.mark.parametrize(
    "body", ["for (;;) {}", "const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)"], ids=["loop", "bomb"]
)
def test_a_rule_that_ends_its_child_keeps_no_other_from_being_evaluated(body: str) -> None:
    sources = {"a.js": LOOP_THEN_GOOD.replace("BODY", body), "b.js": "function defineBRule() { return {} }"}
    rules, found = ran(sources)
    assert [problem.rule for problem in found] == ["defineBadRule"]
    assert [rule.source.rule for rule in rules] == ["defineGoodRule", "defineBRule"]


def test_the_wall_clock_decides_whatever_the_cpu_clock_says() -> None:
    began = time.monotonic()
    loop = "function defineLoopRule() { for (;;) {} }"
    (problem,) = problems({"a.js": loop}, Limits(cpu_seconds=60, wall_seconds=1.0))
    assert problem.code == "TIME_LIMIT"
    assert time.monotonic() - began < 20


BUSY = 120
"""Files that take some 20 ms of CPU each."""


def busy_workspace() -> dict[str, str]:
    body = "let a = 0; while (a < 4e5) a++; return {a}"
    return {f"{n:03}.js": f"function define{n}Rule() {{ {body} }}" for n in range(BUSY)}


def test_a_large_workspace_may_take_longer_than_a_rule() -> None:
    began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    rules, found = ran(busy_workspace())
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began
    assert (len(rules), found) == (BUSY, [])
    assert spent > QUICK.cpu_seconds


def test_a_workspace_that_takes_too_long_as_a_whole_is_told_how_far_it_came() -> None:
    rules, found = ran(busy_workspace(), replace(QUICK, total_seconds=1))
    problem, *rest = found
    assert (problem.code, problem.message) == (
        "TIME_LIMIT",
        "all rules together ran for longer than they may, until here",
    )
    assert [each.code for each in rest] == ["NOT_EVALUATED"] * (len(rules) + 1 < BUSY)
    # It may end just after the last rule has told its result, before the next one begins.
    assert problem.file in {f"{number:03}.js" for number in (len(rules) - 1, len(rules))}
    assert 0 < len(rules) < BUSY


def test_rules_that_were_not_looked_at_are_counted_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MAX_CHILDREN", 2)
    endless = "".join(f"function define{n:02}Rule() {{ for (;;); }}\n" for n in range(12))
    rules, (one, two, left) = ran(
        {"x.js": endless, "y.js": "function defineYRule() {}"}, objectives=(), constants={}
    )
    assert rules == ()
    assert [each.rule for each in (one, two)] == ["define00Rule", "define01Rule"]
    assert (left.code, left.rule, left.line) == ("NOT_EVALUATED", "define02Rule", 3)
    assert left.message.startswith(
        "11 rules were not looked at: define02Rule (x.js:3), define03Rule (x.js:4),"
    )
    assert left.message.endswith(", ...")


@pytest.mark.parametrize("lines", range(14))
def test_a_child_that_is_killed_at_any_moment_is_a_problem_that_names_a_file(
    lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = {file: LOOP_THEN_GOOD.replace("BODY", "return {a: 0}") for file in ("a.js", "b.js")}
    sources["b.js"] = sources["b.js"].replace("Bad", "Other").replace("Good", "Better")
    killed: list[Ended] = []

    def run_and_kill(request: bytes, **limits: Any) -> Ended:
        ended = run_child(request, **limits)
        if not killed:
            output = b"".join(ended.output.splitlines(keepends=True)[:lines])
            ended = replace(ended, output=output, code=-signal.SIGKILL)
            killed.append(ended)
        return ended

    monkeypatch.setattr(sandbox, "run_child", run_and_kill)
    rules, found = ran(sources)
    said = [json.loads(line) for line in killed[0].output.splitlines()]
    if said and said[-1].get("end") in {"b.js", ""}:
        assert (found, len(rules)) == ([], 4)
    else:
        begun = [line["begin"] for line in said if "begin" in line]
        ended = [line["end"] for line in said if "end" in line]
        file, rule = begun[-1] if begun else ("a.js", "")
        if file in ended:
            file, rule = "b.js", ""
        elif said and "json" in said[-1]:
            rule = ""
        assert [(each.file, each.rule, each.code) for each in found] == [(file, rule, "TIME_LIMIT")]
    assert {each.source.file for each in rules} | {each.file for each in found} == set(sources)


def test_a_busy_process_doesnt_use_up_the_time_of_a_rule() -> None:
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=burn) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert values("function defineRule() { let a = 0; while (a < 1e6) a++; return {a} }") == [{"a": 1e6}]
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_several_threads_evaluate_at_once_each_with_a_process_of_its_own() -> None:
    sources = [f"function defineRule() {{ return {{a: {number}}} }}" for number in range(8)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(values, sources)) == [[{"a": number}] for number in range(8)]


def test_jobs_are_never_run() -> None:
    source = """
    let ran = 0;
    function defineJobRule() {
      (function again() { Promise.resolve().then(() => { ran++; again(); }); })();
      return {ran};
    }
    function defineLaterRule() { return {ran} }"""
    assert values(source) == [{"ran": 0}, {"ran": 0}]


@pytest.mark.parametrize("rule", ["async function defineARule() { return {} }", "function* defineARule() {}"])
def test_a_rule_that_isnt_a_plain_function_is_a_problem(rule: str) -> None:
    (problem,) = problems({"a.js": rule})
    assert problem.code in {"THENABLE", "NOT_JSON"}


def test_an_id_above_2_to_the_53_arrives_exactly_in_both_directions() -> None:
    big = "9007199254740993"
    rules, _ = ran(
        {"a.js": "function defineRule() { return {in: constants.BIG, out: '9007199254740995'} }"},
        constants={"BIG": big},
    )
    assert [rule.value for rule in rules] == [{"in": big, "out": "9007199254740995"}]


def test_without_objectives_any_will_do_so_that_the_rest_can_be_looked_at() -> None:
    (rule,), found = ran({"a.js": "function defineRule() { return {a: Objectives.Any} }"}, objectives=None)
    assert (rule.value, found) == ({"a": "Any"}, [])


AS_A_WHOLE = {
    # what a rule may do with a closed set as a whole -> what it gives
    "Object.keys(Objectives)": ["10", "A", "a\nb", 'é"'],
    "Object.entries(constants)": [["BIG", "9"]],
    "Object.keys({...Objectives}).length": 4,
    "['A' in Objectives, 'B' in Objectives, 'BIG' in constants]": [True, False, True],
    "[Object.isFrozen(Objectives), Object.isFrozen(constants)]": [True, True],
    "Object.getPrototypeOf(Objectives) === Object.prototype": True,
    "Object.getOwnPropertyDescriptor(Objectives, 'A').writable": False,
    "Reflect.set(Object.freeze(Objectives), 'length', 1) || 1": "objectives are read-only",
    "Objectives.A = 'B'": "objectives are read-only",
    "constants.NEW = 'B'": "constants are read-only",
    "delete Objectives.A": "delete",
    "Object.defineProperty(Objectives, 'B', {value: 'B'})": "TypeError",
    "Object.setPrototypeOf(constants, {B: 'B'})": "TypeError",
    "Objectives['A\"\\n\"a'] || 1": "objective A",
    "Objectives.toString": "is unknown",
}


@pytest.mark.parametrize("before", ["", "Objectives.A;", "Object.keys(Objectives);"])
def test_a_closed_set_is_a_frozen_object_whatever_was_done_with_it_before(before: str) -> None:
    sources = {
        expression: f"function define{number}Rule() {{ {before} const a = {expression}; return {{a}} }}"
        for number, expression in enumerate(AS_A_WHOLE)
    }
    rules, found = ran(sources, objectives=("A", "10", "a\nb", 'é"'), constants={"BIG": "9"})
    results = {rule.source.file: rule.value for rule in rules}
    messages = {problem.file: problem.message for problem in found}
    for expression, expected in AS_A_WHOLE.items():
        if expression in results:
            assert results[expression] == {"a": expected}
        else:
            assert str(expected) in messages[expression]


def test_every_problem_of_every_file_is_found_in_one_go() -> None:
    sources = {
        "a.js": "function defineLoopRule() { for (;;) {} }\nfunction defineThrowRule() { throw 1 }",
        "b.js": "function defineSyntaxRule() {\n  let = ;\n}",
        "c.js": "const top = boom();\nfunction defineNeverRule() { return {} }",
        "d.js": "const nothing = 1;",
        "e.js": "function defineTwiceRule() { return {} }\nfunction defineTwiceRule() { return {} }",
        "f.js": "function defineTwiceRule() { return {} }",
    }
    assert [(each.file, each.line, each.rule, each.code) for each in problems(sources)] == [
        ("a.js", 1, "defineLoopRule", "TIME_LIMIT"),
        ("a.js", 2, "defineThrowRule", "EVALUATION"),
        ("b.js", 2, "", "SYNTAX"),
        ("c.js", 1, "", "EVALUATION"),
        ("d.js", 1, "", "NO_RULES"),
        ("e.js", 2, "defineTwiceRule", "DUPLICATE_RULE"),
        ("f.js", 1, "defineTwiceRule", "DUPLICATE_RULE"),
    ]


def test_files_dont_see_each_others_names() -> None:
    source = "const shared = {file: 'NAME'};\nfunction defineNAMERule() { return shared }"
    sources = {f"{name}.js": source.replace("NAME", name) for name in ("a", "b")}
    rules, _ = ran(sources)
    assert [rule.value for rule in rules] == [{"file": "a"}, {"file": "b"}]


def test_the_same_sources_give_the_same_bytes_with_sorted_keys() -> None:
    source = "function defineRule() { return {b: 1, a: {d: [1.5, 'é', true, null], c: 2.5e-7}} }"
    once, again = (json.dumps(values(source)) for _ in range(2))
    assert once == again == '[{"a": {"c": 2.5e-07, "d": [1.5, "\\u00e9", true, null]}, "b": 1}]'


def test_a_condition_is_plain_data() -> None:
    source = """
    function defineConditionRule() {
      return all(
        context.country.in("US", "CA"),
        not(any(context.device.prefix("tv"), context.attribute("n").gt(3))),
        context.attribute("v").semver("<", "1.2.3-rc.1"), context.surface.exists(), context.locale.eq("en"));
    }"""
    assert values(source) == [
        {
            "all": [
                {"attribute": "country", "op": "in", "values": ["US", "CA"]},
                {
                    "not": {
                        "any": [
                            {"attribute": "device", "op": "prefix", "values": ["tv"]},
                            {"attribute": "n", "op": ">", "values": [3]},
                        ]
                    }
                },
                {"attribute": "v", "op": "semver <", "values": ["1.2.3-rc.1"]},
                {"attribute": "surface", "op": "exists", "values": []},
                {"attribute": "locale", "op": "in", "values": ["en"]},
            ]
        }
    ]


def test_a_long_text_built_piece_by_piece_arrives_whole() -> None:
    (value,) = values(
        "function defineRopeRule() { let a = ''; while (a.length < 9e4) a += 'xy'; return {a} }"
    )
    assert value == {"a": "xy" * 45_000}


def test_nothing_of_this_process_reaches_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "do not tell")
    source = "function defineGlobalsRule() { return {names: Object.getOwnPropertyNames(globalThis).sort()} }"
    (value,) = values(source)
    assert isinstance(value, dict)
    names = set(value["names"])
    assert not names & {"process", "require", "module", "fetch", "XMLHttpRequest", "Deno", "scriptArgs"}
    assert {"Objectives", "constants", "context", "all", "any", "not"} <= names
    assert "do not tell" not in json.dumps(value)
    assert os.environ["SECRET"]


def test_no_sources_are_no_rules() -> None:
    assert ran({}) == ((), [])


@pytest.mark.parametrize(
    ("thrown", "code", "message"),
    [
        ("null", "EVALUATION", "it throws null, which is no Error"),
        ("undefined", "EVALUATION", "it throws undefined, which is no Error"),
        ("'out of memory'", "EVALUATION", "out of memory"),
        ("Error('interrupted')", "EVALUATION", "Error: interrupted"),
        ("SyntaxError('<input>:999')", "EVALUATION", "SyntaxError: <input>:999"),
        (
            "Error('\\n    at <input>:999:1\\n    at <eval> (<input>:999)')",
            "EVALUATION",
            "Error: at <input>:999:1",
        ),
    ],
)
def test_what_a_file_throws_is_told_as_thrown_on_its_own_line(thrown: str, code: str, message: str) -> None:
    good = "function defineGoodRule() { return {} }"
    (problem,) = problems({"a.js": f"{good}\n\nthrow {thrown}", "b.js": good.replace("Good", "Other")})
    assert (problem.file, problem.line, problem.code) == ("a.js", 3, code)
    assert problem.message.startswith(message)


def test_many_that_throw_null_keep_nothing_from_being_evaluated() -> None:
    sources = {f"{n:02}.js": f"function define{n}Rule() {{ throw null }}" for n in range(3 * MAX_CHILDREN)}
    assert [each.code for each in problems(sources)] == ["EVALUATION"] * len(sources)


def test_a_condition_is_still_json_and_can_be_spread_compared_and_listed() -> None:
    body = """const c = all(context.country.eq("FR"), not(segment("a")));
      if (c === undefined || typeof c !== "object") throw Error("no");
      return {c, copy: {...c}, text: JSON.stringify(c), keys: Object.keys(c)};"""
    (value,) = values(f"function defineARule() {{ {body} }}")
    assert isinstance(value, dict)
    assert value["c"] == value["copy"] == json.loads(value["text"])
    assert value["keys"] == ["all"]
