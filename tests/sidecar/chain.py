"""Control plane, relay and Envoy in lockstep, for properties.

The streams between them are queues here, out of which a test lets one message at a time; the relay does
step by step what `Relay.apply` does.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lightbulb.ads.client.held import NOTHING_HELD, versions
from lightbulb.ads.client.session import SubscriberSession, Update
from lightbulb.ads.messages import DeltaRequest, DeltaResponse
from lightbulb.ads.server.delta import DeltaSession
from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, Snapshot
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, Node, Resource
from lightbulb.sidecar.envoy_acks import has_arrived, is_complete, is_known
from lightbulb.sidecar.holdings import TYPES, can_serve, refuse_emptying, start_from
from tests.ads.sidecars import Sidecar
from tests.ads.worlds import LIMITS

NODE = Node(id="s")


class Envoy(Sidecar):
    """A Sidecar whose server is patient, and that asks as Envoy does: for clusters first.

    It asks for listeners once it has answered those, and for scopes because of a listener.
    """

    def __init__(self, snapshot: Snapshot, refuses: Callable[[Resource], bool]) -> None:
        self.asks_for = {CLUSTER, ENDPOINTS, ROUTE}
        super().__init__(snapshot, refuses)

    def connect(self) -> None:
        if self.world[CLUSTER]:
            self.asks_for.add(LISTENER)
        super().connect()
        self.session = DeltaSession(self.snapshot, LIMITS, knows=is_known)

    def _take(self, response: DeltaResponse) -> None:
        super()._take(response)
        for kind, wanted in self.wanted.items():  # what came after it was unsubscribed is ignored
            self.world[kind] = {name: each for name, each in self.world[kind].items() if name in wanted}

    def _say(self, kind: str, **parts: object) -> None:
        if kind not in self.asks_for:
            return
        if kind == LISTENER and "nonce" in parts:
            self._begin_to_ask(SCOPED_ROUTE)
        super()._say(kind, **parts)
        if kind == CLUSTER and "nonce" in parts:
            self._begin_to_ask(LISTENER)

    def _begin_to_ask(self, kind: str) -> None:
        if kind not in self.asks_for:
            self.asks_for.add(kind)
            super()._say(kind)


@dataclass(eq=False)
class Stream:
    """One stream of the relay's to the control plane."""

    session: DeltaSession
    to_upstream: deque[DeltaRequest]
    to_relay: deque[DeltaResponse] = field(default_factory=deque)


Delivered = tuple[Stream, DeltaResponse]


