"""From plans to resources: Envoy's and our own. Pure, deterministic, checked before Envoy sees them.

One EDS cluster per VIP; per objective one scope and one RouteConfiguration, in which an exact-match
map takes the routing key to its cluster: a look-up costs the same at 10 keys and at 100,000.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2
from envoy.config.core.v3 import address_pb2, config_source_pb2, extension_pb2, protocol_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2, scoped_route_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.extensions.router.cluster_specifiers.matcher.v3 import matcher_pb2 as specifier_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.matcher.v3 import http_inputs_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import UInt32Value
from xds.core.v3 import extension_pb2 as xds_extension_pb2
from xds.type.matcher.v3 import matcher_pb2

from controlplane.model import RoutingRule
from lightbulb.ads.server.snapshot import make_resource
from lightbulb.ads.values import Resource
from lightbulb.model import (
    KEY_SEPARATOR,
    ROUTING_KEY_HEADER,
    ActiveGeneration,
    ModelAssignment,
    ObjectiveTables,
    SidecarState,
)
from lightbulb.resolution import codec

NO_CLUSTER = "lightbulb-unknown-key"
"""Where unknown keys go: a cluster that never exists, so that the listener can say what is wrong."""

MAX_REQUESTS = 4096
CONNECT_SECONDS = 1
EDS_SECONDS = 5
KEEPALIVE_SECONDS = 10

_KEY = re.compile(r"[A-Za-z0-9._-]+\|[A-Za-z0-9._-]+\|[A-Za-z0-9._-]+")

Endpoint = tuple[str, int]
"""IP address and port."""

Target = tuple[str, str]
"""Routing key and VIP."""


class Inconsistent(ValueError):
    """A plan that a sidecar could not serve: a bad key, one with two VIPs, or a VIP without a cluster."""


def clusters(vips: Iterable[str]) -> tuple[Resource, ...]:
    """Return an EDS cluster per VIP."""
    return tuple(_cluster(vip) for vip in sorted(set(vips)))


def endpoints(by_vip: Mapping[str, tuple[Endpoint, ...]]) -> tuple[Resource, ...]:
    """Return the endpoints of each VIP; one without hosts has an empty list, which says so at once."""
    return tuple(_endpoints(vip, by_vip[vip]) for vip in sorted(by_vip))


def scopes(objectives: Iterable[str]) -> tuple[Resource, ...]:
    """Return a scope per objective: the part of the key before the first separator."""
    return tuple(_scope(objective) for objective in sorted(set(objectives)))


def routes(rules: Iterable[RoutingRule], vips: Iterable[str]) -> tuple[Resource, ...]:
    """Return a RouteConfiguration per objective.

    Raises Inconsistent with every rule that Envoy would refuse, or would send nowhere: one bad key
    makes it refuse the whole RouteConfiguration, and it doesn't say which.
    """
    by_objective: dict[str, list[Target]] = {}
    for rule in rules:
        by_objective.setdefault(rule.objective, []).append((rule.key, rule.vip))
    targets = {objective: tuple(sorted(by_objective[objective])) for objective in sorted(by_objective)}
    known = frozenset(vips)
    problems = [
        problem
        for objective, own in targets.items()
        for problem in (*_bad_keys(objective, own), *_nowhere(own, known))
    ]
    if problems:
        raise Inconsistent("; ".join(problems))
    return tuple(_route(objective, own) for objective, own in targets.items())


def objective_tables(value: ObjectiveTables) -> Resource:
    """Return an objective's tables for Lightbulb."""
    return make_resource(value.objective, codec.objective_tables_to_bytes(value))


def sidecar_states(values: Mapping[str, SidecarState]) -> tuple[Resource, ...]:
    """Return what Lightbulb must know of each sidecar, by node id."""
    return tuple(make_resource(name, codec.sidecar_state_to_bytes(values[name])) for name in sorted(values))


def generation(value: ActiveGeneration) -> Resource:
    """Return Lightbulb's generation."""
    return make_resource("active", codec.generation_to_bytes(value))


def assignments(models: Iterable[ModelAssignment]) -> tuple[Resource, ...]:
    """Return a host's models."""
    return tuple(make_resource(model.id, codec.assignment_to_bytes(model)) for model in models)


@lru_cache(maxsize=20_000)
def _bad_keys(objective: str, targets: tuple[Target, ...]) -> tuple[str, ...]:
    """Return what is wrong with an objective's keys; remembered, as most objectives are as they were."""
    problems: list[str] = []
    seen: dict[str, str] = {}
    for key, vip in targets:
        if not _KEY.fullmatch(key) or key.partition(KEY_SEPARATOR)[0] != objective:
            problems.append(f"{key!r} is not a routing key of {objective}")
        if seen.setdefault(key, vip) != vip:
            problems.append(f"{key} goes to both {seen[key]} and {vip}")
    return tuple(problems)


def _nowhere(targets: tuple[Target, ...], vips: frozenset[str]) -> Iterable[str]:
    return (f"{key}: no cluster for VIP {vip!r}" for key, vip in targets if vip not in vips)


def _any(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message, deterministic=True)
    return packed


def _retry_elsewhere() -> route_components_pb2.RetryPolicy:
    """Retry only what no host has begun to work on, and on another host than the one that is down."""
    policy = route_components_pb2.RetryPolicy
    return policy(
        retry_on="connect-failure,refused-stream",
        num_retries=UInt32Value(value=2),
        retry_host_predicate=[
            policy.RetryHostPredicate(
                name="previous-hosts", typed_config=_any(previous_hosts_pb2.PreviousHostsPredicate())
            )
        ],
        host_selection_retry_max_attempts=5,
    )


