"""An operator of JavaScript's that looks at a condition is an error; ordinary code is left alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.problems import Problem
from controlplane.rules.texts import look_at
from tests.depth import examples

BEGIN = 'const fr = context.country.eq("FR"); const tv = context.device.prefix("tv");\n'


def found(text: str) -> tuple[Problem, ...]:
    """Return what is said of a text, whose first line is what all have."""
    said = look_at({"x.js": BEGIN + text})["x.js"]
    assert said.unread == 0
    return said.problems


SWALLOWED = [
    "const w = {...fr, ...tv}",
    "Object.assign({}, fr, context.device.eq(1))",
    "const f = () => { fr; any(fr, tv); return 1 }",
    "any(fr, tv)",
    'segment("kids") || segment("staff")',
    'context.user.in("a") && fr',
    'context.locale.ignoringCase.eq("en") || fr',
    'context.attribute("tags").hasAny("a") || fr',
    "segment && fr",
    "switch (true) { case fr: }",
    "do {} while (fr)",
    "for (; fr; ) {}",
    "const s = Object.freeze({fr, tv}); s.fr || s.tv",
    'context.country.eq("FR") || context.device.prefix("tv")',
    'context.country.eq("FR") && context.device.prefix("tv")',
    '!context.country.eq("FR")',
    'context.country.eq("FR") ? a : b',
    'context.country == "FR"',
    "context.country > 5",
    "context.country.eq || fr",
    "`${fr}`",
    'fr + ""',
    "(fr, tv)",
    "fr ?? tv",
    "fr < tv",
    "any || fr",
    "if (fr) {}",
    "switch (fr) {}",
    "let x; x = fr; x ||= tv",
    "const f = () => fr; f() || tv",
    "function f() { return fr } f || tv",
    "function both(a, b) { return a && b } both(fr, tv)",
    "[fr, tv].reduce((a, b) => a || b)",
    "const c = {us: fr, tv}; c.us && c.tv",
    'const {country, device: d} = context; country.eq("x") || d.eq("y")',
    'const {eq} = context.country; eq("FR") || tv',
    "Boolean(fr)",
    "[fr, tv].some(Boolean)",
    '["a"].map(c => context.country.eq(c)).reduce((a, b) => { return a && b })',
    "for (const x of [fr, tv]) { if (x) {} }",
    "while (fr) {}",
    "unknown(x) || fr",
    "const g = (f = fr) => !f",
    "const c = flag ? fr : tv; c && 1",
    'context?.country?.eq("FR") || tv',
    "-fr",
    "fr instanceof Object",
    "const o = {get x() { return fr }}; o.x || 1",
    "const l = []; l.push(fr); l[0] || l[1]",
    "const a = fr; const b = a; { !b }",
    'typeof fr === "x" || !fr',
    "(() => fr)() || 1",
    "fr == tv",
    'context.country in ["FR"]',
    "not(fr) || any(fr)",
    'const k = "country"; context.attribute("x").ge(4) && tv',
    "class X { static m() { return fr && tv } }",
]


@pytest.mark.parametrize("text", SWALLOWED)
def test_an_operator_that_swallows_a_condition_is_an_error_on_its_line(text: str) -> None:
    problems = found(text)
    assert {(each.code, each.line) for each in problems} == {("CONDITION_OPERATOR", 2)}
    assert all(each.remedy for each in problems)


ORDINARY = [
    '"country" in context',
    "percent > 5 ? fr : tv",
    '"a" || "b"',
    "[...(flag ? [fr] : [])]",
    "flag && {when: fr}",
    "const on = true; on && fr",
    "on ? {when: fr} : {}",
    "const w = any(fr, tv)",
    "fr === undefined ? 1 : 2",
    'typeof fr === "object"',
    "let acc = null; acc = acc ? any(acc, fr) : fr",
    'const rows=[{country:"US"}]; const cs = {country: fr}; rows.filter((r) => r.country === "US")',
    "const any = (a) => a; any(1) || 2",
    "function f(any) { return any || 1 }",
    "{ const x = fr; } { const x = 5; x > 3 }",
    "const n = [1, 2].map(x => x * 2)",
    '["FR"].map((c) => context.country.eq(c))',
    'const w = any(...["FR"].map((c) => context.country.eq(c)))',
    '`${"a"}`',
    "const when = {when: fr}; ({...when})",
    "const p = {percent: 5}; if (p.percent > 4) {}",
    'const w = context.attribute("x" + 1).ge(2 + 3)',
    'const w = context.attribute(`a${1}`).eq(1 > 2 ? "a" : "b")',
    "Object.freeze({when: fr})",
    "[fr, tv].filter(Boolean)",
    "opts.kids && 5",
    "const s = {when: 5}; const r = {when: fr}; if (s.when > 3) {}",
    "fr.op",
    "JSON.stringify(fr)",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_code_is_left_alone(text: str) -> None:
    assert found(text) == ()


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ('context.country.eq("FR") || tv', 'write any(context.country.eq("FR"), tv)'),
        ("fr && tv && !fr", "write all(fr, tv, !fr)"),
        ("!fr", "write not(fr)"),
        ('context.country == "FR"', 'write context.country.eq("FR")'),
        ('context.country != "FR"', 'write not(context.country.eq("FR"))'),
        ("context.attribute('age') >= 18", "write context.attribute('age').ge(18)"),
        ('context.country in ["FR", "DE"]', 'write context.country.in("FR", "DE")'),
        ("[fr, tv].some(Boolean)", "write any(...[fr, tv])"),
    ],
)
def test_what_was_meant_is_the_remedy(text: str, remedy: str) -> None:
    assert found(text)[0].remedy == remedy


def test_an_operator_is_told_on_its_own_line_with_the_rule_around_it() -> None:
    text = """function defineARule() {
  return {
    when: context.country.eq("FR")
      || context.device.prefix("tv")
      || context.surface.eq("kids"),
  };
}"""
    problems = found(text)
    assert [(each.line, each.rule) for each in problems] == [(6, "defineARule"), (5, "defineARule")]
    whole = 'write any(context.country.eq("FR"), context.device.prefix("tv"), context.surface.eq("kids"))'
    assert {each.remedy for each in problems} == {whole}


operands = st.sampled_from(["fr", "tv", "(fr)", "any(fr, tv)", "not(tv)", 'context.surface.in("kids")'])
operators = st.sampled_from(["||", "&&", "??", "==", "===", "<", ">", "+", "-", "in", "instanceof", ","])
places = st.sampled_from(
    [
        "%s",
        "const x = %s",
        "f(%s)",
        "({when: %s})",
        "[%s]",
        "() => %s",
        "`${%s}`",
        "if (y) { z = %s }",
        "class X { a = %s }",
    ]
)


@given(operands, operators, operands, places)
@settings(max_examples=examples(300), deadline=None)
def test_two_conditions_and_an_operator_are_an_error_wherever_they_stand(
    left: str, operator: str, right: str, place: str
) -> None:
    assert found(place % f"({left} {operator} {right})")


values = st.sampled_from(
    ["1", "'a'", "x", "Objectives.A", "(2)", "null", "rules.length", "f(1)", "[1]", "{}"]
)


@given(values, operators, values, places)
@settings(max_examples=examples(300), deadline=None)
def test_ordinary_values_and_an_operator_are_none(left: str, operator: str, right: str, place: str) -> None:
    shown = f"{left} {operator} {right}" if operator != "??" else f"({left}) {operator} ({right})"
    assert found(place % f"({shown})") == ()
