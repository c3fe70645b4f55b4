"""Example models: three rankers of real titles, and a fraud classifier."""

from examples.models.catalogue import CATALOGUE
from examples.models.facts import FACTS

__all__ = ["CATALOGUE", "FACTS"]
