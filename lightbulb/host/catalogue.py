"""Finds the models that a host can load: a module of the user's, named on the command line."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lightbulb.host.errors import REASON_LIMIT, brief
from lightbulb.host.workflow import Catalogue, Fact


class NoCatalogue(Exception):
    """A module that holds no models; the message says which, and what it must have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """What a host can load: `catalogue` is id -> what loads it, `facts` name -> what supplies it."""

    catalogue: Catalogue
    facts: Mapping[str, Fact] = field(default_factory=dict)


def load_models(module: str) -> Models:
    """Return CATALOGUE and FACTS of a module, which may lie in the working folder. Raises NoCatalogue."""
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = importlib.import_module(module)
    except Exception as error:  # a user's module may raise anything
        cause = brief(f"{type(error).__name__}: {error}", REASON_LIMIT)
        raise NoCatalogue(f"can't import {module}: {cause}") from error
    catalogue = getattr(found, "CATALOGUE", None)
    if not isinstance(catalogue, Mapping):
        raise NoCatalogue(f"{module} has no CATALOGUE, a mapping of model ids to Workflow classes")
    return Models(catalogue=catalogue, facts=getattr(found, "FACTS", {}))
