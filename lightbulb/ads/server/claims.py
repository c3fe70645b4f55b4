"""What a node says of itself that every server of ours needs: what it takes, and how far it is. Checked."""

from __future__ import annotations

import re
from functools import lru_cache

from lightbulb.ads.values import (
    EVERYTHING,
    STAMP,
    TAKES_OBJECTIVES,
    TAKES_TENANTS,
    BadNode,
    CommitStamp,
    Node,
    Takes,
)

NUMBER = re.compile(r"[0-9]{1,20}")
"""Of so many digits as a 64-bit number has: Python refuses to read one of thousands."""

MAX_AHEAD = 1_000_000
"""Versions that a node may be ahead: no failover or backup loses more, so one that says so is mistaken."""

MAX_TAKEN = 64 * 1024
"""Characters of the names of what a consumer takes: those of a thousand objectives."""

MAX_DECLARED = 2_000
"""Declarations that are remembered as they are written: those of the clients of many services."""


def takes_of(node: Node) -> Takes:
    """Return what a sidecar or Lightbulb says that it takes; raises BadNode."""
    metadata = node.metadata
    if TAKES_OBJECTIVES not in metadata and TAKES_TENANTS not in metadata:
        return EVERYTHING
    return Takes(
        objectives=_names(node, TAKES_OBJECTIVES, metadata.get(TAKES_OBJECTIVES, "")),
        tenants=_names(node, TAKES_TENANTS, metadata.get(TAKES_TENANTS, "")),
    )


def _names(node: Node, key: str, text: str) -> frozenset[str]:
    if len(text) > MAX_TAKEN:
        raise BadNode(f"{node.kind} {node.id}: metadata {key!r} has more than {MAX_TAKEN} characters")
    return _split(text)


@lru_cache(maxsize=MAX_DECLARED)
def _split(text: str) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, text.split(","))))


def has_seen(stamp: CommitStamp, node: Node) -> int:
    """Return the number of the last stamp that a node was sent; 0: none.

    Raises BadNode when it doesn't compare with `stamp`, or is further ahead than any store can fall back.
    """
    text = node.metadata.get(STAMP, "")
    store, _, number = text.rpartition(":")
    if not text:
        return 0
    if not NUMBER.fullmatch(number):
        raise BadNode(f"{node.kind} {node.id}: metadata {STAMP!r} is {text!r}, not STORE:NUMBER")
    if store != stamp.store:
        raise BadNode(
            f"{node.kind} {node.id} was configured from the store {store}, and this one is {stamp.store}: it "
            "has another control plane's address, or the store was made anew, and the node is to be "
            "restarted with an empty state folder"
        )
    if int(number) > stamp.number + MAX_AHEAD:
        raise BadNode(
            f"{node.kind} {node.id} says that it has seen version {number}, and this store shows "
            f"{stamp.number}: restart the node with an empty state folder"
        )
    return int(number)
