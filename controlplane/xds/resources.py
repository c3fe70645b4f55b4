"""From plans to resources: Envoy's and our own. Pure, deterministic, checked before Envoy sees them.

One EDS cluster per VIP; per objective one scope and one RouteConfiguration, in which an exact-match
map takes the routing key to its cluster: a look-up costs the same at 10 keys and at 100,000.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2, outlier_detection_pb2
from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import (
    address_pb2,
    base_pb2,
    config_source_pb2,
    extension_pb2,
    protocol_pb2,
    socket_option_pb2,
)
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2, scoped_route_pb2
from envoy.extensions.filters.http.buffer.v3 import buffer_pb2
from envoy.extensions.filters.http.upstream_codec.v3 import upstream_codec_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.extensions.router.cluster_specifiers.matcher.v3 import matcher_pb2 as specifier_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.matcher.v3 import http_inputs_pb2, string_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value
from xds.core.v3 import extension_pb2 as xds_extension_pb2
from xds.type.matcher.v3 import matcher_pb2

from controlplane.model import RoutingRule
from controlplane.planning.routing import Target, targets_by_objective
from controlplane.xds.special_routes import Copying, Header, Mirror, SpecialRoute
from lightbulb.ads.server.snapshot import make_resource
from lightbulb.ads.values import Resource, active_name
from lightbulb.model import (
    ARM_HEADER,
    BASIS_POINTS,
    ROUTING_KEY_HEADER,
    ActiveGeneration,
    ModelAssignment,
    ObjectiveControl,
    ObjectiveTables,
    SidecarState,
)
from lightbulb.resolution import codec
from lightbulb.rpc.keepalive import (
    ENVOY_TO_HOST,
    ENVOY_TO_HOST_IDLE_SECONDS,
    PROBE_SECONDS,
    VANISHED_SECONDS,
    Keepalive,
)

NO_CLUSTER = "lightbulb-unknown-key"
"""Where unknown keys go: a cluster that never exists, so that the listener can say what is wrong."""

MAX_ACTIONS = 1024
"""Actions "to this VIP" that are remembered, a kilobyte each: an objective's keys go to few VIPs."""

MAX_REQUESTS = 4096
CONNECT_SECONDS = 1
UNANSWERED, EJECTION_CHECK_SECONDS, EJECTION_SECONDS, MAX_EJECTION_SECONDS = 5, 1, 5, 30
"""Calls in a row after which a sidecar leaves a host out, for so many seconds, and longer the next time."""
EDS_SECONDS = 5
IPPROTO_TCP = 6
TCP_USER_TIMEOUT = 18

Endpoint = tuple[str, int]
"""IP address and port."""


def clusters(vips: Iterable[str]) -> tuple[Resource, ...]:
    """Return an EDS cluster per VIP."""
    return tuple(map(cluster, sorted(set(vips))))


def endpoints(by_vip: Mapping[str, tuple[Endpoint, ...]]) -> tuple[Resource, ...]:
    """Return the endpoints of each VIP."""
    return tuple(endpoints_of(vip, by_vip[vip]) for vip in sorted(by_vip))


def scopes(objectives: Iterable[str]) -> tuple[Resource, ...]:
    """Return a scope per objective."""
    return tuple(map(scope, sorted(set(objectives))))


def routes(rules: Iterable[RoutingRule], vips: Iterable[str]) -> tuple[Resource, ...]:
    """Return a RouteConfiguration per objective; raises planning.routing.Inconsistent."""
    targets = targets_by_objective(rules, vips)
    return tuple(route(objective, own) for objective, own in targets.items())


def objective_tables(value: ObjectiveTables) -> Resource:
    """Return an objective's tables for Lightbulb."""
    return make_resource(value.objective, codec.objective_tables_to_bytes(value))


def objective_control(value: ObjectiveControl) -> Resource:
    """Return what an operator decided about an objective."""
    return make_resource(value.objective, codec.control_to_bytes(value))


def sidecar_state(node_id: str, value: SidecarState) -> Resource:
    """Return what Lightbulb must know of a sidecar."""
    return make_resource(node_id, codec.sidecar_state_to_bytes(value))


def generation(value: ActiveGeneration) -> Resource:
    """Return Lightbulb's generation."""
    return make_resource(active_name(value.tenant), codec.generation_to_bytes(value))


