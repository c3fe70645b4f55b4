"""The client library: resolve an objective, add the routing key, put the ObjectiveConfig into the request.

All that a client service needs is importable from here.
"""

from lightbulb.client.client import BlockingLightbulbClient, LightbulbClient
from lightbulb.client.interceptor import (
    AsyncRoutingInterceptor,
    AsyncStreamRoutingInterceptor,
    RoutingInterceptor,
    routed,
)
from lightbulb.client.memory import Fallback, Remember
from lightbulb.errors import LightbulbError, NotRouted
from lightbulb.model import ROUTING_KEY_HEADER, RequestContext
from lightbulb.rpc.answer import Answer, ObjectiveConfig, Origin, Query
from lightbulb.rpc.call_headers import call_headers
from lightbulb.rpc.channels import DIRECT
from lightbulb.rpc.enrich import enrich

__all__ = [
    "DIRECT",
    "ROUTING_KEY_HEADER",
    "Answer",
    "AsyncRoutingInterceptor",
    "AsyncStreamRoutingInterceptor",
    "BlockingLightbulbClient",
    "Fallback",
    "LightbulbClient",
    "LightbulbError",
    "NotRouted",
    "ObjectiveConfig",
    "Origin",
    "Query",
    "Remember",
    "RequestContext",
    "RoutingInterceptor",
    "call_headers",
    "enrich",
    "routed",
]
