"""Every command in surroundings that lack something: a clear line, the right exit code, no traceback."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from controlplane.cli.main import main
from controlplane.cli.processes import Processes, free_ports
from controlplane.cli.variables import is_text
from tests.cli.commands import ARGUMENTS, PATHS, command
from tests.python_after import python_after
from tests.waiting import until

SECONDS = 60.0
ROOT = Path(__file__).resolve().parents[2]
RULES = str(ROOT / "rules")
NOBODY = "127.0.0.1:1"
USER = ("PaymentFraudDetection", "--user", "u")
PLANE, BULB = ("--control-plane", NOBODY), ("--lightbulb", NOBODY)

NOT_TEXT = "caf\udce9"
"""`caf\\xe9`, as Python has it from a command line in UTF-8."""

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "help": ("--help",),
    "init": ("init", "made"),
    "init, refused": ("init", "many"),
    "rules check": ("rules", "check", RULES),
    "explain": ("explain", *USER, "--rules", RULES),
    "bootstrap": ("sidecar", "bootstrap"),
    "publish": ("publish", RULES, *PLANE),
    "status, as JSON": ("status", "--output", "json", *PLANE),
    "rollback": ("rollback", *PLANE),
    "pin": ("pin", "1", *PLANE),
    "infer": ("infer", *USER, *BULB),
    "health": ("health", NOBODY),
}
PRINT = frozenset({"help", "init", "rules check", "explain", "bootstrap"})
"""Those that succeed, and print; the others fail here, since nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """How the commands are run.

    `first` is a line of Python that is run before, `inside` one that is run by their own Python.
    `cwd` None is a folder of its own. `fail`: who prints fails, saying this.
    """

    variables: Mapping[str, str | None] = field(default_factory=dict)
    first: str = ""
    inside: str = ""
    cwd: str | None = None
    stdin: int | None = subprocess.DEVNULL
    stdout: str = ""
    fail: str = ""


