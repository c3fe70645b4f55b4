"""How much the random tests try: enough to see what they are for in `make test`, more in `make test-deep`."""

from __future__ import annotations

from hypothesis import settings

EXAMPLES, DEEP_EXAMPLES = 25, 100
"""Of a test that says nothing else. Others say how many `make test-deep` tries, and go by this ratio."""


def is_deep() -> bool:
    """Say whether this is `make test-deep`: more is tried, and something else each time."""
    return settings.default.max_examples == DEEP_EXAMPLES


def examples(deep: int) -> int:
    """Return how many examples to try where `make test-deep` tries `deep`."""
    return deep * settings.default.max_examples // DEEP_EXAMPLES
