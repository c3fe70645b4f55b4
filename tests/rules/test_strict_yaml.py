"""What a YAML file says is read in one way, or refused with what to write: never guessed."""

import re

import pytest

from controlplane.problems import Problem
from controlplane.rules.definitions import Definitions, read_definitions
from controlplane.rules.scalars import MAX_EXACT, Doubt, plain_number, value_of
from lightbulb.model import Comparison, Operator
from tests.rules.workspaces import GOOD

TEST = "experiments:\n  - id: t\n    cells: {cells}\n"


def read(**changes: str) -> tuple[Definitions, list[str]]:
    """Return what the good files define with some replaced, and what is wrong."""
    problems: list[Problem] = []
    files = {**GOOD, **{f"{name}.yaml": text for name, text in changes.items()}}
    definitions = read_definitions({name: text.encode() for name, text in files.items()}, problems)
    return definitions, [str(problem) for problem in problems]


def of_value(scalar: str) -> tuple[Comparison | None, list[str]]:
    """Return what a condition on `plan` compares with, written as `scalar`, and what is wrong."""
    condition = f"{{attribute: plan, values: [{scalar}]}}"
    test = f"experiments:\n  - id: t\n    cells: {{1: 100}}\n    eligible: {condition}\n"
    definitions, problems = read(experiments=test)
    if problems:
        return None, problems
    eligible = definitions.experiments["t"].eligible
    assert isinstance(eligible, Comparison)
    return eligible, []


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("0", 0),
        ("1.5", 1.5),
        ("0.10", 0.1),
        ("true", True),
        ("false", False),
        ("'true'", "true"),
        ("premium", "premium"),
        ("'5'", "5"),
        ('"1e3"', "1e3"),
        ("NO", "NO"),
        ("5.1.0", "5.1.0"),
        ("v5", "v5"),
        ("12abc", "12abc"),
        ("n", "n"),
        (str(MAX_EXACT), MAX_EXACT),
        (str(-MAX_EXACT), -MAX_EXACT),
    ],
)
def test_a_value_that_can_be_read_in_one_way_is_read_so(scalar: str, value: object) -> None:
    comparison, problems = of_value(scalar)
    assert problems == []
    assert comparison == Comparison(attribute="plan", operator=Operator.IN, values=(value,))  # type: ignore[arg-type]
    assert type(comparison.values[0]) is type(value)


@pytest.mark.parametrize(
    ("scalar", "remedy"),
    [
        ("True", 'write true, or if it is a text quote it: "True"'),
        ("FALSE", "write false"),
        ("yes", "write true"),
        ("No", "write false"),
        ("on", "write true"),
        ("off", "write false"),
        ("null", 'quote it: "null"'),
        ("Null", 'quote it: "Null"'),
        ("~", 'quote it: "~"'),
        ("1e3", 'write 1000, or if it is a text quote it: "1e3"'),
        ("1.5E-2", "write 0.015"),
        ("0x1F", 'write 31, or if it is a text quote it: "0x1F"'),
        ("0o17", "write 15"),
        ("0b101", "write 5"),
        (".5", 'write 0.5, or if it is a text quote it: ".5"'),
        ("5.", "write 5"),
        ("+5", "write 5"),
        ("007", "write 7"),
        ("-0", "write 0"),
        ("-0.0", "write 0"),
        ("1_000", "write 1000"),
        (".nan", 'quote it: ".nan"'),
        (".inf", 'quote it: ".inf"'),
        ("-.inf", 'quote it: "-.inf"'),
        ("NaN", 'quote it: "NaN"'),
        ("12:30:45", 'quote it: "12:30:45"'),
        ("2026-11-24", 'quote it: "2026-11-24"'),
        ("2026-11-24T14:03:00Z", 'quote it: "2026-11-24T14:03:00Z"'),
        ("٣", "write 3"),
        ("9007199254740993", 'quote it: "9007199254740993"'),
        ("1234567890123456789012345678901234567890123", "quote it"),
        ("0.1000000000000000055511151231257827", "write 0.1,"),
        ("!!str 5", 'the tag !!str is not allowed; quote it: "5"'),
        ("!!int '5'", "the tag !!int is not allowed; leave it out"),
        ("! 5", 'the tag ! is not allowed; quote it: "5"'),
        ("a\n        -b", 'quote it: "a -b"'),
    ],
)
def test_a_value_that_might_be_another_is_refused_with_what_to_write(scalar: str, remedy: str) -> None:
    _, problems = of_value(scalar)
    assert len(problems) == 1, problems
    assert problems[0].startswith("experiments.yaml:4 "), problems
    assert remedy in problems[0]


