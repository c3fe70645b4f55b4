"""Routes the requests of httpx clients: model servers that speak JSON, behind a sidecar.

    transport = RoutingTransport(client.resolve, form=openai)
    with httpx.Client(base_url="http://127.0.0.1:7710", transport=transport) as http:
        with routed("Chat", RequestContext(user_id="u1")):
            response = http.post("/v1/chat/completions", json={"messages": messages})

`AsyncRoutingTransport` is the same for httpx.AsyncClient.

A POST is resolved, gets the headers of an inference call, and `form` puts the model and its parameters where
the server looks for them. When the sidecar doesn't know the key, the host hasn't loaded the model, or anybody
says 404 without a reason of ours, it is resolved again and sent once more; the caller gets the second
response.

Other methods, and requests that have an `x-routing-key`, pass unchanged. A POST outside a `routed` block, or
whose body isn't a JSON object, raises NotRouted; one that can't be resolved raises a LightbulbError.

httpx knows no deadline of a whole request: to resolve may take as long as the request's read time-out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx

from lightbulb.client.routing import AsyncResolve, Resolve, Route, current_route
from lightbulb.errors import NotRouted
from lightbulb.model import (
    ARM_HEADER,
    MODEL_NOT_LOADED,
    REASON_HEADER,
    ROUTING_KEY_HEADER,
    UNKNOWN_ROUTING_KEY,
    RequestContext,
)
from lightbulb.rpc.answer import Answer
from lightbulb.rpc.call_headers import call_headers
from lightbulb.rpc.enrich import PREFIX, check_parameters, infer_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What a request asks for: the path of its URL, percent-encoded, and its body."""

    path: str
    body: Mapping[str, Any]


Form = Callable[[Inference, Answer, RequestContext], Inference]
"""Puts the model and parameters of an answer into a request. It changes nothing in place."""

_MODEL_IN_PATH = re.compile(r"/v2/models/[^/]+(?:/versions/[^/]+)?(?=/|$)")


def open_inference(inference: Inference, answer: Answer, context: RequestContext) -> Inference:
    """Write what `enrich` does, for Open Inference REST: whichever model the path names is replaced."""
    config = answer.objective_config
    named = f"/v2/models/{quote(config.model, safe='')}/versions/{quote(config.model_version, safe='')}"
    path, found = _MODEL_IN_PATH.subn(lambda _: named, inference.path, count=1)
    if not found:
        raise NotRouted(f"the path {inference.path!r} has no /v2/models/<model>; or give another `form`")
    theirs = inference.body.get("parameters", {})
    kept = {name: value for name, value in theirs.items() if not name.startswith(PREFIX)}
    parameters = {**kept, **infer_parameters(answer, context)}
    return Inference(path=path, body={**inference.body, "parameters": parameters})


def openai(inference: Inference, answer: Answer, context: RequestContext) -> Inference:  # noqa: ARG001
    """Set `model`, and each parameter of the model as a field, as servers of OpenAI's form have them."""
    config = answer.objective_config
    check_parameters(config.parameters)
    return replace(inference, body={**inference.body, **config.parameters, "model": config.model})


class RoutingTransport(httpx.BaseTransport):  # type: ignore[misc] # an extra brings it
    """Routes the requests of an httpx.Client. `to` is what sends them; closed with this."""

    def __init__(
        self,
        resolve: Resolve,
        *,
        resolve_again: Resolve | None = None,
        form: Form = open_inference,
        to: httpx.BaseTransport | None = None,
    ) -> None:
        self._resolves = (resolve, resolve_again or resolve)
        self._form = form
        self._to = to or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Resolve the request and send it, twice if need be. Raises LightbulbError."""
        if not _concerns(request):
            return self._to.handle_request(request)
        route, seconds, body = current_route(), _seconds(request), request.read()

        def go(resolve: Resolve) -> httpx.Response:
            answer = resolve(
                route.objective, route.context, override_model=route.override_model, timeout=seconds
            )
            return self._to.handle_request(_routed(request, body, answer, route, self._form))

        first, again = self._resolves
        response = go(first)
        if not _is_refused(response):
            return response
        response.close()
        return go(again)

    def close(self) -> None:
        """Close what sends."""
        self._to.close()


class AsyncRoutingTransport(httpx.AsyncBaseTransport):  # type: ignore[misc] # as above
    """Routes the requests of an httpx.AsyncClient. `to` is what sends them; closed with this."""

    def __init__(
        self,
        resolve: AsyncResolve,
        *,
        resolve_again: AsyncResolve | None = None,
        form: Form = open_inference,
        to: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._resolves = (resolve, resolve_again or resolve)
        self._form = form
        self._to = to or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Resolve the request and send it, twice if need be. Raises LightbulbError."""
        if not _concerns(request):
            return await self._to.handle_async_request(request)
        route, seconds, body = current_route(), _seconds(request), await request.aread()

        async def go(resolve: AsyncResolve) -> httpx.Response:
            answer = await resolve(
                route.objective, route.context, override_model=route.override_model, timeout=seconds
            )
            return await self._to.handle_async_request(_routed(request, body, answer, route, self._form))

        first, again = self._resolves
        response = await go(first)
        if not _is_refused(response):
            return response
        await response.aclose()
        return await go(again)

    async def aclose(self) -> None:
        """Close what sends."""
        await self._to.aclose()


def _concerns(request: httpx.Request) -> bool:
    return request.method == "POST" and ROUTING_KEY_HEADER not in request.headers


def _seconds(request: httpx.Request) -> float | None:
    seconds: float | None = request.extensions.get("timeout", {}).get("read")
    return seconds


def _routed(
    request: httpx.Request, content: bytes, answer: Answer, route: Route, form: Form
) -> httpx.Request:
    """Return a copy of a request, for the model that was chosen."""
    path, mark, query = request.url.raw_path.decode("ascii").partition("?")
    written = form(Inference(path=path, body=_object(content)), answer, route.context)
    headers = request.headers.copy()
    for name in ("content-length", "transfer-encoding", ARM_HEADER):
        headers.pop(name, None)
    headers.update(call_headers(answer, route.context))
    return httpx.Request(
        request.method,
        request.url.copy_with(raw_path=f"{written.path}{mark}{query}".encode("ascii")),
        headers=headers,
        content=json.dumps(written.body, ensure_ascii=False, separators=(",", ":")).encode(),
        extensions=request.extensions,
    )


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content)
    except ValueError as error:
        raise NotRouted(f"the request's body isn't JSON, so it can't be given its model: {error}") from error
    if not isinstance(body, dict):
        raise NotRouted("the request's body isn't a JSON object, so it can't be given its model")
    return body


def _is_refused(response: httpx.Response) -> bool:
    """Say whether a response refuses a request for its routing key or model."""
    reason = response.headers.get(REASON_HEADER)
    if reason is None:
        return bool(response.status_code == httpx.codes.NOT_FOUND)
    return reason in (MODEL_NOT_LOADED, UNKNOWN_ROUTING_KEY)