def assignments(models: Iterable[ModelAssignment]) -> tuple[Resource, ...]:
    """Return a host's models."""
    return tuple(make_resource(model.id, codec.assignment_to_bytes(model)) for model in models)


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


def keepalive_settings(pair: Keepalive) -> protocol_pb2.KeepaliveSettings:
    """Return a keepalive as Envoy takes it."""
    return protocol_pb2.KeepaliveSettings(interval=seconds(pair.every), timeout=seconds(pair.timeout))


def _finds_a_vanished_machine() -> cluster_pb2.UpstreamConnectionOptions:
    """Let the kernel probe a connection on which nothing moves."""
    return cluster_pb2.UpstreamConnectionOptions(
        tcp_keepalive=address_pb2.TcpKeepalive(
            keepalive_time=UInt32Value(value=PROBE_SECONDS),
            keepalive_interval=UInt32Value(value=PROBE_SECONDS),
            keepalive_probes=UInt32Value(value=VANISHED_SECONDS // PROBE_SECONDS - 1),
        )
    )


def _even_while_it_owes_an_answer() -> address_pb2.BindConfig:
    """Bound what the kernel would send again for a quarter of an hour. The numbers are those of Linux."""
    return address_pb2.BindConfig(
        socket_options=[
            socket_option_pb2.SocketOption(
                description="TCP_USER_TIMEOUT",
                level=IPPROTO_TCP,
                name=TCP_USER_TIMEOUT,
                int_value=VANISHED_SECONDS * 1000,
                state=socket_option_pb2.SocketOption.STATE_PREBIND,
            )
        ]
    )


def _leaves_out_who_hangs() -> outlier_detection_pb2.OutlierDetection:
    """Send a host nothing for a while after so many calls in a row that it didn't answer in time.

    Only what a gateway would call a failure counts: time-outs and refused connections. By the other detectors
    a model that answers INTERNAL would take its hosts away from every other model.
    """
    return outlier_detection_pb2.OutlierDetection(
        consecutive_gateway_failure=UInt32Value(value=UNANSWERED),
        enforcing_consecutive_gateway_failure=UInt32Value(value=100),
        enforcing_consecutive_5xx=UInt32Value(value=0),
        enforcing_success_rate=UInt32Value(value=0),
        interval=seconds(EJECTION_CHECK_SECONDS),
        base_ejection_time=seconds(EJECTION_SECONDS),
        max_ejection_time=seconds(MAX_EJECTION_SECONDS),
        max_ejection_percent=UInt32Value(value=50),
    )


def cluster(vip: str) -> Resource:
    """Return the EDS cluster of a VIP."""
    return _resource(vip, _cluster(vip, MAX_REQUESTS, _to_hosts()))


def shadow_cluster(name: str, copies: Copying) -> Resource:
    """Return the EDS cluster that a shadow's copies go to. What goes wrong there is felt by nobody else.

    Envoy hands a mirror's back-pressure on to the request that is copied: a host that reads slowly would hold
    that up. So a copy is kept until all of it is there, up to its largest body, and sent then; a larger one
    is given up, and the host hears nothing of it.
    """
    protocol = _to_hosts()
    protocol.common_http_protocol_options.max_stream_duration.CopyFrom(seconds(copies.seconds))
    protocol.http_filters.extend(
        hcm_pb2.HttpFilter(name=f"envoy.filters.http.{name}", typed_config=_any(config))
        for name, config in (
            ("buffer", buffer_pb2.Buffer(max_request_bytes=UInt32Value(value=copies.max_body))),
            ("upstream_codec", upstream_codec_pb2.UpstreamCodec()),
        )
    )
    message = _cluster(name, copies.at_once, protocol)
    message.circuit_breakers.thresholds[0].max_retries.CopyFrom(UInt32Value(value=0))
    return _resource(name, message)


def _to_hosts() -> http_protocol_options_pb2.HttpProtocolOptions:
    """Return how hosts are spoken to."""
    http2 = protocol_pb2.Http2ProtocolOptions(connection_keepalive=keepalive_settings(ENVOY_TO_HOST))
    explicit = http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig(http2_protocol_options=http2)
    return http_protocol_options_pb2.HttpProtocolOptions(
        explicit_http_config=explicit,
        common_http_protocol_options=protocol_pb2.HttpProtocolOptions(
            idle_timeout=seconds(ENVOY_TO_HOST_IDLE_SECONDS)
        ),
    )


def _cluster(
    name: str, most: int, protocol: http_protocol_options_pb2.HttpProtocolOptions
) -> cluster_pb2.Cluster:
    """Return an EDS cluster with at most so many requests at once."""
    thresholds = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        max_connections=UInt32Value(value=most),
        max_pending_requests=UInt32Value(value=most),
        max_requests=UInt32Value(value=most),
    )
    return cluster_pb2.Cluster(
        name=name,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(
            eds_config=ads(initial_fetch_seconds=EDS_SECONDS)
        ),
        connect_timeout=seconds(CONNECT_SECONDS),
        lb_policy=cluster_pb2.Cluster.LEAST_REQUEST,
        circuit_breakers=circuit_breaker_pb2.CircuitBreakers(thresholds=[thresholds]),
        outlier_detection=_leaves_out_who_hangs(),
        upstream_connection_options=_finds_a_vanished_machine(),
        upstream_bind_config=_even_while_it_owes_an_answer(),
        typed_extension_protocol_options={
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _any(protocol)
        },
    )


