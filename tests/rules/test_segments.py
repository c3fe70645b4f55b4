"""Segments, lists of users, units, shifts with a condition, and salts: from a workspace to its tables."""

import pytest

from controlplane.model import Workspace
from controlplane.rules.compile import compile_and_warn, compile_workspace
from controlplane.rules.condition import MAX_USERS
from controlplane.rules.segments import MAX_NESTED
from lightbulb.model import (
    AmongUsers,
    AnyOf,
    Comparison,
    InSegment,
    ObjectiveTable,
    Operator,
    RequestContext,
    Segment,
)
from lightbulb.resolution.codec import table_from_bytes, table_to_bytes
from lightbulb.resolution.resolve import Resolver, Step
from tests.rules.workspaces import GOOD, problems_of, rule, workspace

EXPERIMENTS = GOOD["experiments.yaml"]
SEGMENTS = """segments:
  - name: staff
    users: [u1, "12", u2]
    when: {attribute: staff, values: [true]}
  - name: french
    when: {attribute: country, values: [FR]}
  - name: french-staff
    when: {all: [{segment: french}, {segment: staff}]}
"""
NO_TEST = GOOD["rules.js"].replace("function defineAbRule", "function notARule")


def when(condition: str, name: str = "defineMoreRule") -> str:
    return rule(f'when: {condition}, model: {{name: "fancy"}}', name)


def shift(more: str = "", name: str = "defineMoreRule", to: str = "fancy") -> str:
    return rule(f'shift: {{from: {{name: "plain"}}, to: {{name: "{to}"}}, percent: 50{more}}}', name)


def only_table(**changes: str) -> ObjectiveTable:
    (table,) = compile_workspace(workspace(**{"rules_js": NO_TEST, **changes})).tables
    assert table_from_bytes(table_to_bytes(table)) == table
    return table


def found(**changes: str) -> list[str]:
    return problems_of(workspace(**{"rules_js": NO_TEST, **changes}))


def explained(table: ObjectiveTable, context: RequestContext) -> tuple[str, list[str]]:
    steps: list[Step] = []
    resolver = Resolver(table)
    answer = resolver.resolve(context, steps=steps)
    assert resolver.resolve(context) is answer
    return answer.target.name, [step.detail for step in steps]


def test_a_table_has_the_segments_that_its_rules_use_each_once_and_in_order() -> None:
    more = when('segment("french-staff")') + when(
        'all(not(segment("french-staff")), segment("staff"))', "defineOtherRule"
    )
    table = only_table(segments_yaml=SEGMENTS, more_js=more)
    staff = Comparison(attribute="staff", operator=Operator.IN, values=(True,))
    assert [each.name for each in table.segments] == ["french", "staff", "french-staff"]
    assert table.segments[1] == Segment(
        name="staff", when=AnyOf((AmongUsers(frozenset({"u1", "12", "u2"})), staff))
    )
    assert table.context_rules[0].when == InSegment("french-staff")
    assert only_table(segments_yaml=SEGMENTS).segments == ()


def test_who_is_in_a_segment_is_answered_and_explained() -> None:
    table = only_table(segments_yaml=SEGMENTS, more_js=when('segment("french-staff")'))
    assert explained(table, RequestContext(user_id="12", country="FR"))[0] == "fancy"
    assert (
        explained(table, RequestContext(user_id="x", country="FR", attributes={"staff": True}))[0] == "fancy"
    )
    model, details = explained(table, RequestContext(user_id="u3", country="US"))
    assert model == "plain"
    assert details[0] == (
        "its condition doesn't hold: "
        "segment french-staff: segment french: country is 'US' (wanted: country in 'FR'); "
        "segment french-staff: segment staff: user is 'u3' (wanted: one of 3 users: '12', 'u1', 'u2'); "
        "segment french-staff: segment staff: staff is absent (wanted: staff in True)"
    )


