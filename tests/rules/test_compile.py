"""A workspace compiles to tables, or says everything that is wrong with it at once."""

from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.model import Workspace
from controlplane.problems import WorkspaceError
from controlplane.rules.compile import compile_workspace
from controlplane.rules.workspace import MAX_FILE_BYTES, MAX_FILE_LINES, content_hash, read_workspace
from controlplane.rules.yaml_file import MAX_HINTS
from lightbulb.model import (
    AbRule,
    Cell,
    Comparison,
    GuardTerms,
    ModelTarget,
    ObjectiveTable,
    Operator,
    Probation,
    Schedule,
    ShadowRule,
    Source,
)
from lightbulb.resolution.codec import table_from_bytes, table_to_bytes
from tests.rules.workspaces import GOOD, problems_of, rule, workspace

OBJECTIVES, MODELS, EXPERIMENTS = (GOOD[f"{name}.yaml"] for name in ("objectives", "models", "experiments"))


def only_table(**changes: str) -> ObjectiveTable:
    (table,) = compile_workspace(workspace(**changes)).tables
    return table


def found(**changes: str) -> list[str]:
    return problems_of(workspace(**changes))


def test_a_good_workspace_becomes_a_table() -> None:
    plain = ModelTarget(
        name="plain",
        version="1",
        type="SCORER",
        input_type="TITLE_INPUT_TYPE",
        routing_key="Ranking|plain|1",
    )
    fancy = ModelTarget(
        name="fancy",
        version="1",
        type="SCORER",
        input_type="TITLE_INPUT_TYPE",
        routing_key="Ranking|fancy|1",
    )
    assert only_table() == ObjectiveTable(
        objective="Ranking",
        input_type="TITLE_INPUT_TYPE",
        cache_lifetime=60.0,
        deadline=0.25,
        models=(plain, fancy),
        default_model=0,
        default_source=Source(rule="defineDefaultRule", file="rules.js", line=3),
        ab_rules=(
            AbRule(
                source=Source(rule="defineAbRule", file="rules.js", line=4),
                test_id="12345",
                salt="ab:12345",
                cells=(Cell(number=1, end=5_000, model=0), Cell(number=2, end=10_000, model=1)),
            ),
        ),
    )


def test_every_kind_of_rule_finds_its_place() -> None:
    more = (
        rule('when: context.country.in("CA"), model: {name: "fancy"}, priority: 1', "defineLowRule")
        + rule('when: context.device.prefix("tv"), model: {name: "plain"}, priority: 2', "defineHighRule")
        + rule('shift: {from: {name: "plain"}, to: {name: "fancy"}, percent: 12.5}', "defineShiftRule")
        + rule(
            'permitOverrides: [{name: "fancy", parameters: {k: 3}}], clients: ["lab"]', "defineOverrideRule"
        )
    )
    table = only_table(more_js=more)
    assert [each.source.rule for each in table.context_rules] == ["defineHighRule", "defineLowRule"]
    (shift,) = table.shifts
    assert (shift.basis_points, shift.salt) == (1_250, "shift:Ranking:fancy@1")
    (override,) = table.overrides
    assert override.clients == ("lab",)
    assert table.models[override.models[0]].parameters == {"k": 3}


def test_a_shift_in_steps_and_a_default_that_is_judged_say_so_in_their_table() -> None:
    guards = 'guards: ["errors:1.25x", "p99:250ms"], alpha: 0.05, interval: "30s", minSample: 50'
    table = only_table(
        rules_js=GUARDED,
        more_js=rule(f'shift: {{{TO_FANCY}, schedule: [2.5, 100], every: "30m", {guards}}}'),
    )
    terms = GuardTerms(guards=("errors:1.25x", "p99:250ms"), alpha=0.05, interval=30.0, min_sample=50)
    (shift,) = table.shifts
    assert shift.schedule == Schedule(steps=(250, 10_000), every=1_800.0, guards=terms)
    assert (shift.basis_points, shift.salt) == (0, "shift:Ranking:fancy@1")
    usual = GuardTerms(guards=("errors:1%",), alpha=0.01, interval=10.0, min_sample=100)
    assert table.probation == Probation(guards=usual, seconds=7_200.0)


