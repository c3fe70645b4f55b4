"""Where Lightbulb brings an Envoy: the one place that says so, for the tests too."""

from __future__ import annotations

import platform

PLATFORMS = frozenset({("Linux", "x86_64")})
"""(system, machine); the marker of the extra `sidecar` in pyproject.toml says the same."""


def why_no_envoy(system: str | None = None, machine: str | None = None) -> str | None:
    """Return why Lightbulb brings no Envoy for a platform (by default this one), or None when it does."""
    here = (system or platform.system(), machine or platform.machine())
    if here in PLATFORMS:
        return None
    return f"Lightbulb brings an Envoy for Linux on x86_64 alone, and this is {here[0]} on {here[1]}"
