"""Every operator is said alike in JavaScript and in YAML, and one validator checks its values."""

import pytest

from controlplane.rules.compile import compile_workspace
from controlplane.rules.condition import read_condition
from lightbulb.model import AnyOf, Comparison, Operator, Value
from tests.rules.workspaces import GOOD, problems_of, rule, workspace

DATE, NETWORK = "2026-01-31T09:00:00+01:00", "2001:db8::/32"
SAID: dict[str, tuple[Operator, tuple[Value, ...]]] = {
    'in("a", 1, true)': (Operator.IN, ("a", 1, True)),
    'eq("a")': (Operator.IN, ("a",)),
    'prefix("a", "b")': (Operator.PREFIX, ("a", "b")),
    'suffix("a", "b")': (Operator.SUFFIX, ("a", "b")),
    'contains("a", "b")': (Operator.CONTAINS, ("a", "b")),
    'ignoringCase.in("a", "b")': (Operator.IN_IGNORING_CASE, ("a", "b")),
    'ignoringCase.eq("É")': (Operator.IN_IGNORING_CASE, ("É",)),
    'ignoringCase.prefix("a")': (Operator.PREFIX_IGNORING_CASE, ("a",)),
    'ignoringCase.suffix("a")': (Operator.SUFFIX_IGNORING_CASE, ("a",)),
    'ignoringCase.contains("a")': (Operator.CONTAINS_IGNORING_CASE, ("a",)),
    'matches("^tv-(roku|fire)", "x$")': (Operator.MATCHES, ("^tv-(roku|fire)", "x$")),
    "lt(1.5)": (Operator.LT, (1.5,)),
    "le(2)": (Operator.LE, (2,)),
    "gt(-3)": (Operator.GT, (-3,)),
    "ge(0)": (Operator.GE, (0,)),
    'before("2026-01-31")': (Operator.BEFORE, ("2026-01-31",)),
    f'after("{DATE}")': (Operator.AFTER, (DATE,)),
    f'inNetwork("10.0.0.0/8", "{NETWORK}")': (Operator.IN_NETWORK, ("10.0.0.0/8", NETWORK)),
    'hasAny("a", 1)': (Operator.HAS_ANY, ("a", 1)),
    'hasAll("a", true)': (Operator.HAS_ALL, ("a", True)),
    **{
        f'size("{sign}", 2)': (Operator[f"SIZE_{name}"], (2,))
        for sign, name in (("==", "EQ"), ("<", "LT"), ("<=", "LE"), (">", "GT"), (">=", "GE"))
    },
    **{
        f'semver("{sign}", "5.1.0"{options})': (Operator[f"{kind}_{name}"], ("5.1.0",))
        for kind, options in (("VERSION", ""), ("SEMVER", ", {strict: true}"))
        for sign, name in (
            *(("==", "EQ"), ("<", "LT"), ("<=", "LE"), (">", "GT"), (">=", "GE")),
            *(("~", "TILDE"), ("^", "CARET")),
        )
    },
    "exists()": (Operator.EXISTS, ()),
}
EXPECTED = AnyOf(
    tuple(Comparison(attribute="x", operator=operator, values=values) for operator, values in SAID.values())
)


def test_javascript_and_yaml_say_every_operator_alike() -> None:
    """Each comparison is what it says, in both."""
    assert {operator for operator, _ in SAID.values()} == set(Operator)
    said = ", ".join(f'context.attribute("x").{each}' for each in SAID)
    written = ", ".join(
        f"{{attribute: x, op: {operator.value!r}, values: [{', '.join(map(scalar, values))}]}}"
        for operator, values in SAID.values()
    )
    experiments = GOOD["experiments.yaml"].replace(
        "    cells: {1: 50, 2: 50}\n", f"    cells: {{1: 50, 2: 50}}\n    eligible: {{any: [{written}]}}\n"
    )
    more = rule(f'when: any({said}), model: {{name: "fancy"}}')
    (table,) = compile_workspace(workspace(more_js=more, experiments_yaml=experiments)).tables
    assert table.context_rules[0].when == EXPECTED
    assert table.ab_rules[0].eligible == EXPECTED


def scalar(value: Value) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


class Refused(Exception):
    pass


