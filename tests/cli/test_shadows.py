"""What a shadow is asked for with, and what people read of it."""

import click
import pytest

from controlplane.cli.shadow_options import SIZE, UNTIL
from controlplane.cli.shadows import shadow_lines
from controlplane.lifecycle.shadow import Ends
from controlplane.lifecycle.shadow_words import together
from lightbulb.v1 import control_plane_pb2 as pb


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2000pairs", Ends(pairs=2_000)),
        ("2,000 pairs", Ends(pairs=2_000)),
        ("1 pair", Ends(pairs=1)),
        ("24h", Ends(lasts=86_400.0)),
        ("1.5d", Ends(lasts=129_600.0)),
    ],
)
def test_an_end_is_a_number_of_pairs_or_a_time(typed: str, meant: Ends) -> None:
    assert UNTIL.convert(typed, None, None) == meant


@pytest.mark.parametrize("typed", ["", "2000", "0 pairs", "-1 pairs", "tomorrow", "24 h", "pairs"])
def test_what_is_no_end_says_what_is(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="2000pairs"):
        UNTIL.convert(typed, None, None)


def test_several_ends_are_one() -> None:
    assert together((Ends(pairs=5), Ends(lasts=2.0), Ends(pairs=7))) == Ends(pairs=7, lasts=2.0)


def test_a_size_is_in_bytes() -> None:
    assert [SIZE.convert(each, None, None) for each in ("100", "4KiB", "16 MiB")] == [100, 4_096, 2**24]
    with pytest.raises(click.BadParameter, match="4MiB"):
        SIZE.convert("4MB", None, None)


def test_a_line_says_what_became_of_the_copies() -> None:
    shadow = pb.Shadow(
        id="17",
        objective="Rank",
        model="next@2",
        primary="rank@1",
        basis_points=1_000,
        pairs=2_000,
        waiting_for=["sidecar a", "sidecar b", "sidecar c", "sidecar d"],
        copies=pb.Copies(answered=1_200, shed=30, too_large=4),
    )
    noise = pb.Shadow(id="17n", objective="Rank", model="rank@1", is_noise=True, stopped=True, why="enough")
    waiting = "waiting for sidecar a, sidecar b, sidecar c and 1 more"
    counted = "1,200 of 1,234 copies answered, 30 shed, 4 too large"
    assert list(shadow_lines([shadow, noise])) == [
        f"Rank: shadow 17 of next@2, 10 % of the requests to rank@1; {waiting}; until 2,000 pairs; {counted}",
        "Rank: shadow 17n of rank@1, the noise floor, stopped; enough; no copy counted yet",
    ]
