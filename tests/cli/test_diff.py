"""`diff` names what an operator decided about an objective, beside what the rules say."""

import asyncio
from pathlib import Path

from tests.cli import commands
from tests.controlplane.planes import run
from tests.controlplane.worlds import World, world
from tests.waiting import eventually


async def told(it: World, one: int, other: int) -> list[str]:
    """Return the lines of `diff` that are of an operator, with the one that each is under."""
    asked = ("diff", str(one), str(other), "--control-plane", it.plane.target)
    result = await asyncio.to_thread(commands.run, *asked)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    heads = [line for line in lines if not line.startswith(" ") or "operator:" in line]
    return [line for line in heads if not line.startswith("shard")]


def test_a_shift_that_stands_and_a_hold_back_are_named_beside_what_differs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(f"sqlite:{tmp_path}/store.db", generation=0) as it:
            await it.published(1, candidate="next@2")
            await it.published(1, candidate="next@2", percent=10)
            assert await told(it, 1, 2) == ["objective Ranking"]
            await it.plane.roll_back(objective="Ranking")
            held = "  operator: held back: the table of generation 2 is rejected, that of 1 answers"
            assert await told(it, 1, 2) == ["objective Ranking", held]

            await it.published(1, candidate="next@2", percent=20)
            replica = it.plane.replica
            await eventually("the hold-back to be over", lambda: not replica.known.lanes.held_back)
            first = await it.plane.shift(model="next", steps=[5_000])
            await eventually("it to run", lambda: replica.known.lanes.controls["Ranking"].shift.basis_points)
            stands = f"  operator: shift {first.shift} to next@2 stands at 50 %; the rules say"
            assert await told(it, 2, 3) == ["objective Ranking", f"{stands} 20 % to next@2"]
            assert await told(it, 3, 2) == ["objective Ranking", f"{stands} 10 % to next@2"]
            assert await told(it, 3, 1) == ["objective Ranking", f"{stands} 0 % to next@2"]
            assert await told(it, 3, 3) == ["generations 3 and 3 are the same"]

    run(scenario)
