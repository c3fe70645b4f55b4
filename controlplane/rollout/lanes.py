"""Every tenant's rollout, side by side: what the store's head is. Pure.

A lane is one tenant's rollout. Numbers of generations are one sequence over all lanes, and each is of one
tenant, so what is keyed by number needs no tenant beside it. What a lane does changes nothing of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from controlplane.lifecycle.shadow import NOTHING_SHADOWED, ByObjective, Shadowed
from controlplane.lifecycle.state import (
    NO_CONTROLS,
    NO_HOLD_BACKS,
    NO_NEW_DEFAULTS,
    NOTHING_BEGUN,
    AllBegun,
    Begun,
    Control,
    Controls,
    HoldBack,
    HoldBacks,
    NewDefault,
    NewDefaults,
)
from controlplane.rollout.handover import NO_HANDOVERS, Handover, Handovers, settled
from controlplane.rollout.state import Rollout

T = TypeVar("T")

NO_ROLLOUTS: Mapping[str, Rollout] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Lanes:
    """Tenant -> its rollout, sorted by tenant. A tenant that never published has none.

    `platform` is the platform's generation that holds; 0: none was published, so there is one tenant alone.
    `handovers` are of objectives that go from one tenant to another, or did; `controls` of those about which
    an operator decided something, `held_back` of those that are answered from an older generation, and
    `shadows` of those whose requests are copied.
    `begun` says which tables had the shift begun that their own rules say, and `new_defaults` are those that
    are judged.
    """

    rollouts: Mapping[str, Rollout] = field(default_factory=lambda: NO_ROLLOUTS)
    platform: int = 0
    handovers: Handovers = field(default_factory=lambda: NO_HANDOVERS)
    controls: Controls = field(default_factory=lambda: NO_CONTROLS)
    held_back: HoldBacks = field(default_factory=lambda: NO_HOLD_BACKS)
    shadows: ByObjective = field(default_factory=lambda: NOTHING_SHADOWED)
    begun: AllBegun = field(default_factory=lambda: NOTHING_BEGUN)
    new_defaults: NewDefaults = field(default_factory=lambda: NO_NEW_DEFAULTS)

    def __iter__(self) -> Iterator[tuple[str, Rollout]]:
        """Yield each tenant and its rollout."""
        return iter(self.rollouts.items())

    def of(self, tenant: str) -> Rollout | None:
        """Return a tenant's rollout; None when it never published."""
        return self.rollouts.get(tenant)

    def after(self, tenant: str, rollout: Rollout) -> Lanes:
        """Return the lanes once `tenant` has come to `rollout`; the others are as they are.

        What it takes from another is its own as soon as the generation is active that it comes with.
        """
        return replace(
            self,
            rollouts=_with(self.rollouts, tenant, rollout),
            handovers=settled(self.handovers, tenant, rollout) if self.handovers else self.handovers,
        )

    def with_handover(self, handover: Handover) -> Lanes:
        """Return the lanes with what is known of one objective's handover."""
        return replace(self, handovers=_with(self.handovers, handover.objective, handover))

    def without_handover(self, objective: str) -> Lanes:
        """Return the lanes in which nothing is known of a handover of an objective."""
        return replace(self, handovers=_without(self.handovers, objective))

    def with_control(self, control: Control, version: int) -> Lanes:
        """Return the lanes with what is decided about one objective in the head of that version."""
        following = replace(self, controls=_with(self.controls, control.objective, control))
        return following.shown_anew(control.tenant, version) if control.version == version else following

    def without_control(self, control: Control, version: int) -> Lanes:
        """Return the lanes in which nothing is decided about an objective any more."""
        following = replace(self, controls=_without(self.controls, control.objective))
        return following.shown_anew(control.tenant, version)

    def with_hold_back(self, hold_back: HoldBack, version: int) -> Lanes:
        """Return the lanes with an objective that is held back, as decided in the head of that version."""
        following = replace(self, held_back=_with(self.held_back, hold_back.objective, hold_back))
        return following.shown_anew(hold_back.tenant, version) if hold_back.version == version else following

    def without_hold_back(self, objective: str) -> Lanes:
        """Return the lanes in which an objective isn't held back any more, which is shown already."""
        return replace(self, held_back=_without(self.held_back, objective))

    def with_shadows(self, shadowed: Shadowed, version: int) -> Lanes:
        """Return the lanes with an objective's shadows, as decided in the head of that version."""
        following = replace(self, shadows=_with(self.shadows, shadowed.objective, shadowed))
        return following.shown_anew(shadowed.tenant, version) if shadowed.version == version else following

    def without_shadows(self, objective: str) -> Lanes:
        """Return the lanes in which an objective has no shadows any more, which is shown already."""
        return replace(self, shadows=_without(self.shadows, objective))

    def with_begun(self, begun: Begun) -> Lanes:
        """Return the lanes with which tables of an objective had their own shift begun."""
        return replace(self, begun=_with(self.begun, begun.objective, begun))

    def without_begun(self, objective: str) -> Lanes:
        """Return the lanes in which that is forgotten."""
        return replace(self, begun=_without(self.begun, objective))

    def has_number(self, number: int) -> bool:
        """Say whether a shift or a new default has a number: there is one of each."""
        shifts = (each.shift.number for each in self.controls.values())
        return number in {*shifts, *(each.number for each in self.new_defaults.values())}

    def with_new_default(self, new: NewDefault, version: int) -> Lanes:
        """Return the lanes with a default that is judged; in the head of its number sidecars count it."""
        following = replace(self, new_defaults=_with(self.new_defaults, new.objective, new))
        return following.shown_anew(new.tenant, version) if new.number == version else following

    def without_new_default(self, new: NewDefault, version: int) -> Lanes:
        """Return the lanes in which a default isn't judged any more, nor counted."""
        following = replace(self, new_defaults=_without(self.new_defaults, new.objective))
        return following.shown_anew(new.tenant, version) if new.number else following

    def shown_anew(self, tenant: str, version: int) -> Lanes:
        """Return the lanes once something else of a tenant's is shown, which no rollout changed."""
        rollout = self.rollouts.get(tenant)
        if rollout is None or rollout.desired_version == version:
            return self
        return self.after(tenant, replace(rollout, desired_version=version))

    @property
    def needed(self) -> frozenset[int]:
        """Generations whose plans are needed to show all this."""
        needed = frozenset().union(*(rollout.needed for rollout in self.rollouts.values()))
        return needed | {self.platform} - {0}

    @property
    def desired_version(self) -> int:
        """The version at which what any consumer should have last changed."""
        return max((rollout.desired_version for rollout in self.rollouts.values()), default=0)

    @property
    def begins_again(self) -> bool:
        """Whether some lane's generation is loaded and routed again, since the store lost others."""
        return any(rollout.again for rollout in self.rollouts.values())

    @property
    def routed(self) -> Mapping[str, tuple[int, ...]]:
        """Tenant -> generations whose keys sidecars have."""
        return {tenant: rollout.routed for tenant, rollout in self.rollouts.items()}

    def tenant_of(self, generation: int) -> str:
        """Return whose a generation is that some lane needs; empty when none does."""
        return next((name for name, rollout in self.rollouts.items() if generation in rollout.needed), "")


def _with(of: Mapping[str, T], name: str, value: T) -> Mapping[str, T]:
    """Return what there is by name with one more, or another one of that name, sorted."""
    changed = {**of, name: value}
    return MappingProxyType({each: changed[each] for each in sorted(changed)})


def _without(of: Mapping[str, T], name: str) -> Mapping[str, T]:
    return MappingProxyType({each: value for each, value in of.items() if each != name})


NO_LANES = Lanes()
