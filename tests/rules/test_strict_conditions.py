"""What a condition compares with can be true of some request, whether YAML or JavaScript says it."""

import json
from collections.abc import Sequence

import pytest

from controlplane.problems import Problem, Severity, WorkspaceError
from controlplane.rules.compile import Compiled, compile_and_warn
from controlplane.rules.definitions import read_definitions
from controlplane.rules.fixed_values import COUNTRIES, usual_case
from tests.rules.workspaces import GOOD, rule, workspace

BAD: Sequence[tuple[str, str, object, str]] = (
    # attribute, operator, values, what is said
    ("country", "in", ["fr"], "no country has the code 'fr' in ISO 3166-1; write \"FR\""),
    ("country", "in", ["US", "Fr"], 'write "FR"'),
    ("country", "in", ["UK"], 'write "GB"'),
    ("country", "in", ["USA"], 'write "US"'),
    ("country", "in", ["France"], "write two capital letters"),
    ("country", "in", ["EN"], 'write "GB"'),
    ("country", "in", ["YY"], "no country has the code 'YY'"),
    ("country", "in", ["US "], "no country has the code 'US '"),
    ("country", "in", [""], "never ''"),
    ("country", "in", [5], "never 5"),
    ("country", "in", [True], "never True"),
    ("country", "prefix", ["f"], "no country's code begins with 'f'"),
    ("country", "prefix", ["FRA"], "no country's code begins with 'FRA'"),
    ("country", ">", [5], "country is a text; > is not for texts"),
    ("country", "<=", [5], "country is a text; <= is not for texts"),
    ("country", "semver >=", ["1.0.0"], "country is a code; semver >= is not for codes"),
    ("country", "before", ["2026-01-01"], "country is a code; before is not for codes"),
    ("country", "in network", ["10.0.0.0/8"], "country is a code; in network is not for codes"),
    ("country", "has any", ["FR"], "country is a text; has any is not for texts"),
    ("country", "size >", [1], "country is a text; size > is not for texts"),
    ("device", ">", [5], "device is a text; > is not for texts"),
    ("surface", "<", [5], "surface is a text; < is not for texts"),
    ("surface", "in", [5], "surface is a text that is not empty, never 5"),
    ("device", "in", ["d" * 129], "a text of 129 characters; clients send up to 128"),
    ("plan", "in", ["p" * 1025], "a text of 1025 characters; clients send up to 1024"),
    ("locale", ">=", [5], "locale is a text; >= is not for texts"),
    ("locale", "semver ==", ["1.0.0"], "locale is a code; semver == is not for codes"),
    ("locale", "in", ["en_US"], "'en_US' is no locale of BCP 47; write \"en-US\""),
    ("locale", "in", ["en_us.UTF-8"], 'write "en-US"'),
    ("locale", "in", ["e"], "'e' is no locale of BCP 47"),
    ("locale", "in", ["en-"], "'en-' is no locale of BCP 47"),
    ("locale", "in", ["en US"], "'en US' is no locale of BCP 47"),
    ("locale", "in", ["toolonglanguage"], "'toolonglanguage' is no locale of BCP 47"),
    ("locale", "prefix", ["en_"], "'en_' is no locale of BCP 47"),
    ("user_id", "in", ["u1"], 'user_id is no attribute; write context.user.in("...") in JavaScript'),
    ("user_id", "prefix", ["u"], "user_id is no attribute"),
    (" plan", "in", ["x"], "the attribute's name can't have this: character 1 of it is a blank"),
    ("pl\u200ban", "in", ["x"], "character 3 of it is ZERO WIDTH SPACE (U+200B)"),
    ("a" * 129, "in", ["x"], "the attribute's name has 129 characters; 128 are allowed"),
    ("age", ">", [True], "True is not a number"),
    ("age", "<=", [False], "False is not a number"),
    ("age", ">", ["5"], "'5' is not a number"),
    ("age", ">", [], "nothing to compare with"),
    ("age", "in", [], "nothing to compare with"),
    ("age", "prefix", [5], "5 is not a text"),
    ("app", "semver >=", ["1"], "'1' is not a semantic version"),
    ("app", "semver >=", ["1.0.0+"], "'1.0.0+' is not a semantic version"),
    ("app", "semver >=", ["1.0.0+a..b"], "'1.0.0+a..b' is not a semantic version"),
    ("app", "semver >=", ["1.0.0-a..b"], "'1.0.0-a..b' is not a semantic version"),
    ("app", "semver >=", ["1.0.0-01"], "'1.0.0-01' is not a semantic version"),
    ("app", "semver >=", ["01.0.0"], "'01.0.0' is not a semantic version"),
)  # fmt: skip


