"""Keys that stand twice in an object, and backslashes that JavaScript drops, are errors on their lines."""

import pytest

from controlplane.rules.texts import look_at


def found(text: str) -> list[str]:
    """Return what is said of a text: line, code and message."""
    said = look_at({"x.js": text})["x.js"]
    assert said.unread == 0
    return [f"{each.line} {each.code} {each.message}" for each in said.problems]


@pytest.mark.parametrize(
    "text",
    [
        '{1: a,\n"1": b}',
        "{1: a,\n1.0: b}",
        "{1: a,\n0x1: b}",
        "{1: a,\n[1]: b}",
        '{["1"]: a,\n0b1: b}',
        "{1000: a,\n1_000: b}",
        "{1e3: a,\n1000: b}",
        '{1e21: a,\n"1e+21": b}',
        '{0.5: a,\n"0.5": b}',
        "{when: a,\nwhen: b}",
        '{when: a,\n"when": b}',
        "{when: a,\n'wh\\u0065n': b}",
        "{wh\\u0065n: a,\nwhen: b}",
        '{"\\x61": a,\n"a": b}',
        "{when: a,\nwhen() {}}",
        "{when,\nwhen: a}",
        "{when: a,\nget when() { return b; }}",
        "{get when() { return a; },\nget when() { return b; }}",
        "{name: a, ...more,\nname: b}",
        "{x: {name: a, name2: b,\nname: c}}",
    ],
)
def test_a_key_that_stands_twice_in_an_object_is_an_error(text: str) -> None:
    (problem,) = found(f"const x = {text};")
    assert problem.startswith("2 DUPLICATE_KEY ")
    assert problem.endswith(" stands in this object already, on line 1: the last one counts")


@pytest.mark.parametrize(
    "text",
    [
        "{1: a, 2: b}",
        '{1: a, "01": b}',
        "{name: a, x: {name: b}}",
        "{...common, name: a}",
        "{get a() { return 1; }, set a(x) {}}",
        "{[a]: 1, [a]: 2}",
        "{a: 1, [`a`]: 2}",
        "{__proto__: null, ['__proto__']: 1}",
    ],
)
def test_other_keys_are_fine(text: str) -> None:
    assert found(f"const x = {text};") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (r'"^\d+$"', "JavaScript drops a backslash before d: \\d in a text is d"),
        (r"'1\.0'", "JavaScript drops a backslash before .: \\. in a text is ."),
        (r"`\w${x}`", "JavaScript drops a backslash before w: \\w in a text is w"),
        (r'context.attribute("x").matches("a", "\bcat")', "\\b is a backspace in a text"),
    ],
)
def test_a_backslash_that_is_dropped_is_an_error(text: str, says: str) -> None:
    assert found(f"const x =\n {text};") == [f"2 ESCAPE {says}"]


@pytest.mark.parametrize(
    "text",
    [
        r'"^\\d+$"',
        r"String.raw`\d+`",
        r"/\d+\./",
        r'"\"\'\n\t\u0041\x41\/"',
        r"`\`\${x}`",
        '"a\\\nb"',
        r'context.attribute("x").eq("\b")',
    ],
)
def test_other_backslashes_are_fine(text: str) -> None:
    assert found(f"const x = {text};") == []


def test_only_so_many_are_told() -> None:
    assert len(found('f("\\d"); ' * 300)) == 200
