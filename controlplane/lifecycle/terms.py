"""Guards as a table has them, and as they are judged. Pure."""

from __future__ import annotations

from controlplane.lifecycle.guards import Guards, parse_guards
from lightbulb.model import GuardTerms


def guards_of(terms: GuardTerms | None, *, control: bool) -> Guards:
    """Return the guards that a rule has; `control`: there is a control arm. Raises BadGuards."""
    if terms is None:
        return Guards()
    return parse_guards(
        terms.guards,
        alpha=terms.alpha,
        interval=terms.interval,
        min_sample=terms.min_sample,
        control=control,
    )