TABLE: Mapping[str, Surroundings] = {
    "no folder for temporary files": Surroundings(
        inside="import tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc/none']"
    ),
    "a working folder that can't be written to": Surroundings(cwd="/proc"),
    "a Latin-1 terminal": Surroundings(variables={"PYTHONIOENCODING": "latin-1"}),
    "an ASCII locale": Surroundings(
        variables={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    ),
    "no home, no path, no user": Surroundings(variables=dict.fromkeys(("HOME", "PATH", "USER", "LOGNAME"))),
    "a user whose name is no text": Surroundings(variables=dict.fromkeys(("LOGNAME", "USER"), NOT_TEXT)),
    "few files": Surroundings(first="resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))"),
    "stdin closed": Surroundings(stdin=None, first="os.close(0)"),
    "a full disk under stdout": Surroundings(
        stdout="/dev/full", fail="error: can't go on: No space left on device; make room on that disk"
    ),
    "a reader that is gone": Surroundings(stdout="gone", fail=""),
}


def outcome(around: Surroundings, arguments: tuple[str, ...], folder: Path) -> tuple[int, str]:
    """Return a command's exit code, and what it wrote to stderr."""
    return _run(around, (*_alone(around), *arguments), folder)


def _alone(around: Surroundings) -> tuple[str, str]:
    """Return how Python is to run one command."""
    return "-c", f"{around.inside}\nimport runpy; runpy.run_module('controlplane', run_name='__main__')"


def outcomes(
    around: Surroundings, commands: Mapping[str, tuple[str, ...]], folders: Mapping[str, Path], files: Path
) -> dict[str, tuple[int, str]]:
    """Return what comes of each command, in its folder; what they write to stderr goes through `files`."""
    asked = [
        (around.cwd or str(folders[name]), str(files / f"{number}.stderr"), arguments)
        for number, (name, arguments) in enumerate(commands.items())
    ]
    program = f"{around.inside}\nfrom tests.cli.several import main; main()"
    code, said = _run(around, ("-c", program, json.dumps(asked)), ROOT)
    assert code == 0, said
    written = [Path(stderr).read_bytes().decode() for _, stderr, _ in asked]
    return dict(zip(commands, zip(json.loads(said), written, strict=True), strict=True))


def _run(around: Surroundings, program: tuple[str, ...], folder: Path) -> tuple[int, str]:
    changed = {**os.environ, **around.variables}
    environment = {name: value for name, value in changed.items() if value is not None}
    stdout = _stdout(around.stdout)
    try:
        done = subprocess.run(
            [*python_after(around.first), *program],
            cwd=folder,
            env=environment,
            stdin=around.stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
        )
    finally:
        os.close(stdout)
    return done.returncode, done.stderr.decode()


def _stdout(where: str) -> int:
    if where != "gone":
        return os.open(where or os.devnull, os.O_WRONLY)
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def expected(name: str, around: Surroundings) -> tuple[int, str]:
    """Return the exit code, and a pattern of what is on stderr."""
    if name in PRINT and around.stdout:
        return 1, re.escape(around.fail)
    if name.startswith("init") and around.cwd:
        return 1, "error: can't make a workspace in .*; name another folder"
    if name in PRINT:
        return 0, ""
    if name == "init, refused":
        return 1, r"error: many isn't empty: .*(…|\.\.\.); name a new folder"
    if "JSON" in name:  # its error is on stdout
        return 1, re.escape(around.fail)
    return 1, rf"error: .*{re.escape(NOBODY)} .*"


@pytest.mark.parametrize("around", TABLE.values(), ids=TABLE)
def test_every_command_does_its_work_or_says_in_a_line_why_not(around: Surroundings, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in COMMANDS}
    for folder in folders.values():
        (folder / "many").mkdir(parents=True)
        for number in range(10):
            (folder / "many" / str(number)).touch()
    for name, (code, said) in outcomes(around, COMMANDS, folders, tmp_path).items():
        wanted, pattern = expected(name, around)
        assert (code, bool(re.fullmatch(pattern, said.strip()))) == (wanted, True), f"{name}: {said}"


TOLD: Mapping[str, tuple[str, ...]] = {
    "status": ("status",),
    "history": ("history",),
    "events": ("events",),
    "diff": ("diff", "1", "2"),
    "status, as JSON": ("status", "--output", "json"),
    "events, as JSON": ("events", "--output", "json"),
}
"""What prints what a control plane has: names and messages in whatever characters."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a control plane with two generations, whose messages few terminals can print."""
    folder = tmp_path_factory.mktemp("published")
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    with Processes(folder) as processes:
        store = ("--store", f"sqlite:{folder}/store.db")
        processes.start("control-plane", ["control-plane", "--listen", address, *store])
        for number in (1, 2):
            workspace = folder / str(number)
            shutil.copytree(RULES, workspace)
            objectives = workspace / "objectives.yaml"
            objectives.write_text(objectives.read_text().replace("owner: ", f"owner: team-{number}-"))
            words = ("publish", str(workspace), "--detach", "--control-plane", address)
            asked = (*words, "-m", f"caf\xe9 \u2713 \U0001f680 {number}", "--author", "zo\xeb")
            until("it to publish", lambda asked=asked: CliRunner().invoke(main, asked).exit_code == 0)
        yield address


@pytest.mark.parametrize("around", TABLE.values(), ids=TABLE)
def test_what_a_control_plane_tells_is_printed_or_a_line_says_why_not(
    around: Surroundings, published: str, tmp_path: Path
) -> None:
    commands = {name: (*words, "--control-plane", published) for name, words in TOLD.items()}
    found = outcomes(around, commands, dict.fromkeys(commands, tmp_path), tmp_path)
    wanted = (1, around.fail) if around.stdout else (0, "")
    assert {name: (code, said.strip()) for name, (code, said) in found.items()} == dict.fromkeys(TOLD, wanted)


def texts() -> Iterator[Any]:
    """Yield each option and argument that takes a text, with its command."""
    for path in PATHS:
        for parameter in command(path).params:
            numbers = isinstance(parameter.type, (click.IntRange, click.FloatRange, click.Choice))
            flag = isinstance(parameter, click.Option) and parameter.is_flag
            if not (numbers or flag):
                yield pytest.param(path, parameter, id=f"{path} {parameter.opts[0]}")


@pytest.mark.parametrize(("path", "parameter"), list(texts()))
def test_a_value_that_is_no_text_is_refused_by_its_name(path: str, parameter: click.Parameter) -> None:
    assert not is_text(NOT_TEXT)
    words = list(ARGUMENTS.get(path, ()))
    if isinstance(parameter, click.Argument):
        words[:1] = [NOT_TEXT]
    else:
        words += [parameter.opts[0], NOT_TEXT]
    result = CliRunner().invoke(main, [*path.split(), *words])
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)
    refused = r"Invalid value for '.*': '.*caf\\xe9' isn't utf-8, as your locale says it is"
    assert re.search(refused, result.stderr)


