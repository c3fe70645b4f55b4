"""A lock file keeps users in their cells, and whatever is wrong with it is refused by its line."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from controlplane.model import Buckets, Workspace
from controlplane.problems import Problem
from controlplane.rules.compile import compile_and_warn, compile_workspace
from controlplane.rules.definitions import read_experiments
from controlplane.rules.lock_file import LOCK, LockedTest, read_lock, write_lock
from controlplane.rules.locked import Cause, lock
from controlplane.rules.workspace import content_hash
from lightbulb.model import RequestContext
from lightbulb.resolution.codec import table_to_bytes
from lightbulb.resolution.resolve import Resolver
from tests.rules.workspaces import GOOD, problems_of, rule, workspace

THREE = rule(
    'abTestId: 555, cellToModel: {1: {name: "plain"}, 2: {name: "fancy"}, 3: {name: "base"}}, priority: 1'
)
USERS = [RequestContext(user_id=f"user-{number}") for number in range(20_000)]


def of_three(cells: str, salt: str = "") -> str:
    """Return experiments.yaml with a test of three cells that everyone is in."""
    more = f"\n    salt: {salt}" if salt else ""
    return f"{GOOD['experiments.yaml']}  - id: 555\n    cells: {cells}{more}\n"


def locked(files: Mapping[str, bytes]) -> Workspace:
    """Return a workspace after `lightbulb rules lock`."""
    problems: list[Problem] = []
    before = read_lock(files[LOCK], problems) if LOCK in files else {}
    tests, _ = lock(read_experiments(files, problems).values(), before)
    assert not problems
    return Workspace(files={**files, LOCK: write_lock(tests).encode()})


def of_cells(cells: str) -> Workspace:
    return workspace(experiments_yaml=of_three(cells), more_js=THREE)


def changed(it: Workspace, experiments: str) -> Workspace:
    return Workspace(files={**it.files, "experiments.yaml": experiments.encode()})


def cells_of(it: Workspace) -> list[int]:
    """Return the cell of each user in test 555."""
    (table,) = compile_workspace(it).tables
    resolver = Resolver(table)
    return [resolver.resolve(user).allocations[0].cell for user in USERS]


def test_a_ramp_of_two_treatments_leaves_their_users_where_they_are() -> None:
    it = locked(of_cells("{1: 80, 2: 10, 3: 10}").files)
    cells = cells_of(it)
    for weights in ("{1: 60, 2: 20, 3: 20}", "{1: 50, 2: 20, 3: 30}", "{1: 34, 2: 33, 3: 33}"):
        it = locked(changed(it, of_three(weights)).files)
        before, cells = cells, cells_of(it)
        went = Counter(pair for pair in zip(before, cells, strict=True) if pair[0] != pair[1])
        assert {source for source, _ in went} == {1}, f"{weights}: users of a treatment left it: {went}"
    assert max(abs(count / len(USERS) - 1 / 3) for count in Counter(cells).values()) < 0.02


def test_a_lock_file_of_what_runs_changes_no_byte_of_the_tables() -> None:
    for cells in ("{1: 80, 2: 10, 3: 10}", "{1: 0, 2: 100, 3: 0}", "{1: 50, 2: 0, 3: 50}"):
        it = of_cells(cells)
        with_lock = locked(it.files)
        assert content_hash(with_lock) != content_hash(it)
        tables = [[*map(table_to_bytes, compile_workspace(each).tables)] for each in (it, with_lock)]
        assert tables[0] == tables[1]


def test_a_test_without_an_entry_is_dealt_as_without_a_lock_file() -> None:
    it = workspace(experiments_yaml=of_three("{1: 80, 2: 10, 3: 10}"), more_js=THREE)
    empty = Workspace(files={**it.files, LOCK: write_lock(()).encode()})
    compiled = compile_and_warn(empty)
    assert compiled.rules.tables == compile_workspace(it).tables
    warnings = [str(each) for each in compiled.warnings if each.code == "NOT_LOCKED"]
    assert warnings[0] == (
        "experiments.yaml:2 warning NOT_LOCKED: experiments.lock.yaml has no test 12345: other weights would "
        "move users from cell to cell; run `lightbulb rules lock` before you change its weights"
    )
    assert len(warnings) == len(read_experiments(it.files, []))
    assert not any(each.code == "NOT_LOCKED" for each in compile_and_warn(locked(it.files)).warnings)


def test_where_cells_and_tests_stand_in_the_file_makes_no_difference() -> None:
    it = locked(of_cells("{1: 80, 2: 10, 3: 10}").files)
    one = locked(changed(it, of_three("{1: 60, 2: 15, 3: 25}")).files)
    turned = (
        "experiments:\n  - {id: 555, cells: {3: 25, 2: 15, 1: 60}}\n"
        + GOOD["experiments.yaml"].partition("\n")[2]
    )
    other = locked(changed(it, turned).files)
    assert one.files[LOCK] == other.files[LOCK]
    assert compile_workspace(one).tables == compile_workspace(other).tables


def test_a_cell_without_buckets_can_still_be_named_by_callers() -> None:
    it = locked(of_cells("{1: 40, 2: 30, 3: 30}").files)
    it = locked(changed(it, of_three("{1: 50, 2: 0, 3: 50}")).files)
    (table,) = compile_workspace(it).tables
    named = Resolver(table).resolve(RequestContext(user_id="u", allocations={"555": 2}))
    assert named.target.name == "fancy"
    assert set(cells_of(it)) == {1, 3}


def test_what_changes_is_told_by_test() -> None:
    before = {
        "12345": LockedTest(id="12345", salt="other", buckets=(Buckets(begin=0, end=10_000, owner=1),)),
        "1": LockedTest(id="1", salt="ab:1", buckets=(Buckets(begin=0, end=10_000, owner=1),)),
        "778": LockedTest(id="778", salt="ab:778", buckets=(Buckets(begin=0, end=10_000, owner=9),)),
    }
    files = workspace().files
    tests, changes = lock(read_experiments(files, []).values(), before)
    assert {change.test_id: change.cause for change in changes} == {
        "1": Cause.GONE,
        "12345": Cause.SALT,
        "777": Cause.NEW,
        "778": Cause.WEIGHTS,
    }
    assert lock(read_experiments(files, []).values(), {test.id: test for test in tests}) == (tests, ())


RUN = "; run `lightbulb rules lock`, look at who moves, and commit"


@pytest.mark.parametrize(
    ("experiments", "wanted"),
    [
        (
            of_three("{1: 60, 2: 20, 3: 20}"),
            (
                "LOCK_STALE: the weights of test 555 were changed in experiments.yaml: "
                "cell 1 has 80% here and 60% there, cell 2 has 10% here and 20% there, "
                "cell 3 has 10% here and 20% there"
            ),
        ),
        (
            of_three("{1: 80, 2: 10, 3: 10}", salt="again"),
            "LOCK_STALE: test 555 has the salt 'again', not 'ab:555': all its users are dealt anew",
        ),
        (
            of_three("{1: 80, 2: 10, 3: 10}") + "    unit: session\n",
            "LOCK_STALE: test 555 has the unit session, not user: all are dealt anew",
        ),
        (GOOD["experiments.yaml"], "LOCK_STALE: experiments.yaml has no test 555"),
    ],
    ids=["weights", "salt", "unit", "test"],
)
def test_what_was_changed_since_is_refused(experiments: str, wanted: str) -> None:
    it = changed(locked(of_cells("{1: 80, 2: 10, 3: 10}").files), experiments)
    line = it.files[LOCK].decode().splitlines().index('  - id: "555"') + 1
    assert f"{LOCK}:{line} {wanted}{RUN}" in problems_of(it)


DAMAGED = "LOCK_DAMAGED: "
RESTORE = "; take it from version control as it was published, then run `lightbulb rules lock`"
ENTRY = 10
"""The line on which the entry of test 555 begins."""


@pytest.mark.parametrize(
    ("old", "new", "line", "wanted"),
    [
        ("0-8000: 1", "0-8000: 2", ENTRY, DAMAGED + "the entry of test 555 was changed by hand"),
        ("8000-9000: 2", "8000-9000: 3", ENTRY, DAMAGED + "the entry of test 555 was changed by hand"),
        (
            "8000-9000: 2",
            "7000-9000: 2",
            14,
            DAMAGED + "the buckets 7000-9000 overlap what stands before",
        ),
        ("8000-9000: 2", "8001-9000: 2", 14, DAMAGED + "the buckets 8001-9000 leave a gap from 8000 on"),
        ("8000-9000: 2", "8000-8000: 2", 14, DAMAGED + "there is no bucket in 8000-8000"),
        ("9000-10000: 3", "9000-9999: 3", 13, DAMAGED + "its ranges end at 9999, not at 10000"),
        (
            "8000-9000: 2",
            "8000..9000: 2",
            14,
            DAMAGED + "8000..9000: 2 is no range of buckets and its cell",
        ),
        ("8000-9000: 2", "8000-9000: two", 14, "TYPE: the cell of 8000-9000 two is no whole number"),
        ('"ab:555"', '"ab:556"', ENTRY, DAMAGED + "the entry of test 555 was changed by hand"),
        ('id: "555"', 'id: "556"', ENTRY, DAMAGED + "the entry of test 556 was changed by hand"),
        ('    salt: "ab:555"\n', "", ENTRY, "MISSING_KEY: a test lacks salt"),
        (
            "      8000-9000: 2\n",
            "<<<<<<< main\n      8000-9000: 2\n=======\n      8000-9000: 3\n>>>>>>> mine\n",
            14,
            DAMAGED + "two versions of it were merged, and nobody said which one holds",
        ),
        ("tests:", "test:", 3, "UNKNOWN_KEY: the file has no key test"),
    ],
)
def test_what_the_command_did_not_write_is_refused(old: str, new: str, line: int, wanted: str) -> None:
    it = locked(of_cells("{1: 80, 2: 10, 3: 10}").files)
    text = it.files[LOCK].decode()
    assert text.count(old) == 1
    damaged = Workspace(files={**it.files, LOCK: text.replace(old, new).encode()})
    assert f"{LOCK}:{line} {wanted}{RESTORE}" in problems_of(damaged)


def test_an_entry_that_stands_twice_is_refused() -> None:
    it = locked(of_cells("{1: 80, 2: 10, 3: 10}").files)
    text = it.files[LOCK].decode()
    entry = text[text.index('  - id: "555"') : text.index('  - id: "777"')]
    twice = Workspace(files={**it.files, LOCK: text.replace(entry, entry * 2).encode()})
    assert problems_of(twice) == [
        f"{LOCK}:{ENTRY + 7} LOCK_DAMAGED: test 555 stands on line {ENTRY} already{RESTORE}"
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("# Which", "# what", 1),
        ('"555"', "555", ENTRY),
        ("0-8000: 1", "0-8000: 1 # most", 13),
        ("\n", "\n\n", 2),
    ],
)
def test_what_is_merely_not_as_it_is_written_is_written_anew(old: str, new: str, line: int) -> None:
    it = locked(of_cells("{1: 80, 2: 10, 3: 10}").files)
    text = it.files[LOCK].decode()
    untidy = Workspace(files={**it.files, LOCK: text.replace(old, new, 1).encode()})
    said = "LOCK_STALE: this line isn't as `lightbulb rules lock` writes it"
    assert problems_of(untidy) == [f"{LOCK}:{line} {said}{RUN}"]
    assert locked(untidy.files) == it


def test_entries_that_are_out_of_order_are_put_in_order() -> None:
    it = locked(workspace().files)
    head, *entries = it.files[LOCK].decode().split("  - id")
    turned = "  - id".join([head, *reversed(entries)])
    assert locked({**it.files, LOCK: turned.encode()}) == it
    assert len(problems_of(Workspace(files={**it.files, LOCK: turned.encode()}))) == 1


def test_line_ends_of_another_system_are_no_change() -> None:
    it = locked(workspace().files)
    windows = it.files[LOCK].replace(b"\n", b"\r\n")
    assert compile_workspace(Workspace(files={**it.files, LOCK: windows})) == compile_workspace(it)


def test_a_test_that_could_not_be_read_is_not_called_gone() -> None:
    it = changed(locked(of_cells("{1: 80, 2: 10, 3: 10}").files), of_three("{1: 60, 2: 20, 3: 10}"))
    assert [each.partition(":")[0] for each in problems_of(it)] == ["experiments.yaml"]


def test_a_unit_is_kept_with_the_test() -> None:
    by_user = of_three("{1: 80, 2: 10, 3: 10}")
    it = locked(changed(of_cells("{1: 80, 2: 10, 3: 10}"), f"{by_user}    unit: session\n").files)
    assert '    unit: "session_id"\n' in it.files[LOCK].decode()
    assert compile_workspace(it).tables
    tests = read_experiments(changed(it, by_user).files, []).values()
    _, changes = lock(tests, read_lock(it.files[LOCK], []))
    assert [(change.test_id, change.cause) for change in changes] == [("555", Cause.UNIT)]


@pytest.mark.parametrize("salt", ['"', "\\", "Zürich", "\U0001f600", "a: b # c", "'"])
def test_any_salt_comes_back_as_it_went(salt: str) -> None:
    test = LockedTest(id="1", salt=salt, buckets=(Buckets(begin=0, end=10_000, owner=1),))
    problems: list[Problem] = []
    back = read_lock(write_lock([test]).encode(), problems)
    assert (problems, {name: replace(each, line=0) for name, each in back.items()}) == ([], {"1": test})


@pytest.mark.parametrize(
    "content", [b"", b"tests:", b"[]", b"tests: {}", b"\xff", b"tests: [&a 1]", b"- - -"]
)
def test_what_is_no_lock_file_is_refused(content: bytes) -> None:
    it = workspace()
    found = problems_of(Workspace(files={**it.files, LOCK: content}))
    assert all(each.startswith(f"{LOCK}:1 ") for each in found)
