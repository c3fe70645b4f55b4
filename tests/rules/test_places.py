"""Rule functions are found where they stand; what would be lost is named, whatever it looks like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.problems import Problem
from controlplane.rules.places import meant_name, within_one
from controlplane.rules.sandbox import evaluate
from controlplane.rules.texts import first_places, look_at, places_of
from lightbulb.model import Source

lines = st.sampled_from(
    [
        "",
        "// function defineNoRule() {}",
        "function defineARule() { return {} }",
        "  async function* defineBRule () {}",
        "const x = function() {}, y = `function defineARule() {}`",
        "/* function defineARule() {} */",
        "'use strict'; function defineARule() {}",
    ]
)


@given(st.lists(lines, max_size=12))
def test_a_rule_function_is_found_on_the_line_that_it_begins_on(text: list[str]) -> None:
    expected = [
        Source(rule="defineARule" if "ARule" in line else "defineBRule", file="x.js", line=number)
        for number, line in enumerate(text, start=1)
        if line.startswith(("function defineA", "  async", "'use"))
    ]
    places = places_of(look_at({"x.js": "\n".join(text)}))
    assert places == {"x.js": tuple(expected)}
    for (file, rule), source in first_places(places).items():
        assert source == next(each for each in expected if (each.file, each.rule) == (file, rule))


def test_files_are_looked_at_in_the_order_of_their_names() -> None:
    assert list(look_at({"b.js": "", "a.js": ""})) == ["a.js", "b.js"]


def found(source: str) -> tuple[list[str], list[Problem]]:
    """Return the rules that a file has, and the problems with it."""
    problems: list[Problem] = []
    rules = evaluate({"x.js": source}, (), {}, problems)
    return [each.source.rule for each in rules], sorted(problems)


GOOD = {
    "a doc comment before it": ("/** doc */ function defineARule() { return {} }", ["defineARule"]),
    "strict on its line": ('"use strict"; function defineARule() { return {} }', ["defineARule"]),
    "a line break after function": ("function\ndefineARule() { return {} }", ["defineARule"]),
    "an old version in a comment": (
        "/*\nfunction defineARule() {}\nconst defineBRule = 1\n*/\nfunction defineARule() { return {} }",
        ["defineARule"],
    ),
    "one in a template": (
        "const help = `\nfunction defineARule() {}\n`;\nfunction defineARule() { return {help} }",
        ["defineARule"],
    ),
    "two on a line": (
        "function defineARule() { return {} } function defineBRule() { return {} }",
        ["defineARule", "defineBRule"],
    ),
    "letters of any language": ("function defineÉtéRule() { return {} }", ["defineÉtéRule"]),
    "a dollar": ("function define$Rule() { return {} }", ["define$Rule"]),
    "an escape": ("function define\\u0041Rule() { return {} }", ["defineARule"]),
    "one that uses another": (
        "function defineARule() { return {} } function defineBRule() { return {...defineARule(), b: 1} }",
        ["defineARule", "defineBRule"],
    ),
    "helpers with other names": (
        """const base = () => ({}); function defineShared() { return base() } class Rule {}
        function defineRules(x) { return x } function defineARule() { return defineRules(defineShared()) }""",
        ["defineARule"],
    ),
    "a byte order mark": ("\ufefffunction defineARule() { return {} }", ["defineARule"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_function_at_the_top_is_a_rule_however_its_line_looks(name: str) -> None:
    source, rules = GOOD[name]
    assert found(source) == (rules, [])


LOST = {
    # text, below a good rule -> line of the problem, its rule, its code, a part of what it says
    "in an if": ("\nif (true) {\nfunction defineARule() {}\n}", 4, "defineARule", "NOT_A_RULE", "top"),
    "in a block": ("{ function defineARule() {} }", 2, "defineARule", "NOT_A_RULE", "inside"),
    "in a function": (
        "function make() { function defineARule() {} }",
        2,
        "defineARule",
        "NOT_A_RULE",
        "inside",
    ),
    "a second declarator": (
        "const x = 1,\n  defineARule = () => 1",
        3,
        "defineARule",
        "NOT_A_FUNCTION",
        "var",
    ),
    "an indented const": ("  const defineARule = () => 1", 2, "defineARule", "NOT_A_FUNCTION", "variable"),
    "a let inside": ("{ let defineARule = 1 }", 2, "defineARule", "NOT_A_FUNCTION", "variable"),
    "a var": ("var defineARule = () => ({})", 2, "defineARule", "NOT_A_FUNCTION", "variable"),
    "a class": ("class defineARule {}", 2, "defineARule", "NOT_A_FUNCTION", "class"),
    "a pattern": ("const {defineARule} = {}", 2, "defineARule", "NOT_A_FUNCTION", "variable"),
    "a renaming pattern": ("const {a: defineARule} = {}", 2, "defineARule", "NOT_A_FUNCTION", "variable"),
    "an array pattern": ("const [defineARule] = []", 2, "defineARule", "NOT_A_FUNCTION", "variable"),
    "a method": ("const x = {defineARule() {}}", 2, "defineARule", "NOT_A_RULE", "inside"),
    "a property": ("const x = {defineARule: () => 1}", 2, "defineARule", "NOT_A_RULE", "inside"),
    "a property in quotes": ("const x = {'defineARule': () => 1}", 2, "defineARule", "NOT_A_RULE", "inside"),
    "a field": ("class X { static defineARule = () => 1 }", 2, "defineARule", "NOT_A_RULE", "inside"),
    "an expression": ("(function defineARule() {})", 2, "defineARule", "NOT_A_RULE", "inside"),
    "an assignment": ("defineGoodRule = () => ({})", 2, "defineGoodRule", "NOT_A_RULE", "given a value"),
    "of the global object": (
        "globalThis.defineARule = () => 1",
        2,
        "defineARule",
        "NOT_A_RULE",
        "given a value",
    ),
    "by its name in quotes": ("globalThis['defineARule'] = 1", 2, "defineARule", "NOT_A_RULE", "given"),
    "made while it runs": (
        "Object.defineProperty(globalThis, 'define' + 'ARule', {value() { return {} }, enumerable: true})",
        1,
        "defineARule",
        "NOT_A_RULE",
        "while it runs",
    ),
    "made with a blank in it": (
        "globalThis['define\\x1b A' + 'Rule'] = () => ({})",
        1,
        "'define\\x1b ARule'",
        "NOT_A_RULE",
        "while it runs",
    ),
    "replaced while it runs": (
        "globalThis['defineGood' + 'Rule'] = 1",
        1,
        "defineGoodRule",
        "NOT_A_RULE",
        "no function any more",
    ),
    "two of a name on a line": (
        "function defineARule() { return {} } function defineARule() { return {} }",
        2,
        "defineARule",
        "DUPLICATE_RULE",
        "x.js:2",
    ),
    "two of a name, a comment before": (
        "function defineARule() { return {} }\n/** x */ function defineARule() { return {} }",
        3,
        "defineARule",
        "DUPLICATE_RULE",
        "x.js:2",
    ),
    "a letter that nobody sees": (
        "function define\u200dRule() { return {} }",
        2,
        "define\u200dRule",
        "RULE_NAME",
        "",
    ),
    "a capital": ("function DefineARule() {}", 2, "DefineARule", "ALMOST_RULE", "almost"),
    "small": ("function defineArule() {}", 2, "defineArule", "ALMOST_RULE", "almost"),
    "a letter less": ("function defineARul() {}", 2, "defineARul", "ALMOST_RULE", "almost"),
    "letters swapped": ("function deifneARule() {}", 2, "deifneARule", "ALMOST_RULE", "almost"),
    "a letter of another alphabet": (
        "function d\u0435fineARule() {}",
        2,
        "d\u0435fineARule",
        "ALMOST_RULE",
        "almost",
    ),
    "many": ("function defineARules() {}", 2, "defineARules", "ALMOST_RULE", "almost"),
    "a number after it": ("function defineARule2() {}", 2, "defineARule2", "ALMOST_RULE", "almost"),
    "almost, a const": ("const DefineARule = () => 1", 2, "DefineARule", "ALMOST_RULE", "almost"),
    "almost, a class": ("class DefineARule {}", 2, "DefineARule", "ALMOST_RULE", "almost"),
    "an import": ("\nimport {a} from './a.js'", 3, "", "MODULE", "no imports"),
    "an import for what it does": ("import './a.js'", 2, "", "MODULE", "no imports"),
    "an import while it runs": ("const x = () => import('./a.js')", 2, "", "MODULE", "no imports"),
    "an export": ("\nexport function defineARule() { return {} }", 3, "", "MODULE", "exports nothing"),
    "an export of all": ("export {defineGoodRule}", 2, "", "MODULE", "exports nothing"),
}


@pytest.mark.parametrize("name", LOST)
def test_what_would_be_lost_is_a_problem_on_its_line(name: str) -> None:
    source, line, rule, code, message = LOST[name]
    _, (problem,) = found(f"function defineGoodRule() {{ return {{}} }}\n{source}")
    assert (problem.line, problem.rule, problem.code) == (line, rule, code)
    assert message in problem.message
    assert problem.remedy


def test_that_a_file_has_no_rule_is_said_when_nothing_else_explains_it() -> None:
    assert [each.code for each in found("const x = 1")[1]] == ["NO_RULES"]
    assert [each.code for each in found("const defineARule = 1")[1]] == ["NOT_A_FUNCTION"]
    assert [each.code for each in found("function DefineARule() {}")[1]] == ["ALMOST_RULE"]
    assert [each.code for each in found("1 +")[1]] == ["SYNTAX"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DefineXRule", "defineXRule"),
        ("defineXRul", "defineXRule"),
        ("defineXrule", "defineXRule"),
        ("defineXRules", "defineXRule"),
        ("deifneXRule", "defineXRule"),
        ("defineSearchRule2", "defineSearch2Rule"),
    ],
)
def test_what_was_meant_is_said(name: str, meant: str) -> None:
    assert meant_name(name) == meant


names = st.text("defin", max_size=6)


@given(names, names)
def test_one_slip_is_the_same_from_both_sides(one: str, other: str) -> None:
    assert within_one(one, other) == within_one(other, one)
    assert within_one(one, one)
    letters = {one[:at] + one[at + 1 :] for at in range(len(one))}
    assert all(within_one(one, each) for each in letters)
