"""A subscriber against a real gRPC server: in order, one at a time, and through every break."""

import asyncio
from collections.abc import Mapping

import grpc
import grpc.aio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.ads.client.subscriber import Backoff, Subscriber, Update
from lightbulb.ads.wire import DELTA_METHOD, SERVICE
from tests.ads.scripted_server import NODE, ScriptedServer, resource, scripted_server, subscribed
from tests.waiting import eventually

A, B = "type.googleapis.com/test.A", "type.googleapis.com/test.B"


class Applier:
    """Applies all but what `refuse` names; `gate` holds updates of `held` back until it is set."""

    def __init__(self, held: str = "") -> None:
        self.updates: list[Update] = []
        self.refuse: dict[str, str] = {}
        self.faults: list[Exception] = []
        self.running = 0
        self.gate = asyncio.Event()
        self._held = held

    async def __call__(self, update: Update) -> Mapping[str, str]:
        self.running += 1
        if update.type_url == self._held:
            await self.gate.wait()
        self.running -= 1
        if self.faults:
            raise self.faults.pop()
        self.updates.append(update)
        return {r.name: self.refuse[r.name] for r in update.added if r.name in self.refuse}

    def names(self, type_url: str) -> list[tuple[list[str], list[str]]]:
        return [([r.name for r in u.added], list(u.removed)) for u in self.updates if u.type_url == type_url]


def test_changes_are_applied_in_order_and_acknowledged() -> None:
    async def scenario() -> None:
        apply = Applier()
        async with scripted_server() as server, subscribed(server.target, apply, A, B) as subscriber:
            server.set(A, resource("x", b"1"), resource("y", b"1"))
            assert not (await server.acked(A, 1)).HasField("error_detail")
            server.set(A, resource("x", b"2"))
            await server.acked(A, 2)
            assert apply.names(A) == [(["x", "y"], []), (["x"], ["y"])]
            assert subscriber.connected
            first = server.stream.first(A)
            assert (first.node.id, dict(first.node.metadata)) == ("node-1", {"kind": "host", "shard": "s1"})
            assert [r.HasField("node") for r in server.stream.requests].count(True) == 1

    asyncio.run(scenario())


def test_a_refusal_is_a_nack_by_name_and_the_old_version_stays_held() -> None:
    async def scenario() -> None:
        apply = Applier()
        async with scripted_server() as server, subscribed(server.target, apply, A):
            old = resource("x", b"1")
            server.set(A, old)
            await server.acked(A, 1)
            apply.refuse = {"x": "too big"}
            server.set(A, resource("x", b"2"), resource("y", b"1"))
            nack = await server.acked(A, 2)
            assert (nack.error_detail.code, nack.error_detail.message) == (3, "x: too big")
            server.break_streams()
            await eventually("a reconnect", lambda: len(server.streams) == 2 and server.stream.requests)
            told = dict(server.stream.first(A).initial_resource_versions)
            assert told == {"x": old.version, "y": resource("y", b"1").version}

    asyncio.run(scenario())


def test_a_server_that_comes_back_the_same_sends_nothing() -> None:
    async def scenario() -> None:
        apply = Applier()
        async with scripted_server() as server, subscribed(server.target, apply, A) as subscriber:
            server.set(A, resource("x", b"1"))
            await server.acked(A, 1)
            server.break_streams()
            await eventually("a reconnect", lambda: len(server.streams) == 2 and server.stream.known)
            server.set(A, resource("x", b"1"), resource("y", b"1"))
            await server.acked(A, 1)
            assert [[r.name for r in response.resources] for response in server.sent] == [["x"], ["y"]]
            assert subscriber.connected

    asyncio.run(scenario())


def test_a_server_that_starts_later_or_again_is_found() -> None:
    async def scenario() -> None:
        apply, script = Applier(), ScriptedServer()
        script.set(A, resource("x", b"1"))
        async with scripted_server() as reserved:
            target = reserved.target
        async with subscribed(target, apply, A) as subscriber:
            assert not subscriber.connected
            port = int(target.rpartition(":")[2])
            async with scripted_server(script, port):
                await script.acked(A, 1)
            await eventually("the loss of the server", lambda: not subscriber.connected)
            script.set(A, resource("x", b"2"))
            async with scripted_server(script, port):
                await eventually("the update of the second server", lambda: len(apply.updates) == 2)

    asyncio.run(scenario())


