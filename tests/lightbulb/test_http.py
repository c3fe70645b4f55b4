"""Requests of httpx clients are routed as calls of gRPC are: a real HTTP/1.1 server says what came."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from lightbulb.client.http import AsyncRoutingTransport, RoutingTransport, open_inference, openai
from lightbulb.client.interceptor import routed
from lightbulb.errors import NotRouted
from lightbulb.model import (
    ARM_HEADER,
    MODEL_NOT_LOADED,
    REASON_HEADER,
    ROUTING_KEY_HEADER,
    UNKNOWN_ROUTING_KEY,
    USER_HEADER,
)
from lightbulb.rpc.call_headers import user_hash
from tests.lightbulb.test_enrich import ANSWER, CONTEXT, PARAMETERS

FORMS = {"open": open_inference, "openai": openai}
INFER = "/v2/models/any/infer"


class Server(ThreadingHTTPServer):
    """Refuses as `refusals` say, one a request, and then answers with what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.refusals: list[tuple[int, str]] = []
        self.keys: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])) or "null")
        self.server.keys.append(self.headers[ROUTING_KEY_HEADER])
        status, reason = self.server.refusals.pop(0) if self.server.refusals else (200, "")
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"path": self.path, "body": sent, "headers": headers}).encode()
        self.send_response(status)
        if reason:
            self.send_header(REASON_HEADER, reason)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - http.server's name

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join(60)


def send(
    kind: str, server: Server, form: str = "open", path: str = INFER, **request
) -> tuple[httpx.Response, int]:
    """Send one routed POST in either way; return its response, and how often it was resolved."""
    seen: list[float | None] = []

    def resolve(objective, context, *, override_model, timeout):
        seen.append(timeout)
        return replace(ANSWER, routing_key=f"k{len(seen)}")

    async def resolve_async(*args, **rest):
        return resolve(*args, **rest)

    base = f"http://127.0.0.1:{server.server_port}"

    async def in_loop() -> httpx.Response:
        transport = AsyncRoutingTransport(resolve_async, form=FORMS[form])
        async with httpx.AsyncClient(base_url=base, transport=transport, timeout=60) as client:
            return await client.post(path, **request)

    with routed("Ranking", CONTEXT):
        if kind == "asyncio":
            response = asyncio.run(in_loop())
        else:
            transport = RoutingTransport(resolve, form=FORMS[form])
            with httpx.Client(base_url=base, transport=transport, timeout=60) as client:
                response = client.post(path, **request)
    assert set(seen) <= {60}
    return response, len(seen)


each_kind = pytest.mark.parametrize("kind", ["blocking", "asyncio"])


@each_kind
def test_open_inference_gets_headers_path_and_parameters(kind: str, server: Server) -> None:
    body = {"inputs": [], "parameters": {"mine": 1, "limit": 3, "lightbulb_objective": "forged"}}
    response, _ = send(kind, server, path=f"/p%2Fq{INFER}?x=1", json=body, headers={ARM_HEADER: "forged"})
    got = response.json()
    assert got["path"] == "/p%2Fq/v2/models/m/versions/7/infer?x=1"
    assert got["body"] == {"inputs": [], "parameters": {"mine": 1, **PARAMETERS}}
    assert got["headers"][ROUTING_KEY_HEADER] == "k1"
    assert got["headers"][USER_HEADER] == user_hash("u1")
    assert ARM_HEADER not in got["headers"]


def test_openai_gets_its_model_and_parameters_as_fields(server: Server) -> None:
    got = send("blocking", server, "openai", "/v1/completions", json={"model": "x", "prompt": "é"})[0].json()
    parameters = dict(ANSWER.objective_config.parameters)
    assert (got["path"], got["body"]) == ("/v1/completions", {"prompt": "é", **parameters, "model": "m"})


@each_kind
@pytest.mark.parametrize(
    "refusal", [(404, ""), (404, UNKNOWN_ROUTING_KEY), (503, UNKNOWN_ROUTING_KEY), (409, MODEL_NOT_LOADED)]
)
def test_a_refused_request_is_resolved_again_once(kind: str, refusal, server: Server) -> None:
    server.refusals = [refusal]
    response, resolved = send(kind, server, json={})
    assert (response.status_code, resolved, server.keys) == (200, 2, ["k1", "k2"])
    server.refusals = [refusal, refusal]
    response, resolved = send(kind, server, json={})
    assert (response.status_code, resolved) == (refusal[0], 2)


@each_kind
@pytest.mark.parametrize("refusal", [(404, "else"), (409, ""), (500, ""), (503, "")])
def test_other_failures_pass_as_they_are(kind: str, refusal, server: Server) -> None:
    server.refusals = [refusal]
    response, resolved = send(kind, server, json={})
    assert (response.status_code, resolved, server.keys) == (refusal[0], 1, ["k1"])


def test_what_has_a_key_or_isnt_a_post_passes_unchanged(server: Server) -> None:
    response, resolved = send("blocking", server, json=[1], headers={ROUTING_KEY_HEADER: "mine"})
    assert (response.json()["body"], resolved, server.keys) == ([1], 0, ["mine"])
    with httpx.Client(transport=RoutingTransport(lambda *_, **__: ANSWER)) as client:
        request = client.build_request("GET", f"http://127.0.0.1:{server.server_port}/", json=2)
        assert client.send(request).json()["body"] == 2
        with pytest.raises(NotRouted, match="routed"):
            client.post(f"http://127.0.0.1:{server.server_port}{INFER}", json={})


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        (INFER, b"[]", "isn't a JSON object"),
        (INFER, b"\xff{", "isn't JSON"),
        ("/infer", b"{}", "has no /v2/models"),
    ],
)
def test_what_cant_be_given_its_model_is_said_and_not_sent(path, content, said, server: Server) -> None:
    with pytest.raises(NotRouted, match=said):
        send("blocking", server, path=path, content=content)
    assert server.keys == []
