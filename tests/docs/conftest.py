"""The documents' own running system."""

from tests.e2e.conftest import up

__all__ = ["up"]
