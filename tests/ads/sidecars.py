"""A sidecar as Envoy behaves on its end of delta ADS, in lockstep with a session; for properties.

Messages wait in both directions until a test lets one through, so that every interleaving can be tried.
"""

from collections import Counter, deque
from collections.abc import Callable

from lightbulb.ads.messages import DeltaRequest, DeltaResponse
from lightbulb.ads.server.delta import DeltaSession
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, Resource
from tests.ads.worlds import LIMITS, named_by

World = dict[str, dict[str, Resource]]
WILDCARDS = (CLUSTER, LISTENER, SCOPED_ROUTE)


class Sidecar:
    """Clusters bring endpoint subscriptions, scopes bring route subscriptions.

    A cluster that came, new or changed, warms until endpoints come for it. As long as one does, nothing is
    said of clusters: no answer, and on a new stream nothing is asked. Those that the server has none for
    aren't waited for for ever: what they had they have again (`tests/envoy/test_ways_of_envoy.py`).
    """

    def __init__(self, snapshot: Snapshot, refuses: Callable[[Resource], bool] = lambda _: False) -> None:
        self.snapshot = snapshot
        self.refuses = refuses
        self.now = 0.0
        self.world: World = {kind: {} for kind in (CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, ROUTE)}
        self.wanted: dict[str, set[str]] = {ENDPOINTS: set(), ROUTE: set()}
        self.warming: set[str] = set()
        """Clusters that wait for endpoints, or for word that there are none."""
        self.paused = False
        """Nothing is said of clusters until all are warm."""
        self.unsaid: list[DeltaRequest] = []
        """What is to be said of clusters then."""
        self.cold: frozenset[str] = frozenset()
        """Clusters that never warm."""
        self.nonces: dict[str, str] = {}
        """Type -> the nonce of the response before the last."""
        self.said: dict[str, str] = {}
        self.seen: Counter[str] = Counter()
        self.connect()

    def connect(self) -> None:
        """Begin a stream: what was on its way is lost, what the sidecar has is named."""
        self.seen["a reconnect with something held"] += bool(self.world[CLUSTER])
        self.session = DeltaSession(self.snapshot, LIMITS)
        self.connected_at = self.now
        self.to_sidecar: deque[DeltaResponse] = deque()
        self.to_server: deque[DeltaRequest] = deque()
        self.unsaid.clear()
        self.said.clear()
        self.nonces.clear()  # those of another stream are never said on this one
        self.given_up: set[str] = set()
        """Nonces of responses whose ACK is waited for no more: another may follow them."""
        for kind in (*WILDCARDS[:1], ENDPOINTS, *WILDCARDS[1:], ROUTE):
            names = () if kind in WILDCARDS else tuple(sorted(self.wanted[kind]))
            if kind in WILDCARDS or names:
                have = {name: each.version for name, each in self.world[kind].items()}
                self._say(kind, subscribe=names, initial_versions=have)

    def publish(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.to_sidecar.extend(self.session.on_snapshot(snapshot, self.now))
        self._check()

    def server_reads(self) -> None:
        if self.to_server:
            request = self.to_server.popleft()
            self._note_request(request)
            self.to_sidecar.extend(self.session.on_request(request, self.now))
            self._check()

    def sidecar_reads(self) -> None:
        if self.to_sidecar:
            self._take(self.to_sidecar.popleft())
            self._check()

    def settle(self) -> None:
        """Let everything through, and time pass, until nothing more happens; fail when it goes on and on."""
        for _ in range(2_000):
            if self.to_server:
                self.server_reads()
            elif self.to_sidecar:
                self.sidecar_reads()
            elif self._has_unanswered():
                self._fetch_no_more()
            else:
                deadline = self.session.next_deadline()
                if deadline is None or deadline <= self.now:
                    return
                self.wait()
        raise AssertionError("it never ends")

    def wait(self) -> None:
        """Let the session's next deadline pass, whatever is under way."""
        self.now = max(self.now, self.session.next_deadline() or 0.0)
        awaited = [each.pending for each in self.session.subscriptions.values() if each.pending is not None]
        self.to_sidecar.extend(self.session.on_tick(self.now))
        still = [each.pending for each in self.session.subscriptions.values()]
        self.given_up |= {each.nonce for each in awaited if each not in still}
        self._fetch_no_more()
        self._check()

    def repeat_itself(self, kind: str) -> None:
        """Say once more, and wrongly, what was said of the response before the last."""
        if kind in self.nonces:
            self.to_server.append(DeltaRequest(type_url=kind, nonce=self.nonces[kind], error="stale"))

    def _take(self, response: DeltaResponse) -> None:
        kind = response.type_url
        self._note_response(response)
        names = [each.name for each in response.resources]
        assert len(names) == len(set(names))
        bad = [each.name for each in response.resources if self.refuses(each)]
        for each in response.resources:
            if each.name not in bad and (kind in WILDCARDS or each.name in self.wanted[kind]):
                self.world[kind][each.name] = each  # what nobody asked for is ACKed, and ignored
        for name in response.removed:
            self.world[kind].pop(name, None)
        if kind == ENDPOINTS:
            emptied = self._named() & self.warming & {*response.removed}
            assert not emptied, f"{emptied} are warm without endpoints now, and routes name them"
            self.warming -= ({*names, *response.removed} & self.wanted[ENDPOINTS]) - self.cold
        if kind == CLUSTER:
            self.warming |= {*names} - {*bad}
            self.warming &= self.world[CLUSTER].keys()
            self.paused = bool(self.warming)
            self._follow(ENDPOINTS, self.world[CLUSTER])
        if kind == SCOPED_ROUTE:
            self._follow(ROUTE, self.world[SCOPED_ROUTE])
        self._say(kind, nonce=response.nonce, error=f"refused: {', '.join(bad)}" if bad else None)
        self._go_on_if_warm()

    def _go_on_if_warm(self) -> None:
        if not self.warming:
            self.paused = False
            self.to_server.extend(self.unsaid)
            self.unsaid.clear()

    def _has_unanswered(self) -> bool:
        return bool(self.warming - self.cold - self.snapshot.of(ENDPOINTS).keys())

    def _fetch_no_more(self) -> None:
        """The time for endpoints is over of clusters that the server has none for."""
        self.warming &= self.cold | self.snapshot.of(ENDPOINTS).keys()
        self._go_on_if_warm()

    def _named(self) -> frozenset[str]:
        """The clusters that routes name which requests are routed by."""
        routes = (each for name, each in self.world[ROUTE].items() if name in self.world[SCOPED_ROUTE])
        return frozenset().union(*map(named_by, routes))

    def _follow(self, kind: str, names: dict[str, Resource]) -> None:
        new, old = names.keys() - self.wanted[kind], self.wanted[kind] - names.keys()
        self.wanted[kind] = set(names)
        for name in old:
            self.world[kind].pop(name, None)
        if new or old:
            self._say(kind, subscribe=tuple(sorted(new)), unsubscribe=tuple(sorted(old)))

    def _say(self, kind: str, **parts: object) -> None:
        if "nonce" in parts:
            self.said[kind], self.nonces[kind] = str(parts["nonce"]), self.said.get(kind, "none")
        request = DeltaRequest(type_url=kind, **parts)  # type: ignore[arg-type]
        (self.unsaid if self.paused and kind == CLUSTER else self.to_server).append(request)

    def _note_request(self, request: DeltaRequest) -> None:
        tracks = self.session.subscriptions
        track = tracks.get(request.type_url)
        if track is None:
            late = self.now >= self.connected_at + LIMITS.asking_seconds and CLUSTER in tracks
            self.seen["routes asked for late"] += late and request.type_url == ROUTE
            self.seen["clusters asked for last"] += request.type_url == CLUSTER and ENDPOINTS in tracks
        if track is None or not request.nonce:
            return
        answers = track.pending is not None and track.pending.nonce == request.nonce
        self.seen["a stale nonce"] += not answers
        self.seen["an ACK that is late"] += answers and track.late and request.error is None
        self.seen["a NACK"] += answers and request.error is not None

    def _note_response(self, response: DeltaResponse) -> None:
        kind, tracks = response.type_url, self.session.subscriptions
        wanted = self.snapshot.of(kind)
        if kind == CLUSTER:
            self.seen["an answer without news"] += not (response.resources or response.removed)
            self.seen["a cluster taken back"] += any(name in wanted for name in response.removed)
            self.seen["clusters taken away"] += any(name not in wanted for name in response.removed)
            older = [each for each in response.resources if each.name in tracks[kind].rejected]
            self.seen["an update taken back"] += any(each != wanted.get(each.name) for each in older)
            self.seen["a search by halves"] += bool(tracks[kind].batch_limit)

    def _note_state(self) -> None:
        tracks, clusters = self.session.subscriptions, self.snapshot.of(CLUSTER)
        track = tracks.get(CLUSTER)
        if track is not None and track.pending is None:
            self.seen["a removal held back"] += any(name not in clusters for name in track.dirty)
        for other in tracks.values():
            self.seen["news for a type that is under way"] += other.pending is not None and bool(other.dirty)
        if ROUTE in tracks and track is not None and track.rejected:
            self.seen["a route held back"] += tracks[ROUTE].pending is None and bool(tracks[ROUTE].dirty)
            reasons = track.refusals().values()
            self.seen["a cluster given up"] += "not acknowledged in time" in reasons

    def _check(self) -> None:
        """What must hold at every moment."""
        self._note_state()
        under_way = [each.type_url for each in self.to_sidecar if each.nonce not in self.given_up]
        assert len(under_way) == len(set(under_way)), "more than one un-ACKed response of a type"
        tracks = self.session.subscriptions
        owed = {kind for kind, track in tracks.items() if track.unacked(self.snapshot.of(kind))}
        assert owed <= {*self.session.unsynced(self.snapshot)}, "it owes names of a type that is synced"
        missing = self._named() - self.world[CLUSTER].keys()
        assert not missing, f"routes name {missing}, which the sidecar doesn't have: requests fail"
