"""Rule functions are found where they stand, once for a whole file."""

from hypothesis import given
from hypothesis import strategies as st

from controlplane.rules.places import find_rules, find_variables, first_places
from lightbulb.model import Source

lines = st.sampled_from(
    [
        "",
        "// function defineNoRule() {}",
        "function defineARule() { return {} }",
        "  async function* defineBRule () {",
        "const x = function defineCRule() {}",
        "function helper() {} function defineDRule() {}",
        "é\tfunction defineARule() {}",
    ]
)


@given(st.lists(lines, max_size=12))
def test_a_rule_function_is_found_on_the_line_that_it_begins_on(text: list[str]) -> None:
    expected = [
        Source(rule="defineARule" if "ARule" in line else "defineBRule", file="x.js", line=number)
        for number, line in enumerate(text, start=1)
        if line.startswith(("function defineA", "  async"))
    ]
    places = find_rules({"x.js": "\n".join(text)})
    assert places == {"x.js": tuple(expected)}
    for (file, rule), source in first_places(places).items():
        assert source == next(each for each in expected if (each.file, each.rule) == (file, rule))


def test_files_are_looked_at_in_the_order_of_their_names() -> None:
    assert list(find_rules({"b.js": "", "a.js": ""})) == ["a.js", "b.js"]


def test_rules_that_are_variables_are_found_where_they_stand_but_not_in_comments() -> None:
    text = "/* a\nconst defineARule = 1 */\nlet defineBRule = () => 1\n// const defineCRule = 1\n"
    text += "\nvar defineDRule=1\n"
    found = find_variables({"y.js": "const defineERule = 1", "x.js": text})
    assert [(each.file, each.line, each.rule) for each in found] == [
        ("x.js", 3, "defineBRule"),
        ("x.js", 6, "defineDRule"),
        ("y.js", 1, "defineERule"),
    ]