def in_yaml(condition: object) -> list[str]:
    """Return what is wrong with a condition in YAML, of which JSON is a part."""
    problems: list[Problem] = []
    test = f"experiments:\n  - id: t\n    cells: {{1: 100}}\n    eligible: {json.dumps(condition)}\n"
    files = {**GOOD, "experiments.yaml": test}
    read_definitions({name: text.encode() for name, text in files.items()}, problems)
    return [f"{problem.message}; {problem.remedy}" for problem in problems]


def in_javascript(*conditions: object) -> list[str]:
    """Return what is wrong with conditions in JavaScript, written out."""
    rules = "".join(
        rule(
            f'when: {json.dumps(condition)}, model: {{name: "fancy"}}, priority: {n}', f"define{n}Rule"
        ).replace("define", "defineMore")
        for n, condition in enumerate(conditions)
    )
    with pytest.raises(WorkspaceError) as refused:
        compile_and_warn(workspace(more_js=rules))
    return [f"{problem.message}; {problem.remedy}" for problem in refused.value.problems]


def comparison(attribute: str, op: str, values: object) -> object:
    return {"attribute": attribute, "op": op, "values": values}


@pytest.mark.parametrize(("attribute", "op", "values", "says"), BAD)
def test_a_value_that_can_never_be_is_refused(attribute: str, op: str, values: object, says: str) -> None:
    problems = in_yaml(comparison(attribute, op, values))
    assert len(problems) == 1, problems
    assert says in problems[0]


def test_javascript_and_yaml_say_the_same_of_the_same_condition() -> None:
    conditions = [comparison(attribute, op, values) for attribute, op, values, _ in BAD]
    told = in_javascript(*conditions)
    assert len(told) == len(BAD)
    expected = [problem for condition in conditions for problem in in_yaml(condition)]
    assert sorted(each.partition(": ")[2] for each in told) == sorted(
        each.partition(": ")[2] for each in expected
    )


@pytest.mark.parametrize(
    ("attribute", "op", "values"),
    [
        ("country", "in", ["US", "NO", "XK", "ZZ", "AA", "QM", "EU"]),
        ("country", "in ignoring case", ["fr"]),
        ("country", "prefix", ["F", "FR"]),
        ("country", "exists", []),
        ("device", "semver >=", ["1.0.0"]),
        ("device", "prefix", ["tv-"]),
        ("locale", "in", ["en", "en-US", "zh-Hant-TW", "sl-rozaj-biske", "de-CH-1901", "es-419", "x-pig"]),
        ("locale", "in", ["en-US-u-ca-gregory", "de-DE-x-goethe"]),
        ("locale", "prefix", ["en", "en-", "zh-Hant"]),
        ("user", "in", ["u1"]),
        ("age", ">", [5.5]),
        ("app", "semver >=", ["1.0.0-rc.1+build.5"]),
        ("name", "in", ["\u0430"]),
    ],
)
def test_a_value_that_can_be_is_taken(attribute: str, op: str, values: object) -> None:
    assert in_yaml(comparison(attribute, op, values)) == []


def test_the_countries_are_those_of_iso_3166() -> None:
    assert len(COUNTRIES) == 249
    assert not COUNTRIES & {"UK", "XK", "EU", "ZZ", "AN", "SU", "YU"}


def test_what_is_wrong_in_a_condition_of_yaml_is_told_at_its_line() -> None:
    problems: list[Problem] = []
    test = """experiments:
  - id: t
    cells: {1: 100}
    eligible:
      all:
        - {attribute: plan, values: [gold]}
        - not:
            attribute: country
            values: [fr]
        - attribute: age
          op: ">"
          values:
            - true
"""
    files = {**GOOD, "experiments.yaml": test}
    read_definitions({name: text.encode() for name, text in files.items()}, problems)
    assert [problem.line for problem in problems] == [8]
    problems.clear()
    files["experiments.yaml"] = test.replace("[fr]", "[FR]")
    read_definitions({name: text.encode() for name, text in files.items()}, problems)
    assert [problem.line for problem in problems] == [13]


