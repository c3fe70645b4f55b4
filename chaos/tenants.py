"""The tenants of the rows with several, and the versions of the fraud model that each has for itself.

What one tenant loads another may have loaded already. So each has versions of its own, which it does load.
"""

from __future__ import annotations

from lightbulb.model import DEFAULT_TENANT

TENANTS = (DEFAULT_TENANT, "home", "payments", "search")
OWN = 4
"""Versions of each tenant: more than stay loaded, so that one which is published is new, most of the time."""


def own_versions(tenant: str) -> tuple[str, ...]:
    """Return the versions that no other tenant uses."""
    return tuple(f"{tenant}-{number}" for number in range(1, OWN + 1))


ALL_OWN = tuple(version for tenant in TENANTS for version in own_versions(tenant))
