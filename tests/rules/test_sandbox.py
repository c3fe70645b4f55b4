"""Rules run in a process that can't hang, crash or mislead this one; each hazard is a rule here."""

import json
import os
from collections.abc import Mapping

import pytest

from controlplane.problems import Problem, WorkspaceError
from controlplane.rules.sandbox import Limits, evaluate

OBJECTIVES = ("ContinueWatchingRanking", "PaymentFraudDetection")
CONSTANTS = {"TITLE_INPUT_TYPE": "TITLE_INPUT_TYPE"}
QUICK = Limits(cpu_seconds=1, wall_seconds=8.0)


def values(source: str) -> list[object]:
    return [rule.value for rule in evaluate({"rules.js": source}, OBJECTIVES, CONSTANTS, QUICK)]


def problems(sources: Mapping[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(WorkspaceError) as caught:
        evaluate(sources, OBJECTIVES, CONSTANTS, QUICK)
    return caught.value.problems


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
    "a cycle": ("const a = {}; a.b = [a]; return a", "NOT_JSON", ".b[0] is part of itself"),
    "toJSON": ("return {toJSON() { for (;;) {} }}", "NOT_JSON", ".toJSON is a function"),
    "NaN": ("return {a: [1, {b: NaN}]}", "NOT_JSON", ".a[1].b is NaN"),
    "Infinity": ("return {a: -1 / 0}", "NOT_JSON", ".a is -Infinity"),
    "minus zero": ("return {a: -0}", "NOT_JSON", ".a is -0"),
    "undefined": ("return {a: undefined}", "NOT_JSON", ".a is undefined"),
    "a hole": ("return {a: [1, , 2]}", "NOT_JSON", ".a[1] is undefined"),
    "a function": ("return {a: () => 1}", "NOT_JSON", ".a is a function"),
    "a symbol": ("return {a: Symbol('x')}", "NOT_JSON", ".a is a symbol"),
    "a symbol for a key": ("return {[Symbol('x')]: 1}", "NOT_JSON", "symbol for a key"),
    "a BigInt": ("return {a: 10n}", "NOT_JSON", ".a is a bigint"),
    "an inexact integer": ("return {a: 9007199254740993}", "NOT_JSON", "above 2^53"),
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
    "too much": ("return {a: 'x'.repeat(1e6)}", "OUTPUT_TOO_LARGE", "more than it may"),
    "a throw": ("throw new Error('boom')", "EVALUATION", "boom"),
    "a misspelt objective": ("return {a: Objectives.ContinueWatching}", "UNKNOWN_OBJECTIVE", "Ranking?"),
    "a misspelt constant": ("return {a: constants.TITLE}", "UNKNOWN_CONSTANT", "TITLE_INPUT_TYPE"),
    "a bad condition": ("return context.country.in()", "EVALUATION", "at least one value"),
    "a bad version": ("return context.attribute('v').semver('>=', '1')", "EVALUATION", "semantic version"),
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


def test_a_native_loop_that_the_engine_cant_interrupt_is_ended_from_outside() -> None:
    source = (
        "function defineLoopRule() { return {a: Array.from({length: 3e7}, (_, i) => 'x' + i).indexOf('')} }"
    )
    (problem,) = problems({"native.js": source, "good.js": "function defineGoodRule() { return {} }"})
    assert (problem.file, problem.rule) == ("native.js", "defineLoopRule")
    assert problem.code in {"TIME_LIMIT", "MEMORY_LIMIT"}


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
    rules = evaluate(sources, OBJECTIVES, CONSTANTS, QUICK)
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
    assert evaluate({}, OBJECTIVES, CONSTANTS) == ()
