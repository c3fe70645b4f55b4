"""Steps of shifts, and how new defaults are judged, as rules say it: for people. Pure."""

from __future__ import annotations

from lightbulb.model import GuardTerms, Probation, Schedule


def steps_text(schedule: Schedule) -> str:
    """Return the steps of a shift, for people: "5, 25, 100% every 30m (guarded)"."""
    return f"{_steps(schedule)}{' (guarded)' if schedule.guards is not None else ''}"


def schedule_text(schedule: Schedule) -> str:
    """Return all that is said of the steps of a shift, for people."""
    guarded = f", guarded by {guards_text(schedule.guards)}," if schedule.guards is not None else ""
    return f"{_steps(schedule)}{guarded}"


def _steps(schedule: Schedule) -> str:
    steps = ", ".join(f"{each / 100:g}" for each in schedule.steps)
    return f"{steps}%{f' every {duration_text(schedule.every)}' if schedule.every else ''}"


def probation_text(probation: Probation) -> str:
    """Return how a new default is judged, for people."""
    return f"judged for {duration_text(probation.seconds)} by {guards_text(probation.guards)}"


def guards_text(terms: GuardTerms) -> str:
    """Return guards for people, and what is said of them beside what is usual."""
    how = f"alpha {terms.alpha:g}, {terms.interval:g} s, {terms.min_sample} requests"
    return f"{', '.join(terms.guards)} ({how})"


def duration_text(seconds: float) -> str:
    """Return a duration as it is typed: 30m, 90s."""
    units = (("d", 86_400), ("h", 3_600), ("m", 60))
    return next(
        (f"{seconds / size:g}{name}" for name, size in units if seconds and seconds % size == 0),
        f"{seconds:g}s",
    )
