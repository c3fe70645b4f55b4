"""The sidecar's listener: takes the client's requests, and routes them by their key's scope. Pure.

It is the same for as long as the sidecar lives: what changes is in routes and clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import (
    address_pb2,
    base_pb2,
    extension_pb2,
    protocol_pb2,
    substitution_format_string_pb2,
)
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.access_loggers.filters.cel.v3 import cel_pb2
from envoy.extensions.access_loggers.stats.v3 import stats_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2 as http_header_mutation_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2 as local_ratelimit_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt64Value

from controlplane.xds.resources import ads, keepalive_settings, overwrites, seconds, set_header
from lightbulb.ads.server.snapshot import make_resource
from lightbulb.ads.values import LISTENER_NAME, Resource
from lightbulb.model import (
    CLIENT_HEADER,
    COMPARE_HEADER,
    KEY_SEPARATOR,
    MODEL_HEADER,
    PARAMETERS_HEADER,
    REASON_HEADER,
    ROUTING_KEY_HEADER,
    SHADOW_HEADER,
    SIDECAR_TIMEOUT_HEADER,
    TRAFFIC_HEADER,
    UNKNOWN_ROUTING_KEY,
)
from lightbulb.rpc.keepalive import SERVER_TO_CALLER

NO_MORE: Mapping[str, str] = MappingProxyType({})

ENVOY_TIMEOUT_HEADER = "x-envoy-upstream-rq-timeout-ms"

IDLE_SECONDS = 3600
"""A call on which nothing moves is ended after so long. Most ends come sooner: by the caller's deadline, or
by pings when the caller or the host has gone."""
MISSING_KEY_MESSAGE = "the header x-routing-key is missing; resolve the objective, and send the key"
REPEATED_KEY_MESSAGE = "the header x-routing-key is there more than once; send one key, and no comma in it"
UNKNOWN_KEY_MESSAGE = "routing key '%REQ(X-ROUTING-KEY)%' isn't known here; resolve again"
TIMED_OUT_MESSAGE = "the host didn't answer in time"
TOO_MANY_MESSAGE = "too many requests are under way to the hosts of '%REQ(X-ROUTING-KEY)%'; back off"
LIMITED_MESSAGE = "client '%REQ(X-LIGHTBULB-CLIENT)%' is over its limit for '%REQ(X-ROUTING-KEY)%'; back off"
BACK_OFF = {"grpc-retry-pushback-ms": "1000"}
"""Tells gRPC's own retries to wait for a second."""

INTERNAL_HEADERS = (SHADOW_HEADER, COMPARE_HEADER, MODEL_HEADER, PARAMETERS_HEADER, REASON_HEADER)
"""Headers that only the system itself may set."""

_SAID = f"request.headers['{TRAFFIC_HEADER}']"
CLIENTS_TRAFFIC = f"{_SAID} in ['test', 'replay'] ? {_SAID} : 'live'"
"""What a client may say that its request is for. A shadow is nobody's to claim."""


def listener(address: str, port: int, client: str) -> Resource:
    """Return the listener of a sidecar that takes a client service's requests at `address`:`port`."""
    manager = hcm_pb2.HttpConnectionManager(
        stat_prefix="lightbulb",
        codec_type=hcm_pb2.HttpConnectionManager.AUTO,
        scoped_routes=_scoped_routes(),
        http_filters=_http_filters(),
        stream_idle_timeout=seconds(IDLE_SECONDS),
        http2_protocol_options=protocol_pb2.Http2ProtocolOptions(
            connection_keepalive=keepalive_settings(SERVER_TO_CALLER)
        ),
        local_reply_config=_local_replies(),
        early_header_mutation_extensions=[_only_what_clients_may_say(client)],
        access_log=[figures()],
    )
    chain = listener_components_pb2.FilterChain(
        filters=[
            listener_components_pb2.Filter(
                name="envoy.filters.network.http_connection_manager", typed_config=_any(manager)
            )
        ]
    )
    message = listener_pb2.Listener(
        name=LISTENER_NAME,
        address=address_pb2.Address(
            socket_address=address_pb2.SocketAddress(address=address, port_value=port)
        ),
        filter_chains=[chain],
    )
    return make_resource(LISTENER_NAME, message.SerializeToString(deterministic=True))