def test_a_shadow_is_in_its_table() -> None:
    words = 'percent: 2.5, noiseFloor: true, until: ["2,000 pairs", "24h"], maxBody: "2MiB"'
    table = only_table(more_js=rule(f'shadow: {{model: {{name: "fancy"}}, {words}}}'))
    (shadow,) = table.shadows
    assert table.models[shadow.model].name == "fancy"
    assert replace(shadow, source=table.default_source, model=0) == ShadowRule(
        source=table.default_source,
        model=0,
        basis_points=250,
        noise_floor=True,
        max_body=2 * 1024 * 1024,
        pairs=2_000,
        lasts=86_400.0,
    )
    assert table_from_bytes(table_to_bytes(table)) == table


def test_all_that_is_wrong_with_a_shadow_comes_at_once() -> None:
    words = 'percent: 101, noiseFloor: 1, until: "soon", maxBody: "64MiB", k: 1'
    problems = found(more_js=rule(f'shadow: {{model: {{name: "plain"}}, {words}}}'))
    misfits = [problem for problem in problems if " SHAPE: " in problem]
    assert [problem.partition(" SHAPE: ")[2].partition(";")[0] for problem in misfits] == [
        "shadow.maxBody: no size of 1KiB to 16MiB",
        "shadow.noiseFloor: neither true nor false",
        "shadow.percent: not a number from 0 to 100",
        "shadow.until: no end",
    ]
    assert any("shadow.k: unknown key" in problem for problem in problems)


def test_all_that_is_wrong_with_a_shift_in_steps_comes_at_once() -> None:
    guards = 'guards: ["errors:fast", "agreement:0.3"], alpha: 3'
    problems = found(more_js=rule(f'shift: {{{TO_FANCY}, schedule: [5, 5], every: "0.5s", {guards}}}'))
    assert [problem.partition("SHAPE: ")[2].partition(";")[0] for problem in problems] == [
        "shift.every: a step lasts 1 second to 30 days",
        "shift.guards: 'errors:fast': is no guard",
        "shift.guards: agreement:0.3: a bound of agreement is from 0.5 to 0.99999",
        "shift.guards: alpha 3: the chance of a false alarm is from 0.000001 to 0.2",
        "shift.schedule: 5 %, 5 %: each step must be more than the one before",
    ]


def test_tests_of_one_layer_go_together_and_norway_is_a_country() -> None:
    more = rule(
        'abTestId: "777", cellToModel: {1: {name: "plain"}, 2: {name: "fancy"}}', "defineOneRule"
    ) + rule('abTestId: 778, cellToModel: {1: {name: "fancy"}}, priority: 0', "defineOtherRule")
    common = GOOD["rules.js"].replace("function defineAbRule", "function notARule")
    table = only_table(rules_js=common, more_js=more)
    one, other = table.ab_rules
    assert (one.layer_salt, one.layer_begin, one.layer_end) == ("layer:home", 0, 5_000)
    assert other.layer_begin == 5_000
    assert one.eligible == Comparison(attribute="country", operator=Operator.IN, values=("NO", "US"))
    assert [cell.end for cell in one.cells] == [3_333, 10_000]


def test_a_rule_that_names_an_objective_twice_is_one_rule_of_it() -> None:
    twice = GOOD["rules.js"].replace("[Objectives.Ranking]", "[Objectives.Ranking, Objectives.Ranking]")
    assert twice != GOOD["rules.js"]
    assert only_table(rules_js=twice) == only_table()


def test_rules_whose_conditions_leave_each_other_no_value_need_no_priority() -> None:
    tests = ("lt(5)", "ge(5)", 'before("2026-01-31")', 'prefix("v")', 'prefix("w")', "hasAny(1)")
    more = "".join(
        rule(f'when: context.attribute("x").{test}, model: {{name: "fancy"}}', f"define{at}Rule")
        for at, test in enumerate(tests)
    )
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(workspace(more_js=more))
    # A date, and what begins with a letter: two orders, in which no value is looked at together.
    assert {problem.code for problem in caught.value.problems} == {"OVERLAPPING_RULES"}
    found = {(problem.rule, problem.message.split()[-1]) for problem in caught.value.problems}
    assert found == {("define3Rule", "define2Rule"), ("define4Rule", "define2Rule")}


