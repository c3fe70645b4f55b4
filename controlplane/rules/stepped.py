"""What a rule says of a shift in steps, and of how a new default is judged, as `lightbulb shift` has it."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.lifecycle.durations import ADVICE, seconds_of
from controlplane.lifecycle.guards import DEFAULT_ALPHA, DEFAULT_INTERVAL, DEFAULT_MIN_SAMPLE, BadGuards
from controlplane.lifecycle.schedules import schedule_faults
from controlplane.lifecycle.state import MAX_EVERY
from controlplane.lifecycle.terms import guards_of
from controlplane.rules.condition import Complain
from lightbulb.model import GuardTerms, Probation, Schedule

GUARD_WORDS = ("guards", "alpha", "interval", "minSample")
STEP_WORDS = ("schedule", "every", *GUARD_WORDS)
PROBATION_WORDS = (*GUARD_WORDS, "judgedFor")

JUDGED_FOR = 3_600.0
"""For how many seconds a new default is judged, unless its rule says so."""

Fields = Mapping[str, object]


def read_schedule(fields: Fields, steps: tuple[int, ...], complain: Complain) -> Schedule:
    """Return the steps of a shift; what is wrong with them is complained of, all at once."""
    every = _seconds(fields, "every", 0.0, "shift.", complain)
    for path, message, remedy in schedule_faults(steps, every):
        complain("shift.schedule" if path == "steps" else "shift.every", message, remedy)
    return Schedule(steps=steps, every=every, guards=_guards(fields, "shift.", complain, control=True))


def read_probation(fields: Fields, complain: Complain) -> Probation | None:
    """Return how a default is judged while it is new; None: it isn't."""
    if not any(word in fields for word in PROBATION_WORDS):
        return None
    guards = _guards(fields, "", complain, control=False)
    seconds = _seconds(fields, "judgedFor", JUDGED_FOR, "", complain)
    if guards is None:
        complain("guards", "missing", 'write for example guards: ["errors:1%"], or leave out what is of them')
        return None
    if not guards.interval <= seconds <= MAX_EVERY:
        least, most = f"one interval, {guards.interval:g} s", f"{MAX_EVERY / 86_400:g} days"
        complain("judgedFor", f"a default is judged for {least}, to {most}", 'write for example "1h"')
    return Probation(guards=guards, seconds=seconds)


def _guards(fields: Fields, prefix: str, complain: Complain, *, control: bool) -> GuardTerms | None:
    if "guards" not in fields:
        for word in GUARD_WORDS[1:]:
            if word in fields and prefix:
                complain(prefix + word, "it is of guards, and there are none", "add guards, or leave it out")
        return None
    texts = fields["guards"]
    if not isinstance(texts, list) or not texts or not all(isinstance(each, str) for each in texts):
        complain(f"{prefix}guards", "not a list of texts", 'write for example ["errors:1.25x", "p99:250ms"]')
        return None
    terms = GuardTerms(
        guards=tuple(texts),
        alpha=_number(fields, "alpha", DEFAULT_ALPHA, prefix, complain),
        interval=_seconds(fields, "interval", DEFAULT_INTERVAL, prefix, complain),
        min_sample=int(_number(fields, "minSample", DEFAULT_MIN_SAMPLE, prefix, complain)),
    )
    try:
        guards_of(terms, control=control)
    except BadGuards as error:
        for problem in error.problems:
            said, _, remedy = problem.rpartition("; ")
            complain(f"{prefix}guards", said or remedy, remedy if said else "see docs/guards.md")
    return terms


def _number(fields: Fields, word: str, default: float, prefix: str, complain: Complain) -> float:
    value = fields.get(word, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        complain(prefix + word, "not a number", f"write for example {default:g}")
        return default
    if word == "minSample" and value != int(value):
        complain(prefix + word, "not a whole number", f"write for example {default:g}")
        return default
    return value


def _seconds(fields: Fields, word: str, default: float, prefix: str, complain: Complain) -> float:
    if word not in fields:
        return default
    value = fields[word]
    seconds = seconds_of(value) if isinstance(value, str) else None
    if seconds is None:
        complain(prefix + word, f"{_shown(value)} is no duration", f"write {ADVICE}, as a text")
        return default
    return seconds


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
