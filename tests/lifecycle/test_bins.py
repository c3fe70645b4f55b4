"""Durations in Envoy's bins; that they are Envoy's is what Envoy says."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from urllib.request import Request, urlopen

import pytest

from controlplane.cli.processes import free_ports
from controlplane.lifecycle.bins import MAX_MICROSECONDS, Latencies, edge_at_least, edge_at_most, width_at
from lightbulb.sidecar.process import find_envoy, is_ready
from tests.waiting import until


@pytest.mark.parametrize(
    ("microseconds", "lower", "upper"),
    [
        (0, 0, 0),
        (1, 1, 1),
        (99, 99, 99),
        (101, 100, 110),
        (999, 990, 1_000),
        (250_000, 250_000, 250_000),
        (250_001, 250_000, 260_000),
        (999_999, 990_000, 1_000_000),
        (10 * MAX_MICROSECONDS, MAX_MICROSECONDS, MAX_MICROSECONDS),
    ],
)
def test_an_edge_has_two_digits(microseconds: int, lower: int, upper: int) -> None:
    assert edge_at_most(microseconds) == lower
    assert edge_at_least(microseconds) == upper


def test_what_is_slow_is_counted_from_an_edge_on() -> None:
    latencies = Latencies.of([(250_000, 3), (1_000, 5), (240_000, 2), (250_000, 1), (7, 0)])
    assert latencies.bins == ((1_000, 5), (240_000, 2), (250_000, 4))
    assert latencies.total == 11
    assert latencies.at_least(250_000) == 4
    assert (latencies + latencies).at_least(1_000) == 22
    others = Latencies.of([(500, 1), (240_000, 3)])
    assert (latencies + others).bins == ((500, 1), (1_000, 5), (240_000, 5), (250_000, 4))


def test_an_edge_that_envoy_tells_a_hair_too_low_is_itself() -> None:
    assert Latencies.of([(459999.99999999994, 2)]).bins == ((460_000, 2),)


def test_a_quantile_is_within_the_bin_that_it_is_in() -> None:
    random = Random(5)
    durations = sorted(int(random.lognormvariate(11, 1)) for _ in range(2_000))
    latencies = Latencies.of((duration, 1) for duration in durations)
    for share in (0.5, 0.9, 0.99, 1.0):
        true = durations[int(share * len(durations)) - 1]
        assert abs(latencies.quantile(share) - true) <= width_at(true)
    assert Latencies().quantile(0.5) == 0.0


BOOTSTRAP = """
admin: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}
stats_flush_on_admin: true
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: %d}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          access_log:
          - name: stats
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config
              stat_prefix: lightbulb
              histograms: [{stat: {name: took}, value_format: "%%REQ(x-took)%%", unit: Microseconds}]
          route_config:
            virtual_hosts:
            - {name: all, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
"""  # noqa: E501 - the name is Envoy's


@contextmanager
def envoy(folder: Path) -> Iterator[tuple[int, int]]:
    """Give the ports of an Envoy that counts what a request says that it took, and of its admin."""
    port, admin = free_ports(2)
    bootstrap = folder / "envoy.yaml"
    bootstrap.write_text(BOOTSTRAP % (admin, port))
    command = [str(find_envoy()), "-c", str(bootstrap), "--use-dynamic-base-id", "--concurrency", "1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until("Envoy", lambda: is_ready(("127.0.0.1", admin)))
        yield port, admin
    finally:
        process.kill()
        process.wait()


def bins_of(admin: int) -> list[tuple[float, int]]:
    query = "filter=^lightbulb&format=json&histogram_buckets=detailed"
    with urlopen(f"http://127.0.0.1:{admin}/stats?{query}", timeout=60) as answer:
        stats = json.load(answer)["stats"]
    details = [detail for each in stats for detail in each.get("histograms", {}).get("details", [])]
    return [(each["lower_bound"], each["count"]) for detail in details for each in detail["totals"]]


@pytest.mark.envoy
def test_the_bins_are_envoys(tmp_path: Path) -> None:
    random = Random(3)
    took = [1, 9, 10, 99, 100, 109, 110, 249_999, 250_000, 259_999, 260_000, 999_999, 1_000_000]
    took += [int(random.lognormvariate(10, 3)) for _ in range(60)]
    with envoy(tmp_path) as (port, admin):
        for each in took:
            urlopen(Request(f"http://127.0.0.1:{port}/", headers={"x-took": str(each)}), timeout=60).close()
        until("all of them", lambda: sum(count for _, count in bins_of(admin)) == len(took))
        found = bins_of(admin)
    assert Latencies.of(found) == Latencies.of((each, 1) for each in took)
    assert all(
        abs(edge - edge_at_most(round(edge))) < 1e-6 for edge, _ in found
    )  # each edge of Envoy's is one