def test_a_version_stays_as_it_is_written() -> None:
    models = compile_workspace(workspace()).models
    assert [model.id for model in models] == ["base@1", "fancy@1", "fraud@1.10", "fraud@2", "plain@1"]


def test_the_same_workspace_has_the_same_hash_and_rules() -> None:
    assert content_hash(workspace()) == content_hash(workspace())
    assert content_hash(workspace()) != content_hash(workspace(more_js="//"))
    assert content_hash(workspace()) == content_hash(workspace(README_md="what counts stays the same"))
    assert compile_workspace(workspace()) == compile_workspace(workspace())


TO_FANCY = 'from: {name: "plain"}, to: {name: "fancy"}'
GUARDED = GOOD["rules.js"].replace(
    'defaultModel: {name: "plain"}',
    'defaultModel: {name: "plain"}, guards: ["errors:1%"], judgedFor: "2h"',
)

BAD = {
    # what is wrong: (changed files, how each problem begins, part of its remedy)
    "an unknown key": (
        {"models_yaml": MODELS + '  - {name: m, version: "1", memory: 1MiB, fact: [x]}\n'},
        "models.yaml:7 UNKNOWN_KEY: a model has no key fact",
        "did you mean facts?",
    ),
    "a duplicate key": (
        {"fleet_yaml": "shards:\n  - name: a\n    name: b\n    vip: v\n    memory: 2GiB\n"},
        "fleet.yaml:3 DUPLICATE_KEY: name stands on line 2 already",
        "keep one",
    ),
    "a duplicate model": (
        {"models_yaml": MODELS + '  - {name: plain, version: "1", memory: 1MiB}\n'},
        "models.yaml:7 DUPLICATE: plain@1 stands on line 2 already",
        "keep one",
    ),
    "a missing key": (
        {"models_yaml": MODELS + '  - {name: m, version: "1"}\n'},
        "models.yaml:7 MISSING_KEY: a model lacks memory",
        "add it",
    ),
    "a bad size": (
        {"models_yaml": MODELS + '  - {name: m, version: "1", memory: 12}\n'},
        "models.yaml:7 SIZE: memory 12 is no size",
        "512MiB",
    ),
    "a model that may load for more than a day": (
        {"models_yaml": MODELS + '  - {name: m, version: "1", memory: 1MiB, load_timeout: 25h}\n'},
        "models.yaml:7 DURATION: load_timeout is more than a day",
        "24h",
    ),
    "a bad duration": (
        {"objectives_yaml": OBJECTIVES.replace("250ms", "fast")},
        "objectives.yaml:2 DURATION: deadline fast is no duration",
        "250ms",
    ),
    "a name that can't be in a key": (
        {"models_yaml": MODELS + '  - {name: "a|b", version: "1", memory: 1MiB}\n'},
        "models.yaml:7 NAME: name 'a|b' is no name",
        "letters",
    ),
    "broken YAML": ({"fleet_yaml": "shards: [\n"}, "fleet.yaml:2 YAML: the text ends", "close"),
    "an anchor": (
        {"fleet_yaml": "shards:\n  - &x {name: a, vip: v, memory: 2GiB}\n  - *x\n"},
        "fleet.yaml:2 YAML: anchors and aliases",
        "write it out",
    ),
    "weights that don't add up": (
        {"experiments_yaml": EXPERIMENTS.replace("{1: 50, 2: 50}", "{1: 50, 2: 40}")},
        "experiments.yaml:3 WEIGHT_SUM: weights total 90, not 100",
        "set cell 2 to 50",
    ),
    "overlapping parts of a layer": (
        {"experiments_yaml": EXPERIMENTS.replace("from: 50", "from: 40")},
        "experiments.yaml:8 LAYER_OVERLAP: test 778 overlaps test 777 in layer home",
        "begin at 50",
    ),
    "a shared salt": (
        {"experiments_yaml": EXPERIMENTS.replace("  - id: 778", "  - id: 778\n    salt: ab:12345")},
        "experiments.yaml:8 DUPLICATE_SALT: test 778 has the salt 'ab:12345', and so has test 12345 at",
        "its own",
    ),
    "an unknown dependency": (
        {"models_yaml": MODELS.replace("[base@1]", "[bas@1]")},
        "models.yaml:3 UNKNOWN_MODEL: fancy@1 depends on bas@1",
        "did you mean base@1?",
    ),
    "a loop of dependencies": (
        {"models_yaml": MODELS.replace("memory: 200MiB", "memory: 200MiB, depends_on: [fancy@1]")},
        "models.yaml:3 DEPENDENCY_LOOP: models depend on each other: fancy@1 -> base@1 -> fancy@1",
        "remove one",
    ),
    "an unknown model": (
        {"more_js": rule('when: context.country.in("CA"), model: {name: "fancyy"}')},
        "more.js:2 defineMoreRule UNKNOWN_MODEL: model fancyy is unknown",
        "did you mean fancy?",
    ),
    "a version in a model's name": (
        {"more_js": rule('when: context.country.in("CA"), model: {name: "fraud@2"}')},
        "more.js:2 defineMoreRule UNKNOWN_MODEL: model fraud@2 is unknown",
        'write {name: "fraud", version: "2"}',
    ),
    "an operator that YAML folds": (
        {
            "experiments_yaml": "experiments:\n  - id: 12345\n    cells: {1: 50, 2: 50}\n    eligible:\n"
            "      attribute: n\n      op: >\n      values: [5]\n"
        },
        "experiments.yaml:6 CONDITION: eligible.op: it is empty",
        'quote an operator that begins with >: ">"',
    ),
    "an unknown version": (
        {"more_js": rule('when: context.country.in("CA"), model: {name: "fancy", version: "9"}')},
        "more.js:2 defineMoreRule UNKNOWN_VERSION: model fancy has no version 9",
        "use one of: 1",
    ),
    "a version left open": (
        {"more_js": rule('when: context.country.in("CA"), model: {name: "fraud"}')},
        "more.js:2 defineMoreRule AMBIGUOUS_VERSION: model fraud has versions 1.10, 2",
        "add version",
    ),
    "an unknown objective": (
        {"more_js": rule('defaultModel: {name: "plain"}').replace('"Ranking"', '"Rankin"')},
        "more.js:2 defineMoreRule UNKNOWN_OBJECTIVE: objective Rankin is unknown",
        "did you mean Ranking?",
    ),
    "an unknown test": (
        {"rules_js": GOOD["rules.js"].replace("12345", "12346")},
        "rules.js:4 defineAbRule UNKNOWN_TEST: test 12346 is unknown",
        "did you mean 12345?",
    ),
    "a cell without a model": (
        {"rules_js": GOOD["rules.js"].replace(', 2: {name: "fancy"}', "")},
        "rules.js:4 defineAbRule CELL_WITHOUT_MODEL: cell 2 of test 12345 has no model",
        "add 2:",
    ),
    "an unknown cell": (
        {"rules_js": GOOD["rules.js"].replace('{name: "fancy"}', '{name: "fancy"}, 3: {name: "plain"}')},
        "rules.js:4 defineAbRule UNKNOWN_CELL: test 12345 has no cell 3",
        "use 1, 2",
    ),
    "two tests that meet": (
        {"more_js": rule('abTestId: 778, cellToModel: {1: {name: "fancy"}}')},
        "rules.js:4 defineAbRule OVERLAPPING_RULES: on Ranking it can apply to the same request as more.js:2",
        "one layer",
    ),
    "two conditions that meet": (
        {
            "more_js": rule('when: context.country.in("CA"), model: {name: "fancy"}', "defineOneRule")
            + rule('when: context.device.in("tv"), model: {name: "fancy"}', "defineTwoRule")
        },
        "more.js:4 defineTwoRule OVERLAPPING_RULES: on Ranking it can apply to the same request as more.js:2",
        "priority",
    ),
    "two conditions of numbers that meet in one": (
        {
            "more_js": rule('when: context.attribute("age").le(5), model: {name: "fancy"}', "defineOneRule")
            + rule('when: context.attribute("age").ge(5), model: {name: "fancy"}', "defineTwoRule")
        },
        "more.js:4 defineTwoRule OVERLAPPING_RULES: on Ranking it can apply to the same request as more.js:2",
        "priority",
    ),
    "two defaults": (
        {"more_js": rule('defaultModel: {name: "fancy"}')},
        "rules.js:3 defineDefaultRule DUPLICATE_DEFAULT: Ranking has a default model already, at more.js:2",
        "keep one",
    ),
    "an objective without rules": (
        {
            "objectives_yaml": GOOD["objectives.yaml"]
            + "  - {name: Fraud, input_type: X, owner: risk, deadline: 1s}\n"
        },
        "objectives.yaml:3 MISSING_DEFAULT: objective Fraud has no rules: whoever asks for it would get no",
        "take it out of objectives.yaml",
    ),
    "a rule that is a variable": (
        {
            "more_js": "/*\nconst defineCommentedRule = 1;\n*/\n"
            "const defineArrowRule = () => ({}), helper = 1;\n  // const defineOtherRule = 1\n"
        },
        "more.js:4 defineArrowRule NOT_A_FUNCTION: defineArrowRule is a variable, and only functions are",
        "function defineArrowRule()",
    ),
    "no default": (
        {"rules_js": GOOD["rules.js"].replace("function defineDefaultRule", "function notARule")},
        "rules.js:4 defineAbRule MISSING_DEFAULT: Ranking has rules but no default model",
        "defaultModel",
    ),
    "a shift from elsewhere": (
        {"more_js": rule('shift: {from: {name: "fancy"}, to: {name: "plain"}, percent: 10}')},
        "more.js:2 defineMoreRule SHIFT_FROM: shift.from is fancy, but the default is plain",
        "default model",
    ),
    "a percentage too fine": (
        {"more_js": rule('shift: {from: {name: "plain"}, to: {name: "fancy"}, percent: 1.005}')},
        "more.js:2 defineMoreRule SHAPE: shift.percent: 1.005 has more than two decimals",
        "write for example 1",
    ),
    "a shadow of what is copied": (
        {"more_js": rule('shadow: {model: {name: "plain"}, percent: 10}')},
        "more.js:2 defineMoreRule SHADOW_OF_ITSELF: shadow.model is the default, whose requests are copied",
        "add noiseFloor: true",
    ),
    "two shadows of one model": (
        {
            "more_js": rule('shadow: {model: {name: "fancy"}, percent: 10}')
            + rule('shadow: {model: {name: "fancy"}, percent: 20}', "defineOtherRule")
        },
        "more.js:4 defineOtherRule DUPLICATE_SHADOW: Ranking has two shadows of one model",
        "keep one of them",
    ),
    "a schedule that falls": (
        {"more_js": rule(f"shift: {{{TO_FANCY}, schedule: [50, 5]}}")},
        "more.js:2 defineMoreRule SHAPE: shift.schedule: 50 %, 5 %: each step must be more",
        "to give users back, abort the shift",
    ),
    "steps of a share too fine": (
        {"more_js": rule(f"shift: {{{TO_FANCY}, schedule: [5, 1.005]}}")},
        "more.js:2 defineMoreRule SHAPE: shift.schedule[1]: 1.005 has more than two decimals",
        "write for example 1",
    ),
    "a schedule and a share": (
        {"more_js": rule(f"shift: {{{TO_FANCY}, schedule: [5], percent: 5}}")},
        "more.js:2 defineMoreRule SHAPE: shift.percent: a shift with a schedule is of all users",
        "leave it out, or write percent",
    ),
    "guards without a schedule": (
        {"more_js": rule(f'shift: {{{TO_FANCY}, percent: 5, guards: ["errors:1.25x"]}}')},
        "more.js:2 defineMoreRule SHAPE: shift.guards: it is of a shift with a schedule",
        "write schedule: [5, 25, 50, 100] in place of percent",
    ),
    "a step of no duration": (
        {"more_js": rule(f"shift: {{{TO_FANCY}, schedule: [5, 50], every: 30}}")},
        "more.js:2 defineMoreRule SHAPE: shift.every: 30 is no duration",
        "a number above 0 and s, m, h or d",
    ),
    "steps to the default with other parameters": (
        {
            "more_js": rule(
                'shift: {from: {name: "plain"}, to: {name: "plain", parameters: {k: 1}}, schedule: [5]}'
            )
        },
        "more.js:2 defineMoreRule SHIFT_TO: shift.to is plain version 1, which is the default already",
        "name another model or version",
    ),
    "a guard of a default that compares": (
        {"rules_js": GUARDED.replace("errors:1%", "errors:1.25x")},
        "rules.js:3 defineDefaultRule SHAPE: guards: errors:1.25x: there is no control arm to compare with",
        "write a bound, as errors:0.5%, or shift step by step",
    ),
    "a default that is judged by nothing": (
        {"rules_js": GUARDED.replace('guards: ["errors:1%"], ', "")},
        "rules.js:3 defineDefaultRule SHAPE: guards: missing",
        'write for example guards: ["errors:1%"]',
    ),
    "a default that is judged for no time": (
        {"rules_js": GUARDED.replace("2h", "1s")},
        "rules.js:3 defineDefaultRule SHAPE: judgedFor: a default is judged for one interval",
        'write for example "1h"',
    ),
    "a wrong input type": (
        {"more_js": rule('permitOverrides: [{name: "fancy"}]').replace("TITLE_", "TRANSACTION_")},
        "more.js:2 defineMoreRule INPUT_TYPE: Ranking takes TITLE_INPUT_TYPE, not TRANSACTION_INPUT_TYPE",
        "objective's",
    ),
    "a rule of no kind": (
        {"more_js": rule("priority: 3")},
        "more.js:2 defineMoreRule SHAPE: the result: has none of them",
        "cellToModel",
    ),
    "a misspelt key in a rule": (
        {"more_js": rule('permitOverrides: [{name: "fancy"}], client: ["x"]')},
        "more.js:2 defineMoreRule UNKNOWN_KEY: client: unknown key",
        "did you mean clients?",
    ),
    "a reserved parameter": (
        {"more_js": rule('permitOverrides: [{name: "fancy", parameters: {priority: 1}}]')},
        "more.js:2 defineMoreRule RESERVED_PARAMETER: permitOverrides[0].parameters.priority",
        "rename",
    ),
    "an unknown operator": (
        {"more_js": rule('when: {attribute: "a", op: "inn", values: ["x"]}, model: {name: "fancy"}')},
        "more.js:2 defineMoreRule SHAPE: when.op: unknown operator 'inn'",
        "did you mean in?",
    ),
    "a bad version in a condition": (
        {"more_js": rule('when: {attribute: "a", op: "semver >", values: ["1"]}, model: {name: "fancy"}')},
        "more.js:2 defineMoreRule SHAPE: when.values: '1' is not a semantic version",
        "write all three numbers",
    ),
    "a file that isn't one": ({"model_yaml": "x: 1"}, "model.yaml UNKNOWN_FILE", "rename"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_workspace_names_file_line_rule_and_remedy_and_nothing_else(name: str) -> None:
    changes, begins, remedy = BAD[name]
    problems = found(**changes)
    matching = [problem for problem in problems if problem.startswith(begins)]
    assert matching, problems
    assert remedy in matching[0].partition(";")[2]
    assert len(problems) == 1, problems


def test_all_problems_of_a_workspace_come_at_once() -> None:
    problems = found(
        objectives_yaml=OBJECTIVES + "  - {name: Third, input_type: QUERY_INPUT_TYPE, owner: x}\n",
        models_yaml=MODELS.replace("fancy, version", "fancy, versio").replace("100MiB", "100GiB"),
        experiments_yaml=EXPERIMENTS.replace("{1: 50, 2: 50}", "{1: 50, 2: 40}"),
        fleet_yaml=GOOD["fleet.yaml"] + "  - {name: b, vip: vip-c, memory: 1GiB, colour: red}\n",
        syntax_js="function defineSyntaxRule() {\n  return {a: 1;\n}",
        loop_js="function defineLoopRule() { for (;;) {} }\n"
        "function defineBombRule() { const a = []; for (;;) a.push('x'.repeat(1e6) + a.length) }\n"
        "function defineNanRule() { return {percent: NaN} }\n"
        "function defineMisspeltRule() { return {targetObjectives: [Objectives.Rankin]} }",
        more_js=rule('permitOverrides: [{name: "fancyy"}, {name: "fancy"}, {name: "plainn"}]')
        + rule('abTestId: 999, cellToModel: {x: {name: "plain"}}, priority: 1.5', "defineTestRule")
        + rule('shift: {from: {nam: "a"}, to: {name: 3}, percent: 101, salt: 7}', "defineShiftRule"),
    )
    # file and line, rule and code of each, in the order of files and lines
    assert [problem.partition(": ")[0] for problem in problems] == [
        "experiments.yaml:3 WEIGHT_SUM",
        "fleet.yaml:4 DUPLICATE",
        "fleet.yaml:4 UNKNOWN_KEY",
        "loop.js:1 defineLoopRule TIME_LIMIT",
        "loop.js:2 defineBombRule MEMORY_LIMIT",
        "loop.js:3 defineNanRule NOT_JSON",
        "loop.js:4 defineMisspeltRule UNKNOWN_OBJECTIVE",
        "models.yaml:2 DOES_NOT_FIT",
        "models.yaml:3 MISSING_KEY",
        "models.yaml:3 UNKNOWN_KEY",
        "more.js:2 defineMoreRule UNKNOWN_MODEL",
        "more.js:2 defineMoreRule UNKNOWN_MODEL",
        "more.js:4 defineTestRule SHAPE",
        "more.js:4 defineTestRule SHAPE",
        "more.js:6 defineShiftRule SHAPE",
        "more.js:6 defineShiftRule SHAPE",
        "more.js:6 defineShiftRule SHAPE",
        "more.js:6 defineShiftRule SHAPE",
        "more.js:6 defineShiftRule UNKNOWN_KEY",
        "objectives.yaml:3 MISSING_KEY",
        "syntax.js:2 SYNTAX",
    ]


def test_of_very_many_unknown_names_the_first_are_compared_with_what_there_is() -> None:
    models = ", ".join(f'{{name: "fancy{number}"}}' for number in range(MAX_HINTS + 7))
    problems = found(more_js=rule(f"permitOverrides: [{models}]"))
    assert len(problems) == MAX_HINTS + 7
    assert sum(problem.endswith("did you mean fancy?") for problem in problems) == MAX_HINTS
    assert sum(problem.endswith("define it, or use what is defined") for problem in problems) == 7


@pytest.mark.parametrize("file", ["objectives", "models", "experiments", "fleet"])
@pytest.mark.parametrize("content", ["x: [\n", "x: &a 1\n", "- 1\n", "wrong: []\n", ""])
def test_a_file_that_cant_be_read_accuses_no_one_else(file: str, content: str) -> None:
    problems = found(
        **{f"{file}_yaml": content},
        more_js=rule('permitOverrides: [{name: "fancyy"}]') if file != "models" else "//",
    )
    others = [problem for problem in problems if not problem.startswith(f"{file}.yaml")]
    expected = "more.js:1 NO_RULES" if file == "models" else "more.js:2 defineMoreRule UNKNOWN_MODEL"
    assert [problem.startswith(expected) for problem in others] == [True], problems


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"models_yaml": MODELS.replace("1GiB", "1 Gigabyte")}, "models.yaml:3 SIZE"),
        ({"models_yaml": MODELS.replace("name: base", "nmae: base")}, "models.yaml:4 MISSING_KEY"),
        (
            {
                "models_yaml": MODELS.replace('version: "2"', "version: 1.10"),
                "more_js": rule('permitOverrides: [{name: "fraud", version: "2"}]'),
            },
            "models.yaml:6 DUPLICATE",
        ),
        ({"objectives_yaml": OBJECTIVES.replace("deadline: 250ms, ", "")}, "objectives.yaml:2 MISSING_KEY"),
        ({"experiments_yaml": EXPERIMENTS.replace("{1: 50, 2: 50}", "{1: 50, 1: 50}")}, "experiments.yaml:3"),
        ({"rules_js": GOOD["rules.js"].replace('{name: "plain"}};', "1}")}, "rules.js:3"),
    ],
)
def test_what_follows_from_a_problem_isnt_called_one(changes: dict[str, str], problem: str) -> None:
    problems = found(**changes)
    assert problems[0].startswith(problem)
    assert {each.partition(" ")[0] for each in problems} == {problems[0].partition(" ")[0]}


