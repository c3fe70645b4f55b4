"""Tests whose cells keep their users: what a lock file says of them, held against experiments.yaml. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from controlplane.model import Experiment
from controlplane.planning.buckets import Moved, moved, repacked, shares_of
from controlplane.problems import Problem, warning_at
from controlplane.rules.lock_file import LOCK, RUN, LockedTest, read_lock, untidy
from controlplane.rules.unit import unit_text


class Cause(Enum):
    """Why the entry of a test changes."""

    NEW = "is new here; it goes on as it was dealt without a lock file"
    GONE = "is gone from experiments.yaml"
    SALT = "has another salt; all its users are dealt anew"
    UNIT = "has another unit; all are dealt anew"
    WEIGHTS = "has other weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockChange:
    """What `lightbulb rules lock` changes about a test; `moves` are between its cells, with other weights."""

    test_id: str
    cause: Cause
    moves: tuple[Moved[int], ...] = ()


def with_lock(
    experiments: Mapping[str, Experiment],
    files: Mapping[str, bytes],
    problems: list[Problem],
    *,
    unread: Container[object],
) -> Mapping[str, Experiment]:
    """Return the tests with the buckets that the lock file gives their cells; the others as they are.

    What is wrong with the file, or was changed since it was written, is added to `problems`. `unread` are
    tests that stand in experiments.yaml but couldn't be read.
    """
    if LOCK not in files:
        return experiments
    result, damaged = dict(experiments), len(problems)
    tests = read_lock(files[LOCK], problems)
    if len(problems) == damaged:
        problems += untidy(files[LOCK], tests)
        problems += (_missing(test) for name, test in experiments.items() if name not in tests)
    for locked in tests.values():
        test = experiments.get(locked.id)
        if test is not None:
            problems += (_stale(locked, message) for message in _changes(locked, test))
            result[locked.id] = replace(test, buckets=locked.buckets)
        elif locked.id not in unread:
            problems.append(_stale(locked, f"experiments.yaml has no test {locked.id}"))
    return result


def _stale(locked: LockedTest, message: str) -> Problem:
    return Problem(file=LOCK, line=locked.line, code="LOCK_STALE", message=message, remedy=RUN)


def _missing(test: Experiment) -> Problem:
    message = f"{LOCK} has no test {test.id}: other weights would move users from cell to cell"
    remedy = "run `lightbulb rules lock` before you change its weights"
    return warning_at(test.location, "NOT_LOCKED", message, remedy)


def _changes(locked: LockedTest, test: Experiment) -> Iterator[str]:
    """Yield what is another in experiments.yaml than when the lock file was written."""
    if locked.salt != test.salt:
        yield f"test {test.id} has the salt {test.salt!r}, not {locked.salt!r}: all its users are dealt anew"
        return
    if locked.unit != test.unit:
        units = f"{unit_text(test.unit)}, not {unit_text(locked.unit)}"
        yield f"test {test.id} has the unit {units}: all are dealt anew"
        return
    here, there = shares_of(locked.buckets), _weights(test)
    changed = [cell for cell in sorted(here.keys() | there.keys()) if here.get(cell, 0) != there.get(cell, 0)]
    if changed:
        told = ", ".join(
            f"cell {cell} has {here.get(cell, 0) / 100:g}% here and {there.get(cell, 0) / 100:g}% there"
            for cell in changed
        )
        yield f"the weights of test {test.id} were changed in experiments.yaml: {told}"


def _weights(test: Experiment) -> Mapping[int, int]:
    return {cell.number: cell.weight for cell in test.cells if cell.weight}


def lock(
    experiments: Iterable[Experiment], before: Mapping[str, LockedTest]
) -> tuple[tuple[LockedTest, ...], tuple[LockChange, ...]]:
    """Return the entries of these tests in which the fewest users move, and what changes, by test.

    `experiments` are as experiments.yaml says it, without a lock file.
    """
    tests = sorted(experiments, key=lambda test: test.id)
    after = {test.id: _locked(test, before.get(test.id)) for test in tests}
    changes = [
        _change(before.get(test_id), after.get(test_id)) for test_id in sorted(before.keys() | after.keys())
    ]
    return tuple(after.values()), tuple(change for change in changes if change is not None)


def _locked(test: Experiment, before: LockedTest | None) -> LockedTest:
    keeps = before is not None and (before.salt, before.unit) == (test.salt, test.unit)
    buckets = repacked(before.buckets, _weights(test)) if before is not None and keeps else test.buckets
    return LockedTest(id=test.id, salt=test.salt, unit=test.unit, buckets=buckets)


def _change(before: LockedTest | None, after: LockedTest | None) -> LockChange | None:
    if after is None:
        return None if before is None else LockChange(test_id=before.id, cause=Cause.GONE)
    if before is None:
        return LockChange(test_id=after.id, cause=Cause.NEW)
    if before.salt != after.salt:
        return LockChange(test_id=after.id, cause=Cause.SALT)
    if before.unit != after.unit:
        return LockChange(test_id=after.id, cause=Cause.UNIT)
    if before.buckets == after.buckets:
        return None
    moves = moved(before.buckets, after.buckets)
    return LockChange(test_id=after.id, cause=Cause.WEIGHTS, moves=moves)
