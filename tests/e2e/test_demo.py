"""The demo, as a newcomer runs it: real processes, a real Envoy, and every answer checked."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(
    r"^(?P<objective>\w+)  +(?P<cell>\S.*?)  +(?P<model>\S+@\S+)  +(?P<vip>\S+)  +(?P<users>\d+)"
    r"  +(?P<share>[\d.]+)%  +(?P<median>[\d.]+) ms  +(?P<p99>[\d.]+) ms  +(?P<errors>\d+)$",
    re.MULTILINE,
)


def run(*arguments: str, timeout: float = 150) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controlplane", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.mark.envoy
def test_the_demos_table_shows_every_user_at_the_model_that_the_rules_call_for(
    tmp_path: Path, proxies: None
) -> None:
    """Also where proxies lead nowhere: its processes reach each other without them."""
    done = run("demo", "--users", "300", "--models", "examples.models", "--state-dir", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [match.groupdict() for match in ROW.finditer(done.stdout)]
    users: dict[str, int] = defaultdict(int)
    shares: dict[str, float] = defaultdict(float)
    for row in rows:
        users[row["objective"]] += int(row["users"])
        shares[row["objective"]] += float(row["share"])
        assert row["errors"] == "0"
        assert 0 < float(row["median"]) <= float(row["p99"])
    assert users == {"ContinueWatchingRanking": 300, "PaymentFraudDetection": 300}
    assert shares == {name: pytest.approx(100, abs=0.5) for name in users}
    models = {(row["cell"], row["model"]) for row in rows}
    assert {
        ("test 12345 cell 1", "netflix-continue-watching-model-default@1"),
        ("test 12345 cell 2", "netflix-continue-watching-model-cell-2@1"),
        ("test 12345 cell 3", "netflix-continue-watching-model-cell-3@1"),
        ("shift", "payment-fraud-model@2"),
        ("default", "payment-fraud-model@1"),
    } <= models
    assert {row["vip"] for row in rows} == {"vip-a", "vip-b"}


def test_a_demo_of_bad_rules_says_what_is_wrong_and_fails(tmp_path: Path) -> None:
    (tmp_path / "rule.js").write_text("function defineARule() { return {} }\n")
    done = run("demo", "--rules", str(tmp_path))
    assert done.returncode == 1
    assert "objectives.yaml MISSING_FILE" in done.stderr
    assert "rule.js:1 defineARule SHAPE" in done.stderr
