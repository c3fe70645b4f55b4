"""What a shift is guarded by: the values, their texts, and which of them can be judged. Pure.

`errors:1.25x` compares with the control arm, `errors:0.5%` is a bound of its own; `p99:1.2x` and `p99:250ms`
are the same of latency. `agreement:0.9` is of what a shadow of the candidate answered before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from controlplane.lifecycle.bins import MAX_MICROSECONDS, edge_at_least

DEFAULT_INTERVAL = 10.0
"""Seconds that are judged as one. Longer than the time in which a client repeats what failed."""

DEFAULT_ALPHA = 0.01
DEFAULT_MIN_SAMPLE = 100
MAX_GUARDS = 8
MIN_ALPHA, MAX_ALPHA = 1e-6, 0.2
MIN_INTERVAL, MAX_INTERVAL = 1.0, 600.0
MAX_MIN_SAMPLE = 10_000_000
MAX_MARGIN = 10.0
MIN_LATENCY_MARGIN = 1.1
"""Below it, a margin is lost in the bins."""
MIN_BOUND, MAX_BOUND = 1e-5, 0.5
"""Of a share: below, no figure in reach tells; above, the catastrophe rule stands."""

MICROSECONDS = {"us": 1, "µs": 1, "ms": 1_000, "s": 1_000_000}
_NUMBER = r"(\d{1,12}(?:\.\d{1,9})?)"
_LIMIT = re.compile(rf"{_NUMBER}(x|%|us|µs|ms|s|)")
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,2})?)")
EXAMPLES = "errors:1.25x, errors:0.5%, p99:1.2x, p99:250ms or agreement:0.9"


class BadGuards(ValueError):
    """Guards that can't be judged. `problems`: what is wrong with each, and what to do, all at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Hold the problems; the message is all of them."""
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class Kind(StrEnum):
    """What a guard looks at."""

    ERRORS = "errors"
    SLOW = "slow"
    AGREEMENT = "agreement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One limit; `margin` of a relative one, `bound` of every other; raises BadGuards if it can't be judged.

    `bound` is the share of requests that may be bad: that fail; that take `threshold` microseconds or longer,
    which is 1 - `quantile` (`threshold` 0: it is learnt of the control arm); or by which a shadow disagrees.
    `asked` is the threshold that its author wrote, before it was rounded up to an edge of Envoy's bins.
    """

    kind: Kind
    margin: float | None = None
    bound: float | None = None
    quantile: float = 0.0
    threshold: int = 0
    asked: float = 0.0
    min_sample: int = DEFAULT_MIN_SAMPLE

    def __post_init__(self) -> None:
        """Refuse what can't be judged."""
        problems = [*_problems_of_shape(self), *_problems_of_size(self)]
        if problems:
            raise BadGuards([f"{self}: {problem}" for problem in problems])

    @property
    def relative(self) -> bool:
        """Whether it compares with the control arm."""
        return self.margin is not None

    @property
    def name(self) -> str:
        """What it is called in tables and events; of each name one margin and one bound may guard a shift."""
        return f"p{self.quantile * 100:g}" if self.kind is Kind.SLOW else self.kind.value

    @property
    def note(self) -> str:
        """What its author should know of how it is judged; empty: it is as it was written."""
        if self.threshold == self.asked:
            return ""
        return (
            f"{self.name}:{duration(self.asked)} is judged as {duration(self.threshold)}, "
            "the next edge of the bins that Envoy counts durations in"
        )

    def __str__(self) -> str:
        if self.margin is not None:
            return f"{self.name}:{_plain(Decimal(repr(self.margin)))}x"
        if self.kind is Kind.SLOW:
            return f"{self.name}:{duration(self.asked or self.threshold)}"
        bound = Decimal(repr(self.bound or 0.0))
        if self.kind is Kind.AGREEMENT:
            return f"{self.name}:{_plain(1 - bound)}"
        return f"{self.name}:{_plain(bound * 100)}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """All that one shift is guarded by; raises BadGuards. They share `alpha`, the chance of a false alarm.

    `interval`, in seconds, is judged as one.
    """

    each: tuple[Guard, ...] = ()
    alpha: float = DEFAULT_ALPHA
    interval: float = DEFAULT_INTERVAL

    def __post_init__(self) -> None:
        """Refuse what can't be judged."""
        problems = list(_problems_together(self))
        if problems:
            raise BadGuards(problems)

    @property
    def alpha_of_each(self) -> float:
        """Each guard's part of alpha."""
        return self.alpha / max(len(self.each), 1)

    @property
    def want_agreement(self) -> bool:
        """Whether answers are to be compared before anybody is shifted."""
        return any(guard.kind is Kind.AGREEMENT for guard in self.each)

    @property
    def notes(self) -> tuple[str, ...]:
        """What their author should know of how they are judged."""
        compared = tuple(
            f"{guard}: nobody is moved before {guard.min_sample:,} answers of a shadow of the model are "
            "compared; `lightbulb shadow tell` does that"
            for guard in self.each
            if guard.kind is Kind.AGREEMENT
        )
        return (*(guard.note for guard in self.each if guard.note), *compared)

    def blind_spots(self, deadline: float, *, everybody: bool) -> tuple[str, ...]:
        """Return when some guards can't see anything.

        `deadline` is the objective's, in seconds (0.0: it has none); `everybody` is shifted in the end.
        """
        limit = deadline * MICROSECONDS["s"]
        beyond = (
            f"{guard}: calls are given up after {duration(limit)}, the objective's deadline, and are errors "
            "then, so that it sees only callers who wait longer"
            for guard in self.each
            if limit and guard.threshold > limit
        )
        alone = ("at 100 % nobody is left to compare with, so add a bound, as errors:5%",)
        is_idle = everybody and self.each and all(guard.relative for guard in self.each)
        return (*beyond, *(alone if is_idle else ()))