@pytest.mark.parametrize(
    ("files", "begins"),
    [
        ({"../up.js": b"x"}, "'../up.js' FILE_NAME: no name for a file here"),
        ({"a\nb.yaml": b"x"}, "'a\\nb.yaml' FILE_NAME"),
        ({"big.js": b" " * (MAX_FILE_BYTES + 1)}, "big.js TOO_LARGE: 4194305 bytes; split it"),
        ({"long.js": b"\n" * (MAX_FILE_LINES + 1)}, "long.js TOO_LARGE: 50001 lines"),
        ({f"{n}.js": b" " * MAX_FILE_BYTES for n in range(9)}, "workspace TOO_LARGE: 3774"),
        ({f"{n}.js": b"" for n in range(2001)}, "workspace TOO_LARGE: 2006 files"),
        ({"latin.js": "// \xe9".encode("latin-1")}, "latin.js:1 SYNTAX: not UTF-8 at byte 3"),
        ({"zero.js": b"//\n//\0"}, "zero.js:2 SYNTAX: a zero byte is not allowed"),
        ({"cr.js": b"//\r//"}, "cr.js:1 SYNTAX: a carriage return stands without a line feed"),
        (
            {"turned.js": "//\n// \u202e".encode()},
            "turned.js:2 SYNTAX: RIGHT-TO-LEFT OVERRIDE (U+202E) is not",
        ),
        ({"lines.js": "// \u2028".encode()}, "lines.js:1 SYNTAX: LINE SEPARATOR (U+2028) is not allowed"),
        (
            {"models.yaml": "#\n# \x85".encode()},
            "models.yaml:2 YAML: U+0085 is not allowed: few readers see it",
        ),
        ({"models.yaml": b"\xff"}, "models.yaml:1 YAML: not UTF-8 at byte 0"),
        ({"models.yaml": b"models: " + b"[" * 70}, "models.yaml:1 YAML: nested deeper than 64"),
        ({"models.yaml": b"models: " + b"[" * 100_000}, "models.yaml:1 YAML: exceeded maximum nesting depth"),
    ],
)
def test_files_that_are_no_workspaces_are_refused_by_name(files: dict[str, bytes], begins: str) -> None:
    good = {name: content.encode() for name, content in GOOD.items()}
    problems = problems_of(Workspace(files={**good, **files}))
    assert [problem.startswith(begins) for problem in problems] == [True], problems


def test_a_folder_that_cant_be_read_is_named(tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(WorkspaceError) as caught:
            read_workspace(path)
        return str(caught.value)

    file = tmp_path / "rules.yaml"
    assert "nowhere MISSING_FILE: there is no such folder" in refused(tmp_path / "nowhere")
    assert "MISSING_FILE: no *.yaml and no *.js in it" in refused(tmp_path)
    file.write_bytes(b" " * (MAX_FILE_BYTES + 1))
    assert refused(tmp_path).startswith("rules.yaml TOO_LARGE: 4194305 bytes")
    assert "rules.yaml MISSING_FILE: it is a file" in refused(file)


def test_missing_files_are_named() -> None:
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(workspace(objectives_yaml=""))
    assert "objectives.yaml:1 MISSING_KEY" in str(caught.value)
