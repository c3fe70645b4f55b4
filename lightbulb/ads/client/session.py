"""What the client end of a delta ADS stream says. Pure: no sockets, no protobuf, no clock.

    connect() -> requests          a stream opened
    begin(response) -> update      a response came; what of it is news
    finish(response, ...) -> ack   it has been applied, or not
    goodbye() -> request           the last one, of a consumer that ends in order

Subscriptions are wildcards: a subscriber takes all that the server has for it, of each of its types.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from lightbulb.ads.messages import WILDCARD, DeltaRequest, DeltaResponse
from lightbulb.ads.values import GOODBYE, STAMP, Node, Resource

UNKNOWN_VERSION = ""
"""Version of a resource that is to be sent again, say since it is being applied while the stream is lost:
whatever the server holds differs from it, so it sends the resource, or its removal."""

REASON_LIMIT = 1000
"""Characters of one resource's reason in a NACK."""

_NOTHING: Mapping[str, Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What changed in one type: resources that are new or differ, and names that are gone."""

    type_url: str
    added: tuple[Resource, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


class SubscriberSession:
    """The state that outlives streams: the version held of each resource, by type."""

    def __init__(
        self,
        node: Node,
        types: Sequence[str],
        afresh: Collection[str] = (),
        held: Mapping[str, Mapping[str, str]] = _NOTHING,
        stamp: str = "",
    ) -> None:
        """Resources of the types `afresh` are told as of unknown version, and are news on every stream.

        `held` is what is held to begin with: type -> name -> version; `stamp` is the last that came with it.
        """
        self.stamp = stamp
        """The last stamp that came: how new what is held is."""
        self._node = node
        self._afresh = frozenset(afresh)
        self._held: dict[str, dict[str, str]] = {type_url: dict(held.get(type_url, {})) for type_url in types}
        self._pending: dict[str, dict[str, Update]] = {type_url: {} for type_url in types}
        """Type -> name -> the newest update that tells of it, and that isn't finished."""

    def connect(self) -> tuple[DeltaRequest, ...]:
        """Return the first requests of a new stream: a server that agrees with them sends nothing."""
        return tuple(
            DeltaRequest(
                type_url=type_url,
                node=self._stamped_node() if position == 0 else None,
                subscribe=(WILDCARD,),
                initial_versions=self._versions(type_url),
            )
            for position, type_url in enumerate(self._held)
        )

    @property
    def node_id(self) -> str:
        """Whose stream it is."""
        return self._node.id

    def goodbye(self, *, first: bool) -> DeltaRequest:
        """Return the last request; `first` when its stream has had no other, which says whose it is."""
        return DeltaRequest(type_url=GOODBYE, node=self._stamped_node() if first else None)

    def held(self, type_url: str) -> Mapping[str, str]:
        """Return name -> version of what was applied."""
        return MappingProxyType(self._held[type_url])

    def begin(self, response: DeltaResponse) -> Update:
        """Return what of the response is news; the caller applies it and then calls `finish`.

        A resource at the version that is held is no news: a server repeats itself after a reconnect.
        The update is empty (false) when there is nothing to apply. Another may begin before it is finished;
        of what both tell, the newer one counts.
        """
        held, pending = self._held[response.type_url], self._pending[response.type_url]
        self.stamp = response.stamp or self.stamp
        if _repeated(response):
            return Update(type_url=response.type_url, added=(), removed=())
        afresh = response.type_url in self._afresh
        update = Update(
            type_url=response.type_url,
            added=tuple(
                r for r in response.resources if afresh or r.name in pending or held.get(r.name) != r.version
            ),
            removed=tuple(name for name in response.removed if name in held or name in pending),
        )
        for name in (*(r.name for r in update.added), *update.removed):
            if name in pending:  # should this be refused: whether that was applied is for nobody to say
                held[name] = UNKNOWN_VERSION
            pending[name] = update
        return update

    def finish(self, response: DeltaResponse, update: Update, rejected: Mapping[str, str]) -> DeltaRequest:
        """Record what was applied; return the ACK, or the NACK that names each rejected resource.

        A rejected resource stays held at the version that it had, and so does a rejected removal.
        """
        held, pending = self._held[response.type_url], self._pending[response.type_url]
        own = {name for name, newest in pending.items() if newest is update}
        for name in own:
            del pending[name]
        applied = own - rejected.keys()
        held.update({r.name: r.version for r in update.added if r.name in applied})
        for name in update.removed:
            if name in applied:
                held.pop(name, None)
        repeated = dict.fromkeys(_repeated(response), "named twice in one response")
        refused = _lines({**response.unreadable, **repeated, **rejected})
        return DeltaRequest(
            type_url=response.type_url,
            nonce=response.nonce,
            error="\n".join(f"{name}: {reason}" for name, reason in refused.items()) if refused else None,
            refused=refused,
        )

    def _stamped_node(self) -> Node:
        metadata = {**self._node.metadata, STAMP: self.stamp} if self.stamp else self._node.metadata
        return replace(self._node, metadata=metadata)

    def _versions(self, type_url: str) -> Mapping[str, str]:
        held, unsure = self._held[type_url], self._pending.get(type_url, ())
        if type_url in self._afresh:
            unsure = (*held, *unsure)
        return MappingProxyType({**held, **dict.fromkeys(unsure, UNKNOWN_VERSION)})


def _repeated(response: DeltaResponse) -> tuple[str, ...]:
    counts = Counter((*(r.name for r in response.resources), *response.removed))
    return tuple(name for name, count in counts.items() if count > 1)


def _lines(rejected: Mapping[str, str]) -> Mapping[str, str]:
    """Return name -> reason by name; a reason is kept to one line of REASON_LIMIT characters."""
    return MappingProxyType(
        {name: " ".join(rejected[name].split())[:REASON_LIMIT] or "rejected" for name in sorted(rejected)}
    )
