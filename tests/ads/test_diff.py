"""What is remembered of two snapshots' resources is right, shared, and bounded whatever they hold."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lightbulb.ads.server import diff as module
from lightbulb.ads.server.diff import diff, differs, versions
from lightbulb.ads.server.snapshot import Resources, make_resource

worlds = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2))


def resources(world: dict[str, int], padding: int = 0) -> Resources:
    return {
        name: make_resource(name, f"{name}={version}".encode().ljust(padding))
        for name, version in world.items()
    }


@given(worlds, worlds)
def test_names_that_changed_and_names_that_are_gone(old: dict[str, int], new: dict[str, int]) -> None:
    found = diff(resources(old), resources(new))
    assert found.changed == {name for name in new if old.get(name) != new[name]}
    assert found.removed == old.keys() - new.keys()
    assert differs(resources(old), resources(new)) is (old != new)


def test_many_streams_share_what_is_found() -> None:
    one, other = resources({"a": 1}), resources({"a": 2})
    assert diff(one, other) is diff(one, other)
    assert versions(one) is versions(one)


def test_large_snapshots_of_the_past_are_let_go_and_the_newest_are_not() -> None:
    size = module.MAX_BYTES // 12
    shown = [resources({"a": number}, padding=size) for number in range(20)]
    for old, new in pairwise(shown):
        diff(old, new)
        versions(new)
    assert len(module._diff) == len(module._versions) == module.NEWEST
    assert diff(shown[-2], shown[-1]) is diff(shown[-2], shown[-1])