def test_a_rule_may_name_users_itself() -> None:
    table = only_table(more_js=when('all(context.user.in("u1", "u2"), not(context.user.in("u2")))'))
    assert [explained(table, RequestContext(user_id=user))[0] for user in ("u1", "u2")] == ["fancy", "plain"]
    _, details = explained(table, RequestContext(user_id="u2"))
    assert details[0] == "its condition doesn't hold: user is 'u2' (not wanted: one of 1 users: 'u2')"


def test_rules_of_a_segment_and_of_everyone_else_exclude_each_other() -> None:
    more = when('segment("staff")', "defineOneRule") + when('not(segment("staff"))', "defineOtherRule")
    assert len(only_table(segments_yaml=SEGMENTS, more_js=more).context_rules) == 2
    more = when('context.user.in("u1")', "defineOneRule") + when('context.user.in("u2")', "defineOtherRule")
    assert len(only_table(more_js=more).context_rules) == 2
    more = when('segment("french")', "defineOneRule") + when('context.country.in("CA")', "defineOtherRule")
    assert len(only_table(segments_yaml=SEGMENTS, more_js=more).context_rules) == 2
    more = when('segment("staff")', "defineOneRule") + when('segment("french")', "defineOtherRule")
    assert "OVERLAPPING_RULES" in found(segments_yaml=SEGMENTS, more_js=more)[0]


def test_a_test_may_be_for_a_segment() -> None:
    experiments = EXPERIMENTS.replace(
        "cells: {1: 50, 2: 50}", "cells: {1: 50, 2: 50}\n    eligible: {segment: staff}"
    )
    table = only_table(rules_js=GOOD["rules.js"], segments_yaml=SEGMENTS, experiments_yaml=experiments)
    assert table.ab_rules[0].eligible == InSegment("staff")
    _, details = explained(table, RequestContext(user_id="u3"))
    assert details[0].startswith("not eligible for test 12345: segment staff: user is 'u3' (wanted: one of 3")


def test_a_file_may_have_a_segment_of_its_own() -> None:
    more = f'const segment = "x";\n{when("context.surface.in(segment)")}'
    (context_rule,) = only_table(more_js=more).context_rules
    assert context_rule.when == Comparison(attribute="surface", operator=Operator.IN, values=("x",))


def nested(depth: int) -> str:
    inner = "".join(f"  - {{name: s{n}, when: {{not: {{segment: s{n - 1}}}}}}}\n" for n in range(1, depth))
    return f"segments:\n  - {{name: s0, users: [u]}}\n{inner}"


def wide(depth: int) -> str:
    ten = ", ".join(["{segment: s%d}"] * 10)
    inner = "".join(
        f"  - {{name: s{n}, when: {{any: [{ten % ((n - 1,) * 10)}]}}}}\n" for n in range(1, depth)
    )
    return f"segments:\n  - {{name: s0, users: [u]}}\n{inner}"


