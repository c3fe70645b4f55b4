"""A client that isn't ours calls a model through Envoy: the protocol is the protocol."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Up

CLIENT = Path(__file__).with_name("independent_client.py")


@pytest.mark.envoy
def test_an_independent_open_inference_client_is_served_through_envoy(up: Up) -> None:
    asked = ("resolve", "PaymentFraudDetection", "--user", "user-3", "--lightbulb", up.lightbulb)
    answer = json.loads(up.run(*asked).stdout)
    model, version = answer["model"], answer["model_version"]
    command = [sys.executable, str(CLIENT), up.sidecar, answer["routing_key"], model, version]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["live"] is seen["ready"] is seen["model ready"] is True
    assert "model_repository" in seen["extensions"]
    assert f"{model}@{version} READY" in seen["index"]
    assert seen["inputs"] == [["transaction", "FP64", [-1, 30]]]
    assert len(seen["probabilities"]) == 2
    assert all(0 <= probability <= 1 for probability in seen["probabilities"])
    assert seen["answered by"] == f"{model}@{version}"
    assert seen["unknown key"].startswith(
        "StatusCode.NOT_FOUND: routing key 'PaymentFraudDetection|nobody|1'"
    )
    assert re.match(r"StatusCode.ABORTED: host-\d: model nobody@1 is not loaded", seen["unknown model"])
