"""A difference says in words what one generation has and the other hasn't."""

from dataclasses import replace

from controlplane.model import Plan, RoutingRule, ShardAssignment
from controlplane.planning.difference import Difference, MovedUsers, differences
from lightbulb.model import (
    All,
    AmongUsers,
    AnyOf,
    Cell,
    Comparison,
    ContextRule,
    InSegment,
    ModelAssignment,
    ObjectiveTable,
    Operator,
    OverrideRule,
    Segment,
)
from tests.lightbulb.tables import AB_RULE, MODELS, OBJECTIVE, TABLE, source

EMPTY = Plan(tables=(), routes=(), assignments=())
ROUTES = tuple(
    RoutingRule(objective=OBJECTIVE, key=model.routing_key, vip=f"vip-{model.name}") for model in MODELS[:4]
)
SHARD = ShardAssignment(
    shard="a",
    vip="vip-a",
    memory_mib=2048,
    models=(
        ModelAssignment(name="m", version="1", memory_mib=10),
        ModelAssignment(name="n", version="2", memory_mib=20),
    ),
)
WHOLE = Plan(tables=(TABLE,), routes=ROUTES, assignments=(SHARD,))

AB = "defineAB12345Rule.js defineAB12345Rule"
CELL_2 = "cell-2@1 (boost=0.5, explore=True, limit=20, note='x')"
OBJECTIVE_LINES = (
    "takes TITLE_INPUT_TYPE; cached 60 s; deadline 0.25 s",
    "default@1 is on vip-default",
    f"{CELL_2} is on vip-cell-2",
    "cell-3@1 is on vip-cell-3",
    "kids@1 is on vip-kids",
    "next@2 is on no VIP",
    f"defineOverridesRule.js defineOverridesRule: lab may ask for {CELL_2}, next@2",
    "defineOpenOverridesRule.js defineOpenOverridesRule: every client may ask for default@1",
    f"{AB}: test 12345 in 0-50% of its layer of those with country in 'US', 'CA'",
    f"{AB}: cell 1 (34%) gets default@1",
    f"{AB}: cell 2 (33%) gets {CELL_2}",
    f"{AB}: cell 3 (33%) gets cell-3@1",
    "defineKidsRule.js defineKidsRule: (surface in 'kids' and not (beta exists)) gets kids@1",
    "defineShiftRule.js defineShiftRule: 25% of users get next@2",
    "defineDefaultRule.js defineDefaultRule: everyone else gets default@1",
)
SHARD_LINES = ("vip-a, 2048 MiB a host", "loads m@1, 10 MiB", "loads n@2, 20 MiB")


def changed(table: ObjectiveTable) -> Difference:
    (found,) = differences(WHOLE, replace(WHOLE, tables=(table,)))
    return found


def test_a_first_generation_adds_all_that_it_has() -> None:
    assert differences(EMPTY, WHOLE) == (
        Difference(kind="objective", name=OBJECTIVE, added=OBJECTIVE_LINES, removed=()),
        Difference(kind="shard", name="a", added=SHARD_LINES, removed=()),
    )


def test_what_only_the_first_has_is_removed() -> None:
    assert differences(WHOLE, EMPTY) == (
        Difference(kind="objective", name=OBJECTIVE, added=(), removed=OBJECTIVE_LINES),
        Difference(kind="shard", name="a", added=(), removed=SHARD_LINES),
    )


def test_what_is_equal_is_no_difference_and_nor_is_the_order_of_lines() -> None:
    assert differences(WHOLE, replace(WHOLE)) == ()
    turned = replace(SHARD, models=SHARD.models[::-1])
    assert differences(WHOLE, replace(WHOLE, assignments=(turned,))) == ()


def test_objectives_and_shards_are_told_by_name() -> None:
    tables = tuple(replace(TABLE, objective=name) for name in ("q", "p"))
    shards = tuple(replace(SHARD, shard=name) for name in ("z", "b"))
    found = differences(EMPTY, Plan(tables=tables, routes=(), assignments=shards))
    assert [(each.kind, each.name) for each in found] == [
        ("objective", "p"),
        ("objective", "q"),
        ("shard", "b"),
        ("shard", "z"),
    ]


def test_only_the_lines_that_changed_are_told() -> None:
    longer = changed(replace(TABLE, cache_lifetime=90.0))
    assert longer.added == ("takes TITLE_INPUT_TYPE; cached 90 s; deadline 0.25 s",)
    assert longer.removed == ("takes TITLE_INPUT_TYPE; cached 60 s; deadline 0.25 s",)


def test_a_test_of_everybody_outside_a_layer_says_neither() -> None:
    everybody = replace(AB_RULE, layer_salt="", eligible=None)
    assert changed(replace(TABLE, ab_rules=(everybody,))).added == (f"{AB}: test 12345",)
    second_half = replace(AB_RULE, layer_begin=5_000, layer_end=10_000, eligible=None)
    assert changed(replace(TABLE, ab_rules=(second_half,))).added == (
        f"{AB}: test 12345 in 50-100% of its layer",
    )


def test_conditions_and_lists_of_clients_are_written_out() -> None:
    when = AnyOf(
        (
            Comparison(attribute="age", operator=Operator.GE, values=(18,)),
            Comparison(attribute="beta", operator=Operator.IN, values=(True, "x")),
        )
    )
    rule = ContextRule(source=source("defineRule"), when=when, model=0)
    assert changed(replace(TABLE, context_rules=(rule,))).added == (
        f"defineRule.js defineRule: (age {Operator.GE.value} 18 or beta in True, 'x') gets default@1",
    )
    two = OverrideRule(source=source("defineRule"), clients=("lab", "qa"), models=(0,))
    assert changed(replace(TABLE, overrides=(two,))).added == (
        "defineRule.js defineRule: lab, qa may ask for default@1",
    )
    assert "25%" in "".join(changed(replace(TABLE, shifts=())).removed)


