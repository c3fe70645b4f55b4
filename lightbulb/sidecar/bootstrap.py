"""The bootstrap of a sidecar's Envoy: who it is, and where its configuration comes from. Pure."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightbulb.ads.values import CLIENT, EVERYTHING, Node, Takes
from lightbulb.rpc.keepalive import ENVOY_TO_ADS

RECONNECT_SECONDS = 2.0

Address = tuple[str, int]
"""Host and port. Envoy takes names in place of IP addresses for the control plane alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarSettings:
    """`control_plane` gives Envoy its configuration: a relay's UNIX socket, or the replicas themselves.

    `delta` False asks for state-of-the-world ADS. `takes` is what it routes, `client` the service that it is
    beside; empty: it has no other name than the node's.
    """

    node_id: str
    control_plane: Path | tuple[Address, ...]
    listen: Address
    admin: Address
    delta: bool = True
    takes: Takes = EVERYTHING
    client: str = ""

    @property
    def node(self) -> Node:
        """Who this sidecar is to the control plane."""
        return sidecar_node(self.node_id, self.listen, self.takes, self.client)


def sidecar_node(node_id: str, listen: Address, takes: Takes = EVERYTHING, client: str = "") -> Node:
    """Return who a sidecar is to the control plane, whether Envoy or its relay says so."""
    address = {"listen_address": listen[0], "listen_port": str(listen[1])}
    whose = {CLIENT: client} if client else {}
    return Node(
        id=node_id,
        cluster="lightbulb-sidecar",
        metadata={"kind": "sidecar", **address, **whose, **takes.metadata},
    )


def make_bootstrap(settings: SidecarSettings) -> str:
    """Return the bootstrap as JSON."""
    return json.dumps(bootstrap_sections(settings), indent=1)


def bootstrap_sections(settings: SidecarSettings) -> dict[str, Any]:
    """Return the bootstrap, section by section, as JSON and YAML take it.

    A cold sidecar isn't ready until it has clusters, a listener and routes: fetching those has no time-out
    (0 s). Only endpoints have one, and it is in the clusters.
    """
    node = settings.node
    return {
        "node": {"id": node.id, "cluster": node.cluster, "metadata": dict(node.metadata)},
        "admin": {"address": _address(settings.admin)},
        "static_resources": {"clusters": [_control_plane(settings.control_plane)]},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC" if settings.delta else "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "control-plane"}}],
            },
            "cds_config": _ads(),
            "lds_config": _ads(),
        },
        "stats_flush_on_admin": True,
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": _STATS}}},
    }


# What an operator looks at. Each of the other ~100 statistics would cost memory in every cluster.
_STATS = [
    {"suffix": ".upstream_rq_total"},
    {"suffix": ".upstream_rq_time"},
    {"suffix": ".upstream_cx_connect_fail"},
    {"suffix": ".membership_healthy"},
    {"suffix": ".outlier_detection.ejections_active"},
    {"suffix": ".upstream_rq_active_overflow"},
    {"prefix": "http.lightbulb.downstream_rq"},
    {"contains": "update_"},
    {"prefix": "control_plane"},
    {"prefix": "lightbulb."},
    {"prefix": "cluster.shadow/"},
    {"prefix": "server."},
    {"contains": "upstream_rq_5xx"},
]


def _ads() -> dict[str, Any]:
    return {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}


def _address(address: Address | Path) -> dict[str, Any]:
    if isinstance(address, Path):
        return {"pipe": {"path": str(address)}}
    return {"socket_address": {"address": address[0], "port_value": address[1]}}


def _control_plane(where: Path | tuple[Address, ...]) -> dict[str, Any]:
    keepalive = {"interval": f"{ENVOY_TO_ADS.every}s", "timeout": f"{ENVOY_TO_ADS.timeout}s"}
    addresses = (where,) if isinstance(where, Path) else where
    endpoints = [{"endpoint": {"address": _address(address)}} for address in addresses]
    return {
        "name": "control-plane",
        "type": "STATIC"
        if isinstance(where, Path) or all(_is_ip(host) for host, _ in where)
        else "STRICT_DNS",
        "connect_timeout": f"{RECONNECT_SECONDS:g}s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {"connection_keepalive": keepalive}},
            }
        },
        "load_assignment": {"cluster_name": "control-plane", "endpoints": [{"lb_endpoints": endpoints}]},
    }


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
