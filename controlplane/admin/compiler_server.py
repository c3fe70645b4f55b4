"""The process that compilers are forked from: python -m ..., its input a socket of the control plane's.

To load what a compiler needs takes a quarter of a second of CPU, to fork milliseconds. So this
process loads it once, and then only forks: it has no thread, reads no workspace, ends with its control plane.
A request is a `START` with three descriptors: where the compiler converses, its life, where it writes errors.
Over the life, a socket, its process id is told (negative: the error why there is none), and at last its
exit code; whoever closes the other end has it killed.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import NoReturn

from controlplane.admin.compiler_child import compile_for
from controlplane.admin.compiler_messages import NUMBER_BYTES, START


class CompilerServer:
    """Forks compilers, kills those that nobody wants any more, and tells how each has ended."""

    def __init__(self, control: socket.socket) -> None:
        """Take requests from there."""
        self._pid = os.getpid()
        self._control = control
        self._lives: dict[int, socket.socket] = {}
        """Process id -> its life, until it was waited for: so long no other process has that id."""
        self._ends, woken = socket.socketpair()
        for each in (self._ends, woken):
            each.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # or else the kernel tells of no end
        signal.set_wakeup_fd(woken.detach(), warn_on_full_buffer=False)
        self._selector = selectors.PollSelector()  # it keeps nothing in the kernel that a fork would share
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._ends, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until the control plane has ended."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if not self._take():
                        return
                elif key.fileobj is self._ends:
                    self._tell_ends()
                elif self._lives.get(key.data) is key.fileobj:
                    self._kill(key.data)

    def end(self) -> None:
        """Kill all compilers. On Linux the kernel does, however this process ends."""
        for pid in self._lives:
            kill(pid)

    def _take(self) -> bool:
        """Start what is asked; say whether there was a request."""
        said, descriptors, _, _ = socket.recv_fds(self._control, START.size, 3)
        if len(said) != START.size:
            return False
        if len(descriptors) != 3:  # it may open no more: whoever asked is told by their end
            for each in descriptors:
                os.close(each)
            return True
        talk, life_descriptor, errors = descriptors
        life = socket.socket(fileno=life_descriptor)
        try:
            pid = os.fork()
        except OSError as error:
            with life:
                tell(life, -(error.errno or 1))
        else:
            if pid == 0:
                become_compiler(self._pid, (talk, talk, errors), *START.unpack(said))
            self._lives[pid] = life
            self._selector.register(life, selectors.EVENT_READ, pid)
            tell(life, pid)
        os.close(talk)
        os.close(errors)
        return True

    def _kill(self, pid: int) -> None:
        self._selector.unregister(self._lives[pid])
        kill(pid)

    def _tell_ends(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._ends.recv(4096):
                pass
        for pid in tuple(self._lives):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with self._lives.pop(pid) as life:
                    if life.fileno() in self._selector.get_map():
                        self._selector.unregister(life)
                    tell(life, os.waitstatus_to_exitcode(status))


def tell(life: socket.socket, number: int) -> None:
    """Tell a number to whoever listens still; there is room for both that are ever told."""
    with contextlib.suppress(OSError):
        life.sendall(number.to_bytes(NUMBER_BYTES, "big", signed=True))


def kill(pid: int) -> None:
    """Kill a compiler that wasn't waited for, with what it has started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (
        ProcessLookupError,
        PermissionError,
    ):  # it has no group yet, and so no child; or has ended (macOS)
        os.kill(pid, signal.SIGKILL)


def become_compiler(
    server: int, standard: tuple[int, int, int], cpu_seconds: int, memory_mib: int
) -> NoReturn:
    """Be a compiler from here on, and nothing else: no descriptor and no handler of the server's is left."""
    code = 1
    try:
        os.setsid()  # so that it ends with its child
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, descriptor in enumerate(standard):
            os.dup2(descriptor, number)
        os.closerange(3, max(os.sysconf("SC_OPEN_MAX"), 4096))
        compile_for(server, cpu_seconds, memory_mib)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, it is this process's end, not the server's
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Serve the control plane that has this process's input."""
    with socket.socket(fileno=os.dup(0)) as control:
        server = CompilerServer(control)
        try:
            server.run()
        finally:
            server.end()


if __name__ == "__main__":
    main()