@pytest.mark.parametrize("form", ["all", "any"])
def test_a_condition_of_no_conditions_is_refused(form: str) -> None:
    assert in_yaml({form: []}) == [f"eligible.{form}: no conditions; write at least one"]
    assert in_yaml({"not": {form: []}}) == [f"eligible.not.{form}: no conditions; write at least one"]


def said(**changes: str) -> list[str]:
    with pytest.raises(WorkspaceError) as refused:
        compile_and_warn(workspace(**changes))
    return [str(each) for each in refused.value.problems if each.severity is Severity.ERROR]


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ('context.contry.eq("FR")', "UNKNOWN_ATTRIBUTE: attribute contry is unknown; did you mean country?"),
        ('context.locales.eq("x")', "did you mean locale?"),
        ("context.uid.exists()", 'use one of: attribute("..."), country, device, locale, surface, user'),
        ("any()", "any() needs at least one condition"),
        ("all()", "all() needs at least one condition"),
        ("not()", "not() takes one value, not 0 values"),
        ('context.country.equals("FR")', "nothing is compared by equals: use one of in, eq, prefix, suffix"),
        ('context.user.eq("u")', "nothing is compared by eq: use one of in"),
        ('context.country.ignoringCase.lt("x")', "by lt: use one of in, eq, prefix, suffix, contains"),
        ("not(context.country.exists(), context.device.exists())", "not() takes one value, not 2 values"),
    ],
)
def test_a_builder_that_is_misused_names_its_line(when: str, says: str) -> None:
    more = rule(f'when:\n  {when},\n  model: {{name: "fancy"}}')
    (problem,) = said(more_js=more)
    assert problem.startswith("more.js:3 defineMoreRule "), problem
    assert says in problem


def test_the_context_is_what_it_was_whoever_looks_at_it() -> None:
    more = (
        "// the closed set is whole for who lists it, and nobody changes it\n"
        "function defineMoreRule() {\n"
        '  const names = "attribute,country,device,locale,surface,user";\n'
        '  if (Object.keys(context).join() !== names) throw new Error("keys");\n'
        "  const has = (name) => Reflect.has(context, name);\n"
        '  if (!has("country") || has("contry")) throw new Error("in");\n'
        "  try { context.country = 1; } catch (error) {\n"
        '    try { context.country.eq = 1; } catch (inner) { throw new Error("kept"); }\n'
        "  }\n}\n"
    )
    assert [problem.split(":", 2)[2].strip()[:11] for problem in said(more_js=more)] == ["Error: kept"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('shift: {from: {name: "plain"}, to: {name: "fancy"}, percent: 1e-9}', "1e-09 has more than two"),
        ('shift: {from: {name: "plain"}, to: {name: "fancy"}, percent: 99.999999999}', "more than two"),
        ('shift: {from: {name: "plain"}, to: {name: "fancy"}, percent: 0.1 + 0.2}', "write for example 0.3"),
        ('shift: {from: {name: "plain"}, to: {name: "fancy"}, percent: 100.00000000000001}', "0 to 100"),
        ('shift: {from: {name: "plain"}, to: {name: "fancy"}, percent: true}', "not a number"),
        ('abTestId: 12345, cellToModel: {"01": {name: "plain"}, 2: {name: "fancy"}}', "write 1"),
        ('abTestId: 12345, cellToModel: {1: {name: "plain"}, "2.0": {name: "fancy"}}', "not a cell number"),
        ('abTestId: 12345, cellToModel: {0: {name: "plain"}}', "the test's cell numbers, from 1"),
        ("abTestId: 12345, cellToModel: {}", "not an object of cells"),
        ('defaultModel: {name: "plain", version: ""}', "defaultModel.version: not a text"),
        ('defaultModel: {name: "plain "}', "character 6 of it is a blank"),
        ('defaultModel: {name: "pl\u0430in"}', "CYRILLIC SMALL LETTER A (U+0430), which looks like a"),
        ('defaultModel: {name: "plain", version: "1\u200b"}', "ZERO WIDTH SPACE (U+200B)"),
        ('defaultModel: {name: "plain", parameters: {"a ": 1}}', "a name in defaultModel.parameters: can't"),
        ('permitOverrides: [{name: "fancy"}], clients: ["lab "]', "clients[0]: can't have this"),
        ('permitOverrides: [{name: "fancy"}], clients: null', "clients: missing"),
        ('permitOverrides: [{name: "fancy"}], modelType: "x".repeat(257)', "modelType: has 257 characters"),
        ('permitOverrides: [{name: "fancy"}], modelInputType: "x".repeat(257)', "modelInputType: has 257"),
        ('permitOverrides: [{name: "fancy"}], targetObjectives: []', "targetObjectives: empty"),
        ('permitOverrides: [{name: "fancy"}], modelType: "SCORER\\n"', "modelType: can't have this"),
    ],
)  # fmt: skip
def test_what_a_rule_says_can_be(body: str, says: str) -> None:
    problems = said(more_js=rule(body))
    assert any(says in problem and problem.startswith("more.js:2 defineMoreRule ") for problem in problems), (
        problems
    )


