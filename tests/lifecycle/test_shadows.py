"""Whatever comes in whatever order, a shadow's model is loaded, and what is shown has its version."""

from collections import Counter
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from controlplane.lifecycle import shadow_operations as operations
from controlplane.lifecycle.operations import At, ControlRefused
from controlplane.lifecycle.shadow import MAX_SHADOWS, Copies, Ends, Shadow, Shadowed
from controlplane.lifecycle.shadow_advance import advance, beside
from controlplane.lifecycle.shadow_events import happened
from controlplane.lifecycle.shadow_operations import Stage, WantedShadow
from controlplane.rollout.codec import lanes_from_bytes, lanes_to_bytes
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import Phase, Rollout
from controlplane.xds.special_routes import SpecialRoute, check_special, copying, special_routes
from lightbulb.model import ObjectiveTable
from tests.lifecycle.scenes import DEFAULT, MADE_DEFAULT, NEXT, OTHER, PLAIN, WITHOUT
from tests.lightbulb.tables import OBJECTIVE

SEEN: Counter[str] = Counter()
REACHED = (
    "four at once",
    "refused, since there are four",
    "refused, since it is what is copied",
    "noise alone",
    "followed another default",
    "over by its model",
    "over by becoming the default",
    "over by time",
    "over by pairs",
    "over by hand",
    "gone",
    "changed",
)
MODELS = [model.name for model in PLAIN.models]


def stage(table: ObjectiveTable | None, number: int = 1) -> Stage:
    tables = () if table is None else (table,)
    primary = "" if table is None else table.models[table.default_model].routing_key
    return Stage(generation=number, tables=tables, primary=primary)


def wanted(model: str = NEXT.name, share: int = 1_000, **more: object) -> WantedShadow:
    return WantedShadow(objective=OBJECTIVE, model=model, basis_points=share, tenant="default", **more)  # type: ignore[arg-type]


def shown(of: Shadowed | None) -> object:
    """What sidecars are shown."""
    if of is None:
        return (), ()
    return special_routes(None, of), tuple((each.id, copying(of, each)) for each in of.standing)


