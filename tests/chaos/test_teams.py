"""What the rows with several tenants are made of, as far as it starts nothing."""

import os
import random
import subprocess
import sys
from itertools import combinations, combinations_with_replacement
from pathlib import Path

import pytest

from chaos.fleet import of_release
from chaos.pairs import PAIRS, Middles, coverage
from chaos.scenarios import MOMENTS, Row
from chaos.tenants import ALL_OWN, TENANTS, own_versions
from chaos.upgrade import NoRelease, checked_out
from chaos.verdict import Verdict
from chaos.workspaces import objectives_of, platform_variant, tenant_variant, without_fleet
from controlplane.rules.compile import compile_workspace
from controlplane.rules.platform import read_platform


def test_each_tenant_has_objectives_and_a_model_of_its_own() -> None:
    dice = random.Random(1)
    for tenant in TENANTS:
        rules = compile_workspace(tenant_variant(tenant, dice))
        assert {table.objective for table in rules.tables} == set(objectives_of(tenant))
        used = {model.version for model in rules.models if model.version in ALL_OWN}
        assert len(used) == 1
        assert used <= set(own_versions(tenant))
    for one, other in combinations(TENANTS, 2):
        assert not set(objectives_of(one)) & set(objectives_of(other))
        assert not set(own_versions(one)) & set(own_versions(other))
    assert "fleet.yaml" not in without_fleet(tenant_variant(TENANTS[0], dice)).files


def test_the_platform_moves_tenants_from_shard_to_shard() -> None:
    dice = random.Random(1)
    found = [read_platform(platform_variant(TENANTS, dice)) for _ in range(20)]
    assert {tuple(each.name for each in platform.tenants) for platform in found} == {TENANTS}
    placed = {tenant.shards for platform in found for tenant in platform.tenants}
    assert placed == {(), ("shard-a",), ("shard-b",)}


def test_every_phase_of_one_tenant_meets_every_phase_of_another() -> None:
    assert set(PAIRS) == {(one, other) for one in MOMENTS for other in MOMENTS}


def row(hit: str) -> Row:
    verdict = Verdict(requests=5, failed=0, misrouted=0, down=1)
    return Row(fault="f", moment="m", hit=hit, verdict=verdict, publish="active", converged=2.0)


def test_a_run_that_hasnt_met_a_pair_of_phases_is_not_as_it_should_be() -> None:
    met = [row(f"{other} and {one}") for one, other in combinations_with_replacement(MOMENTS, 2)]
    whole = coverage(met, range(len(PAIRS)))
    assert whole.as_it_should
    assert whole.verdict == Verdict(requests=75, failed=0, misrouted=0, down=15)
    for left in ("routing and loading", "retiring and retiring"):
        missing = coverage([each for each in met if each.hit != left], range(len(PAIRS)))
        assert not missing.as_it_should
        assert missing.publish == f"never met: {' and '.join(sorted(left.split(' and ')))}"
    assert coverage([row("loading and loading")], [0]).as_it_should
    assert not coverage([row("")], [0]).as_it_should


def test_where_a_phases_middle_is_is_learned_from_when_it_was_seen() -> None:
    middles = Middles()
    for _ in range(20):
        middles.learn({"loading": 1.0, "routing": 3.0, "retiring": 4.0})
    assert middles.known["loading"] == pytest.approx(2.0, abs=0.01)
    assert middles.known["routing"] == pytest.approx(3.5, abs=0.01)
    assert middles.known["retiring"] == Middles().known["retiring"]  # its end wasn't seen


def test_a_command_of_a_release_runs_that_releases_code_in_its_children_too(tmp_path: Path) -> None:
    (tmp_path / "controlplane.py").write_text("print(__file__)")
    child = f"import subprocess, sys; subprocess.run([{sys.executable!r}, '-m', 'controlplane'], check=True)"
    command = of_release([sys.executable, "-c", child], tmp_path)
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ)).stdout
    assert said.strip() == str(tmp_path / "controlplane.py")


def test_a_commit_that_isnt_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoRelease, match="commit 0000000"):
        checked_out("0" * 40, tmp_path)