@cache
def _http_filters() -> tuple[hcm_pb2.HttpFilter, ...]:
    """Return the filters; that of limits does nothing until an objective's routes say what."""
    return tuple(
        hcm_pb2.HttpFilter(name=f"envoy.filters.http.{name}", typed_config=_any(config))
        for name, config in (
            ("header_mutation", _timeout_of_the_caller()),
            ("local_ratelimit", local_ratelimit_pb2.LocalRateLimit(stat_prefix="limits")),
            ("router", router_pb2.Router()),
        )
    )


def _timeout_of_the_caller() -> http_header_mutation_pb2.HeaderMutation:
    """Have Envoy give up when the caller asks it to, which is before the caller does.

    So it learns that a host doesn't answer: a call whose client went away first, or that ended with its
    stream's longest duration, says nothing of a host. Envoy's own header is taken off before, for a client
    may not set it.
    """
    mutation = mutation_rules_pb2.HeaderMutation
    return http_header_mutation_pb2.HeaderMutation(
        mutations=http_header_mutation_pb2.Mutations(
            request_mutations=[
                mutation(append=set_header(ENVOY_TIMEOUT_HEADER, f"%REQ({SIDECAR_TIMEOUT_HEADER})%")),
                mutation(remove=SIDECAR_TIMEOUT_HEADER),
            ]
        )
    )


@cache
def _scoped_routes() -> hcm_pb2.ScopedRoutes:
    builder = hcm_pb2.ScopedRoutes.ScopeKeyBuilder
    extractor = builder.FragmentBuilder.HeaderValueExtractor(
        name=ROUTING_KEY_HEADER, element_separator=KEY_SEPARATOR, index=0
    )
    return hcm_pb2.ScopedRoutes(
        name="objectives",
        scope_key_builder=builder(fragments=[builder.FragmentBuilder(header_value_extractor=extractor)]),
        rds_config_source=ads(initial_fetch_seconds=0),
        scoped_rds=hcm_pb2.ScopedRds(scoped_rds_config_source=ads(initial_fetch_seconds=0)),
    )


@cache
def figures() -> accesslog_pb2.AccessLog:
    """Return what makes Envoy count requests and their time, by route, status and what went wrong.

    Routes are ours, so the labels are bounded; a routing key is the client's, and each would be another two
    statistics. The default Route has no name: what nobody asks about is counted together. Durations end with
    the first byte to the client: that of the last one is often not known yet when this is written.
    """
    tags = [
        stats_pb2.Config.Tag(name=name, value_format=value)
        for name, value in (
            ("route", "%ROUTE_NAME%"),
            ("grpc", "%GRPC_STATUS_NUMBER%"),
            ("flags", "%RESPONSE_FLAGS%"),
        )
    ]
    config = stats_pb2.Config(
        stat_prefix="lightbulb",
        counters=[
            stats_pb2.Config.Counter(
                stat=stats_pb2.Config.Stat(name="requests", tags=tags), value_fixed=UInt64Value(value=1)
            )
        ],
        histograms=[
            stats_pb2.Config.Histogram(
                stat=stats_pb2.Config.Stat(name="duration", tags=tags[:1]),
                unit=stats_pb2.Config.Histogram.Microseconds,
                value_format="%COMMON_DURATION(DS_RX_BEG:DS_TX_BEG:us)%",
            )
        ],
    )
    return accesslog_pb2.AccessLog(name="envoy.access_loggers.stats", typed_config=_any(config))


