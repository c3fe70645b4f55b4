"""The client library: resolve an objective, add the routing key, put the ObjectiveConfig into the request."""

from lightbulb.client.client import BlockingLightbulbClient, LightbulbClient
from lightbulb.client.interceptor import AsyncRoutingInterceptor, RoutingInterceptor

__all__ = ["AsyncRoutingInterceptor", "BlockingLightbulbClient", "LightbulbClient", "RoutingInterceptor"]