def test_all_values_in_doubt_are_told_at_once() -> None:
    _, problems = of_value("yes, 1e3, ok, ~")
    assert len(problems) == 3


@pytest.mark.parametrize("version", ["1.10", "2026-11-24", "7", "1e", "12345678901234567890", "NO", "'1e3'"])
def test_a_version_stays_as_it_is_written(version: str) -> None:
    text = version.strip("'")
    definitions, problems = read(models=f"models:\n  - {{name: m, version: {version}, memory: 1MiB}}\n")
    assert (problems, list(definitions.models)) == ([], [f"m@{text}"])


@pytest.mark.parametrize(
    "version",
    ["null", "~", "", "true", "True", "yes", "off", "1e3", "0x1F", ".5", "+5", "007", "1_000", ".nan"],
)
def test_a_version_that_might_be_something_else_is_refused(version: str) -> None:
    _, problems = read(models=f"models:\n  - {{name: m, version: {version}, memory: 1MiB}}\n")
    assert len(problems) == 1
    assert problems[0].startswith("models.yaml:2 ")
    assert (f'quote it: "{version}"' if version else "write one, or leave the key out") in problems[0]


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("objectives", "owner", "no"),
        ("objectives", "name", "true"),
        ("objectives", "input_type", "null"),
        ("models", "name", "on"),
        ("models", "facts", "[~]"),
        ("models", "depends_on", "[null]"),
        ("experiments", "id", "012"),
        ("experiments", "salt", "1e3"),
        ("experiments", "layer", "{name: yes, from: 0, to: 50}"),
        ("fleet", "name", "0x1F"),
        ("fleet", "vip", "~"),
        ("fleet", "models", "[false]"),
    ],
)
def test_every_field_of_a_text_is_read_as_strictly(file: str, key: str, value: str) -> None:
    good = {
        "objectives": {"name": "O", "input_type": "X", "owner": "o", "deadline": "1s"},
        "models": {"name": "m", "version": "'1'", "memory": "1MiB"},
        "experiments": {"id": "t", "cells": "{1: 100}"},
        "fleet": {"name": "a", "vip": "v", "memory": "2GiB"},
    }
    fields = "\n    ".join(f"{name}: {text}" for name, text in ({**good[file], key: value}).items())
    top = "shards" if file == "fleet" else file
    problems = read(**{file: f"{top}:\n  - {fields}\n"})[1]
    assert [problem for problem in problems if problem.startswith(f"{file}.yaml") and "quote it" in problem]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("{1: 50, 01: 50}", "TYPE: cell 01 is no whole number; write 1"),
        ("{03: 100}", "TYPE: cell 03 is no whole number; write 3"),
        ("{3: 50, '3': 50}", "DUPLICATE_KEY: 3 stands on line 3 already"),
        ("{'01': 100}", 'TYPE: cell "01" is no whole number; write 1'),
        ("{1.0: 100}", "TYPE: cell 1.0 is no whole number; write 1"),
        ("{+1: 100}", "TYPE: cell +1 is no whole number; write 1"),
        ("{0x1: 100}", "TYPE: cell 0x1 is no whole number"),
        ("{٣: 100}", "TYPE: cell ٣ is no whole number"),
        ("{0: 100}", "CELLS: cells are numbered from 1"),
        ("{-1: 100}", "CELLS: cells are numbered from 1"),
        ("{4294967297: 100}", "CELLS: cells are numbered from 1"),
        ("{9007199254740993: 100}", "TYPE: cell 9007199254740993 is beyond"),
        ("{}", "CELLS: there are no cells"),
        ("{1: '100'}", 'PERCENT: weight of cell 1 "100" is no percentage; write 100 without quotes'),
        ("{1: 1e2}", "PERCENT: weight of cell 1 1e2 is no percentage; write 100"),
        ("{1: 50%, 2: 50}", "PERCENT: weight of cell 1 50% is no percentage; write 50"),
        (
            "{1: 1e-9}",
            "PERCENT: weight of cell 1 1e-9 is no percentage; write 0 to 100, at most two decimals",
        ),
        ("{1: 99.999999999}", "PERCENT: weight of cell 1 99.999999999 is no percentage; write 0 to 100"),
        ("{1: +50, 2: 50}", "PERCENT: weight of cell 1 +50 is no percentage; write 50"),
        ("{1: .5, 2: 99.5}", "PERCENT: weight of cell 1 .5 is no percentage; write 0.5"),
        ("{1: 050, 2: 50}", "PERCENT: weight of cell 1 050 is no percentage; write 50"),
        ("{1: -0, 2: 100}", "PERCENT: weight of cell 1 -0 is no percentage; write 0"),
        ("{1: 1_0, 2: 90}", "PERCENT: weight of cell 1 1_0 is no percentage; write 10"),
        ("{1: null, 2: 100}", "PERCENT: weight of cell 1 null is no percentage"),
        ("{1: 0.34, 2: 0.33, 3: 0.33}", "these look like fractions; write percent: {1: 34, 2: 33, 3: 33}"),
    ],
)
def test_cells_and_weights_are_plain_numbers(cells: str, problem: str) -> None:
    _, problems = read(experiments=TEST.replace("{cells}", cells))
    assert len(problems) == 1, problems
    assert problem in problems[0]


