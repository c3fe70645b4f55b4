"""The bootstrap of an Envoy sidecar: who it is, and where its configuration comes from. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightbulb.ads.values import Node

RECONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarSettings:
    """Addresses are (IP address, port). `delta` False asks for state-of-the-world ADS.

    `control_plane` is whom Envoy takes its configuration from: a control plane, or a relay, which may
    listen on a Unix domain socket.
    """

    node_id: str
    control_plane: tuple[str, int] | Path
    listen: tuple[str, int]
    admin: tuple[str, int]
    delta: bool = True

    @property
    def node(self) -> Node:
        """Who this sidecar is to the control plane, whether Envoy or its relay says so."""
        listen = {"listen_address": self.listen[0], "listen_port": str(self.listen[1])}
        return Node(id=self.node_id, cluster="lightbulb-sidecar", metadata={"kind": "sidecar", **listen})


def make_bootstrap(settings: SidecarSettings) -> str:
    """Return the bootstrap as JSON.

    A cold sidecar isn't ready until it has clusters, a listener and routes: fetching those has no
    time-out here (0 s), and one for endpoints only stands in the clusters themselves.
    """
    node = settings.node
    return json.dumps(
        {
            "node": {"id": node.id, "cluster": node.cluster, "metadata": dict(node.metadata)},
            "admin": {"address": _address(settings.admin)},
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
            "static_resources": {"clusters": [_control_plane(settings.control_plane)]},
            "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": _STATS}}},
        },
        indent=1,
    )


# What an operator looks at; each of the other ~100 statistics costs memory in every cluster.
_STATS = [
    {"suffix": ".upstream_rq_total"},
    {"suffix": ".upstream_rq_time"},
    {"suffix": ".upstream_cx_connect_fail"},
    {"suffix": ".membership_healthy"},
    {"prefix": "http.lightbulb.downstream_rq"},
    {"contains": "update_"},
    {"prefix": "control_plane"},
    {"prefix": "server."},
    {"contains": "upstream_rq_5xx"},
]


def _ads() -> dict[str, Any]:
    return {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}


def _address(address: tuple[str, int] | Path) -> dict[str, Any]:
    if isinstance(address, Path):
        return {"pipe": {"path": str(address)}}
    return {"socket_address": {"address": address[0], "port_value": address[1]}}


def _control_plane(address: tuple[str, int] | Path) -> dict[str, Any]:
    keepalive = {"interval": "10s", "timeout": "5s"}
    endpoint = {"endpoint": {"address": _address(address)}}
    return {
        "name": "control-plane",
        "type": "STATIC",
        "connect_timeout": f"{RECONNECT_SECONDS:g}s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {"connection_keepalive": keepalive}},
            }
        },
        "load_assignment": {"cluster_name": "control-plane", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
