"""`make mutants`: changes the pure modules one line at a time, and lists the changes that no test notices.

python -m tests.mutants [GROUP|MODULE...] [--share N] [--seed S]

A GROUP is one of GROUPS, a MODULE the path of a file in one. N of ten of its mutants are tried, each with the
tests of its group that come through its function; which N, the seed decides. It works on a copy of the tree.
Properties and cached functions aren't changed: mutmut leaves out what has a decorator.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("controlplane", "examples", "lightbulb", "protos", "rules", "tests")
SETTINGS = """\
[mutmut]
source_paths=
    controlplane
    lightbulb
only_mutate=
    {modules}
also_copy=
    {copied}
pytest_add_cli_args=
    -p
    no:randomly
    --hypothesis-profile=mutants
pytest_add_cli_args_test_selection=
    {tests}
timeout_constant=20
timeout_multiplier=10
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Modules, and the tests that are nearest to them."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


GROUPS = {
    "resolution": Group(
        ("lightbulb/resolution/*.py",),
        tuple(f"tests/lightbulb/test_{each}.py" for each in ("allocate", "codec", "conditions", "resolve")),
    ),
    "planning": Group(("controlplane/planning/*.py",), ("tests/planning",)),
    "rollout": Group(("controlplane/rollout/*.py",), ("tests/rollout",)),
    "lifecycle": Group(
        tuple(
            f"controlplane/lifecycle/{each}.py"
            for each in ("bins", "counters", "evidence", "guards", "judging")
        ),
        tuple(f"tests/lifecycle/test_{each}.py" for each in ("counters", "evidence", "figures", "guards")),
    ),
    "ads": Group(
        tuple(
            f"lightbulb/ads/{each}.py"
            for each in (
                *("client/held", "client/session", "server/client_versions", "server/delta", "server/diff"),
                *("server/tracks", "server/order", "server/refusals", "server/sotw", "server/type_state"),
            )
        ),
        tuple(f"tests/ads/test_{each}.py" for each in ("cases", "convergence", "diff", "session", "sotw")),
    ),
}


def main() -> int:
    """Return the exit code: 1 when the tests don't pass as they are."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("names", nargs="*", metavar="GROUP|MODULE", help=f"of {', '.join(GROUPS)}; or a file")
    parser.add_argument("--share", type=int, default=2, help="so many of ten mutants are tried")
    parser.add_argument("--seed", type=int, default=0, help="decides which")
    given = parser.parse_args()
    digits = random.Random(given.seed).sample("0123456789", given.share)
    failed = False
    for name, group in _chosen(given.names or list(GROUPS)):
        with tempfile.TemporaryDirectory() as folder:
            failed |= not _try(name, group, Path(folder), [f"*__mutmut_*{digit}" for digit in digits])
    return int(failed)


def _chosen(names: Iterable[str]) -> Iterable[tuple[str, Group]]:
    """Yield each group or module that is named."""
    for name in names:
        if name in GROUPS:
            yield name, GROUPS[name]
            continue
        owners = [group for group in GROUPS.values() if any(Path(name).match(each) for each in group.modules)]
        if not owners:
            sys.exit(f"{name} is neither one of {', '.join(GROUPS)} nor a file of one")
        yield name, Group((name,), owners[0].tests)


def _try(name: str, group: Group, folder: Path, patterns: Sequence[str]) -> bool:
    """Print the score and what survived; return whether mutmut could run."""
    for each in (*COPIED, "pyproject.toml"):
        source = ROOT / each
        ignored = shutil.ignore_patterns("__pycache__", ".lightbulb")
        if source.is_dir():
            shutil.copytree(source, folder / each, ignore=ignored)
        else:
            shutil.copy(source, folder / each)
    parts = {"modules": group.modules, "copied": COPIED, "tests": group.tests}
    text = SETTINGS.format(**{part: "\n    ".join(lines) for part, lines in parts.items()})
    (folder / "setup.cfg").write_text(text)
    done = _mutmut(folder, "run", "--max-children", "2", *patterns)
    if done.returncode != 0:
        print(f"{name}: mutmut failed\n{done.stdout[-4000:]}{done.stderr[-4000:]}", flush=True)
        return False
    lines = [line.split(": ") for line in _mutmut(folder, "results", "--all", "true").stdout.splitlines()]
    found = {mutant.strip(): status for mutant, status in lines if status != "not checked"}
    _print(name, folder, found)
    return True


def _print(name: str, folder: Path, found: dict[str, str]) -> None:
    counts = Counter(found.values())
    killed = counts["killed"] + counts["timeout"]
    print(f"{name}: {killed} of {len(found)} mutants were noticed; {dict(counts)}", flush=True)
    for mutant, status in found.items():
        if status not in {"killed", "timeout"}:
            print(f"\n{status}: {mutant}")
            print("".join(_changed(_mutmut(folder, "show", mutant).stdout)), flush=True)


def _changed(difference: str) -> Iterable[str]:
    """Yield the lines of a difference that changed."""
    for line in difference.splitlines(keepends=True):
        if line[:1] in {"+", "-"} and line[:3] not in {"+++", "---"}:
            yield line


def _mutmut(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
