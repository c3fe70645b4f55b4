"""Special routes that Envoy would refuse, or that would lead nowhere, are refused with all that is wrong."""

from dataclasses import replace

import pytest

from controlplane.lifecycle.shadow import Shadow, Shadowed
from controlplane.lifecycle.state import Control, Shift, ShiftState
from controlplane.planning.routing import Inconsistent
from controlplane.xds.resources import route
from controlplane.xds.special_routes import (
    MAX_SPECIAL,
    Mirror,
    SpecialRoute,
    check_special,
    special_routes,
)
from lightbulb.ads.values import Resource

KEY = "Rank|m|1"
GOOD = SpecialRoute(name="shift-17c", key=KEY, arm="17c")


def test_all_that_is_wrong_is_told_at_once() -> None:
    bad = (
        GOOD,
        GOOD,
        SpecialRoute(name="with.dots", key="Fraud|m|1", basis_points=10_001),
        SpecialRoute(name="mirrored", key=KEY, mirrors=(Mirror(cluster="nowhere"),)),
    )
    with pytest.raises(Inconsistent) as caught:
        check_special("Rank", bad, {"vip"})
    assert str(caught.value).split("; ") == [
        "Rank: 'shift-17c' is no name of a special route, or is that of 2 of them",
        "Rank: 'with.dots' is no name of a special route, or is that of 1 of them",
        "with.dots: 'Fraud|m|1' is not a routing key of Rank",
        "with.dots: 10001 of 10000 requests",
        "mirrored: no cluster 'nowhere' to mirror to",
    ]


def test_there_are_so_many_that_envoy_may_look_at_them_one_after_the_other() -> None:
    many = tuple(SpecialRoute(name=f"n-{number}", key=KEY) for number in range(MAX_SPECIAL))
    check_special("Rank", many, ())
    with pytest.raises(Inconsistent, match="65 special routes of Rank; 64 are allowed"):
        check_special("Rank", (*many, GOOD), ())


def made(*special: SpecialRoute) -> Resource:
    return route("Rank", ((KEY, "vip"),), special)


def test_a_mirror_is_referred_to_so_that_its_cluster_comes_first() -> None:
    mirrored = SpecialRoute(name="m", key=KEY, mirrors=(Mirror(cluster="shadow"),))
    assert made(mirrored).refers == {"vip", "shadow"}
    assert made(GOOD).refers == {"vip"}


def a_shift(state: ShiftState, *, refused: bool = False) -> Shift:
    return Shift(
        number=9,
        key="Rank|next|2",
        default_key=KEY,
        salt="",
        steps=(1,),
        generation=1,
        table="",
        entered=1.0,
        state=state,
        refused=refused,
    )


@pytest.mark.parametrize("shares", [(0,), (100,), (10_000,), (100, 2_500, 10_000), (10_000, 10_000)], ids=str)
@pytest.mark.parametrize("state", ShiftState)
def test_a_shift_and_shadows_of_any_share_stand_together_and_all_is_counted(
    state: ShiftState, shares: tuple[int, ...]
) -> None:
    shadows = tuple(
        Shadow(number=20 + at, key=f"Rank|next|{at}", basis_points=share, entered=1.0)
        for at, share in enumerate(shares)
    )
    shadowed = Shadowed(objective="Rank", primary=KEY, deadline=1.0, shadows=shadows)
    control = Control(objective="Rank", shift=a_shift(state, refused=state is ShiftState.CLEARING))
    special = special_routes(control, shadowed)
    check_special("Rank", special, [f"shadow/{each.id}" for each in shadows])
    if state is not ShiftState.CLEARING:
        for arm in ("9c", "9k"):
            counted = [each for each in special if each.name == f"shift-{arm}"]
            assert {each.arm for each in counted} == {arm}
            assert counted[-1].basis_points == 10_000


def test_a_shadow_of_a_model_that_a_shift_was_taken_back_from_gets_copies_while_its_key_is_refused() -> None:
    shift = a_shift(ShiftState.CLEARING, refused=True)
    shadow = Shadow(number=17, key="Rank|next|2", basis_points=100, entered=1.0)
    shadowed = Shadowed(objective="Rank", primary=KEY, deadline=1.0, shadows=(shadow,))
    refused, copied = special_routes(Control(objective="Rank", shift=shift), shadowed)
    assert (refused.key, refused.withdrawn) == ("Rank|next|2", True)
    assert (copied.key, copied.withdrawn, copied.mirrors[0].cluster) == (KEY, False, "shadow/17")
    aborting = replace(shift, state=ShiftState.ABORTING, refused=False)
    names = [each.name for each in special_routes(Control(objective="Rank", shift=aborting), shadowed)]
    assert names == ["shift-9c", "shift-9k", "shift-9k", "shadow-17"]


def test_a_special_route_of_a_key_that_isnt_routed_is_left_out() -> None:
    assert made(SpecialRoute(name="m", key="Rank|gone|1")) == made()


def test_a_special_route_says_nothing_of_other_keys() -> None:
    many = tuple((f"Rank|m-{number}|1", "vip") for number in range(1_000))
    key, _ = many[500]
    special = SpecialRoute(name="shift-17c", key=key, arm="17c", mirrors=(Mirror(cluster="shadow"),))
    assert len(route("Rank", many, (special,)).body) - len(route("Rank", many).body) < 1_000