def started(arguments: tuple[str, ...], folder: Path, first: str = "") -> subprocess.Popen[str]:
    command = [*python_after(first), "-m", "controlplane", *arguments]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)


def servers() -> Mapping[str, tuple[str, ...]]:
    here, admin = (f"127.0.0.1:{port}" for port in free_ports(2))
    listen = ("--listen", here)
    return {
        "control-plane": ("control-plane", *listen),
        "serve": ("serve", *listen, *PLANE),
        "host": ("host", "--shard", "a", *listen, *PLANE),
        "sidecar": ("sidecar", *listen, "--admin", admin, *PLANE),
    }


@pytest.mark.envoy
@pytest.mark.parametrize("name", servers())
def test_a_server_may_open_as_many_files_as_the_system_lets_it(name: str, tmp_path: Path) -> None:
    process = started(servers()[name], tmp_path, "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))")

    def is_raised() -> bool:
        assert process.poll() is None, process.communicate()[1]
        return _open_files_of(process.pid) == (512, 512)

    try:
        until("the limit to be raised", is_raised)
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


@pytest.mark.envoy
def test_a_sidecar_without_a_folder_for_its_socket_says_what_to_name(tmp_path: Path) -> None:
    around = TABLE["no folder for temporary files"]
    code, said = outcome(around, servers()["sidecar"], tmp_path)
    assert code == 1
    assert re.search(
        r"^error: no folder for the relay's socket .* with --state-dir, or set TMPDIR$", said, re.MULTILINE
    )


def test_a_control_plane_compiles_without_a_folder_for_temporary_files(tmp_path: Path) -> None:
    around, arguments = TABLE["no folder for temporary files"], servers()["control-plane"]
    process = subprocess.Popen(
        [sys.executable, *_alone(around), *arguments], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    asked = ("publish", RULES, "--detach", "--control-plane", arguments[-1])
    try:
        until("it to publish", lambda: CliRunner().invoke(main, asked).exit_code == 0)
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


def test_a_store_on_a_full_disk_is_waited_for_and_it_is_said(tmp_path: Path) -> None:
    process = started(
        servers()["control-plane"],
        tmp_path,
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
    )
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        assert re.search(
            r"waiting for the store: .* can't be used now .*; see that its disk works and has room", said
        )
    finally:
        process.terminate()
        assert process.communicate(timeout=SECONDS)[1] == ""
        assert process.returncode == 0


def test_a_working_folder_whose_name_is_no_text_is_worked_in(tmp_path: Path) -> None:
    folder = tmp_path / NOT_TEXT
    folder.mkdir()
    process = started(servers()["control-plane"], folder)
    assert process.stderr is not None
    try:
        assert "listens on port" in process.stderr.readline()
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


def _open_files_of(pid: int) -> tuple[int, int]:
    line = re.search(r"^Max open files +(\d+) +(\d+)", Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE)
    assert line is not None
    return int(line[1]), int(line[2])
