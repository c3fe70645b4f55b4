"""Whether an address can be listened on, as the system says it, and which process has it already."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LISTENING = "0A"
_COMMAND_CHARACTERS = 80
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process to end so that an address is free: one of ours, or else the one that listens there."""

    pid: int
    command: str
    ours: bool

    def __str__(self) -> str:
        return f"`{self.command}`, process {self.pid}"


def why_not(host: str, port: int | str) -> str:
    """Return what keeps an address from being listened on now; empty when nothing does."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        with socket.socket(family, kind, protocol) as probe:
            # Ports of connections that have ended may be listened on; those that are listened on may not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen()
    except OSError as error:
        reason = error.strerror or str(error)
        holder = holder_of(host, int(port)) if error.errno == errno.EADDRINUSE else None
        return f"{reason} by {holder}" if holder is not None else reason
    return ""


def holder_of(host: str, port: int) -> Holder | None:
    """Return who keeps an address from being free; None where that can't be seen, as of another user's.

    It is known on Linux alone. What a process of ours has started, such as an Envoy, is ended with it.
    """
    inodes = set(_listeners(host, port))
    pid = next((pid for pid in _processes() if inodes and inodes & set(_sockets(pid))), None)
    if pid is None:
        return None
    while (parent := _parent(pid)) and _our_command(_arguments(parent)):
        pid = parent
    arguments = _arguments(pid)
    ours = _our_command(arguments)
    command = ours or " ".join(arguments)[:_COMMAND_CHARACTERS]
    shown = "".join(each if each.isprintable() else "?" for each in command)
    return Holder(pid=pid, command=shown, ours=bool(ours))


def _listeners(host: str, port: int) -> Iterator[str]:
    """Yield the inodes of sockets that listen on a port, at an address that clashes with `host`."""
    for name in ("tcp", "tcp6"):
        for line in _read(_PROC / "self/net" / name).splitlines()[1:]:
            words = line.split()
            address, _, number = words[1].partition(":")
            if words[3] == _LISTENING and int(number, 16) == port and _clashes(_ip(address), host):
                yield words[9]


def _ip(written: str) -> str:
    """Return an address as people write it; the kernel writes words of four bytes in its own order."""
    words = (bytes.fromhex(written[begin : begin + 8]) for begin in range(0, len(written), 8))
    packed = b"".join(int.from_bytes(word, sys.byteorder).to_bytes(4, "big") for word in words)
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _clashes(one: str, host: str) -> bool:
    """Say whether one of the addresses is the other, or means any; a name may be any."""
    try:
        other = ipaddress.ip_address(host)
    except ValueError:
        return True
    found = ipaddress.ip_address(one)
    return found == other or found.is_unspecified or other.is_unspecified


def _processes() -> Iterator[int]:
    yield from (int(path.name) for path in _PROC.glob("[0-9]*"))


def _sockets(pid: int) -> Iterator[str]:
    """Yield the inodes of a process' sockets; none of one that has ended, or isn't ours to look at."""
    try:
        for path in (_PROC / str(pid) / "fd").iterdir():
            target = str(path.readlink())
            if target.startswith("socket:["):
                yield target[len("socket:[") : -1]
    except OSError:
        return


def _parent(pid: int) -> int:
    """Return a process' parent; 0 when it has ended."""
    fields = _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()  # its name may hold anything
    return int(fields[1]) if fields else 0


def _arguments(pid: int) -> tuple[str, ...]:
    return tuple(_read(_PROC / str(pid) / "cmdline").split("\0")[:-1])


def _our_command(arguments: tuple[str, ...]) -> str:
    """Return "lightbulb COMMAND" for a process of ours, however it was started; empty for another."""
    for index, each in enumerate(arguments[:4]):
        if Path(each).name == "lightbulb" or (each == "controlplane" and arguments[index - 1] == "-m"):
            return " ".join(("lightbulb", *arguments[index + 1 : index + 2]))
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
