"""A node that could harm others is refused at the door, with what is wrong."""

import pytest

from controlplane.xds.nodes import HostNode, LightbulbNode, SidecarNode, has_seen, identify
from lightbulb.ads.values import STAMP, BadNode, CommitStamp, Node

HOST = {"kind": "host", "shard": "s", "address": "10.0.0.1", "port": "80"}


def node(**metadata: str) -> Node:
    return Node(id="n1", metadata=metadata)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, SidecarNode(address="127.0.0.1", port=0, client="n1")),
        (
            {"kind": "sidecar", "listen_address": "::1", "listen_port": "10000"},
            SidecarNode(address="::1", port=10_000, client="n1"),
        ),
        ({"client": "homepage"}, SidecarNode(address="127.0.0.1", port=0, client="homepage")),
        (HOST, HostNode(shard="s", address="10.0.0.1", port=80)),
        ({"kind": "lightbulb"}, LightbulbNode(knows_tenants=False)),
        ({"kind": "lightbulb", "tenants": "1"}, LightbulbNode()),
    ],
)
def test_a_node_is_what_it_says(metadata: dict[str, str], expected: object) -> None:
    assert identify(node(**metadata)) == expected


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (
            {"client": "home page"},
            "'client' is 'home page'; a client's name has up to 128 characters of ASCII",
        ),
        ({"client": 129 * "x"}, "'client' is"),
        ({"kind": "toaster"}, "kind 'toaster'; it is one of sidecar, lightbulb, host"),
        ({**HOST, "shard": ""}, "no metadata key 'shard'"),
        ({**HOST, "address": "localhost"}, "'address' is 'localhost', not an IP address"),
        ({**HOST, "address": ""}, "'address' is ''"),
        ({**HOST, "address": "fe80::1%" + 60 * "x"}, "'address' has more than 64 characters"),
        ({**HOST, "port": "abc"}, "'port' is 'abc', not a port"),
        ({**HOST, "port": "65536"}, "not a port"),
        ({**HOST, "port": "-1"}, "not a port"),
        ({**HOST, "port": "9" * 5_000}, "not a port"),  # more digits than Python reads
        ({**HOST, "port": "٣"}, "not a port"),
        ({"listen_address": "example.org"}, "sidecar n1: metadata 'listen_address'"),
    ],
)
def test_a_node_that_says_nonsense_is_told_what(metadata: dict[str, str], words: str) -> None:
    with pytest.raises(BadNode, match=None) as error:
        identify(node(**metadata))
    assert words in str(error.value)
    assert "n1" in str(error.value)


@pytest.mark.parametrize(
    ("seen", "behind"), [("", False), ("one:6", False), ("one:7", False), ("one:8", True), ("one:10", True)]
)
def test_a_node_that_has_seen_newer_is_known(seen: str, behind: bool) -> None:
    metadata = {STAMP: seen} if seen else {}
    assert (has_seen(CommitStamp("one", 7), node(**metadata)) > 7) is behind


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ("two:1", "made anew"),
        ("one:x", "not STORE:NUMBER"),
        ("7", "made anew"),
        ("one:" + "9" * 5_000, "not STORE"),
        ("one:1000008", "has seen version 1000008, and this store shows 7"),
    ],
)
def test_a_node_of_another_store_is_told_so(seen: str, words: str) -> None:
    with pytest.raises(BadNode, match=words):
        has_seen(CommitStamp("one", 7), node(**{STAMP: seen}))
