"""Has a server end calls whose request can't be read with INVALID_ARGUMENT, whatever the service and method.

Left alone, grpcio logs a traceback for each, and ends it with UNKNOWN or INTERNAL, as for a fault of its own.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError

from lightbulb.rpc.details import CallStatus, ErrorKind, call_status
from lightbulb.rpc.loop_patience import LoopPatience
from lightbulb.rpc.patience import Patience

Deserializer = Callable[[bytes], Any]
Behaviour = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """Takes the place of a request that can't be read."""

    status: CallStatus


class _Method(NamedTuple):
    """A grpc.RpcMethodHandler. gRPC asks for these very names."""

    request_streaming: bool
    response_streaming: bool
    request_deserializer: Deserializer | None
    response_serializer: Callable[[Any], bytes] | None
    unary_unary: Behaviour | None
    unary_stream: Behaviour | None
    stream_unary: Behaviour | None
    stream_stream: Behaviour | None


class RefusesUnreadable:
    """Stands for `server` where services are added to it: `add_X_to_server(servicer, RefusesUnreadable(…))`.

    `kind` and `domain` are what programs are told. `patience` ends callers who say nothing: a Patience at a
    server of threads, a LoopPatience at one of grpc.aio.
    """

    def __init__(
        self, server: Any, *, kind: ErrorKind, domain: str, patience: Patience | LoopPatience
    ) -> None:
        self.aio = isinstance(patience, LoopPatience)
        self._server = server
        self._kind = kind
        self._domain = domain
        self._patience = patience

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Add handlers, each of whose methods refuses what it can't read."""
        self._server.add_generic_rpc_handlers(tuple(_Handler(each, self._method) for each in handlers))

    def add_registered_method_handlers(self, service: str, handlers: object) -> None:
        """Do nothing: gRPC's generated code adds the same methods by `add_generic_rpc_handlers` too."""

    def _method(self, name: str, method: Any) -> _Method:
        def read(data: bytes) -> Any:
            try:
                return data if method.request_deserializer is None else method.request_deserializer(data)
            except (DecodeError, UnicodeDecodeError) as error:
                text = f"the request of {name} can't be read: {error}"
                return _Unreadable(call_status(self._kind, self._domain, text))

        return _attended(method, read, self._patience)


class _Handler(grpc.GenericRpcHandler):
    """The methods of another handler, each changed once."""

    def __init__(self, inner: grpc.GenericRpcHandler, change: Callable[[str, Any], _Method]) -> None:
        self._inner = inner
        self._change = change
        self._methods: dict[str, _Method] = {}

    def service(self, handler_call_details: Any) -> Any:
        """Return the method of that name; None when there is none."""
        name = handler_call_details.method
        if name not in self._methods:
            method = self._inner.service(handler_call_details)
            if method is None:
                return None
            self._methods[name] = self._change(name, method)
        return self._methods[name]


def _attended(method: Any, read: Deserializer, patience: Patience | LoopPatience) -> _Method:
    """Return the method as one that is given a stream of requests: so `patience` sees it wait for them."""
    unary = method.unary_unary or method.stream_unary
    stream = method.unary_stream or method.stream_stream
    streams = method.request_streaming
    if isinstance(patience, LoopPatience):
        one = partial(_checked_aio, streams=streams, patience=patience)
    else:
        one = partial(_checked, streams=streams, patience=patience)
    return _Method(
        request_streaming=True,
        response_streaming=method.response_streaming,
        request_deserializer=read,
        response_serializer=method.response_serializer,
        unary_unary=None,
        unary_stream=None,
        stream_unary=unary and one(unary),
        stream_stream=stream and one(stream),
    )


def _checked(behaviour: Behaviour, *, streams: bool, patience: Patience) -> Behaviour:
    @functools.wraps(behaviour)  # health's Watch has attributes that grpcio looks for
    def check(requests: Any, context: Any, *more: Any) -> Any:
        if streams:
            readable = (_one(each, context) for each in patience.each(requests, context))
            return behaviour(readable, context, *more)
        return behaviour(_one(patience.only(requests, context), context), context, *more)

    return check


def _one(request: Any, context: Any) -> Any:
    if isinstance(request, _Unreadable):
        context.abort_with_status(request.status)
    return request


def _checked_aio(behaviour: Behaviour, *, streams: bool, patience: LoopPatience) -> Behaviour:
    async def read(context: Any) -> Any:
        return (
            _each_aio(context, patience) if streams else await _one_aio(await patience.only(context), context)
        )

    async def check(_requests: Any, context: Any) -> Any:
        return await behaviour(await read(context), context)

    async def check_stream(_requests: Any, context: Any) -> AsyncIterator[Any]:
        async with aclosing(behaviour(await read(context), context)) as responses:
            async for response in responses:
                yield response

    return check_stream if inspect.isasyncgenfunction(behaviour) else check


async def _one_aio(request: Any, context: Any) -> Any:
    if isinstance(request, _Unreadable):
        status = request.status
        await context.abort(status.code, status.details, trailing_metadata=status.trailing_metadata)
    return request


async def _each_aio(context: Any, patience: LoopPatience) -> AsyncIterator[Any]:
    async with aclosing(patience.each(context)) as requests:
        async for request in requests:
            yield await _one_aio(request, context)