@pytest.mark.parametrize(
    ("op", "values", "message", "remedy"),
    [
        ("matches", ["(a"], "'(a' is not a pattern: missing )", "RE2's syntax"),
        ("matches", ["(?=a)"], "'(?=a)' is not a pattern", "RE2's syntax"),
        ("matches", [r"(a)\1"], "is not a pattern: invalid escape sequence", "RE2's syntax"),
        ("matches", ["a" * 257], "a pattern of 257 characters; 256 are allowed", "shorten it"),
        ("matches", ["(a{100}){20}"], "is not a pattern: ", "RE2's syntax"),
        ("matches", ["a{999}b{99}"], "instructions; 1000 are allowed", "lower its repetitions"),
        ("matches", ["a"] * 17, "17 patterns; 16 are allowed", "join them"),
        ("matches", [""], "an empty text", "exists"),
        ("prefix", [""], "an empty text", "exists"),
        ("suffix", [5], "5 is not a text", "quote it"),
        ("in ignoring case", [True], "True is not a text", "quote it"),
        ("before", ["2026-02-30"], "'2026-02-30' is not a date", '"2026-01-31"'),
        ("before", ["2026-01-31T09:00:00"], "a date-time with a zone", "+01:00"),
        ("after", ["2026-01-31 09:00:00Z"], "is not a date", "2026-01-31T09:00:00+01:00"),
        ("after", [1769850000], "1769850000 is not a text", "quote it"),
        ("after", ["2026-01-31", "2026-02-01"], "after takes one value", "leave one"),
        ("in network", ["10.0.0.1/8"], "'10.0.0.1/8' is an address inside of a network", '"10.0.0.0/8"'),
        ("in network", ["10.0.0.0/33"], "not a network in CIDR notation", '"10.0.0.0/8"'),
        ("in network", ["10.0.0.0/08"], "not a network in CIDR notation", '"10.0.0.0/8"'),
        ("in network", ["::ffff:10.0.0.0/104"], "has IPv4 addresses in it", '"10.0.0.0/8"'),
        ("in network", ["localhost"], "not a network in CIDR notation", '"10.0.0.0/8"'),
        ("semver ^", ["5.1"], "'5.1' is not a semantic version", "before them: 5.1.0"),
        ("semver >=", ["v5.01-rc.1"], "'v5.01-rc.1' is not a semantic version", "them: 5.1.0-rc.1"),
        ("strict semver ~", ["x5"], "'x5' is not a semantic version", "all three numbers, for example 5.1.0"),
        ("semver >=", [5], "5 is not a text", "quote it"),
        ("size ==", [1.5], "a list can't have 1.5 elements", "a whole number from 0"),
        ("size >", [-1], "a list can't have -1 elements", "a whole number from 0"),
        ("size >", [True], "True is not a number", "without quotes"),
        (">", [True], "True is not a number", "without quotes"),
        (">", ["5"], "'5' is not a number", "without quotes"),
        ("has any", [], "nothing to compare with", "add at least one value"),
        ("has any", [["a"]], "not a list of texts, numbers and booleans", "write a list"),
        ("exists", [1], "exists compares with nothing", "leave values out"),
        ("sufix", ["a"], "unknown operator 'sufix'", "did you mean suffix?"),
        ("semver=>", ["5.1.0"], "unknown operator 'semver=>'", "did you mean semver"),
    ],
)
def test_a_value_that_its_operator_cant_compare_with_is_refused(
    op: str, values: list[object], message: str, remedy: str
) -> None:
    def complain(path: str, found: str, advice: str) -> Refused:
        assert path.startswith("when.")
        assert message in found
        assert remedy in advice
        return Refused()

    with pytest.raises(Refused):
        read_condition({"attribute": "x", "op": op, "values": values}, "when", complain)


def test_a_bad_value_is_refused_alike_in_javascript_and_yaml() -> None:
    """By the same text, at the rule or the test."""
    experiments = GOOD["experiments.yaml"].replace("op: in, values: [NO, US]", "op: after, values: [soon]")
    more = rule('when: context.attribute("x").after("soon"), model: {name: "fancy"}')
    texts = problems_of(workspace(more_js=more, experiments_yaml=experiments))
    assert len(texts) == 2
    assert all("values: 'soon' is not a date, or a date-time with a zone" in text for text in texts)
    assert texts[0].startswith("experiments.yaml:")
    assert texts[1].startswith("more.js:2 defineMoreRule")
