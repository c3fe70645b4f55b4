"""What an author probably didn't mean is told, and stops nothing unless that is asked for."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from controlplane.cli.main import main
from controlplane.problems import Severity, WorkspaceError
from controlplane.rules.compile import compile_and_warn
from controlplane.rules.workspace import read_workspace
from tests.rules.workspaces import GOOD, rule, workspace

ROOT = Path(__file__).parents[2]
OUT = "name it in a rule, or take it out"
UNUSED = [
    f"experiments.yaml:4 warning UNUSED_TEST: no rule names test 777: nobody is in it; {OUT}",
    f"experiments.yaml:8 warning UNUSED_TEST: no rule names test 778: nobody is in it; {OUT}",
    f"models.yaml:5 warning UNUSED_MODEL: no rule names model fraud@1.10: no host loads it; {OUT}",
    f"models.yaml:6 warning UNUSED_MODEL: no rule names model fraud@2: no host loads it; {OUT}",
]


@pytest.mark.parametrize("folder", ["rules", "controlplane/cli/template"])
def test_our_own_workspaces_have_no_warning(folder: str) -> None:
    assert compile_and_warn(read_workspace(ROOT / folder)).warnings == ()


def test_models_and_tests_that_nothing_names_are_told() -> None:
    """A model that another one needs is named: `base`."""
    assert [str(each) for each in compile_and_warn(workspace()).warnings] == UNUSED


def test_a_rule_that_names_a_model_in_any_way_uses_it() -> None:
    named = rule('permitOverrides: [{name: "fraud", version: "2"}]')
    told = [str(each) for each in compile_and_warn(workspace(more_js=named)).warnings]
    assert told == UNUSED[:3]


def test_errors_come_without_what_may_follow_from_them() -> None:
    with pytest.raises(WorkspaceError) as caught:
        compile_and_warn(workspace(more_js=rule("defaultModel: 5")))
    assert {each.severity for each in caught.value.problems} == {Severity.ERROR}


def check(folder: Path, *options: str) -> tuple[int, str, str]:
    for name, text in GOOD.items():
        (folder / name).write_text(text)
    result = CliRunner().invoke(main, ["rules", "check", str(folder), *options])
    return result.exit_code, result.stdout, result.stderr


def test_check_prints_warnings_and_is_content(tmp_path: Path) -> None:
    code, out, err = check(tmp_path)
    assert code == 0
    assert out.splitlines()[-1] == "ok: 1 objective, 4 warnings"
    assert err.splitlines()[0] == UNUSED[0].partition(";")[0]
    assert err.splitlines()[-1] == "4 warnings"


def test_check_takes_warnings_for_errors_when_it_is_to_be_strict(tmp_path: Path) -> None:
    code, out, err = check(tmp_path, "--strict")
    assert (code, out) == (1, "")
    assert err.splitlines()[0] == UNUSED[0].partition(";")[0].replace(" warning", "")
    assert err.splitlines()[-1] == "4 problems"


@pytest.mark.parametrize(("options", "code", "severity"), [((), 0, "warning"), (("--strict",), 1, "error")])
def test_json_has_warnings_among_the_problems(
    tmp_path: Path, options: tuple[str, ...], code: int, severity: str
) -> None:
    told, out, err = check(tmp_path, "--output", "json", *options)
    document = json.loads(out)
    assert (told, err) == (code, "")
    assert [each["severity"] for each in document["problems"]] == [severity] * 4
    assert bool(document["objectives"]) is (code == 0)


def never(*rules: str, **changes: str) -> list[str]:
    """Return the warnings about rules beside a test of everybody, 12345."""
    sources = {f"more{n}_js": text for n, text in enumerate(rules)}
    told = compile_and_warn(workspace(**sources, **changes)).warnings
    return [str(each) for each in told if each.code.endswith("NEVER_APPLIES")]


def test_a_rule_below_a_test_of_everybody_can_never_apply() -> None:
    when = rule('when: context.country.eq("NO"), model: {name: "fancy"}')
    (told,) = never(when)
    assert told == (
        "more0.js:2 defineMoreRule warning NEVER_APPLIES: on Ranking it can never apply: before it, everyone"
        " that it is meant for gets what rules.js:4 defineAbRule says; take it out, or limit what comes"
        " before it to fewer users"
    )


def test_a_shift_below_a_test_of_everybody_can_never_apply() -> None:
    shift = rule('shift: {from: {name: "plain"}, to: {name: "fancy"}, percent: 50}')
    (told,) = never(shift)
    assert "NEVER_APPLIES: on Ranking it can never apply" in told


def test_a_shift_that_is_written_as_nobody_is_as_its_author_wants_it() -> None:
    shift = rule('shift: {from: {name: "plain"}, to: {name: "fancy"}, percent: 0}')
    assert never(shift) == []


def test_a_condition_that_nobody_meets_is_told() -> None:
    contrary = 'all(context.country.eq("NO"), context.country.eq("US"))'
    (told,) = never(rule(f'when: {contrary}, model: {{name: "fancy"}}'))
    assert "its condition holds for nobody; take it out, or write another condition" in told


def test_a_rule_that_applies_to_a_few_is_no_warning() -> None:
    """The layer's other half is for the condition."""
    ab = GOOD["rules.js"].replace("12345", "777")
    when = rule('when: context.country.eq("NO"), model: {name: "fancy"}')
    assert never(when, rules_js=ab) == []


