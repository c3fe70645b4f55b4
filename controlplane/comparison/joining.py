"""Puts records into pairs as they come, and adds up how far they agree. Pure, but that it changes itself."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controlplane.comparison.pairs import Pair, counts_of
from controlplane.lifecycle.agreement import MAX_MODELS, Models
from controlplane.lifecycle.figures import NOTHING, Counts
from lightbulb.comparison.record import LIVE, Record, Side

MAX_OPEN = 20_000
"""Requests whose other side is waited for; the one that was heard of first is given up."""

BATCH = 1_000
"""Pairs that are measured together."""


@dataclass(slots=True)
class _Request:
    """What came of a request: its primary's record, or shadows' that came before that."""

    primary: Record | None = None
    waiting: list[Record] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    """Models whose answers were compared."""


class Joining:
    """Takes records in about the order in which they were made.

    What was compared is `counts`. A record that comes again counts once, and so does the request of a model
    that several shadows run. A noise floor tells nothing of another model, and is passed over.
    """

    def __init__(self) -> None:
        """Have seen nothing yet."""
        self._open: OrderedDict[str, _Request] = OrderedDict()
        self._pairs: defaultdict[Models, list[Pair]] = defaultdict(list)
        self._counts: dict[Models, Counts] = {}
        self.left_out = 0
        """Pairs of models beyond those that can be told of."""
        self.not_live = 0
        """Pairs of tests and replays, which aren't compared."""

    @property
    def counts(self) -> Mapping[Models, Counts]:
        """What was compared so far."""
        for models in tuple(self._pairs):
            self._settle(models)
        return dict(self._counts)

    def take(self, records: Iterable[Record]) -> None:
        """Take more records."""
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        request = self._open.setdefault(record.request, _Request())
        if record.side is Side.SHADOW:
            request.waiting.append(record)
        elif request.primary is None:
            request.primary = record
        if request.primary is not None:
            for shadow in request.waiting:
                self._join(request, request.primary, shadow)
            request.waiting.clear()
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)

    def _join(self, request: _Request, primary: Record, shadow: Record) -> None:
        if primary.traffic != LIVE:
            self.not_live += 1
            return
        if shadow.model == primary.model or shadow.model in request.done:
            return
        if not set(shadow.shadows) & set(primary.shadows):
            return
        models = Models(objective=primary.objective, primary=primary.model, candidate=shadow.model)
        if models not in self._counts and len(self._counts) >= MAX_MODELS:
            self.left_out += 1
            return
        request.done.add(shadow.model)
        self._counts.setdefault(models, NOTHING)
        self._pairs[models].append(Pair(primary=primary, shadow=shadow))
        if len(self._pairs[models]) >= BATCH:
            self._settle(models)

    def _settle(self, models: Models) -> None:
        self._counts[models] += counts_of(self._pairs.pop(models))
