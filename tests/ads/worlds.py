"""Small worlds for the ADS machines: resources whose bodies say what they refer to."""

from collections.abc import Iterable, Mapping

from lightbulb.ads.messages import DeltaRequest, DeltaResponse
from lightbulb.ads.server.delta import DeltaSession
from lightbulb.ads.server.snapshot import EMPTY_SNAPSHOT, Snapshot, make_resource
from lightbulb.ads.server.tracks import SessionLimits
from lightbulb.ads.values import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, Resource

LIMITS = SessionLimits(ack_seconds=15.0, asking_seconds=10.0)


def res(name: str, version: object = 1) -> Resource:
    return make_resource(name, f"{name}={version}".encode())


def of(type_url: str, **versions: object) -> Snapshot:
    """A snapshot of one type: name -> version."""
    return with_(EMPTY_SNAPSHOT, type_url, **versions)


def with_(snapshot: Snapshot, type_url: str, **versions: object) -> Snapshot:
    return snapshot.replace(type_url, [res(name, version) for name, version in versions.items()])


def fleet(routes: Mapping[str, Iterable[str]], endpoints: Mapping[str, int] | None = None) -> Snapshot:
    """Objective -> the clusters that its routes name, and everything that a sidecar needs for that."""
    clusters = sorted({cluster for named in routes.values() for cluster in named} | set(endpoints or {}))
    snapshot = EMPTY_SNAPSHOT.replace(CLUSTER, [res(cluster) for cluster in clusters])
    known = dict.fromkeys(clusters, 0) | dict(endpoints or {})
    snapshot = snapshot.replace(ENDPOINTS, [res(name, number) for name, number in known.items()])
    snapshot = snapshot.replace(LISTENER, [res("listener")])
    snapshot = snapshot.replace(SCOPED_ROUTE, [res(objective) for objective in routes])
    return snapshot.replace(
        ROUTE,
        [make_resource(name, ",".join(sorted(named)).encode(), named) for name, named in routes.items()],
    )


def named_by(route: Resource) -> frozenset[str]:
    """The clusters that a route of `fleet` names."""
    return frozenset(route.body.decode().split(","))


class Talk:
    """A delta session and what a test says to it; time stands still unless told."""

    def __init__(self, snapshot: Snapshot | None, limits: SessionLimits = LIMITS) -> None:
        self.session = DeltaSession(snapshot, limits)
        self.now = 0.0

    def ask(
        self,
        type_url: str,
        *subscribe: str,
        drop: tuple[str, ...] = (),
        have: Mapping[str, str] | None = None,
        nonce: str = "",
        error: str | None = None,
        refused: Mapping[str, str] | None = None,
    ) -> tuple[DeltaResponse, ...]:
        request = DeltaRequest(
            type_url=type_url,
            subscribe=subscribe,
            unsubscribe=drop,
            initial_versions=have or {},
            nonce=nonce,
            error=error,
            refused=refused or {},
        )
        return self.session.on_request(request, self.now)

    def ack(self, response: DeltaResponse, **more: tuple[str, ...]) -> tuple[DeltaResponse, ...]:
        return self.ask(response.type_url, nonce=response.nonce, **more)

    def nack(
        self, response: DeltaResponse, error: str, refused: Mapping[str, str] | None = None
    ) -> tuple[DeltaResponse, ...]:
        return self.ask(response.type_url, nonce=response.nonce, error=error, refused=refused)

    def publish(self, snapshot: Snapshot) -> tuple[DeltaResponse, ...]:
        return self.session.on_snapshot(snapshot, self.now)

    def wait(self, seconds: float) -> tuple[DeltaResponse, ...]:
        self.now += seconds
        return self.session.on_tick(self.now)

    def refused(self, type_url: str) -> Mapping[str, str]:
        return self.session.subscriptions[type_url].refusals()


def names(responses: tuple[DeltaResponse, ...]) -> list[tuple[list[str], list[str]]]:
    """What each response brings, and what it takes away."""
    return [([r.name for r in each.resources], sorted(each.removed)) for each in responses]
