"""The models of the tests, of which one hangs: whatever a user asks it for, it takes far too long."""

from __future__ import annotations

import time
from types import MappingProxyType

from chaos.models import CATALOGUE as MODELS
from chaos.models import FACTS
from lightbulb.host.workflow import Catalogue, Inference, Workflow

__all__ = ["CATALOGUE", "FACTS"]

CANDIDATE = "netflix-continue-watching-model-cell-2@1"
SECONDS = 1.0


def hanging(workflow: type[Workflow]) -> type[Workflow]:
    """Return the same model, that is loaded as ever, and then hangs."""

    class Hanging(workflow):  # type: ignore[misc, valid-type]
        def prepare(self, request: Inference) -> object:
            if request.context.user_id != self.sample().context.user_id:
                time.sleep(SECONDS)
            return super().prepare(request)

    Hanging.__name__ = workflow.__name__
    return Hanging


CATALOGUE: Catalogue = MappingProxyType({**MODELS, CANDIDATE: hanging(MODELS[CANDIDATE])})
