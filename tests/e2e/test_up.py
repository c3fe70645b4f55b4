"""`lightbulb up`, and everything that it says to try."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Up


@pytest.mark.envoy
def test_up_says_what_to_try_and_each_of_it_works(up: Up) -> None:
    tried = re.findall(r"^  lightbulb (.*)$", up.printed, re.MULTILINE)
    assert [command.split()[0] for command in tried] == ["status", "resolve", "explain", "infer", "history"]
    status, resolve, explain, infer, history = (up.run(*command.split()) for command in tried)
    assert re.search(r"sidecar +sidecar +synced", status.stdout)
    active = json.loads(resolve.stdout)["generation"]
    assert f"in generation {active}" in explain.stdout
    assert re.search(
        r"^answered by +payment-fraud-model@[12] on host-\d, shard shard-[ab]$", infer.stdout, re.MULTILINE
    )
    assert "stand-in" not in infer.stdout
    assert re.search(rf"^{active} +active ", history.stdout, re.MULTILINE)


@pytest.mark.envoy
def test_a_publish_takes_effect_and_a_bad_one_changes_nothing(up: Up) -> None:
    file = up.rules / "payment_fraud.js"
    source = file.read_text()
    explain = ("explain", "PaymentFraudDetection", "--user", "user-3", "--lightbulb", up.lightbulb)
    assert "payment-fraud-model version 1" in up.run(*explain).stdout

    file.write_text(source.replace("percent: 10", "percent: 100"))
    published = up.run("publish", str(up.rules), "--control-plane", up.control_plane)
    assert (published.returncode, "generation 2" in published.stdout) == (0, True), published.stderr
    up.wait_for("generation 2 is active", lambda: "generation 2 " in up.status().splitlines()[0])
    up.wait_for("Lightbulb answers from it", lambda: "version 2 in generation 2" in up.asked(*explain).stdout)

    file.write_text(source.replace("percent: 10", "percent: 101"))
    refused = up.run("publish", str(up.rules), "--control-plane", up.control_plane)
    assert refused.returncode == 1
    assert "payment_fraud.js:13 definePaymentFraudShiftRule SHAPE" in refused.stderr
    assert "version 2 in generation 2" in up.run(*explain).stdout
    file.write_text(source.replace("percent: 10", "percent: 100"))
    again = up.run("publish", str(up.rules), "--control-plane", up.control_plane)
    assert "generation 2" in again.stdout
    assert "already" in again.stdout


@pytest.mark.envoy
@pytest.mark.parametrize("command", ["control-plane", "serve", "host", "sidecar"])
def test_a_port_in_use_is_named_with_what_to_do(up: Up, command: str, tmp_path: Path) -> None:
    more = {"host": ("--shard", "a"), "control-plane": ("--store", f"sqlite:{tmp_path}/store.db")}
    result = up.run(command, "--listen", up.sidecar, *more.get(command, ()))
    assert result.returncode == 1
    assert re.search(
        rf"error: can't listen on {up.sidecar}.*Address already in use.*choose another", result.stderr
    )
