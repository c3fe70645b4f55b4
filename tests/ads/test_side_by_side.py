"""A host that takes updates side by side ends with what it should have, in whatever order it is done."""

from collections import Counter, deque

from hypothesis import example, find, given, settings
from hypothesis import strategies as st

from lightbulb.ads.client.session import SubscriberSession, Update
from lightbulb.ads.messages import DeltaResponse
from lightbulb.ads.server.delta import DeltaSession
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.server.type_state import MAX_EARLIER
from lightbulb.ads.values import MODEL_ASSIGNMENT, SIDE_BY_SIDE, Node
from tests.ads.worlds import LIMITS, of
from tests.depth import examples

HOST = Node(id="h", metadata={"kind": "host", SIDE_BY_SIDE: "1"})
NAMES = ("a", "b", "c")

snapshots = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 2)).map(
    lambda versions: of(MODEL_ASSIGNMENT, **versions)
)
actions = st.one_of(
    snapshots,
    st.just("read"),
    st.tuples(st.integers(0, MAX_EARLIER), st.frozensets(st.sampled_from(NAMES), max_size=1)),
)


class Pair:
    """A server's session and a host's; what is on its way between them, and what the host has."""

    def __init__(self, start: Snapshot) -> None:
        self.now = 0.0
        self.seen: Counter[str] = Counter()
        self.server = DeltaSession(start, LIMITS)
        self.client = SubscriberSession(HOST, (MODEL_ASSIGNMENT,))
        self.sent: deque[DeltaResponse] = deque()
        self.begun: list[tuple[DeltaResponse, Update]] = []
        self.has: dict[str, str] = {}
        self.told: dict[str, Update] = {}
        """Name -> the newest update that tells of it, done or not."""
        for request in self.client.connect():
            self.send(self.server.on_request(request, self.now))

    def send(self, responses: tuple[DeltaResponse, ...]) -> None:
        self.sent.extend(responses)
        under_way = len(self.sent) + len(self.begun)
        self.seen["side by side"] += under_way > 1
        assert len(self.server.subscriptions[MODEL_ASSIGNMENT].earlier) <= MAX_EARLIER

    def publish(self, snapshot: Snapshot) -> None:
        self.send(self.server.on_snapshot(snapshot, self.now))

    def read(self) -> None:
        """The host begins with the next response: lets go at once, and loads what comes."""
        if not self.sent:
            return
        response = self.sent.popleft()
        update = self.client.begin(response)
        for name in update.removed:
            self.has.pop(name, None)
        self.told.update(dict.fromkeys((*(each.name for each in update.added), *update.removed), update))
        self.begun.append((response, update))

    def finish(self, place: int, refused: frozenset[str]) -> None:
        """The host is done with one of those that it is at; of what a newer one told, it says nothing."""
        if not self.begun:
            return
        response, update = self.begun.pop(place % len(self.begun))
        own = {each.name: each.version for each in update.added if self.told[each.name] is update}
        rejected = dict.fromkeys(own.keys() & refused, "broken")
        self.has.update({name: version for name, version in own.items() if name not in refused})
        self.seen["out of order"] += place % (len(self.begun) + 1) > 0
        self.seen["refused"] += bool(rejected)
        self.send(self.server.on_request(self.client.finish(response, update, rejected), self.now))

    def settle(self) -> None:
        for _ in range(3):
            while self.sent or self.begun:
                self.read()
                self.finish(0, frozenset())
            self.now += LIMITS.retry_seconds
            self.send(self.server.on_tick(self.now))


def run(start: Snapshot, script: list[object]) -> Pair:
    it = Pair(start)
    for action in script:
        match action:
            case Snapshot():
                it.publish(action)
            case (int(place), frozenset() as refused):
                it.finish(place, refused)
            case _:
                it.read()
    it.settle()
    return it


ALL_WELL: tuple[int, frozenset[str]] = (0, frozenset())
A_REFUSED = (0, frozenset({"a"}))
NOTHING = of(MODEL_ASSIGNMENT)
A, A_2, BOTH = (of(MODEL_ASSIGNMENT, **each) for each in ({"a": 1}, {"a": 2}, {"a": 1, "b": 1}))


@given(start=snapshots, script=st.lists(actions, max_size=25))
# What is refused isn't told of what is left of a response; nor is it a removal that is superseded.
@example(start=of(MODEL_ASSIGNMENT, a=2, b=1), script=[BOTH, "read", A_REFUSED, NOTHING])
@example(start=A_2, script=[A, "read", ALL_WELL, "read", A_REFUSED, NOTHING])
@example(start=BOTH, script=["read", NOTHING, ALL_WELL, BOTH, "read", "read", ALL_WELL, A, A_REFUSED])
@settings(max_examples=examples(300), deadline=None)
def test_it_ends_with_what_it_should_have(start: Snapshot, script: list[object]) -> None:
    it = run(start, script)
    snapshot = it.server.snapshot
    assert snapshot is not None
    wanted = {name: each.version for name, each in snapshot.of(MODEL_ASSIGNMENT).items()}
    assert it.has == wanted
    assert dict(it.client.held(MODEL_ASSIGNMENT)) == wanted
    assert dict(it.server.held(MODEL_ASSIGNMENT)) == wanted
    assert it.server.unsynced(snapshot) == ()


def test_what_the_property_is_about_comes_about() -> None:
    for what in ("side by side", "out of order", "refused"):
        find(
            st.tuples(snapshots, st.lists(actions, max_size=25)),
            lambda drawn, what=what: bool(run(*drawn).seen[what]),
        )


def test_who_doesnt_say_so_is_sent_one_response_at_a_time() -> None:
    plain = SubscriberSession(Node(id="h", metadata={"kind": "host"}), (MODEL_ASSIGNMENT,))
    for client, more in ((plain, 0), (SubscriberSession(HOST, (MODEL_ASSIGNMENT,)), 1)):
        server = DeltaSession(of(MODEL_ASSIGNMENT, a=1), LIMITS)
        (request,) = client.connect()
        (first,) = server.on_request(request, 0.0)
        assert len(server.on_snapshot(of(MODEL_ASSIGNMENT, b=1), 1.0)) == more
        answer = client.finish(first, client.begin(first), {})
        assert len(server.on_request(answer, 2.0)) == 1 - more