def test_cells_may_be_written_as_json_has_them() -> None:
    definitions, problems = read(experiments=TEST.replace("{cells}", '{"1": 33.33, "2": 66.67}'))
    assert problems == []
    assert [(cell.number, cell.weight) for cell in definitions.experiments["t"].cells] == [
        (1, 3333),
        (2, 6667),
    ]


@pytest.mark.parametrize(
    "deadline",
    ["0.0001ms", "0.0000001s", "0ms", "0.00s", "1.0005ms", "1d", "1 hour", "500us",
     "250MS", "1e3ms", "01s", "250",
     "-1s", ".5s", "1,5s", "٣s", "1m30s", "null", "~"],
)  # fmt: skip
def test_a_duration_is_one_that_the_protocol_carries(deadline: str) -> None:
    objective = f"objectives:\n  - {{name: O, input_type: X, owner: o, deadline: {deadline}}}\n"
    _, problems = read(objectives=objective.replace("1,5s", "'1,5s'"))
    assert [problem.partition(":")[2].split()[1] for problem in problems] == ["DURATION:"], problems


@pytest.mark.parametrize(
    ("deadline", "seconds"),
    [("0.001ms", 0.000001), ("250ms", 0.25), ("1.5s", 1.5), ("5m", 300.0), ("0.1s", 0.1), ("5 s", 5.0)],
)
def test_a_duration_is_read_exactly(deadline: str, seconds: float) -> None:
    objective = f"objectives:\n  - {{name: O, input_type: X, owner: o, deadline: {deadline}}}\n"
    definitions, problems = read(objectives=objective)
    assert (problems, definitions.objectives["O"].deadline) == ([], seconds)


