"""Resources that a real Envoy refuses, each in a way of its own; ours are checked before they are sent."""

from collections.abc import Callable

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import config_source_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2, scoped_route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.router.cluster_specifiers.matcher.v3 import matcher_pb2 as specifier_pb2
from google.protobuf.message import Message

from controlplane.xds import resources
from controlplane.xds.listener import listener
from lightbulb.ads.server.snapshot import make_resource
from lightbulb.ads.values import Resource


def repacked(name: str, message: Message, refers: frozenset[str] = frozenset()) -> Resource:
    return make_resource(name, message.SerializeToString(deterministic=True), refers)


def cluster(name: str, change: Callable[[cluster_pb2.Cluster], None]) -> Resource:
    """A cluster of ours, changed."""
    (ours,) = resources.clusters([name])
    message = cluster_pb2.Cluster.FromString(ours.body)
    change(message)
    return repacked(name, message)


def not_built(name: str, number: int = 100) -> Resource:
    """A cluster whose load balancer can't be built: Envoy refuses it, and yet goes on warming it."""

    def change(message: cluster_pb2.Cluster) -> None:
        message.lb_policy = cluster_pb2.Cluster.MAGLEV
        message.maglev_lb_config.table_size.value = number  # not a prime number

    return cluster(name, change)


def no_source(name: str) -> Resource:
    """A cluster that doesn't say where its endpoints come from."""
    return cluster(name, lambda message: message.ClearField("eds_cluster_config"))


def invalid(name: str) -> Resource:
    """A cluster that breaks a rule of Envoy's API itself: its error is a dump of all of it."""
    return cluster(name, lambda message: message.connect_timeout.FromSeconds(0))


def never_warm(name: str) -> Resource:
    """A cluster that asks for its endpoints where nobody answers, and waits for ever."""

    def change(message: cluster_pb2.Cluster) -> None:
        source = message.eds_cluster_config.eds_config
        source.initial_fetch_timeout.FromSeconds(0)
        api = source.api_config_source
        api.api_type = config_source_pb2.ApiConfigSource.DELTA_GRPC
        api.transport_api_version = config_source_pb2.V3
        api.grpc_services.add().envoy_grpc.cluster_name = "control-plane"

    return cluster(name, change)


def patient(name: str) -> Resource:
    """A cluster of ours that waits for its endpoints for ever."""

    def change(message: cluster_pb2.Cluster) -> None:
        message.eds_cluster_config.eds_config.initial_fetch_timeout.FromSeconds(0)

    return cluster(name, change)


def without_match(objective: str, marker: str = "") -> Resource:
    """Routes of which one has no match."""
    route = route_components_pb2.Route(name=marker, route=route_components_pb2.RouteAction(cluster="vip-a"))
    host = route_components_pb2.VirtualHost(name=objective, domains=["*"], routes=[route])
    message = route_pb2.RouteConfiguration(name=objective, virtual_hosts=[host])
    return repacked(objective, message, frozenset({"vip-a"}))


def empty_map(ours: Resource) -> Resource:
    """Routes of ours, with no key at all in the map."""
    message = route_pb2.RouteConfiguration.FromString(ours.body)
    extension = message.virtual_hosts[0].routes[0].route.inline_cluster_specifier_plugin.extension
    specifier = specifier_pb2.MatcherClusterSpecifier.FromString(extension.typed_config.value)
    specifier.cluster_matcher.matcher_tree.exact_match_map.map.clear()
    specifier.cluster_matcher.matcher_tree.exact_match_map.SetInParent()
    extension.typed_config.value = specifier.SerializeToString(deterministic=True)
    return repacked(ours.name, message)


def scope_of(name: str, key: str, routes: str) -> Resource:
    fragment = scoped_route_pb2.ScopedRouteConfiguration.Key.Fragment(string_key=key)
    scope = scoped_route_pb2.ScopedRouteConfiguration(
        name=name,
        route_configuration_name=routes,
        key=scoped_route_pb2.ScopedRouteConfiguration.Key(fragments=[fragment]),
    )
    return repacked(name, scope)


def without_prefix(address: str, port: int, client: str) -> Resource:
    """A listener whose connection manager lacks what it must have."""
    ours = listener(address, port, client)
    message = listener_pb2.Listener.FromString(ours.body)
    config = message.filter_chains[0].filters[0].typed_config
    manager = hcm_pb2.HttpConnectionManager.FromString(config.value)
    manager.stat_prefix = ""
    config.value = manager.SerializeToString(deterministic=True)
    return repacked(ours.name, message)
