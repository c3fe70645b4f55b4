"""A command whose extra isn't installed says so in one line; help needs none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from controlplane.cli.extras import MODULES
from tests.cli.commands import PATHS

ROOT = Path(__file__).resolve().parents[2]
RULES = str(ROOT / "rules")

WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
MISSING = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Missing())
from controlplane.cli.main import main
"""

NOBODY = "127.0.0.1:1"

NEEDS = [
    ("rules check", (RULES,), "cli", ("rich", "yaml", "quickjs", "tree_sitter", "tree_sitter_javascript")),
    ("publish", (RULES, "--control-plane", NOBODY), "cli", ("rich",)),
    ("status", ("--control-plane", NOBODY), "cli", ("rich",)),
    ("rollback", ("--control-plane", NOBODY), "cli", ("rich",)),
    ("history", ("--control-plane", NOBODY), "cli", ("rich",)),
    ("diff", ("1", "2", "--control-plane", NOBODY), "cli", ("rich",)),
    ("pin", ("1", "--control-plane", NOBODY), "cli", ("rich",)),
    ("events", ("--control-plane", NOBODY), "cli", ("rich",)),
    ("resolve", ("X", "--user", "u", "--rules", RULES), "cli", ("yaml", "quickjs", "tree_sitter")),
    ("explain", ("X", "--user", "u", "--rules", RULES), "cli", ("yaml", "quickjs", "tree_sitter")),
    ("health", ("127.0.0.1:1",), "cli", ("grpc_health",)),
    (
        "control-plane",
        (),
        "control-plane",
        ("yaml", "quickjs", "tree_sitter_javascript", "grpc_health", "grpc_reflection"),
    ),
    ("control-plane", ("--store", "redis://127.0.0.1:1"), "redis", ("redis",)),
    ("serve", (), "service", ("grpc_health", "grpc_reflection")),
    ("host", ("--shard", "a"), "host", ("numpy", "grpc_health", "grpc_reflection")),
    ("replay", (RULES, "--model", "m@1", "--keep", "kept"), "report", ("numpy",)),
    ("shadow report", (RULES,), "report", ("numpy", "rich")),
    ("shadow tell", (RULES,), "report", ("numpy",)),
    ("sidecar bootstrap", (), "sidecar", ("yaml",)),
    ("up", (), "all", ("rich", "yaml", "quickjs", "numpy", "grpc_health", "grpc_reflection")),
    ("up", ("--replicas", "2"), "all", ("redis",)),
    ("demo", (), "all", ("rich", "yaml", "quickjs", "numpy", "grpc_health", "grpc_reflection")),
]


def run_without(missing: str, code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"{WITHOUT}\n{code}", missing, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


RUN = """
import json
from click.testing import CliRunner
done = [CliRunner().invoke(main, each) for each in json.loads(sys.argv[2])]
print(json.dumps([(each.exit_code, each.stdout, each.stderr) for each in done]))
"""


@pytest.mark.parametrize("module", sorted({module for *_, modules in NEEDS for module in modules}))
def test_a_command_names_the_extra_that_it_needs(module: str, tmp_path: Path) -> None:
    asked = [(path, arguments, extra) for path, arguments, extra, modules in NEEDS if module in modules]
    words = json.dumps([[*path.split(), *arguments] for path, arguments, _ in asked])
    done = run_without(module, RUN, tmp_path, words)
    assert done.stderr == ""
    for (path, _, extra), outcome in zip(asked, json.loads(done.stdout), strict=True):
        said = f'this needs the extra "{extra}", for {module}; pip install "lightbulb-routing[{extra}]"'
        assert (path, outcome) == (path, [2, "", f"error: {said}\n"])
    assert list(tmp_path.iterdir()) == []


def test_a_process_ends_with_that_line_and_exit_code(tmp_path: Path) -> None:
    done = run_without("rich", "main(sys.argv[2:])", tmp_path, "status", "--control-plane", NOBODY)
    assert (
        done.stderr == 'error: this needs the extra "cli", for rich; pip install "lightbulb-routing[cli]"\n'
    )
    assert (done.returncode, done.stdout) == (2, "")


HELP = """
from click.testing import CliRunner
for path in ["", *sys.argv[2].split(",")]:
    done = CliRunner().invoke(main, [*path.split(), "--help"])
    assert (done.exit_code, done.output[:7]) == (0, "Usage: "), (path, done.output, done.exception)
"""


def test_every_help_works_without_any_extra(tmp_path: Path) -> None:
    done = run_without(",".join(MODULES), HELP, tmp_path, ",".join(PATHS))
    assert (done.returncode, done.stderr) == (0, "")


ASK = """
from click.testing import CliRunner
for arguments in (["resolve"], ["explain"], ["infer"]):
    done = CliRunner().invoke(main, [*arguments, "X", "--user", "u", "--lightbulb", "127.0.0.1:1"])
    assert "error: no Lightbulb at 127.0.0.1:1" in done.stderr, done.stderr
done = CliRunner().invoke(main, ["init", "made"])
assert done.exit_code == 0, done.output
"""


def test_a_plain_installation_asks_a_lightbulb_and_makes_a_workspace(tmp_path: Path) -> None:
    done = run_without(",".join(MODULES), ASK, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_module_is_told_as_json_when_that_is_asked_for(tmp_path: Path) -> None:
    done = run_without("rich", "main(sys.argv[2:])", tmp_path, "status", "--output", "json")
    assert (done.returncode, done.stderr) == (2, "")
    assert '"code": "MISSING_EXTRA"' in done.stdout


CHECK = """
from click.testing import CliRunner
asked = ["explain", "PaymentFraudDetection", "--rules", sys.argv[2], "--user", "u"]
for arguments in (["rules", "check", sys.argv[2]], asked):
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
"""


def test_rules_are_checked_and_asked_where_there_is_nothing_for_servers(tmp_path: Path) -> None:
    done = run_without(
        ",".join(MODULES - {"rich", "yaml", "quickjs", "tree_sitter", "tree_sitter_javascript"}),
        CHECK,
        tmp_path,
        RULES,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_modules_that_may_be_missing_are_those_that_the_extras_bring() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {
        re.split(r"[^\w.-]", requirement)[0].lower()
        for extra in project["optional-dependencies"].values()
        for requirement in extra
    } - {"lightbulb-routing"}
    brought = {
        requirement: {
            module for module, by in packages_distributions().items() if requirement in map(str.lower, by)
        }
        for requirement in asked
    }
    assert {requirement for requirement, modules in brought.items() if not modules & MODULES} == set()
    assert MODULES - {module for modules in brought.values() for module in modules} == set()


HEAVY = """
main(["--help"], standalone_mode=False)
heavy = {"asyncio", "google", "grpc", "rich", "yaml", "numpy", "quickjs", "tree_sitter"} & set(sys.modules)
assert not heavy, heavy
"""


def test_the_list_of_commands_needs_no_more_than_click(tmp_path: Path) -> None:
    assert run_without("nothing", HEAVY, tmp_path).stderr == ""


def test_what_a_users_own_code_lacks_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import redis_of_mine\n")
    done = run_without("nothing", "main(sys.argv[2:])", tmp_path, "host", "--shard", "a", "--models", "mine")
    assert done.returncode == 1
    assert done.stderr == (
        "error: can't import mine: ModuleNotFoundError: No module named 'redis_of_mine'; "
        "name another module with --models\n"
    )