@pytest.mark.parametrize(
    "memory", ["1GB", "1gib", "1G", "1.5GiB", "0MiB", "01GiB", "1e3MiB", "100", "٣GiB", "~"]
)
def test_a_size_is_whole_mebibytes(memory: str) -> None:
    _, problems = read(models=f"models:\n  - {{name: m, version: '1', memory: {memory}}}\n")
    assert [problem.partition(":")[2].split()[1] for problem in problems] == ["SIZE:"], problems


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("from: 0, to: 1e2", "PERCENT: to 1e2 is no percentage; write 100"),
        ("from: '0', to: 50", 'PERCENT: from "0" is no percentage; write 0 without quotes'),
        ("from: 0, to: 33.333", "PERCENT: to 33.333 is no percentage; write 0 to 100, at most two decimals"),
    ],
)
def test_a_part_of_a_layer_is_plain_percentages(part: str, problem: str) -> None:
    test = f"experiments:\n  - id: t\n    cells: {{1: 100}}\n    layer: {{name: l, {part}}}\n"
    _, problems = read(experiments=test)
    assert len(problems) == 1, problems
    assert problem in problems[0]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("shards:\n  - {name: >=, vip: v}\n", 2, 'begin with > unless it is quoted; quote it: ">="'),
        ("shards:\n  - name: >=\n", 2, 'quote it: ">="'),
        ("shards:\n  - name: @x\n", 2, 'quote it: "@x"'),
        ("shards:\n  - name: `x`\n", 2, 'quote it: "`x`"'),
        ("shards:\n  - name: %x\n", 2, 'quote it: "%x"'),
        ("shards:\n  - name: *x y\n", 2, "aliases are not allowed"),
        ("shards:\n  - name: *\n", 2, "* begins an alias, and there are none here; quote it"),
        ("shards:\n\t- name: x\n", 2, "a tab stands where only blanks may; indent with blanks"),
        ("shards:\n  - name: x\n\tvip: y\n", 3, "indent with blanks"),
        ("shards:\n  - name: 'x\n    vip: y\n", 2, "the quote that opens here is not closed; close it"),
        ('shards:\n  - name: "x\n    vip: y\n', 2, "the quote that opens here is not closed"),
        ('shards:\n  - name: "\\d"\n', 2, "use single quotes"),
        ("shards:\n  - name:x\n    vip: y\n", 2, "no blank follows the colon; write a blank after"),
        ("shards:\n  - {name:x, vip: y, memory: 1GiB}\n", 2, "no key name:x; write a blank after the colon"),
        ("shards:[]\n", 1, "a blank after each colon"),
        ("shards:\n  - name: a: b\n", 2, 'quote a text that has ": " in it'),
        ("shards: [{name: x\n  vip: y}]\n", 2, "what opens on line 1 is not closed; close it, or"),
        ("shards:\n  - name: x\n   vip: y\n", 3, "write - before it, or indent it otherwise"),
        ("shards:\n    - name: x\n  vip: y\n", 3, "indent it as its neighbours"),
        ("shards:\n  - name: \x07\n", 2, "the character U+0007 is not allowed; take it out"),
        ("é: [ö]\nshards:\n  - {name: >=}\n", 3, 'quote it: ">="'),
        ("\ufeffshards:\n  - {name: >=}\n", 2, 'quote it: ">="'),
        ("shards: []\n---\nshards: []\n", 2, "another document begins"),
        ("shards: - x\n", 1, "write - at the beginning of the next line"),
    ],
)  # fmt: skip
def test_what_yaml_cant_read_says_what_to_do(text: str, line: int, says: str) -> None:
    _, problems = read(fleet=text)
    told = [problem for problem in problems if problem.startswith(f"fleet.yaml:{line} ") and says in problem]
    assert told, problems


def test_a_fleet_without_a_shard_is_the_one_cause() -> None:
    _, problems = read(fleet="shards: []\n")
    assert len(problems) == 1
    assert problems[0].startswith(
        "fleet.yaml:1 NO_SHARD: there is no shard, so no model has a place; add one:"
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("pl\u0430in", "character 3 of it is CYRILLIC SMALL LETTER A (U+0430), which looks like a"),
        ("plain ", "character 6 of it is a blank"),
        (" plain", "character 1 of it is a blank"),
        ("plain\u200b", "character 6 of it is ZERO WIDTH SPACE (U+200B)"),
        ("pla\u00adin", "character 4 of it is SOFT HYPHEN (U+00AD)"),
        ("pl\uff41in", "FULLWIDTH LATIN SMALL LETTER A (U+FF41), which looks like a"),
        ("pl\u2010ain", "character 3 of it is HYPHEN (U+2010), which looks like -"),
    ],
)
def test_a_name_that_only_looks_right_says_which_character_is_wrong(name: str, says: str) -> None:
    _, problems = read(
        models=f"models:\n  - {{name: plain, version: '1', memory: 1MiB, depends_on: ['{name}@1']}}\n"
    )
    assert len(problems) == 1
    assert says in problems[0], problems
    _, problems = read(models=f"models:\n  - {{name: '{name}', version: '1', memory: 1MiB}}\n")
    assert len(problems) == 1
    assert re.sub(", which.*|.* is ", "", says) in problems[0], problems


@pytest.mark.parametrize(
    "text", ["1e99999999", "1" * 100_000, "0x" + "f" * 100_000, "1" + "_" * 100_000, "." * 9]
)
def test_a_scalar_made_to_be_costly_costs_nothing(text: str) -> None:
    assert len(plain_number(text)) <= 140
    assert isinstance(value_of(text), Doubt | str)
