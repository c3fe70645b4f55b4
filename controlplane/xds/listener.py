"""The sidecar's listener: takes the client's requests, and routes them by their key's scope. Pure."""

from __future__ import annotations

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
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from controlplane.xds.resources import ads, keepalive_settings, seconds
from lightbulb.ads.server.snapshot import make_resource
from lightbulb.ads.values import LISTENER_NAME, Resource
from lightbulb.model import KEY_SEPARATOR, REASON_HEADER, ROUTING_KEY_HEADER, UNKNOWN_ROUTING_KEY
from lightbulb.rpc.keepalive import SERVER_TO_CALLER

IDLE_SECONDS = 3600
"""A call on which nothing moves is ended after so long. Most ends come sooner: by the caller's deadline, or
by pings when the caller or the host has gone."""
MISSING_KEY_MESSAGE = "the header x-routing-key is missing; resolve the objective, and send the key"
REPEATED_KEY_MESSAGE = "the header x-routing-key is there more than once; send one key, and no comma in it"
UNKNOWN_KEY_MESSAGE = "routing key '%REQ(X-ROUTING-KEY)%' isn't known here; resolve again"
INTERNAL_HEADERS = ("x-shadow",)
"""Headers that only the system itself may set."""


def listener(address: str, port: int) -> Resource:
    """Return the listener of a sidecar that takes requests at `address`:`port`."""
    manager = hcm_pb2.HttpConnectionManager(
        stat_prefix="lightbulb",
        codec_type=hcm_pb2.HttpConnectionManager.AUTO,
        scoped_routes=_scoped_routes(),
        http_filters=[
            hcm_pb2.HttpFilter(name="envoy.filters.http.router", typed_config=_any(router_pb2.Router()))
        ],
        stream_idle_timeout=seconds(IDLE_SECONDS),
        http2_protocol_options=protocol_pb2.Http2ProtocolOptions(
            connection_keepalive=keepalive_settings(SERVER_TO_CALLER)
        ),
        local_reply_config=_unknown_key_reply(),
        early_header_mutation_extensions=[_strip_internal_headers()],
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


def _unknown_key_reply() -> hcm_pb2.LocalReplyConfig:
    """Return what a key that no route knows is answered with: NOT_FOUND, and what to do.

    Left alone, Envoy says UNAVAILABLE (no cluster) or UNIMPLEMENTED (no route). UNAVAILABLE is for a
    known key whose hosts are gone.
    """
    unknown = accesslog_pb2.AccessLogFilter(
        response_flag_filter=accesslog_pb2.ResponseFlagFilter(flags=["NR", "NC"])
    )
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
    # the first that matches counts
    return hcm_pb2.LocalReplyConfig(
        mappers=[
            _not_found(_both(unknown, keyless), MISSING_KEY_MESSAGE),
            _not_found(_both(unknown, repeated), REPEATED_KEY_MESSAGE),
            _not_found(unknown, UNKNOWN_KEY_MESSAGE, UNKNOWN_ROUTING_KEY),
        ]
    )


def _both(*filters: accesslog_pb2.AccessLogFilter) -> accesslog_pb2.AccessLogFilter:
    return accesslog_pb2.AccessLogFilter(and_filter=accesslog_pb2.AndFilter(filters=filters))


def _not_found(when: accesslog_pb2.AccessLogFilter, message: str, reason: str = "") -> hcm_pb2.ResponseMapper:
    headers = {"grpc-status": "5", **({REASON_HEADER: reason} if reason else {})}
    return hcm_pb2.ResponseMapper(
        filter=when,
        headers_to_add=[
            base_pb2.HeaderValueOption(
                header=base_pb2.HeaderValue(key=key, value=value),
                append_action=base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
            )
            for key, value in headers.items()
        ],
        body_format_override=substitution_format_string_pb2.SubstitutionFormatString(
            text_format_source=base_pb2.DataSource(inline_string=message)
        ),
    )


def _strip_internal_headers() -> extension_pb2.TypedExtensionConfig:
    remove = [mutation_rules_pb2.HeaderMutation(remove=name) for name in INTERNAL_HEADERS]
    return extension_pb2.TypedExtensionConfig(
        name="strip-internal-headers", typed_config=_any(header_mutation_pb2.HeaderMutation(mutations=remove))
    )


def _any(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message, deterministic=True)
    return packed
