"""However much is wrong, what is told can be read, and fits into one answer."""

from dataclasses import replace

from controlplane.problems import (
    MAX_NAME,
    MAX_PROBLEMS,
    MAX_TEXT,
    TOO_MANY,
    Problem,
    Severity,
    WorkspaceError,
    has_errors,
    shortened,
    told,
)


def problem(number: int, message: str = "m") -> Problem:
    return Problem(file="x.js", line=number, code="X", message=message, remedy="mend it")


def warning(number: int) -> Problem:
    return replace(problem(number), severity=Severity.WARNING)


def test_so_many_are_told_and_then_how_many_more_there_are() -> None:
    for more in (0, 1, 31_125):
        told = WorkspaceError(map(problem, range(MAX_PROBLEMS + more))).problems
        assert told[:MAX_PROBLEMS] == tuple(map(problem, range(MAX_PROBLEMS)))
        assert [each.code for each in told[MAX_PROBLEMS:]] == [TOO_MANY] * bool(more)
        assert all(each.message == f"{more} more problems aren't shown" for each in told[MAX_PROBLEMS:])


def test_a_long_text_is_cut_in_its_middle_which_says_how_long_it_was() -> None:
    cut = problem(1, "model " + "m" * 200_000 + " is unknown").message
    assert len(cut) == MAX_TEXT
    assert cut.startswith("model mmm")
    assert cut.endswith("mmm is unknown")
    assert "...(200017 characters)..." in cut


def test_a_text_that_is_short_enough_is_as_it_was() -> None:
    for length in (0, MAX_TEXT - 1, MAX_TEXT):
        assert problem(1, "m" * length).message == "m" * length
    assert len(shortened("m" * (MAX_TEXT + 1), MAX_TEXT)) == MAX_TEXT


def test_names_are_cut_too() -> None:
    cut = Problem(file="f" * 1_000, rule="r" * 1_000, code="X", message="", remedy="x" * 1_000)
    assert (len(cut.file), len(cut.rule), len(cut.remedy)) == (MAX_NAME, MAX_NAME, MAX_TEXT)


def test_a_warning_never_takes_the_place_of_an_error() -> None:
    found = [*map(warning, range(MAX_PROBLEMS)), problem(7), problem(MAX_PROBLEMS + 7)]
    listed = told(found)
    assert [each for each in listed if each.severity is Severity.ERROR] == [*found[-2:], listed[-1]]
    assert listed[:-1] == tuple(sorted(listed[:-1]))
    assert (listed[-1].code, listed[-1].message) == (TOO_MANY, "2 more problems aren't shown")


def test_of_many_warnings_the_last_is_a_warning_too() -> None:
    listed = told(map(warning, range(30)), 20)
    assert len(listed) == 21
    assert not has_errors(listed)
    assert str(listed[0]) == "x.js warning X: m; mend it"