def endpoints_of(vip: str, addresses: tuple[Endpoint, ...]) -> Resource:
    """Return the endpoints of a VIP; one without hosts has an empty list, which says so at once."""
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


def scope(objective: str) -> Resource:
    """Return an objective's scope: the part of the key before the first separator leads to its routes."""
    fragment = scoped_route_pb2.ScopedRouteConfiguration.Key.Fragment(string_key=objective)
    message = scoped_route_pb2.ScopedRouteConfiguration(
        name=objective,
        route_configuration_name=objective,
        key=scoped_route_pb2.ScopedRouteConfiguration.Key(fragments=[fragment]),
    )
    return _resource(objective, message)


@lru_cache(maxsize=MAX_ACTIONS)
def _action(cluster: str) -> matcher_pb2.Matcher.OnMatch:
    action = specifier_pb2.ClusterAction(cluster=cluster)
    return matcher_pb2.Matcher.OnMatch(
        action=xds_extension_pb2.TypedExtensionConfig(name="cluster", typed_config=_any(action))
    )


_KEY_INPUT = xds_extension_pb2.TypedExtensionConfig(
    name="routing-key",
    typed_config=_any(http_inputs_pb2.HttpRequestHeaderMatchInput(header_name=ROUTING_KEY_HEADER)),
)
_ANY = route_components_pb2.RouteMatch(prefix="/")

IN_A_ROW = 8
"""Special routes that Envoy looks at one after the other; of more, it looks up those of a request's key."""


def route(objective: str, targets: tuple[Target, ...], special: tuple[SpecialRoute, ...] = ()) -> Resource:
    """Return an objective's RouteConfiguration. It has at least one key: Envoy refuses an empty map.

    Special routes of keys that it hasn't are left out.
    """
    matcher = _by_key({key: _action(vip) for key, vip in targets}, _action(NO_CLUSTER))
    plugin = route_components_pb2.ClusterSpecifierPlugin(
        extension=extension_pb2_config(specifier_pb2.MatcherClusterSpecifier(cluster_matcher=matcher))
    )
    everything = route_components_pb2.Route(
        match=_ANY,
        route=_route_action(inline_cluster_specifier_plugin=plugin),
    )
    vips = dict(targets) if special else {}
    before = [(each.key, _special(each, vips[each.key])) for each in special if each.key in vips]
    host = route_components_pb2.VirtualHost(name=objective, domains=["*"])
    if len(before) > IN_A_ROW:
        host.matcher.CopyFrom(_special_by_key(before, vips, everything))
    else:
        host.routes.extend([*(each for _, each in before), everything])
    message = route_pb2.RouteConfiguration(name=objective, virtual_hosts=[host])
    mirrored = {mirror.cluster for each in special if each.key in vips for mirror in each.mirrors}
    return _resource(objective, message, refers={vip for _, vip in targets} | mirrored)


def _by_key(
    found: Mapping[str, matcher_pb2.Matcher.OnMatch], otherwise: matcher_pb2.Matcher.OnMatch
) -> matcher_pb2.Matcher:
    """Return what a request comes to by its routing key."""
    tree = matcher_pb2.Matcher.MatcherTree
    return matcher_pb2.Matcher(
        matcher_tree=tree(input=_KEY_INPUT, exact_match_map=tree.MatchMap(map=found)), on_no_match=otherwise
    )


