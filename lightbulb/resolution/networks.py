"""IP networks, and the addresses in them. An IPv4 address within IPv6, ::ffff:10.0.0.1, is that of IPv4."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from lightbulb.resolution.bad_value import BadValue

Address = tuple[int, int]
"""The version, 4 or 6, and the address as a number."""

_FORM = re.compile(r"[0-9A-Fa-f.:]{2,45}(/(0|[1-9]\d{0,2}))?", re.ASCII)
_EXAMPLE = 'write a network, for example "10.0.0.0/8" or "2001:db8::/32"'
_LONGEST = 64
"""Characters of an address, with the zone of a link-local one."""


@lru_cache(maxsize=4096)
def address(text: str) -> Address | None:
    """Return an address; None when `text` is none."""
    try:
        found = ip_address(text) if len(text) <= _LONGEST else None
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return None if found is None else (found.version, int(found))


def network_test(texts: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that says whether an address is in one of some networks; raise BadValue."""
    held: dict[tuple[int, int], set[int]] = {}
    for text in texts:
        network = _network(text)
        shift = network.max_prefixlen - network.prefixlen
        held.setdefault((network.version, shift), set()).add(int(network.network_address) >> shift)
    parts = tuple((version, shift, frozenset(heads)) for (version, shift), heads in held.items())

    def inside(text: str) -> bool:
        found = address(text)
        if found is not None:
            for version, shift, heads in parts:
                if found[0] == version and found[1] >> shift in heads:
                    return True
        return False

    return inside


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text, strict=False) if _FORM.fullmatch(text) else None
    except ValueError:
        network = None
    if network is None:
        raise BadValue(f"{text!r} is not a network in CIDR notation", _EXAMPLE)
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise BadValue(f"{text!r} has IPv4 addresses in it", _EXAMPLE)
    if "/" in text and ip_address(text.partition("/")[0]) != network.network_address:
        raise BadValue(f"{text!r} is an address inside of a network", f'write "{network}"')
    return network