def parse_guards(
    texts: Iterable[str],
    *,
    alpha: float = DEFAULT_ALPHA,
    interval: float = DEFAULT_INTERVAL,
    min_sample: int = DEFAULT_MIN_SAMPLE,
    control: bool = True,
) -> Guards:
    """Return guards by their texts; raise BadGuards with all that is wrong.

    `control`: there is a control arm.
    """
    guards: list[Guard] = []
    problems: list[str] = []
    for text in texts:
        try:
            guards.append(replace(parse_guard(text), min_sample=min_sample))
        except BadGuards as error:
            problems += error.problems
    problems += [problem for guard in guards if not control for problem in _problems_alone(guard)]
    try:
        together = Guards(each=tuple(guards), alpha=alpha, interval=interval)
    except BadGuards as error:
        problems += error.problems
    if problems:
        raise BadGuards(list(dict.fromkeys(problems)))
    return together


def parse_guard(text: str) -> Guard:
    """Return the guard that a text says; raise BadGuards."""
    name, colon, limit = text.strip().partition(":")
    found = _LIMIT.fullmatch(limit.strip())
    if not colon or not found:
        raise BadGuards([f"{_shown(text)}: is no guard; write {EXAMPLES}"])
    value, unit = Decimal(found[1]), found[2]
    quantile = _QUANTILE.fullmatch(name)
    if quantile:
        return _latency(text, Decimal(quantile[1]) / 100, value, unit)
    if name == Kind.ERRORS:
        return _errors(text, value, unit)
    if name == Kind.AGREEMENT:
        return _agreement(text, value, unit)
    raise BadGuards([f"{_shown(text)}: nothing is known of {_shown(name)}; write {EXAMPLES}"])


def _errors(text: str, value: Decimal, unit: str) -> Guard:
    if unit == "x":
        return Guard(kind=Kind.ERRORS, margin=float(value))
    if unit == "%":
        return Guard(kind=Kind.ERRORS, bound=float(value / 100))
    advice = "write errors:1.25x to compare with the control arm, or errors:0.5%"
    raise BadGuards([f"{_shown(text)}: errors are a share; {advice}"])


def _agreement(text: str, value: Decimal, unit: str) -> Guard:
    if unit == "%":
        value, unit = value / 100, ""
    if unit:
        raise BadGuards([f"{_shown(text)}: agreement is a share from 0.5 to 1; write agreement:0.9"])
    return Guard(kind=Kind.AGREEMENT, bound=float(1 - value))


def _latency(text: str, quantile: Decimal, value: Decimal, unit: str) -> Guard:
    if unit == "x":
        return Guard(kind=Kind.SLOW, quantile=float(quantile), bound=float(1 - quantile), margin=float(value))
    if unit not in MICROSECONDS:
        name = text.partition(":")[0]
        advice = f"write {name}:1.2x to compare with the control arm, or {name}:250ms"
        raise BadGuards([f"{_shown(text)}: a latency has a unit; {advice}"])
    asked = value * MICROSECONDS[unit]
    if not 1 <= asked <= MAX_MICROSECONDS:
        raise BadGuards([f"{_shown(text)}: Envoy's bins tell from 1 µs to 1 h; take a bound between them"])
    return Guard(
        kind=Kind.SLOW,
        quantile=float(quantile),
        bound=float(1 - quantile),
        threshold=edge_at_least(float(asked)),
        asked=float(asked),
    )