def _special_by_key(
    special: Iterable[tuple[str, route_components_pb2.Route]],
    vips: Mapping[str, str],
    everything: route_components_pb2.Route,
) -> matcher_pb2.Matcher:
    """Return what finds a key's own special routes without a look at those of others."""
    own: dict[str, list[route_components_pb2.Route]] = {}
    for key, each in special:
        own.setdefault(key, []).append(each)
    lists = {
        key: [*routes, route_components_pb2.Route(match=_ANY, route=_route_action(cluster=vips[key]))]
        for key, routes in own.items()
    }
    return _by_key({key: _routes(routes) for key, routes in lists.items()}, _routes([everything]))


def _routes(routes: Iterable[route_components_pb2.Route]) -> matcher_pb2.Matcher.OnMatch:
    found = route_components_pb2.RouteList(routes=routes)
    return matcher_pb2.Matcher.OnMatch(
        action=xds_extension_pb2.TypedExtensionConfig(name="routes", typed_config=_any(found))
    )


def _route_action(**to: Any) -> route_components_pb2.RouteAction:
    """Return what is done to every request that goes anywhere."""
    return route_components_pb2.RouteAction(
        timeout=seconds(0),  # the caller's own deadline rules
        max_stream_duration=route_components_pb2.RouteAction.MaxStreamDuration(
            grpc_timeout_header_max=seconds(0)
        ),
        retry_policy=_retry_elsewhere(),
        **to,
    )


def _special(special: SpecialRoute, vip: str) -> route_components_pb2.Route:
    """Return a special route; one that isn't withdrawn goes where its key does, without a map of all keys."""
    headers = [(ROUTING_KEY_HEADER, special.key), *([(ARM_HEADER, special.arm)] if special.arm else [])]
    match = route_components_pb2.RouteMatch(
        prefix="/",
        headers=[
            route_components_pb2.HeaderMatcher(name=name, string_match=string_pb2.StringMatcher(exact=value))
            for name, value in headers
        ],
    )
    if special.basis_points < BASIS_POINTS:
        # In the match, so that all that is done to a request is done to the same ones.
        share = percent_pb2.FractionalPercent(
            numerator=special.basis_points, denominator=percent_pb2.FractionalPercent.TEN_THOUSAND
        )
        match.runtime_fraction.CopyFrom(base_pb2.RuntimeFractionalPercent(default_value=share))
    if special.withdrawn:
        action = route_components_pb2.RouteAction(cluster=NO_CLUSTER)
    else:
        action = _route_action(cluster=vip)
        action.request_mirror_policies.extend(map(_mirror, special.mirrors))
    return route_components_pb2.Route(
        name=special.name,
        match=match,
        route=action,
        request_headers_to_add=map(overwrites, special.headers),
    )


def _mirror(mirror: Mirror) -> route_components_pb2.RouteAction.RequestMirrorPolicy:
    return route_components_pb2.RouteAction.RequestMirrorPolicy(
        cluster=mirror.cluster,
        trace_sampled=BoolValue(value=False),
        disable_shadow_host_suffix_append=True,
        request_headers_mutations=[
            *(mutation_rules_pb2.HeaderMutation(append=overwrites(each)) for each in mirror.headers),
            *(mutation_rules_pb2.HeaderMutation(remove=each) for each in mirror.without),
        ],
    )


def set_header(name: str, value: str, *, if_there: bool = False) -> base_pb2.HeaderValueOption:
    """Return "overwrite this header" by a format of Envoy's; with `if_there` nobody gets it who hasn't it."""
    option = base_pb2.HeaderValueOption
    action = option.OVERWRITE_IF_EXISTS if if_there else option.OVERWRITE_IF_EXISTS_OR_ADD
    return option(header=base_pb2.HeaderValue(key=name, value=value), append_action=action)


def overwrites(header: Header) -> base_pb2.HeaderValueOption:
    """Return "overwrite this header" by a text."""
    name, value = header
    return set_header(name, value.replace("%", "%%"))


def extension_pb2_config(message: Any) -> extension_pb2.TypedExtensionConfig:
    """Return a message as an extension of Envoy's."""
    return extension_pb2.TypedExtensionConfig(name=type(message).DESCRIPTOR.name, typed_config=_any(message))
