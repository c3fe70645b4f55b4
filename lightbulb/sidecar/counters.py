"""What an Envoy counted by route, read from its statistics. Pure.

The names are those that `envoy.access_loggers.stats` makes of the control plane's listener:
lightbulb.requests.route.ROUTE.grpc.STATUS.flags.FLAGS, and lightbulb.duration.route.ROUTE. What became of a
shadow's copies is counted by its cluster, which is named shadow/ID.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from lightbulb.model import SHADOW_CLUSTERS

_COUNTER = re.compile(
    r"lightbulb\.requests\.route\.(?P<route>.*)\.grpc\.(?P<status>[^.]*)\.flags\.(?P<flags>.*)"
)
_HISTOGRAM = "lightbulb.duration.route."


ANSWERED, SHED, SHED_WAITING, LATE, RESET, UNREACHABLE, BROKEN_OFF, NO_HOST = COPIES = (
    "upstream_rq_2xx",
    "upstream_rq_active_overflow",
    "upstream_rq_pending_overflow",
    "upstream_rq_max_duration_reached",
    "upstream_rq_tx_reset",
    "upstream_rq_pending_failure_eject",
    "upstream_rq_rx_reset",
    "upstream_cx_none_healthy",
)
"""Envoy's counters of a shadow's cluster that say what became of copies. It resets those whose body is too
large, and those that are late."""

_COPY = re.compile(rf"cluster\.(?P<cluster>{SHADOW_CLUSTERS}[^.]+)\.(?P<counter>{'|'.join(COPIES)})")


class Ended(NamedTuple):
    """How requests of a route ended: gRPC's status and Envoy's flags, as Envoy writes them.

    Of a shadow's cluster `flags` is the name of the counter.
    """

    route: str
    status: str
    flags: str


class Took(NamedTuple):
    """How long requests of a route took: the lower edge of a bin, in microseconds."""

    route: str
    microseconds: int


Reading = Mapping[Ended | Took, int]
"""How many requests there were; since Envoy started, or since another reading."""

NOTHING_READ: Reading = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class UnreadableStatistics(Exception):
    """What Envoy's admin interface answers is no statistics."""

    reason: str


def statistics_path(wanted: Iterable[str] | None = None) -> str:
    """Return the path of the statistics of some routes and shadows' clusters, or of all."""
    routes, clusters = [".*"], [f"{SHADOW_CLUSTERS}.*"]
    if wanted is not None:
        names = sorted(wanted)
        routes = [re.escape(each) for each in names if not each.startswith(SHADOW_CLUSTERS)]
        clusters = [re.escape(each) for each in names if each.startswith(SHADOW_CLUSTERS)]
    patterns = []
    if routes:
        patterns.append(rf"lightbulb\.(requests|duration)\.route\.({'|'.join(routes)})(\.grpc\..*)?")
    if clusters:
        patterns.append(rf"cluster\.({'|'.join(clusters)})\.({'|'.join(COPIES)})")
    pattern = f"^({'|'.join(patterns)})$"
    return f"/stats?usedonly&format=json&histogram_buckets=detailed&filter={quote(pattern, safe='')}"


def read_statistics(body: bytes) -> Reading:
    """Return what Envoy counted; raises UnreadableStatistics."""
    try:
        return MappingProxyType(dict(_counted(json.loads(body)["stats"])))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnreadableStatistics(f"{type(error).__name__}: {error}") from error


def _counted(statistics: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Ended | Took, int]]:
    for each in statistics:
        if "histograms" in each:
            yield from _taken(each["histograms"])
        elif found := _COUNTER.fullmatch(each["name"]):
            yield Ended(found["route"], found["status"], found["flags"]), int(each["value"])
        elif found := _COPY.fullmatch(each["name"]):
            yield Ended(found["cluster"], "", found["counter"]), int(each["value"])


def _taken(histograms: Mapping[str, Any]) -> Iterator[tuple[Took, int]]:
    bins: dict[Took, int] = defaultdict(int)
    for histogram in histograms.get("details", ()):
        route = histogram["name"].removeprefix(_HISTOGRAM)
        for each in histogram["totals"]:
            bins[Took(route, round(each["lower_bound"]))] += int(each["count"])
    yield from bins.items()


def rise(before: Reading, now: Reading) -> Reading:
    """Return by how much the counts rose. One that fell began anew with its Envoy: all of it came since."""
    risen = {}
    for key, count in now.items():
        known = before.get(key, 0)
        more = count - known if count >= known else count
        if more:
            risen[key] = more
    return risen


def is_level(reading: Reading) -> bool:
    """Say whether as many durations as requests were read."""
    ended = sum(count for key, count in reading.items() if isinstance(key, Ended) and key.flags not in COPIES)
    return ended == sum(count for key, count in reading.items() if isinstance(key, Took))