BAD = {
    # what is wrong: (changed files, how its problem begins, part of its remedy)
    "an unknown segment": (
        {"more_js": when('segment("stuff")')},
        "more.js:2 defineMoreRule UNKNOWN_SEGMENT: segment stuff is unknown",
        "did you mean staff?",
    ),
    "an unknown segment without a builder": (
        {"more_js": when('{segment: "stuff"}')},
        "more.js:2 defineMoreRule UNKNOWN_SEGMENT: segment stuff is unknown",
        "did you mean staff?",
    ),
    "an unknown segment of a shift": (
        {"more_js": shift(', when: {segment: "stuff"}')},
        "more.js:2 defineMoreRule UNKNOWN_SEGMENT: segment stuff is unknown",
        "did you mean staff?",
    ),
    "a test for an unknown segment": (
        {
            "experiments_yaml": EXPERIMENTS.replace(
                "cells: {1: 100}", "cells: {1: 100}\n    eligible: {segment: x}"
            )
        },
        "experiments.yaml:8 UNKNOWN_SEGMENT: test 778 uses segment x, which is not defined",
        "use one of: french, french-staff, staff",
    ),
    "a segment that uses an unknown one": (
        {"segments_yaml": SEGMENTS + "  - {name: x, when: {not: {segment: frenc}}}\n"},
        "segments.yaml:9 UNKNOWN_SEGMENT: segment x uses segment frenc, which is not defined",
        "did you mean french?",
    ),
    "segments that use each other": (
        {
            "segments_yaml": SEGMENTS
            + "  - {name: x, when: {segment: y}}\n  - {name: y, when: {segment: x}}\n"
        },
        "segments.yaml:9 SEGMENT_LOOP: segments use each other: x -> y -> x",
        "remove one",
    ),
    "a segment that uses itself": (
        {"segments_yaml": SEGMENTS + "  - {name: x, when: {segment: x}}\n", "more_js": when('segment("x")')},
        "segments.yaml:9 SEGMENT_LOOP: segments use each other: x -> x",
        "remove one",
    ),
    "segments that lie too deep": (
        {"segments_yaml": nested(MAX_NESTED + 2)},
        "segments.yaml:18 TOO_DEEP: segment s16 lies 17 deep in others; 16 are allowed",
        "write some",
    ),
    "segments that come to too much": (
        {"segments_yaml": wide(6)},
        "segments.yaml:7 TOO_LARGE: segment s5 comes to 100000 comparisons; 10000 are allowed",
        "fewer",
    ),
    "a segment of nothing": (
        {"segments_yaml": "segments:\n  - {name: x}\n"},
        "segments.yaml:2 SEGMENT: segment x is empty",
        "users, or when",
    ),
    "a segment of no users": (
        {"segments_yaml": "segments:\n  - {name: x, users: []}\n"},
        "segments.yaml:2 USERS: users: no users",
        "add at least one",
    ),
    "a segment of too many users": (
        {"segments_yaml": f"segments:\n  - {{name: x, users: {list(range(MAX_USERS + 1))}}}\n"},
        "segments.yaml:2 USERS: users: 10001 users; 10000 are allowed",
        "let the client send an attribute",
    ),
    "a user without a name": (
        {"more_js": when('context.user.in("")')},
        "more.js:2 defineMoreRule SHAPE: when.users[0]: '' is no user's id",
        "1 to 256",
    ),
    "a user who is a number": (
        {"more_js": when("context.user.in(7)")},
        "more.js:2 defineMoreRule EVALUATION: TypeError: user.in() takes strings, not number",
        "mend",
    ),
    "a user who is a number in YAML": (
        {"segments_yaml": "segments:\n  - {name: x, when: {users: [7]}}\n"},
        "segments.yaml:2 CONDITION: when.users[0]: 7 is no text",
        "quote it",
    ),
    "a user of a segment who is a number": (
        {"segments_yaml": SEGMENTS + "  - name: x\n    users:\n      - u1\n      - 7\n"},
        "segments.yaml:12 USERS: users[1]: 7 is no text",
        "quote it",
    ),
    "a user whose id ends with a blank": (
        {"more_js": when("context.user.in('u ')")},
        "more.js:2 defineMoreRule SHAPE: when.users[0]: 'u ' can't have this: character 2 of it is a blank",
        "characters that are seen",
    ),
    "two segments of one name": (
        {"segments_yaml": SEGMENTS + "  - {name: staff, users: [x]}\n"},
        "segments.yaml:9 DUPLICATE: staff stands on line 2 already",
        "keep one",
    ),
    "a layer by two units": (
        {"experiments_yaml": EXPERIMENTS.replace("cells: {1: 100}", "cells: {1: 100}\n    unit: account")},
        "experiments.yaml:8 LAYER_UNIT: test 778 goes by account, and test 777 by user: they can't share out",
        "one unit",
    ),
    "a unit that is the user's id": (
        {"more_js": shift(', unit: "user_id"')},
        "more.js:2 defineMoreRule SHAPE: shift.unit: user_id is no attribute",
        "write user",
    ),
    "a unit that is the user's id in YAML": (
        {"experiments_yaml": EXPERIMENTS.replace("{1: 50, 2: 50}", "{1: 50, 2: 50}\n    unit: user_id")},
        "experiments.yaml:4 UNIT: user_id is no attribute",
        "write user",
    ),
    "two shifts for everyone": (
        {"more_js": shift(name="defineOneRule") + shift(name="defineOtherRule", to="base")},
        "more.js:4 defineOtherRule OVERLAPPING_RULES: on Ranking it can apply to the same request as more",
        "when in its shift",
    ),
    "a condition and a shift in one": (
        {"more_js": rule('when: context.country.in("CA"), shift: {}')},
        "more.js:2 defineMoreRule SHAPE: the result: has when and shift",
        "put when into shift",
    ),
    "a condition on a test's rule": (
        {"more_js": rule('abTestId: 778, cellToModel: {1: {name: "fancy"}}, when: context.country.in("CA")')},
        "more.js:2 defineMoreRule SHAPE: the result: has cellToModel and when",
        "eligible in experiments.yaml",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_names_file_line_rule_and_remedy_and_nothing_else(name: str) -> None:
    changes, begins, remedy = BAD[name]
    more = {"more_js": rule('permitOverrides: [{name: "fancy"}]')}
    problems = found(**{"segments_yaml": SEGMENTS, **more, **changes})
    assert [problem.startswith(begins) for problem in problems] == [True], problems
    assert remedy in problems[0].partition(";")[2]


@pytest.mark.parametrize("content", ["x: [\n", "- 1\n", "wrong: []\n", "segments:\n  - {users: [u]}\n"])
def test_segments_that_cant_be_read_accuse_no_one_else(content: str) -> None:
    problems = found(segments_yaml=content, more_js=when('segment("staff")'))
    assert {problem.partition(":")[0] for problem in problems} == {"segments.yaml"}, problems


def test_a_test_may_go_by_sessions_and_leaves_out_who_has_none() -> None:
    experiments = EXPERIMENTS.replace("{1: 50, 2: 50}", "{1: 50, 2: 50}\n    unit: session")
    table = only_table(rules_js=GOOD["rules.js"], experiments_yaml=experiments)
    assert table.ab_rules[0].unit == "session_id"
    resolver = Resolver(table)

    def cell(user: str, session: str) -> int:
        context = RequestContext(user_id=user, attributes={"session_id": session})
        return resolver.resolve(context).allocations[0].cell

    assert {cell("one", str(n)) for n in range(20)} == {1, 2}
    assert all(cell("one", str(n)) == cell("other", str(n)) for n in range(20))
    model, details = explained(table, RequestContext(user_id="u"))
    assert (model, details[0]) == ("plain", "test 12345: it goes by session_id, which is absent")
    _, details = explained(table, RequestContext(user_id="u", attributes={"session_id": 1.5}))
    assert details[0] == "test 12345: it goes by session_id, which is 1.5, no text or whole number"
    _, details = explained(table, RequestContext(user_id="u", attributes={"session_id": ""}))
    assert details[0] == "test 12345: it goes by session_id, which is '', no text or whole number"


@pytest.mark.parametrize(
    ("unit", "attribute"),
    [
        ("user", ""),
        ("device", "device_id"),
        ("account", "account_id"),
        ("country", "country"),
        ("pod", "pod"),
    ],
)
def test_a_unit_is_an_attribute(unit: str, attribute: str) -> None:
    (only,) = only_table(more_js=shift(f', unit: "{unit}"')).shifts
    assert only.unit == attribute


def test_shifts_that_exclude_each_other_stand_side_by_side() -> None:
    more = shift(', when: context.country.in("FR"), salt: "fr"', "defineFrenchRule") + shift(
        ', when: not(context.country.in("FR"))', "defineOthersRule", to="fraud-x"
    ).replace('"fraud-x"', '"fraud", version: "2"')
    table = only_table(more_js=more)
    assert [(each.salt, each.basis_points) for each in table.shifts] == [
        ("fr", 5_000),
        ("shift:Ranking:fraud@2", 5_000),
    ]
    models = {
        explained(table, RequestContext(user_id=f"u{n}", country=country))[0]
        for n in range(20)
        for country in ("FR", "US")
    }
    assert models == {"plain", "fancy", "fraud"}
    _, details = explained(table, RequestContext(user_id="u", country="US"))
    assert details[0] == "its condition doesn't hold: country is 'US' (wanted: country in 'FR')"


def test_a_shift_of_one_model_has_other_users_than_that_of_another_and_may_keep_its_former_ones() -> None:
    salts = [only_table(more_js=shift(more)).shifts[0].salt for more in ("", ', salt: "shift:Ranking"')]
    assert salts == ["shift:Ranking:fancy@1", "shift:Ranking"]


SALTED = {
    "a shift's, on a test": ("shift:x", None, "test 778 has the salt 'shift:x', which is kept", "RESERVED"),
    "a layer's, on a test": (
        "layer:home",
        None,
        "test 778 has the salt 'layer:home', which is kept",
        "RESERVED",
    ),
    "a layer's, on a shift": ("own", "layer:home", "this shift has the salt 'layer:home', which", "RESERVED"),
    "a test's, on a shift": (
        "own",
        "ab:12345",
        "this shift has the salt 'ab:12345', which is kept",
        "RESERVED",
    ),
    "another shift's default": (
        "own",
        "shift:Ranking:fancy@1",
        "this shift has the salt 'shift:R",
        "RESERVED",
    ),
    "another test's default": (
        "ab:12345",
        None,
        "test 778 has the salt 'ab:12345', and so has test 12345 at experiments.yaml:2",
        "DUPLICATE",
    ),
    "one for a test and a shift": (
        "own",
        "own",
        "this shift has the salt 'own', and so has test 778 at experiments.yaml:8",
        "DUPLICATE",
    ),
}


@pytest.mark.parametrize("name", SALTED)
def test_what_is_hashed_for_two_decisions_is_never_the_same(name: str) -> None:
    of_test, of_shift, message, code = SALTED[name]
    more = shift(f', salt: "{of_shift}"' if of_shift else "")
    experiments = EXPERIMENTS.replace("- id: 778", f"- id: 778\n    salt: {of_test}")
    problems = found(experiments_yaml=experiments, more_js=more)
    assert [f" {code}_SALT: {message}" in problem for problem in problems] == [True], problems


def test_the_salt_of_a_test_that_was_renamed_may_be_kept() -> None:
    experiments = EXPERIMENTS.replace("- id: 778", "- id: 778\n    salt: ab:former")
    assert compile_workspace(workspace(experiments_yaml=experiments))


def test_two_shifts_to_one_model_are_one_ramp() -> None:
    more = shift(', when: context.country.in("FR")', "defineFrenchRule") + shift(
        ', when: not(context.country.in("FR"))', "defineOthersRule"
    )
    one, other = only_table(more_js=more).shifts
    assert one.salt == other.salt == "shift:Ranking:fancy@1"


def test_two_shifts_may_not_choose_one_salt() -> None:
    more = shift(', when: context.country.in("FR"), salt: "s"', "defineFrenchRule") + shift(
        ', when: not(context.country.in("FR")), salt: "s"', "defineOthersRule"
    )
    (problem,) = found(more_js=more)
    assert "DUPLICATE_SALT: this shift has the salt 's', and so has this shift at more.js:2 define" in problem


def test_the_workspace_is_read_without_segments() -> None:
    assert compile_workspace(Workspace(files={name: text.encode() for name, text in GOOD.items()}))
    assert found(more_js=when('segment("staff")')) == [
        "more.js:2 defineMoreRule UNKNOWN_SEGMENT: segment staff is unknown; define it first"
    ]


def test_a_segment_that_nothing_uses_is_told() -> None:
    used = when('segment("french-staff")')
    extra = SEGMENTS + "  - {name: lost, when: {segment: staff}}\n"
    (warning,) = [
        each
        for each in compile_and_warn(workspace(rules_js=NO_TEST, segments_yaml=extra, more_js=used)).warnings
        if each.code == "UNUSED_SEGMENT"
    ]
    assert str(warning).startswith(
        "segments.yaml:9 warning UNUSED_SEGMENT: no rule, test or other segment in use names"
    )