def _problems_of_shape(guard: Guard) -> Iterable[str]:
    if guard.margin is None and guard.bound is None:
        yield "has neither a margin nor a bound"
    if guard.kind is Kind.AGREEMENT and guard.relative:
        yield "agreement is between the two arms already; write agreement:0.9"
    if guard.kind is not Kind.SLOW and (guard.quantile or guard.threshold or guard.asked):
        yield "only a guard of latency has a quantile and a threshold"
    if guard.kind is Kind.SLOW and guard.relative == bool(guard.threshold):
        yield "a bound of latency has a threshold, and a margin none"
    if guard.threshold != edge_at_least(guard.threshold):
        yield "its threshold is no edge of Envoy's bins"
    if guard.kind is not Kind.SLOW and guard.margin is not None and guard.bound is not None:
        yield "has a margin and a bound; take one of them"


def _problems_of_size(guard: Guard) -> Iterable[str]:
    least = MIN_LATENCY_MARGIN if guard.kind is Kind.SLOW else 1.0
    if guard.margin is not None and not least <= guard.margin <= MAX_MARGIN:
        why = (
            ", since Envoy's bins are up to 10 % wide"
            if guard.kind is Kind.SLOW and guard.margin >= 1
            else ""
        )
        yield f"a margin is from {least:g}x to {MAX_MARGIN:g}x{why}"
    if guard.bound is not None and not MIN_BOUND <= guard.bound <= MAX_BOUND:
        yield {
            Kind.ERRORS: "a bound of errors is from 0.001% to 50%",
            Kind.SLOW: "a quantile is from p50 to p99.99",
            Kind.AGREEMENT: "a bound of agreement is from 0.5 to 0.99999",
        }[guard.kind]
    if not 1 <= guard.min_sample <= MAX_MIN_SAMPLE:
        yield f"a sample is from 1 to {MAX_MIN_SAMPLE:,} requests, not {guard.min_sample:,}"


def _problems_alone(guard: Guard) -> Iterable[str]:
    """Yield what is wrong with a guard where there is no control arm."""
    if guard.relative:
        instead = "errors:0.5%" if guard.kind is Kind.ERRORS else f"{guard.name}:250ms"
        yield (
            f"{guard}: there is no control arm to compare with; write a bound, as {instead}, "
            "or shift step by step"
        )
    if guard.kind is Kind.AGREEMENT:
        yield f"{guard}: a default is compared with no other model; guard a shift to it, or leave it out"


def _problems_together(guards: Guards) -> Iterable[str]:
    if not MIN_ALPHA <= guards.alpha <= MAX_ALPHA:
        yield (
            f"alpha {guards.alpha:g}: the chance of a false alarm is from {MIN_ALPHA:f} to {MAX_ALPHA:g}; "
            f"{DEFAULT_ALPHA:g} is usual"
        )
    if not MIN_INTERVAL <= guards.interval <= MAX_INTERVAL:
        yield (
            f"interval {guards.interval:g} s: from {MIN_INTERVAL:g} to {MAX_INTERVAL:g} s; longer than your "
            f"clients go on repeating a request that failed, {DEFAULT_INTERVAL:g} s is usual"
        )
    alike = [(guard.name, guard.relative) for guard in guards.each]
    for one in sorted({one for one in alike if alike.count(one) > 1}):
        same = ", ".join(str(guard) for guard, its in zip(guards.each, alike, strict=True) if its == one)
        yield f"{same}: {one[0]} is guarded more than once; keep one of them"
    if len(alike) > MAX_GUARDS:
        yield f"{len(alike)} guards: at most {MAX_GUARDS} share alpha; leave some out"


def duration(microseconds: float) -> str:
    """Return a duration in the largest unit that it is at least one of."""
    unit = next((name for name in ("s", "ms") if microseconds >= MICROSECONDS[name]), "us")
    return f"{_plain(Decimal(repr(float(microseconds))) / MICROSECONDS[unit])}{unit}"


def _plain(value: Decimal) -> str:
    """Return a number without an exponent, and without zeros at its end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