class Shadows(RuleBasedStateMachine):
    """One objective: an operator, publishes, and a sidecar that lags at will."""

    def __init__(self) -> None:
        super().__init__()
        self.version, self.now, self.number = 1, 100.0, 1
        self.shadowed: Shadowed | None = None
        self.table: ObjectiveTable | None = PLAIN
        self.ids: set[str] = set()

    @property
    def at(self) -> At:
        return At(self.now, self.version + 1)

    def take(self, after: Shadowed | None) -> None:
        before = self.shadowed
        if after == before:
            return
        self.version += 1
        if shown(before) != shown(after):
            assert after is not None
            assert after.version == self.version
        told = happened(before, after)
        known = {} if before is None else {each.id: each for each in before.shadows}
        for each in () if after is None else after.shadows:
            if each.id not in known:
                assert each.id not in self.ids
                self.ids.add(each.id)
            was = known.get(each.id)
            assert was is None or each.stopped or not was.stopped
            if was is None or was.stopped is not each.stopped:
                assert any(f"shadow {each.id} of" in text for _, text in told)
        self.shadowed = after

    @rule(
        model=st.sampled_from([*MODELS, "nope"]),
        share=st.sampled_from([0, 1, 500, 10_000]),
        noise=st.booleans(),
        ends=st.sampled_from([Ends(), Ends(pairs=10), Ends(lasts=20.0)]),
    )
    def start(self, model: str, share: int, ends: Ends, *, noise: bool) -> None:
        asked = wanted(model, share, noise_floor=noise, ends=ends)
        try:
            after = operations.start(self.shadowed, asked, stage(self.table, self.number), self.at)
        except operations.TooManyShadows:
            SEEN["refused, since there are four"] += 1
            return
        except operations.OfItself:
            SEEN["refused, since it is what is copied"] += 1
            return
        except ControlRefused:
            return
        self.take(after)
        SEEN["noise alone"] += [each.is_noise for each in after.standing] == [True]
        again = operations.start(after, asked, stage(self.table, self.number), self.at)
        assert again is after

    @precondition(lambda self: self.shadowed is not None)
    @rule(model=st.sampled_from(["", *MODELS]), share=st.sampled_from([None, 0, 700, 10_000]))
    def change(self, model: str, share: int | None) -> None:
        assert self.shadowed is not None
        try:
            after = operations.change(self.shadowed, model, "", share, Ends(), self.at)
        except operations.NoShadow:
            return
        assert operations.change(after, model, "", share, Ends(), self.at) == after
        SEEN["changed"] += after != self.shadowed
        self.take(after)

    @precondition(lambda self: self.shadowed is not None)
    @rule(model=st.sampled_from(["", *MODELS]))
    def stop(self, model: str) -> None:
        assert self.shadowed is not None
        try:
            after = operations.stop(self.shadowed, model, "", self.at, "enough")
        except operations.NoShadow:
            return
        assert operations.stop(after, model, "", self.at) == after
        SEEN["over by hand"] += after != self.shadowed
        self.take(after)

    @rule(table=st.sampled_from([PLAIN, PLAIN, OTHER, WITHOUT, MADE_DEFAULT, None]))
    def activate(self, table: ObjectiveTable | None) -> None:
        self.table, self.number = table, self.number + 1
        self.fit()

    def fit(self) -> None:
        before = self.shadowed
        if before is None:
            return
        after = beside(before, stage(self.table, self.number), self.at)
        self.take(after)
        why = {each.why for each in after.shadows if each not in before.shadows}
        SEEN["over by its model"] += f"generation {self.number} hasn't its model" in why
        SEEN["over by becoming the default"] += "it is what users get by now" in why
        SEEN["followed another default"] += before.primary != after.primary and bool(after.standing)

    @rule(seconds=st.sampled_from([0.1, 30.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.shadowed is not None)
    @rule(behind=st.booleans(), answered=st.sampled_from([0, 9, 10]))
    def look(self, *, behind: bool, answered: int) -> None:
        assert self.shadowed is not None
        before = self.shadowed
        copies = {each.id: Copies(answered=answered) for each in before.shadows}
        after = advance(before, ("sidecar s",) if behind else (), copies, self.at)
        if after is None:
            assert not before.standing
            assert not behind
            SEEN["gone"] += 1
        else:
            now = {each.id: each for each in after.shadows}
            assert behind <= (now.keys() == {each.id for each in before.shadows})
            for each in before.standing:
                over = now[each.id].stopped
                by_pairs, by_time = 0 < each.pairs <= answered, 0.0 < each.until <= self.now
                assert over == (by_pairs or by_time)
                SEEN["over by pairs"] += by_pairs
                SEEN["over by time"] += by_time and not by_pairs
        self.take(after)

    @invariant()
    def what_gets_copies_is_loaded_and_other_than_the_primary(self) -> None:
        if self.shadowed is None:
            return
        standing, now = self.shadowed.standing, stage(self.table, self.number)
        assert len(standing) <= MAX_SHADOWS
        SEEN["four at once"] += len(standing) == MAX_SHADOWS
        for each in standing:
            assert now.has(each.key)
            assert each.is_noise is (each.key == self.shadowed.primary)
        if standing:
            assert self.shadowed.primary == now.primary
        names = [f"shadow/{each.id}" for each in standing]
        check_special(OBJECTIVE, special_routes(None, self.shadowed), names)

    @invariant()
    def its_state_is_in_the_head(self) -> None:
        lanes = Lanes(MappingProxyType({"default": Rollout(phase=Phase.SETTLED, entered=1.0)}))
        if self.shadowed is not None:
            lanes = lanes.with_shadows(self.shadowed, self.shadowed.version)
        assert lanes_from_bytes(lanes_to_bytes(lanes)) == lanes


def test_what_gets_copies_is_loaded_and_what_is_shown_changes_with_its_version() -> None:
    SEEN.clear()
    run_state_machine_as_test(
        Shadows,
        settings=settings(
            max_examples=150,
            stateful_step_count=40,
            derandomize=True,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    assert not [what for what in REACHED if not SEEN[what]], SEEN


def shadow(number: int, share: int) -> Shadow:
    return Shadow(number=number, key=NEXT.routing_key, basis_points=share, entered=1.0)


def test_a_larger_share_has_all_that_a_smaller_one_has() -> None:
    shadows = tuple(shadow(number, share) for number, share in enumerate((2_500, 0, 500, 2_500)))
    of = Shadowed(objective=OBJECTIVE, primary=DEFAULT.routing_key, deadline=1.0, shadows=shadows)
    routes = special_routes(None, of)

    def told(route: SpecialRoute) -> tuple[int, str]:
        return route.basis_points, dict(route.headers)["x-lightbulb-compare"]

    assert [told(each) for each in routes] == [(500, "0,2,3"), (2_500, "0,3")]
    assert [[mirror.cluster for mirror in each.mirrors] for each in routes] == [
        ["shadow/0", "shadow/2", "shadow/3"],
        ["shadow/0", "shadow/3"],
    ]


def test_a_copy_brings_the_parameters_that_differ_from_the_primarys() -> None:
    own = [{"k": 5, "same": 1, "own": "x"}, {"k": 10, "same": 1, "theirs": True}, {"k": 10, "same": 1.0}]
    models = tuple(
        replace(model, parameters=parameters)
        for model, parameters in zip((NEXT, DEFAULT, PLAIN.models[1]), own, strict=True)
    )
    table = replace(PLAIN, models=models, default_model=1)
    now = stage(table)
    assert now.primary == DEFAULT.routing_key
    assert now.parameters(NEXT.routing_key) == '{"k": 5, "own": "x", "theirs": null}'
    assert now.parameters(models[2].routing_key) == '{"same": 1.0, "theirs": null}'
    assert now.parameters(now.primary) == ""
    twice = replace(DEFAULT, parameters={"k": 99})
    assert stage(replace(table, models=(*models, twice))).parameters(NEXT.routing_key) == now.parameters(
        NEXT.routing_key
    )
    begun = operations.start(None, wanted(noise_floor=True), now, At(1.0, 2))
    assert [each.parameters for each in begun.shadows] == [now.parameters(NEXT.routing_key), ""]
    changed = beside(begun, stage(replace(table, models=(NEXT, *models[1:])), 2), At(2.0, 3))
    assert changed.version == 3
    assert changed.shadows[0].parameters == '{"k": null, "same": null, "theirs": null}'
    many = replace(NEXT, parameters={"long": "x" * 5_000})
    ended = beside(begun, stage(replace(table, models=(many, *models[1:])), 2), At(2.0, 3))
    assert [each.stopped for each in ended.shadows] == [True, False]
    with pytest.raises(ControlRefused, match="longer than 4096 characters"):
        operations.start(None, wanted(), stage(replace(table, models=(many, *models[1:]))), At(1.0, 2))


@pytest.mark.parametrize(
    ("size", "at_once"), [(1024, 256), (256 * 1024, 256), (1024 * 1024, 64), (16 * 1024 * 1024, 4)]
)
def test_the_larger_the_bodies_the_fewer_are_under_way(size: int, at_once: int) -> None:
    assert replace(shadow(1, 1), max_body=size).most_copies == at_once


@pytest.mark.parametrize(("deadline", "lasts"), [(0.0, 10.0), (0.05, 1.0), (3.0, 3.0), (60.0, 10.0)])
def test_a_copy_may_take_as_long_as_callers_wait(deadline: float, lasts: float) -> None:
    of = Shadowed(objective=OBJECTIVE, primary=DEFAULT.routing_key, deadline=deadline)
    assert copying(of, shadow(1, 1)).seconds == lasts
