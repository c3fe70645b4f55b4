"""Where everything of a system on one machine listens."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.cli.options import STEP, Address
from controlplane.cli.processes import free_ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Addresses; as many control planes, Lightbulbs and sidecars as there are replicas. `redis` if any."""

    control_planes: tuple[Address, ...]
    lightbulbs: tuple[Address, ...]
    sidecars: tuple[Address, ...]
    sidecar_admins: tuple[Address, ...]
    hosts: tuple[Address, ...]
    redis: Address | None = None

    def flags(self) -> tuple[tuple[Address, str], ...]:
        """Return every address with the flag that says where it is."""
        named = (
            (self.control_planes, "--control-plane"),
            (self.lightbulbs, "--lightbulb"),
            (self.sidecars, "--sidecar"),
            (self.sidecar_admins, "--sidecar-admin"),
            (self.hosts, "--first-host"),
            ((self.redis,) if self.redis is not None else (), "--redis"),
        )
        return tuple((address, flag) for addresses, flag in named for address in addresses)


def make_layout(  # noqa: PLR0913 - one argument a flag
    *,
    control_plane: Address | None,
    lightbulb: Address | None,
    sidecar: Address | None,
    sidecar_admin: Address | None,
    first_host: Address | None,
    hosts: int,
    replicas: int = 1,
    redis: Address | None = None,
) -> Layout:
    """Return a layout with `hosts` hosts; what is None gets ports of 127.0.0.1 that are free now."""
    free = iter(Address("127.0.0.1", port) for port in free_ports(4 * replicas + hosts + 1))

    def several(first: Address | None, count: int, step: int) -> tuple[Address, ...]:
        if first is None:
            return tuple(next(free) for _ in range(count))
        return tuple(Address(first.host, first.port + step * number) for number in range(count))

    return Layout(
        control_planes=several(control_plane, replicas, STEP),
        lightbulbs=several(lightbulb, replicas, STEP),
        sidecars=several(sidecar, replicas, STEP),
        sidecar_admins=several(sidecar_admin, replicas, STEP),
        hosts=several(first_host, hosts, 1),
        redis=(redis or next(free)) if replicas > 1 else None,
    )
