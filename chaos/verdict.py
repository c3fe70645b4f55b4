"""What the users of a system noticed. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chaos.load import Outcome
from controlplane.cli.expectation import Expectations
from lightbulb.model import RequestContext

SLOW_SECONDS = 1.0
"""A caller notices; without a fault they take some milliseconds, on two busy cores some tens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Counts of requests, and some of what was wrong. `down`: failed with the very part that was broken.

    `slow`: rightly answered, after more than SLOW_SECONDS.
    """

    requests: int
    failed: int
    misrouted: int
    down: int
    slow: int = 0
    examples: Mapping[str, int] = field(default_factory=dict)


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return what was counted in all of some."""
    them = tuple(verdicts)
    return Verdict(
        requests=sum(each.requests for each in them),
        failed=sum(each.failed for each in them),
        misrouted=sum(each.misrouted for each in them),
        down=sum(each.down for each in them),
        slow=sum(each.slow for each in them),
    )


def lines_since(file: Path, mark: int) -> list[str]:
    """Return the lines that begin at byte `mark` of a file or later: it may grow by parts of lines."""
    with file.open("rb") as opened:
        opened.seek(max(0, mark - 1))
        if mark:
            opened.readline()  # the rest of the line that `mark` is in, or the end of the one before
        return opened.read().decode().splitlines(keepends=True)


def outcomes(lines: Iterable[str]) -> list[Outcome]:
    """Return what a load wrote; a last line that is cut short is left out."""
    return [Outcome(**json.loads(line)) for line in lines if line.endswith("\n")]


def judge(
    found: Iterable[Outcome], rules: Mapping[int, Expectations], is_down: Callable[[Outcome], bool]
) -> Verdict:
    """Return what was wrong: failures, and answers by another model than that generation gives that user."""
    return judge_by(found, lambda each: by_rules(each, rules), is_down)


def judge_by(
    found: Iterable[Outcome], what_is_wrong: Callable[[Outcome], str], is_down: Callable[[Outcome], bool]
) -> Verdict:
    """Return what was wrong: `what_is_wrong` says "failed: …", "misrouted: …", or nothing."""
    counts: Counter[str] = Counter()
    requests = 0
    examples: Counter[str] = Counter()
    for each in found:
        requests += 1
        wrong = what_is_wrong(each)
        kind = "fine" if not wrong else "down" if each.error and is_down(each) else wrong.partition(":")[0]
        counts[kind] += 1
        counts["slow"] += kind == "fine" and each.ended - each.began > SLOW_SECONDS
        if kind in {"failed", "misrouted"}:
            examples[wrong] += 1
    return Verdict(
        requests=requests,
        failed=counts["failed"],
        misrouted=counts["misrouted"],
        down=counts["down"],
        slow=counts["slow"],
        examples=dict(examples.most_common(5)),
    )


def by_rules(each: Outcome, rules: Mapping[int, Expectations]) -> str:
    """Say what is wrong with an outcome by the rules of its generation."""
    if each.error:
        return f"failed: {each.error}"
    user = RequestContext(user_id=each.user, country="US", device="web", surface="home")
    expected = (
        rules[each.generation].of(each.objective, user).model if each.generation in rules else "nothing"
    )
    if each.answered_by == each.resolved == expected:
        return ""
    return (
        f"misrouted: {each.objective}: generation {each.generation} gives {expected}, "
        f"resolved was {each.resolved}, answered by {each.answered_by}"
    )