def test_what_was_held_before_is_told_to_the_first_server() -> None:
    async def scenario() -> None:
        apply, x = Applier(), resource("x", b"1")
        held = {A: {"x": x.version, "gone": "1"}}
        async with scripted_server() as server:
            server.set(A, x, resource("y", b"1"))
            async with subscribed(server.target, apply, A, B, held=held):
                await server.acked(A, 1)
                assert dict(server.stream.first(A).initial_resource_versions) == held[A]
                assert apply.names(A) == [(["y"], ["gone"])]

    asyncio.run(scenario())


def test_what_is_asked_for_afresh_is_sent_and_applied_on_every_stream_after_it_has_opened() -> None:
    async def scenario() -> None:
        apply, opened = Applier(), []
        async with (
            scripted_server() as server,
            subscribed(
                server.target, apply, A, B, afresh=(B,), opened=lambda: opened.append(len(apply.updates))
            ),
        ):
            server.set(A, resource("x", b"1"))
            server.set(B, resource("y", b"1"))
            await server.acked(B, 1)
            server.break_streams()
            await eventually("the same again", lambda: len(apply.names(B)) == 2)
            assert (apply.names(A), apply.names(B)) == ([(["x"], [])], [(["y"], [])] * 2)
            assert opened == [0, 2]

    asyncio.run(scenario())


@pytest.mark.parametrize("as_text", [False, True], ids=["a sequence", "a text"])
def test_of_several_servers_the_next_one_is_tried_whenever_a_stream_ends_or_cant_be_opened(
    as_text: bool,
) -> None:
    async def scenario() -> None:
        apply = Applier()
        async with scripted_server() as gone:
            pass
        async with scripted_server() as second, scripted_server() as third:
            targets = (gone.target, second.target, third.target)
            async with subscribed(", ".join(targets) if as_text else targets, apply, A):
                second.set(A, resource("x", b"1"))
                await second.acked(A, 1)
                assert third.streams == []
                second.break_streams()
                third.set(A, resource("x", b"2"))
                await third.acked(A, 1)
                assert dict(third.stream.first(A).initial_resource_versions).keys() == {"x"}
                third.break_streams()
                await eventually("the second, past the one that is gone", lambda: len(second.streams) == 2)

    asyncio.run(scenario())


def test_a_subscriber_without_a_server_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no target"):
        Subscriber(target=" , ", node=NODE, types=(A,), apply=Applier())


def test_a_slow_apply_holds_back_neither_other_types_nor_the_stream() -> None:
    async def scenario() -> None:
        apply = Applier(held=A)
        async with scripted_server() as server, subscribed(server.target, apply, A, B):
            server.set(A, resource("x", b"1"))
            await eventually("the slow apply to begin", lambda: apply.running == 1)
            server.set(B, resource("y", b"1"))
            await server.acked(B, 1)
            assert server.stream.acks(A) == []
            server.set(A, resource("x", b"2"))
            apply.gate.set()
            await server.acked(A, 2)
            assert [u.added[0].body for u in apply.updates if u.type_url == A] == [b"1", b"2"]
            assert len(server.streams) == 1

    asyncio.run(scenario())


def test_an_apply_that_outlives_its_stream_counts_and_its_nonce_is_not_sent_on_the_next() -> None:
    async def scenario() -> None:
        apply = Applier(held=A)
        async with scripted_server() as server, subscribed(server.target, apply, A):
            server.set(A, resource("x", b"1"), resource("gone", b"1"))
            await eventually("the slow apply to begin", lambda: apply.running == 1)
            old_nonces = {response.nonce for response in server.sent}
            server.break_streams()
            await eventually("a reconnect", lambda: len(server.streams) == 2 and server.stream.known)
            assert dict(server.stream.first(A).initial_resource_versions) == {"x": "", "gone": ""}
            server.set(A, resource("x", b"1"))
            apply.gate.set()
            await eventually("the removal", lambda: ([], ["gone"]) in apply.names(A))
            assert apply.names(A) == [(["x", "gone"], []), ([], ["gone"])]
            assert old_nonces.isdisjoint(r.response_nonce for r in server.stream.requests)

    asyncio.run(scenario())


def test_a_fault_in_apply_is_a_nack_and_the_next_update_is_applied() -> None:
    async def scenario() -> None:
        apply = Applier()
        apply.faults = [RuntimeError("boom")]
        async with scripted_server() as server, subscribed(server.target, apply, A):
            server.set(A, resource("x", b"1"))
            nack = await server.acked(A, 1)
            assert nack.error_detail.message == "x: internal error: RuntimeError: boom"
            server.set(A, resource("x", b"2"))
            assert not (await server.acked(A, 2)).HasField("error_detail")

    asyncio.run(scenario())