@cache
def _local_replies() -> hcm_pb2.LocalReplyConfig:
    """Return what Envoy answers by itself, as gRPC means it. The first that matches counts."""
    return hcm_pb2.LocalReplyConfig(
        mappers=[
            *_unknown_key_replies(),
            _reply(_flagged("UT"), "4", TIMED_OUT_MESSAGE),
            _reply(_flagged("UO"), "8", TOO_MANY_MESSAGE, BACK_OFF),
            _reply(_flagged("RL"), "8", LIMITED_MESSAGE, BACK_OFF),
        ]
    )


def _flagged(*flags: str) -> accesslog_pb2.AccessLogFilter:
    return accesslog_pb2.AccessLogFilter(response_flag_filter=accesslog_pb2.ResponseFlagFilter(flags=flags))


def _unknown_key_replies() -> tuple[hcm_pb2.ResponseMapper, ...]:
    """Return what a key that no route knows is answered with: NOT_FOUND, and what to do.

    Left alone, Envoy says UNAVAILABLE (no cluster) or UNIMPLEMENTED (no route). UNAVAILABLE is for a
    known key whose hosts are gone.
    """
    unknown = _flagged("NR", "NC")
    keyless = accesslog_pb2.AccessLogFilter(
        header_filter=accesslog_pb2.HeaderFilter(
            header=route_components_pb2.HeaderMatcher(
                name=ROUTING_KEY_HEADER, present_match=True, invert_match=True
            )
        )
    )
    # Where Envoy looks a key up it joins headers of one name by commas, which no key has. So does CEL, while
    # a header_filter and %REQ()% see the first alone.
    repeated = accesslog_pb2.AccessLogFilter(
        extension_filter=accesslog_pb2.ExtensionFilter(
            name="repeated-key",
            typed_config=_any(
                cel_pb2.ExpressionFilter(expression=f"request.headers['{ROUTING_KEY_HEADER}'].contains(',')")
            ),
        )
    )
    return (
        _reply(_both(unknown, keyless), "5", MISSING_KEY_MESSAGE),
        _reply(_both(unknown, repeated), "5", REPEATED_KEY_MESSAGE),
        _reply(unknown, "5", UNKNOWN_KEY_MESSAGE, {REASON_HEADER: UNKNOWN_ROUTING_KEY}),
    )


def _both(*filters: accesslog_pb2.AccessLogFilter) -> accesslog_pb2.AccessLogFilter:
    return accesslog_pb2.AccessLogFilter(and_filter=accesslog_pb2.AndFilter(filters=filters))


def _reply(
    when: accesslog_pb2.AccessLogFilter, status: str, message: str, more: Mapping[str, str] = NO_MORE
) -> hcm_pb2.ResponseMapper:
    headers = {"grpc-status": status, **more}
    return hcm_pb2.ResponseMapper(
        filter=when,
        headers_to_add=[set_header(key, value) for key, value in headers.items()],
        body_format_override=substitution_format_string_pb2.SubstitutionFormatString(
            text_format_source=base_pb2.DataSource(inline_string=message)
        ),
    )


def _only_what_clients_may_say(client: str) -> extension_pb2.TypedExtensionConfig:
    """Take off the headers that are the system's, and say who the client is, whatever it says itself."""
    traffic = set_header(TRAFFIC_HEADER, f"%CEL({CLIENTS_TRAFFIC})%", if_there=True)
    mutations = [
        *(mutation_rules_pb2.HeaderMutation(remove=name) for name in INTERNAL_HEADERS),
        mutation_rules_pb2.HeaderMutation(append=overwrites((CLIENT_HEADER, client))),
        mutation_rules_pb2.HeaderMutation(append=traffic),
    ]
    return extension_pb2.TypedExtensionConfig(
        name="only-what-clients-may-say",
        typed_config=_any(header_mutation_pb2.HeaderMutation(mutations=mutations)),
    )


def _any(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message, deterministic=True)
    return packed