def _resource(name: str, message: Any, refers: Iterable[str] = ()) -> Resource:
    return make_resource(name, message.SerializeToString(deterministic=True), refers)


def seconds(value: float) -> Duration:
    """Return a Duration."""
    result = Duration()
    result.FromTimedelta(timedelta(seconds=value))
    return result


def ads(*, initial_fetch_seconds: float) -> config_source_pb2.ConfigSource:
    """Return "over this ADS stream"; 0 seconds waits for as long as it takes."""
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(),
        resource_api_version=config_source_pb2.V3,
        initial_fetch_timeout=seconds(initial_fetch_seconds),
    )


# Building is cached by value: one that didn't change is the very same Resource, built once.
@lru_cache(maxsize=20_000)
def _cluster(vip: str) -> Resource:
    http2 = protocol_pb2.Http2ProtocolOptions(
        connection_keepalive=protocol_pb2.KeepaliveSettings(
            interval=seconds(KEEPALIVE_SECONDS), timeout=seconds(KEEPALIVE_SECONDS / 2)
        )
    )
    explicit = http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig(http2_protocol_options=http2)
    protocol = http_protocol_options_pb2.HttpProtocolOptions(explicit_http_config=explicit)
    thresholds = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        max_connections=UInt32Value(value=MAX_REQUESTS),
        max_pending_requests=UInt32Value(value=MAX_REQUESTS),
        max_requests=UInt32Value(value=MAX_REQUESTS),
    )
    cluster = cluster_pb2.Cluster(
        name=vip,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(
            eds_config=ads(initial_fetch_seconds=EDS_SECONDS)
        ),
        connect_timeout=seconds(CONNECT_SECONDS),
        lb_policy=cluster_pb2.Cluster.LEAST_REQUEST,
        circuit_breakers=circuit_breaker_pb2.CircuitBreakers(thresholds=[thresholds]),
        typed_extension_protocol_options={
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _any(protocol)
        },
    )
    return _resource(vip, cluster)


@lru_cache(maxsize=20_000)
def _endpoints(vip: str, addresses: tuple[Endpoint, ...]) -> Resource:
    hosts = [
        endpoint_components_pb2.LbEndpoint(
            endpoint=endpoint_components_pb2.Endpoint(
                address=address_pb2.Address(
                    socket_address=address_pb2.SocketAddress(address=address, port_value=port)
                )
            )
        )
        for address, port in addresses
    ]
    locality = [endpoint_components_pb2.LocalityLbEndpoints(lb_endpoints=hosts)] if hosts else []
    return _resource(vip, endpoint_pb2.ClusterLoadAssignment(cluster_name=vip, endpoints=locality))


@lru_cache(maxsize=20_000)
def _scope(objective: str) -> Resource:
    fragment = scoped_route_pb2.ScopedRouteConfiguration.Key.Fragment(string_key=objective)
    scope = scoped_route_pb2.ScopedRouteConfiguration(
        name=objective,
        route_configuration_name=objective,
        key=scoped_route_pb2.ScopedRouteConfiguration.Key(fragments=[fragment]),
    )
    return _resource(objective, scope)


@lru_cache(maxsize=20_000)
def _action(cluster: str) -> matcher_pb2.Matcher.OnMatch:
    action = specifier_pb2.ClusterAction(cluster=cluster)
    return matcher_pb2.Matcher.OnMatch(
        action=xds_extension_pb2.TypedExtensionConfig(name="cluster", typed_config=_any(action))
    )


@lru_cache(maxsize=20_000)
def _route(objective: str, targets: tuple[Target, ...]) -> Resource:
    # `routes` gives only objectives that have keys: Envoy refuses an empty map.
    matcher = matcher_pb2.Matcher(
        matcher_tree=matcher_pb2.Matcher.MatcherTree(
            input=xds_extension_pb2.TypedExtensionConfig(
                name="routing-key",
                typed_config=_any(
                    http_inputs_pb2.HttpRequestHeaderMatchInput(header_name=ROUTING_KEY_HEADER)
                ),
            ),
            exact_match_map=matcher_pb2.Matcher.MatcherTree.MatchMap(
                map={key: _action(vip) for key, vip in targets}
            ),
        ),
        on_no_match=_action(NO_CLUSTER),
    )
    plugin = route_components_pb2.ClusterSpecifierPlugin(
        extension=extension_pb2_config(specifier_pb2.MatcherClusterSpecifier(cluster_matcher=matcher))
    )
    action = route_components_pb2.RouteAction(
        inline_cluster_specifier_plugin=plugin,
        timeout=seconds(0),  # the caller's own deadline rules
        max_stream_duration=route_components_pb2.RouteAction.MaxStreamDuration(
            grpc_timeout_header_max=seconds(0)
        ),
        retry_policy=_retry_elsewhere(),
    )
    route = route_components_pb2.Route(match=route_components_pb2.RouteMatch(prefix="/"), route=action)
    host = route_components_pb2.VirtualHost(name=objective, domains=["*"], routes=[route])
    message = route_pb2.RouteConfiguration(name=objective, virtual_hosts=[host])
    return _resource(objective, message, refers={vip for _, vip in targets})


def extension_pb2_config(message: Any) -> extension_pb2.TypedExtensionConfig:
    """Return a message as an extension of Envoy's."""
    return extension_pb2.TypedExtensionConfig(name=type(message).DESCRIPTOR.name, typed_config=_any(message))
