"""Whether addresses that somebody chose can be listened on."""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.cli.options import Address
from lightbulb import ports


def why_not(addresses: Iterable[tuple[Address, str]]) -> tuple[str, ...]:
    """Return what keeps addresses, each with the flag that it was given by, from being listened on.

    The last line says how to end those processes of ours that have them.
    """
    problems, holders, given = [], [], dict[Address, str]()
    for address, flag in addresses:
        if address in given:
            problems.append(f"{given[address]} and {flag} are both {address}; choose another for one of them")
            continue
        given[address] = flag
        reason = _why_not(address)
        if reason:
            problems.append(f"can't listen on {address} ({reason}); choose another with {flag}")
            holders.append(ports.holder_of(address.host, address.port))
    pids = sorted({holder.pid for holder in holders if holder is not None and holder.ours})
    if pids:
        problems.append(f"to end what listens there already: kill {' '.join(map(str, pids))}")
    return tuple(problems)


def _why_not(address: Address) -> str:
    if address.port == 0:
        return "the other processes must know the port"
    return ports.why_not(address.host, address.port)