def test_check_tells_what_is_so_in_effect(tmp_path: Path) -> None:
    """Half of a shift is announced; a test of everybody comes before it."""
    shift = rule('shift: {from: {name: "plain"}, to: {name: "fraud", version: "2"}, percent: 50}')
    (tmp_path / "more.js").write_text(shift)
    code, out, _ = check(tmp_path)
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[1] == "Ranking plain@1 12345 0 50% to fraud@2 0"
    assert lines[2:-1] == ["objective users get", "Ranking 50% plain@1", "Ranking 50% fancy@1"]


def test_a_unit_that_is_almost_a_known_one_is_doubted() -> None:
    tests = GOOD["experiments.yaml"] + "  - {id: 9, cells: {1: 100}, unit: Session}\n"
    said = [
        each for each in compile_and_warn(workspace(experiments_yaml=tests)).warnings if each.code == "UNIT"
    ]
    (problem,) = said
    assert (problem.file, problem.line, problem.remedy) == ("experiments.yaml", 11, "did you mean session?")


def test_a_shift_to_the_model_that_it_shifts_from_is_doubted() -> None:
    more = rule('shift: {from: {name: "plain"}, to: {name: "plain"}, percent: 5}')
    codes = [
        each.code for each in compile_and_warn(workspace(more_js=more)).warnings if each.file == "more.js"
    ]
    assert "SHIFT_TO_ITSELF" in codes


def test_guards_that_are_judged_otherwise_or_see_nothing_are_doubted() -> None:
    to = 'from: {name: "plain"}, to: {name: "fancy"}'
    more = rule(f'shift: {{{to}, schedule: [5, 100], guards: ["errors:1.25x", "p99:1.2x"]}}')
    own = GOOD["rules.js"].replace('{name: "plain"}}', '{name: "plain"}, guards: ["p99:251ms"]}', 1)
    said = [
        (each.file, each.code, each.message.partition(",")[0], each.remedy)
        for each in compile_and_warn(workspace(rules_js=own, more_js=more)).warnings
        if each.code.startswith("GUARD")
    ]
    given_up = "p99:251ms: calls are given up after 250ms"
    alone = "at 100 % nobody is left to compare with"
    assert said == [
        ("more.js", "GUARD_SEES_NOTHING", alone, "take another guard, or add one"),
        ("rules.js", "GUARD_ROUNDED", "p99:251ms is judged as 260ms", "write p99:260ms"),
        ("rules.js", "GUARD_SEES_NOTHING", given_up, "take another guard, or add one"),
    ]