@pytest.mark.parametrize(
    ("percent", "basis_points"), [("33.33", 3333), ("0.07", 7), ("57.55", 5755), ("0", 0)]
)
def test_a_percentage_is_read_as_it_is_written(percent: str, basis_points: int) -> None:
    more = rule(f'shift: {{from: {{name: "plain"}}, to: {{name: "fancy"}}, percent: {percent}}}')
    (table,) = compile_and_warn(workspace(more_js=more)).rules.tables
    assert [shift.basis_points for shift in table.shifts] == [basis_points]


def warned(more: str) -> tuple[Compiled, list[str]]:
    compiled = compile_and_warn(workspace(more_js=more))
    # The workspace's test is of everybody, so that conditions after it never apply: that is said elsewhere.
    told = [each for each in compiled.warnings if each.file == "more.js" and each.code != "NEVER_APPLIES"]
    return compiled, [str(each) for each in told]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            'permitOverrides: [{name: "fancy"}], clients: []',
            "PERMITS_NOBODY: clients is empty: nobody may ask",
        ),
        ("permitOverrides: []", "PERMITS_NOTHING: permitOverrides is empty"),
    ],
)
def test_what_is_empty_permits_nobody(body: str, code: str) -> None:
    compiled, warnings = warned(rule(body))
    (table,) = compiled.rules.tables
    assert table.overrides == ()
    assert len(warnings) == 1
    assert warnings[0].startswith(f"more.js:2 defineMoreRule warning {code}")
    without = rule('permitOverrides: [{name: "fancy"}]')
    (table,) = compile_and_warn(workspace(more_js=without)).rules.tables
    assert [each.clients for each in table.overrides] == [()]


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ('context.locale.eq("en-us")', "LOCALE: locale 'en-us' never equals 'en-US': texts are"),
        ('context.attribute("contry").eq("FR")', "ATTRIBUTE: contry is an attribute of your own, not "),
        ('not(context.attribute("Country").eq("FR"))', "ATTRIBUTE: Country is an attribute"),
        ('context.attribute("plan").in("gold", "free ")', "VALUE: plan: 'free ' can't have this"),
        ('all(context.surface.eq("home"), context.attribute("x").eq("a\u200b"))', "ZERO WIDTH SPACE"),
    ],
)  # fmt: skip
def test_what_most_likely_isnt_meant_is_a_warning(when: str, says: str) -> None:
    _, warnings = warned(rule(f'when: {when}, model: {{name: "fancy"}}'))
    assert len(warnings) == 1, warnings
    assert says in warnings[0]


def test_a_client_by_the_name_of_a_star_is_a_warning() -> None:
    _, warnings = warned(rule('permitOverrides: [{name: "fancy"}], clients: ["lab", "*"]'))
    assert len(warnings) == 1, warnings
    assert "CLIENT: clients has *" in warnings[0]
    assert "leave clients out to let every client ask" in warnings[0]


def test_what_is_as_it_should_be_is_no_warning() -> None:
    when = 'any(context.locale.in("en-US", "zh-Hant"), context.attribute("app").eq("x"))'
    assert warned(rule(f'when: {when}, model: {{name: "fancy"}}'))[1] == []


@pytest.mark.parametrize(
    ("locale", "usual"),
    [
        ("EN-us", "en-US"),
        ("ZH-hANT-tw", "zh-Hant-TW"),
        ("en-US-U-CA-gregory", "en-US-u-ca-gregory"),
        ("x-AB", "x-ab"),
        ("es-419", "es-419"),
        ("de-ch-1901", "de-CH-1901"),
    ],
)
def test_the_usual_case_of_a_locale(locale: str, usual: str) -> None:
    assert usual_case(locale) == usual
