"""Which rules of one objective could both apply to one request. Pure.

Not each pair is compared: rules that share no value are found apart by an index, so that two thousand which
exclude each other cost little. The pairs come one by one: whoever has seen enough stops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from controlplane.model import Experiment
from controlplane.rules.shapes import AbTest, ContextCondition, Shift
from lightbulb.model import Condition
from lightbulb.resolution.overlap import (
    NO_SEGMENTS,
    Possible,
    Sides,
    apart,
    in_orders,
    may_overlap,
    possible,
)


def overlapping_contexts(
    rules: Sequence[ContextCondition], segments: Mapping[str, Sides] = NO_SEGMENTS
) -> Iterator[tuple[ContextCondition, ContextCondition]]:
    """Yield each two rules that aren't certain to exclude each other, in the order of `rules`."""
    for one, other in _overlapping([rule.when for rule in rules], segments):
        yield rules[one], rules[other]


def overlapping_shifts(
    rules: Sequence[Shift], segments: Mapping[str, Sides] = NO_SEGMENTS
) -> Iterator[tuple[Shift, Shift]]:
    """Yield each two shifts that aren't certain to exclude each other, in the order of `rules`."""
    for one, other in _overlapping([rule.when for rule in rules], segments):
        yield rules[one], rules[other]


def _overlapping(
    given: Sequence[Condition | None], segments: Mapping[str, Sides]
) -> Iterator[tuple[int, int]]:
    conditions = in_orders([None if each is None else possible(each, segments) for each in given])
    for one, other in _pairs(may_overlap(conditions)):
        if not _certainly_apart(conditions[one], conditions[other]):
            yield one, other


def overlapping_tests(
    rules: Sequence[AbTest],
    experiments: Mapping[str, Experiment],
    segments: Mapping[str, Sides] = NO_SEGMENTS,
) -> Iterator[tuple[AbTest, AbTest]]:
    """Yield each two rules whose tests may have a user in common, in the order of `rules`.

    Parts of one layer never overlap: definitions sees to that. Rules of tests that aren't known are left out,
    as they are noted already.
    """
    known = [(rule, experiments[rule.test_id]) for rule in rules if rule.test_id in experiments]
    eligible = [test.eligible for _, test in known]
    conditions = in_orders([None if each is None else possible(each, segments) for each in eligible])
    in_layer = _positions([test.layer for _, test in known])
    of_test = _positions([test.id for _, test in known])
    masks = [
        (mask & ~(in_layer[test.layer] if test.layer else 0)) | of_test[test.id]
        for mask, (_, test) in zip(may_overlap(conditions), known, strict=True)
    ]
    for one, other in _pairs(masks):
        same = known[one][1].id == known[other][1].id
        if same or not _certainly_apart(conditions[one], conditions[other]):
            yield known[one][0], known[other][0]


def _certainly_apart(one: Possible | None, other: Possible | None) -> bool:
    return one is not None and other is not None and apart(one, other)


def _positions(names: Sequence[str]) -> Mapping[str, int]:
    """Return name -> where it stands, as bits."""
    masks: dict[str, int] = {}
    for position, name in enumerate(names):
        masks[name] = masks.get(name, 0) | 1 << position
    return masks


def _pairs(masks: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield i < j that are each in the other's bits."""
    for one, mask in enumerate(masks):
        later = mask >> (one + 1) << (one + 1)
        while later:
            lowest = later & -later
            later ^= lowest
            other = lowest.bit_length() - 1
            if masks[other] >> one & 1:
                yield one, other