class Chain:
    """`stream` ─► relay ─► `envoy`."""

    def __init__(self, snapshot: Snapshot, refuses: Callable[[Resource], bool] = lambda _: False) -> None:
        self.snapshot = snapshot
        self.refuses = refuses
        self.now = 0.0
        self.kept = NOTHING_HELD
        self.seen: Counter[str] = Counter()
        self.envoy = Envoy(EMPTY_SNAPSHOT, refuses)
        self.envoy_is_new = False
        self.start_relay()

    def start_relay(self) -> None:
        """What was on its way to it and from it is lost; Envoy runs on."""
        self.seen["a relay that starts from what it kept"] += bool(self.kept)
        self.holdings = start_from(self.kept)
        self.subscriber = SubscriberSession(NODE, TYPES, held=versions(self.holdings.accepted))
        self.inbox: dict[str, deque[Delivered]] = {kind: deque() for kind in TYPES}
        self.applying: dict[str, tuple[Delivered, Update]] = {}
        self.stream: Stream | None = None
        self.started = False
        self.envoy.snapshot = self.holdings.wanted
        self.envoy.connect()

    def start_envoy(self) -> None:
        """Envoy dies, and another starts with nothing."""
        self.seen["an Envoy that ends while an update is applied"] += bool(self.applying)
        self.envoy = Envoy(self.holdings.wanted, self.refuses)
        self.envoy.now = self.now
        self.envoy_is_new = True

    def reconnect(self) -> None:
        """Open a stream upstream: the first one once Envoy has what was kept, if anything was."""
        if self.started or not self.holdings.accepted or all(map(self._has_arrived, TYPES)):
            self.started = True
            lost = self.stream is not None and (self.stream.to_relay or self.stream.to_upstream)
            self.seen["a reconnect that loses what was on its way"] += bool(lost)
            session = DeltaSession(self.snapshot, LIMITS)
            self.stream = Stream(session, deque(self.subscriber.connect()))

    def publish(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        if self.stream is not None:
            self.stream.to_relay.extend(self.stream.session.on_snapshot(snapshot, self.now))

    def upstream_reads(self) -> bool:
        stream = self.stream
        if stream is None or not stream.to_upstream:
            return False
        stream.to_relay.extend(stream.session.on_request(stream.to_upstream.popleft(), self.now))
        self._check()
        return True

    def relay_reads(self) -> bool:
        stream = self.stream
        if stream is None or not stream.to_relay:
            return False
        response = _over_the_wire(stream.to_relay.popleft())
        self.inbox[response.type_url].append((stream, response))
        return True

    def relay_works(self) -> bool:
        worked = {kind for kind in TYPES if self._end(kind) or self._begin(kind)}
        return bool(worked)

    def envoy_link(self) -> bool:
        if self.envoy.to_server:
            self.envoy.server_reads()
        elif self.envoy.to_sidecar:
            self.envoy.sidecar_reads()
        else:
            return False
        return True

    def settle(self) -> None:
        """Let everything through, and time pass, until nothing more happens; fail when it goes on and on."""
        for _ in range(10_000):
            if self.stream is None:
                self.reconnect()
            went_on = (self.upstream_reads(), self.relay_reads(), self.relay_works(), self.envoy_link())
            if not any(went_on) and not self._wait():
                self.envoy_is_new = False
                return
        raise AssertionError("it never ends")

    def _wait(self) -> bool:
        streams = () if self.stream is None else (self.stream.session,)
        deadlines = [each.next_deadline() for each in (*streams, self.envoy.session)]
        later = [each for each in deadlines if each is not None and each > self.now]
        if not later:
            return False
        self.now = self.envoy.now = min(later)
        if self.stream is not None:
            self.stream.to_relay.extend(self.stream.session.on_tick(self.now))
        self.envoy.to_sidecar.extend(self.envoy.session.on_tick(self.now))
        return True

    def _begin(self, kind: str) -> bool:
        if kind in self.applying or not self.inbox[kind]:
            return False
        delivered = self.inbox[kind].popleft()
        stream, response = delivered
        self.seen["a response of a stream that has ended"] += stream is not self.stream
        if stream is not self.stream:
            return True
        update = self.subscriber.begin(response)
        emptying = refuse_emptying(self.holdings.wanted, update)
        if not update or emptying:
            self._answer(delivered, update, emptying)
            return True
        self.holdings = self.holdings.take(update)
        self.envoy.publish(self.holdings.wanted)
        self.applying[kind] = (delivered, update)
        return True

    def _end(self, kind: str) -> bool:
        if kind not in self.applying or not self._has_arrived(kind):
            return False
        delivered, update = self.applying.pop(kind)
        lanes = self.envoy.session.subscriptions
        names = {*(each.name for each in update.added), *update.removed}
        refusals = lanes[kind].refusals() if kind in lanes else {}
        refused = {name: reason for name, reason in refusals.items() if name in names}
        self.holdings = self.holdings.settle(update, refused)
        if refused:
            self.envoy.publish(self.holdings.wanted)
        if can_serve(self.holdings.accepted) and is_complete(lanes, self.holdings.accepted):
            self.seen["what is kept changes"] += self.kept != self.holdings.accepted
            self.kept = self.holdings.accepted
            assert self.kept[SCOPED_ROUTE].keys() <= self.kept[ROUTE].keys(), "an Envoy would wait for ever"
        self._answer(delivered, update, refused)
        return True

    def _answer(self, delivered: Delivered, update: Update, refused: dict[str, str]) -> None:
        stream, response = delivered
        self.seen["an answer to a stream that has ended"] += stream is not self.stream
        self.seen["a NACK, told upstream"] += bool(refused)
        request = self.subscriber.finish(response, update, refused)
        if stream is self.stream:
            stream.to_upstream.append(request)

    def _has_arrived(self, kind: str) -> bool:
        return has_arrived(kind, self.envoy.session.subscriptions, self.holdings.wanted)

    def _check(self) -> None:
        """An ACK never lies: what the control plane takes for acknowledged, Envoy has."""
        if self.envoy_is_new or self.stream.session.unsynced(self.snapshot):
            return
        lanes = self.stream.session.subscriptions
        for kind in TYPES if lanes.keys() >= set(TYPES) else ():  # it asks for one after the other
            refused = lanes[kind].refusals().keys() | lanes[CLUSTER].refusals().keys()
            shown, has = (
                {name: each.version for name, each in resources.items() if name not in refused}
                for resources in (self.snapshot.of(kind), self.envoy.world[kind])
            )
            assert has == shown, f"{kind}: an ACK without"


def _over_the_wire(response: DeltaResponse) -> DeltaResponse:
    """What `refers` says isn't on the wire."""
    return replace(
        response, resources=tuple(replace(each, refers=frozenset()) for each in response.resources)
    )