def test_cells_of_several_ranges_are_told_once_and_who_changes_cell_is_counted() -> None:
    cells = tuple(
        Cell(number=number, end=end, model=number - 1)
        for number, end in ((2, 1_000), (1, 2_000), (2, 6_700), (3, 10_000))
    )
    found = changed(replace(TABLE, ab_rules=(replace(AB_RULE, cells=cells),)))
    assert found.removed == (f"{AB}: cell 1 (34%) gets default@1", f"{AB}: cell 2 (33%) gets {CELL_2}")
    assert found.added == (
        f"{AB}: cell 2 (57%) gets {CELL_2}",
        f"{AB}: cell 1 (10%) gets default@1",
        f"{AB}: 24% of test 12345 change their cell: 24% from 1 to 2",
    )


def test_cells_that_change_places_are_a_difference_though_they_are_as_large() -> None:
    one = (Cell(number=1, end=5_000, model=0), Cell(number=2, end=10_000, model=1))
    other = (Cell(number=2, end=5_000, model=1), Cell(number=1, end=10_000, model=0))
    plans = [
        replace(WHOLE, tables=(replace(TABLE, ab_rules=(replace(AB_RULE, cells=cells),)),))
        for cells in (one, other)
    ]
    (found,) = differences(*plans)
    told = f"{AB}: 100% of test 12345 change their cell: 50% from 1 to 2, 50% from 2 to 1"
    assert (found.added, found.removed) == ((told,), ())


def test_a_new_salt_is_no_move_between_cells() -> None:
    turned = replace(AB_RULE, salt="other", cells=(Cell(number=1, end=10_000, model=0),))
    assert not any("change their cell" in line for line in changed(replace(TABLE, ab_rules=(turned,))).added)


def test_segments_units_and_whom_a_shift_is_for_are_told() -> None:
    (shift,) = TABLE.shifts
    staff = Segment(name="staff", when=AmongUsers(frozenset({"u2", "u1"})))
    inside = replace(shift, when=InSegment("staff"), unit="account_id", basis_points=500)
    table = replace(
        TABLE, shifts=(inside,), segments=(staff,), ab_rules=(replace(AB_RULE, unit="device_id"),)
    )
    assert changed(table).added == (
        "segment staff: user one of 2 users: 'u1', 'u2'",
        f"{AB}: test 12345 by device_id in 0-50% of its layer of those with country in 'US', 'CA'",
        "defineShiftRule.js defineShiftRule: 5% of those with segment staff get next@2 by account_id",
    )


def test_long_lists_of_users_differ_by_any_user() -> None:
    def lines(last: str) -> tuple[str, ...]:
        users = AmongUsers(frozenset({*map(str, range(10_000)), last}))
        return changed(replace(TABLE, segments=(Segment(name="many", when=users),))).added

    one, other = lines("x"), lines("y")
    assert one != other
    assert max(map(len, (*one, *other))) < 200


def test_who_moves_is_told_exactly_and_where() -> None:
    """A shift below a test of half a layer, for the countries that it is for, moves less than it says."""
    rules = replace(TABLE, context_rules=())
    before = replace(WHOLE, tables=(rules,))
    (found,) = differences(before, replace(WHOLE, tables=(replace(rules, shifts=()),)))
    assert "defineShiftRule.js defineShiftRule: 25% of users get next@2" in found.removed
    (move,) = found.moves
    assert (move.before, move.after, move.exact) == ("next@2", "default@1", True)
    assert (move.least, move.most) == (12.5, 25)
    assert move.where == "country absent or another text"


def test_a_shift_below_a_test_of_everybody_moves_nobody() -> None:
    (test,) = TABLE.ab_rules
    rules = replace(TABLE, ab_rules=(replace(test, layer_salt="", eligible=None),), context_rules=())
    one, other = (replace(WHOLE, tables=(replace(rules, shifts=shifts),)) for shifts in (TABLE.shifts, ()))
    (found,) = differences(one, other)
    assert found.removed
    assert found.moves == ()


def test_who_moves_is_counted_where_there_are_too_many_classes() -> None:
    """So many users of both tables; what moves too seldom to be seen is told as that, never as nobody."""
    conditions = [
        AnyOf(
            tuple(
                Comparison(attribute=f"a{n * k % 23}", operator=Operator.GE, values=(n,)) for k in (1, 2, 3)
            )
        )
        for n in range(1, 23)
    ]
    rules = tuple(
        ContextRule(source=source("r"), when=All((when, conditions[n - 1])), model=n % 2)
        for n, when in enumerate(conditions)
    )
    table = replace(TABLE, ab_rules=(), context_rules=rules, shifts=())
    seldom = All(tuple(Comparison(attribute=f"b{n}", operator=Operator.IN, values=("x",)) for n in range(20)))
    added = (ContextRule(source=source("r"), when=seldom, model=2), *rules)

    def moves(other: ObjectiveTable) -> tuple[MovedUsers, ...]:
        (found,) = differences(replace(WHOLE, tables=(table,)), replace(WHOLE, tables=(other,)))
        return found.moves

    (move,) = moves(replace(table, context_rules=(replace(rules[0], model=1), *rules[1:])))
    assert (move.before, move.after, move.where, move.exact) == ("default@1", CELL_2, "", False)
    assert move.counted == 81_227
    assert 0 < move.least < move.most < move.least + 1
    (unseen,) = moves(replace(table, context_rules=added))
    assert (unseen.before, unseen.after, unseen.least, unseen.exact) == ("", "", 0, False)
    assert 0 < unseen.most < 0.01
