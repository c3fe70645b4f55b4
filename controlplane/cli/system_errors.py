"""What the system refuses, in one line with a remedy: a full disk, no room for files, no folder."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType

from controlplane.cli.failed import Failed

_WRITE = "let this user write there, or name another folder"
_ROOM = "make room on that disk"

_REMEDIES: Mapping[int, str] = MappingProxyType(
    {
        errno.ENOSPC: _ROOM,
        errno.EDQUOT: _ROOM,
        errno.EFBIG: "raise the limit of this process, `ulimit -f`",
        errno.EMFILE: "raise the limit of this process, `ulimit -n`",
        errno.ENFILE: "end other processes, or raise the system's limit of open files",
        errno.EAGAIN: "end other processes, or raise the limit of this user, `ulimit -u`",
        errno.ENOMEM: "end other processes, or take a machine with more memory",
        errno.EROFS: _WRITE,
        errno.EACCES: _WRITE,
        errno.EPERM: _WRITE,
        errno.EIO: "see whether the disk works, or the terminal is still there",
    }
)


def system_failure(error: OSError) -> Failed:
    """Return what to say of an error of the system that no command has words of its own for."""
    reason = error.strerror or str(error)
    if reason.startswith("No usable temporary directory"):
        return Failed(
            "SYSTEM", "there is no folder for temporary files", "set TMPDIR to one that can be written to"
        )
    message = f"{error.filename}: {reason}" if error.filename else f"can't go on: {reason}"
    return Failed("SYSTEM", message, _REMEDIES.get(error.errno or 0, ""))