def test_a_type_that_was_not_asked_for_is_ignored() -> None:
    async def scenario() -> None:
        apply = Applier()
        async with scripted_server() as server, subscribed(server.target, apply, A):
            server.set(B, resource("y", b"1"))
            await eventually("the subscription", lambda: server.streams and server.stream.known)
            server.stream.known[B] = {}
            server.set(A, resource("x", b"1"))
            await server.acked(A, 1)
            assert [response.type_url for response in server.sent].count(B) == 1
            assert (apply.names(B), server.stream.acks(B)) == ([], [])

    asyncio.run(scenario())


def test_a_resource_of_another_type_than_its_response_is_refused_by_name() -> None:
    async def scenario() -> None:
        apply = Applier()
        async with scripted_server() as server, subscribed(server.target, apply, A):
            await eventually("the subscription", lambda: server.streams and server.stream.known)
            original = server._difference

            def mistyped(stream, type_url):
                response = original(stream, type_url)
                if response is not None:
                    response.resources[0].resource.type_url = B
                return response

            server._difference = mistyped
            server.set(A, resource("x", b"1"), resource("y", b"1"))
            nack = await server.acked(A, 1)
            assert nack.error_detail.message == f"x: is a {B} in a response of {A}"
            assert apply.names(A) == [(["y"], [])]

    asyncio.run(scenario())


def test_a_response_larger_than_grpc_allows_by_default_is_received() -> None:
    async def scenario() -> None:
        apply = Applier()
        async with scripted_server() as server, subscribed(server.target, apply, A):
            server.set(A, *(resource(f"r{i}", bytes(1024 * 1024)) for i in range(6)))
            assert not (await server.acked(A, 1)).HasField("error_detail")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("failures", "random", "seconds"),
    [(1, 0.0, 0.1), (1, 1.0, 0.2), (3, 1.0, 0.8), (7, 1.0, 10.0), (10**6, 1.0, 10.0)],
)
def test_waits_double_up_to_a_limit(failures: int, random: float, seconds: float) -> None:
    assert Backoff(first=0.2, limit=10.0).delay(failures, lambda: random) == pytest.approx(seconds)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_no_wait_is_shorter_than_half_the_first_or_longer_than_the_limit(
    failures: int, random: float
) -> None:
    assert 0.1 <= Backoff(first=0.2, limit=10.0).delay(failures, lambda: random) <= 10.0


def test_a_cancelled_subscriber_ends_whatever_it_was_at() -> None:
    async def scenario() -> None:
        async with scripted_server() as server:
            for turns in range(40):
                async with subscribed(server.target, Applier(), A):
                    for _ in range(turns):
                        await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(scenario(), 120))


def test_what_waits_to_be_applied_when_its_stream_breaks_is_dropped() -> None:
    """The next server may not have it; and if it does, it says so."""

    async def scenario() -> None:
        apply = Applier(held=A)
        async with scripted_server() as server, subscribed(server.target, apply, A, B):
            server.eager = True
            server.set(A, resource("x", b"1"))
            await eventually("the slow apply to begin", lambda: apply.running == 1)
            server.set(A, resource("x", b"1"), resource("waiting", b"1"))
            server.set(B, resource("y", b"1"))
            await server.acked(B, 1)  # so that what was sent before it has come, too
            server.set(A, resource("x", b"1"))
            server.break_streams()
            await eventually("a reconnect", lambda: len(server.streams) == 2 and server.stream.known)
            apply.gate.set()
            await server.acked(A, 1)
            assert apply.names(A) == [(["x"], [])]

    asyncio.run(scenario())


def test_a_response_that_cant_be_read_ends_the_stream_and_not_the_subscriber() -> None:
    answers = [b"\xff\xff"]
    calls: list[int] = []

    async def garbage(requests, context):
        calls.append(1)
        if answers:
            yield answers.pop()
        await asyncio.Event().wait()

    async def scenario() -> None:
        server = grpc.aio.server()
        methods = {DELTA_METHOD: grpc.stream_stream_rpc_method_handler(garbage)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with subscribed(f"127.0.0.1:{port}", Applier(), A):
            await eventually("another stream", lambda: len(calls) == 2)
        await server.stop(None)

    asyncio.run(scenario())
