"""What the commands print, and how they fail."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from controlplane.cli.context import make_context
from controlplane.cli.main import COMMANDS
from controlplane.cli.policy import make_policy
from controlplane.cli.problems import BadWorkspace
from controlplane.cli.processes import free_ports
from controlplane.problems import Problem
from controlplane.rollout.state import Policy
from lightbulb.ports import holder_of
from tests.cli.commands import run
from tests.waiting import until

SECONDS = 60.0
ROOT = Path(__file__).resolve().parents[2]
RULES = str(ROOT / "rules")


@pytest.mark.parametrize("command", [*COMMANDS, "rules check", "rules lock"])
def test_every_command_has_help_with_its_options_explained(command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Usage: ")
    options = [line for line in result.output.splitlines() if line.startswith("  --")]
    assert all(len(line.split("  ")) > 2 or not line.strip() for line in options if "[" not in line)


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_state_folder_is_said_to_hold_more_than_logs(command: str) -> None:
    text = " ".join(run(command, "--help").output.split())
    assert "What the processes keep (the store, Redis' data, last known good) and their logs" in text


def test_the_list_of_commands_cuts_no_sentence_short() -> None:
    for command in ((), ("rules",)):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert "..." not in result.output.partition("Commands:")[2]


def test_the_workspace_in_the_repository_is_good() -> None:
    result = run("rules", "check", RULES)
    assert result.exit_code == 0, result.output
    assert "ok: 2 objectives, no problems" in result.output
    assert "12345" in result.output


def test_all_problems_are_printed_with_their_remedies(tmp_path: Path) -> None:
    shutil.copytree(RULES, tmp_path / "rules")
    experiments = tmp_path / "rules" / "experiments.yaml"
    experiments.write_text(experiments.read_text().replace("3: 33}", "3: 13}"))
    (tmp_path / "rules" / "bad.js").write_text("function defineBadRule() { return Objectives.Nope }\n")
    result = run("rules", "check", str(tmp_path / "rules"))
    assert result.exit_code == 1
    assert "experiments.yaml:4 WEIGHT_SUM: weights total 80, not 100" in result.stderr
    assert "set cell 3 to 33" in result.stderr
    assert "bad.js:1 defineBadRule UNKNOWN_OBJECTIVE" in result.stderr
    assert result.stderr.splitlines()[-1] == "2 problems"


def test_a_folder_that_isnt_there_is_named(tmp_path: Path) -> None:
    result = run("rules", "check", str(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert "nowhere MISSING_FILE: there is no such folder" in result.stderr


def test_explain_says_step_by_step_why() -> None:
    asked = ("explain", "PaymentFraudDetection", "--rules", RULES, "--user", "user-3")
    result = run(*asked)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("1. no  shift")
    assert "payment_fraud.js:13 definePaymentFraudShiftRule: bucket" in lines[0]
    assert lines[1].startswith("2. yes default")
    assert lines[-2:] == [
        "payment-fraud-model version 1",
        "routing key PaymentFraudDetection|payment-fraud-model|1",
    ]


def test_explain_takes_what_a_context_may_hold() -> None:
    asked = ("explain", "ContinueWatchingRanking", "--rules", RULES, "--user", "u", "--device", "tv-roku")
    result = run(*asked, "--attribute", "app_version=5.0.0", "--surface", "kids")
    assert "not eligible for test 12345" in result.output
    assert "yes context" in result.output
    named = run(*asked, "--cell", "12345=3")
    assert "the caller says cell 3" in named.output


def policy(setting: str) -> tuple[str, ...]:
    return ("control-plane", "--policy", setting)


NOBODY = "127.0.0.1:1"
START = "(Connection refused); start one, for example with `lightbulb up`, or say where it is with"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("explain", "Nope", "--rules", RULES, "--user", "u"), 2, "no rule targets 'Nope'; known: Continue"),
        (("explain", "PaymentFraudDetection", "--rules", RULES), 2, "Missing option '--user'"),
        (("explain", "PaymentFraudDetection", "--rules", RULES, "--user", ""), 2, "for '--user': empty"),
        (
            ("resolve", "X", "--rules", RULES, "--user", "u", "--sidecar", "s"),
            2,
            "no sidecar routes a workspace: leave out --sidecar, or --rules",
        ),
        (("resolve", "X", "--user", "u", "--attribute", "novalue"), 2, "'novalue' is not NAME=VALUE"),
        (("resolve", "X", "--user", "u", "--attribute", "country=US"), 2, "a flag of its own, --country"),
        (("resolve", "X", "--user", "u", "--attribute", "a=[b]"), 2, "a is not a list of scalars"),
        (("resolve", "X", "--user", "u", "--attribute", "a=[[1]]"), 2, "a is not a list of scalars"),
        (("resolve", "X", "--user", "u", "--attribute", "a=[NaN]"), 2, "a is not a list of scalars"),
        (
            ("resolve", "X", "--user", "u", "--attribute", "a=1", "--attribute", "a=2"),
            2,
            "a is there twice; leave one",
        ),
        (("resolve", "X", "--user", "u", "--cell", "1=1", "--cell", "1=2"), 2, "1 is there twice; leave one"),
        (("resolve", "X", "--user", "u", "--cell", "novalue"), 2, "'--cell': 'novalue' is not TEST=CELL"),
        (("resolve", "X", "--user", "u", "--cell", "t=x"), 2, "cell 'x' of test t is not a number"),
        (("resolve", "X", "--user", "u", "--cell", "t=²"), 2, "cell '²' of test t is not a number"),
        (("status", "--control-plane", "nowhere"), 2, "'nowhere' is not HOST:PORT"),
        (("status", "--control-plane", "here:65536"), 2, "'here:65536' is not HOST:PORT"),
        (("status", "--control-plane", "here:²"), 2, "'here:²' is not HOST:PORT"),
        (
            ("status", "--control-plane", NOBODY),
            1,
            f"error: no control plane at {NOBODY} {START} --control-plane",
        ),
        (
            ("status", "--control-plane", "no..such.host:1"),  # refused before any resolver is asked
            1,
            "error: no control plane at no..such.host:1 (Misformatted domain name); start one",
        ),
        (
            ("resolve", "X", "--user", "u", "--lightbulb", NOBODY),
            1,
            f"error: no Lightbulb at {NOBODY} {START} --lightbulb",
        ),
        (
            ("publish", RULES, "--control-plane", NOBODY),
            1,
            f"error: no control plane at {NOBODY} {START} --control-plane",
        ),
        (
            ("resolve", "PaymentFraudDetection", "--rules", RULES, "--user", "u", "--override", "x"),
            1,
            "no rule lets client '' ask for model 'x'",
        ),
        (("rules", "chek"), 2, "No such command 'chek'. Did you mean 'check'?"),
        (("demo", "--hosts", "1", "--rules", RULES), 2, "'--hosts': 1 for 2 shards in fleet.yaml"),
        (("demo", "--users", "0"), 2, "--users"),
        (("up", "--first-host", "127.0.0.1:65534"), 2, "'--first-host': there is no port for 3 hosts"),
        (("up", "--sidecar", "localhost:7710"), 2, "'localhost' is no IP address, which Envoy needs"),
        (("demo", "--envoy", "/etc/passwd"), 2, "'/etc/passwd' is not executable"),
        (("sidecar", "--envoy", "/nowhere"), 2, "'/nowhere' does not exist"),
        (("sidecar", "--listen", "localhost:7710"), 2, "'localhost' is no IP address, which Envoy needs"),
        (("sidecar", "--concurrency", "0"), 2, "--concurrency"),
        (("host", "--shard", ""), 2, "for '--shard': empty"),
        (("host", "--shard", "a", "--memory-mib", "-1"), 2, "--memory-mib"),
        (("host", "--shard", "a", "--listen", "localhost:1"), 2, "'localhost' is no IP address"),
        (("host", "--shard", "a", "--advertise", "here"), 2, "--advertise': 'here' is no IP address"),
        (("host", "--shard", "a", "--listen", "0.0.0.0:1"), 2, "a host at 0.0.0.0: add --advertise IP"),
        (("control-plane", "--listen", "192.0.2.1:1"), 1, "choose another address with --listen"),
        (("serve", "--state-dir", "/etc/passwd"), 2, "'/etc/passwd' is a file"),
        (("serve", "--node-id", ""), 2, "for '--node-id': empty"),
        (("serve", "--listen", "foo"), 2, "'foo' is not HOST:PORT"),
        (
            policy("max_unavailable=7"),
            2,
            "'--policy': '7' can't be max_unavailable, which is a share, 0 to 1",
        ),
        (policy("loading=abc"), 2, "'abc' can't be loading, which is a number of seconds"),
        (policy("loading=inf"), 2, "'inf' can't be loading, which is a number of seconds"),
        (policy("loading"), 2, "'' can't be loading, which is a number of seconds"),
        (policy("routing=-1"), 2, "'-1' can't be routing, which is a number of seconds"),
        (policy("window=8"), 2, "'8' can't be window, which is a whole number of generations, 0 to 7"),
        (policy("window=0.5"), 2, "'0.5' can't be window, which is a whole number of generations"),
        (policy("patience=1"), 2, "'patience' is none of loading, routing,"),
        (("control-plane", "--rules", "/nowhere"), 1, "/nowhere MISSING_FILE: there is no such folder"),
    ],
)
def test_wrong_use_and_failure_have_their_own_exit_codes_and_one_line(
    arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = run(*arguments)
    lines = [line for line in result.stderr.splitlines() if message in line]
    assert (result.exit_code, len(lines)) == (code, 1), result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_a_server_of_another_kind_is_told_apart() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    asked = {
        "control plane": ("status", "--control-plane", address),
        "Lightbulb": ("resolve", "X", "--user", "u", "--lightbulb", address),
    }
    for what, command in asked.items():
        assert f"error: no {what} at {address} (what listens there is something else)" in run(*command).stderr
    server.stop(None).wait()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("12", 12),
        ("-1.5", -1.5),
        ("5.0.0", "5.0.0"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1_000", "1_000"),
        ("1e9", "1e9"),
        ("", ""),
        ('["a", 1, true]', ("a", 1, True)),
        ("[]", ()),
    ],
)
def test_an_attribute_is_a_number_only_when_it_looks_like_one(text: str, value: object) -> None:
    context = make_context(
        user="u", country="", device="", locale="", surface="", attribute=(f"a={text}",), cell=()
    )
    assert (context.attributes["a"], type(context.attributes["a"])) == (value, type(value))


def test_what_others_wrote_can_do_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "[bold]\x1b[2J\nnext [/x]"
    BadWorkspace([Problem(file=nasty, line=1, rule=nasty, code="CODE", message=nasty, remedy=nasty)]).show()
    shown = "[bold]?[2J?next [/x]"
    assert capsys.readouterr().err.splitlines() == [
        f"{shown}:1 {shown} CODE: {shown}",
        f"    {shown}",
        "1 problem",
    ]


def test_ports_in_use_are_all_named_before_anything_is_started(tmp_path: Path) -> None:
    *first, _, free = free_ports(5)  # of ours: the second host's comes after the first one's
    taken = [socket.create_server(("127.0.0.1", port)) for port in first]
    addresses = [f"127.0.0.1:{port}" for port in first]
    ports = [f"127.0.0.1:{free}"]
    command = ["--control-plane", ports[0], "--lightbulb", addresses[0], "--sidecar", addresses[1]]
    command += ["--sidecar-admin", ports[0], "--first-host", addresses[2], "--hosts", "2"]
    result = run("up", "--rules", RULES, "--state-dir", str(tmp_path), *command)
    holder = holder_of("127.0.0.1", taken[0].getsockname()[1])
    for each in taken:
        each.close()
    assert result.exit_code == 1
    assert holder is not None
    assert (holder.pid, holder.ours) == (os.getpid(), False)
    used = f"Address already in use by {holder}"
    assert result.stderr.splitlines() == [
        f"error: can't listen on {addresses[0]} ({used}); choose another with --lightbulb",
        f"error: can't listen on {addresses[1]} ({used}); choose another with --sidecar",
        f"error: --control-plane and --sidecar-admin are both {ports[0]}; choose another for one of them",
        f"error: can't listen on {addresses[2]} ({used}); choose another with --first-host",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cant_be_written_to_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    result = run("demo", "--rules", RULES, "--state-dir", str(file / "state"))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: can't log to {file / 'state'}")
    assert result.stderr.endswith("(Not a directory); choose another folder with --state-dir\n")


@pytest.mark.envoy
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ending_it_while_it_starts_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    names = ("control-plane", "lightbulb", "sidecar", "sidecar-admin", "first-host")
    addresses = zip(names, free_ports(5), strict=True)
    flags = [part for name, port in addresses for part in (f"--{name}", f"127.0.0.1:{port}")]
    command = [sys.executable, "-m", "controlplane", "up", "--rules", RULES, "--state-dir", str(tmp_path)]
    process = subprocess.Popen([*command, *flags], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until("six children", lambda: len(children.read_text().split()) == 6)
    pids = children.read_text().split()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=SECONDS)
    assert (process.returncode, stderr) == (128 + number, "")
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_a_policy_is_what_its_settings_say_and_the_default_otherwise() -> None:
    changed = make_policy(["max_unavailable=1", "window=0", "loading=1.5"])
    assert changed == replace(Policy(), max_unavailable=1.0, window=0, loading=1.5)
    assert make_policy([]) == Policy()


def test_a_tenants_workspace_is_checked_on_the_platforms_fleet(tmp_path: Path) -> None:
    shutil.copytree(RULES, tmp_path / "rules")
    fleet = (tmp_path / "rules" / "fleet.yaml").rename(tmp_path / "fleet.yaml")
    alone = run("rules", "check", str(tmp_path / "rules"))
    assert alone.exit_code == 1
    assert "where the fleet is the platform's, check with --fleet FILE" in alone.output
    there = run("rules", "check", str(tmp_path / "rules"), "--fleet", str(fleet))
    assert there.exit_code == 0
    assert "whether another tenant has the buckets, if a layer is shared: ranking" in there.output
    twice = run("rules", "check", str(RULES), "--fleet", str(fleet))
    assert twice.exit_code == 1
    assert "FLEET_OF_PLATFORM" in twice.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("frob", "Rank"),
            "'frob' can't be done to a shift: there are abort, finish, hold, resume, start, step",
        ),
        (("Rank", "--to", "m@2", "--percent", "5.125"), "'5.125' is no share: 0 to 100, with two decimals"),
        (("Rank", "--to", "m@2", "--percent", "101"), "'101' is no share"),
        (("Rank", "--to", "m@2", "--schedule", "5,4"), "'5,4' falls"),
        (("Rank", "--to", "m@2", "--percent", "5", "--every", "9m"), "--every needs a --schedule"),
        (
            ("Rank", "--to", "m@2", "--schedule", "5,9", "--every", "0s"),
            "'0s' is no duration: a number above 0",
        ),
        (("Rank", "--to", "m@2", "--percent", "5", "--alpha", "0.1"), "need a --guard"),
        (("Rank", "--to", "m@2", "--percent", "5", "--guard", "errors:2x", "--alpha", "0"), "--alpha"),
        (("Rank", "--to", "m@2"), "say --percent, or else --schedule"),
    ],
)
def test_a_shift_that_makes_no_sense_is_refused_with_what_does(
    arguments: tuple[str, ...], words: str
) -> None:
    refused = run("shift", *arguments)
    assert refused.exit_code == 2
    assert words in " ".join(refused.output.split())
