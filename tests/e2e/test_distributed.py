"""`lightbulb up --replicas 2`, which `make up-distributed` is: two of each, on a real Redis."""

import json
import re
from pathlib import Path

import pytest

from lightbulbctl.processes import free_ports
from tests.e2e.conftest import running


@pytest.mark.envoy
def test_two_of_each_publish_and_roll_back_at_either_replica(tmp_path: Path) -> None:
    (redis,) = free_ports(1)
    with running(tmp_path, "--replicas", "2", "--redis", f"127.0.0.1:{redis}") as up:
        planes = re.search(r"^control plane (\S+), Lightbulb (\S+),", up.printed, re.MULTILINE)
        assert planes is not None
        one, other = planes[1].split(",")
        status = up.run("status", "--control-plane", other).stdout
        assert "control-plane-1" in status
        assert status.count("(drives)") == 1
        for node in ("lightbulb-1", "lightbulb-2", "sidecar-1", "sidecar-2", "host-1", "host-2", "host-3"):
            assert re.search(rf"{node} +in step", status), status

        rules = up.rules / "payment_fraud.js"
        rules.write_text(rules.read_text().replace("percent: 10", "percent: 100"))
        published = up.run("publish", str(up.rules), "--control-plane", other, "-m", "all of them")
        assert "generation 2 is active; loaded for a rollback: 1" in published.stdout, published.stderr
        asked = ("resolve", "PaymentFraudDetection", "--user", "user-3")

        def versions() -> list[str]:
            answers = [up.run(*asked, "--lightbulb", each).stdout for each in planes[2].split(",")]
            return [json.loads(answer)["model_version"] for answer in answers]

        up.wait_for("both Lightbulbs to answer from generation 2", lambda: versions() == ["2", "2"])
        back = up.run("rollback", "--control-plane", f"127.0.0.1:1,{one}", "-m", "too many")
        assert "generation 1 is active" in back.stdout, back.stderr
        up.wait_for("both Lightbulbs to answer from generation 1", lambda: versions() == ["1", "1"])
        history = up.run("history", "--control-plane", other).stdout
        assert re.search(r"^2 +loaded .* all of them", history, re.MULTILINE)
        events = up.run("events", "--control-plane", one).stdout
        assert re.search(r" 1 +rolled back +\w+ +too many", events)
