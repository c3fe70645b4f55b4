"""What operators do to shadows. Pure: each takes what stands, and returns what stands then.

An operation that changes nothing returns what it was given, so that it may be repeated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from controlplane.lifecycle.events import model_of
from controlplane.lifecycle.operations import At, ControlRefused, NotServed
from controlplane.lifecycle.shadow import (
    DEFAULT_BODY,
    LEAST_BODY,
    MAX_BODY,
    MAX_LASTS,
    MAX_PAIRS,
    MAX_PARAMETERS,
    MAX_SHADOWS,
    Ends,
    Shadow,
    Shadowed,
)
from controlplane.lifecycle.state import MAX_WHY, percent
from lightbulb.model import BASIS_POINTS, EMPTY, ModelTarget, ObjectiveTable, Value, model_id


class InvalidShadow(ControlRefused):
    """A share or an end that no shadow can have; `path` is the field that is wrong."""

    def __init__(self, message: str, *, objective: str, path: str) -> None:
        """Hold a message, the objective and the field."""
        super().__init__(message, objective=objective)
        self.path = path


class NoShadow(ControlRefused):
    """A verb for a shadow that there isn't."""


class ShadowStands(ControlRefused):
    """A start of a shadow that stands already, with other settings."""


class TooManyShadows(ControlRefused):
    """A start while the objective has as many as it may."""


class OfItself(ControlRefused):
    """A shadow of the very model whose requests are copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedShadow:
    """A shadow as it is asked for. `version` empty: the only one there is of that model."""

    objective: str
    model: str
    version: str = ""
    basis_points: int
    noise_floor: bool = False
    max_body: int = DEFAULT_BODY
    ends: Ends = field(default=Ends())
    author: str = ""
    tenant: str
    part: int = 0
    """Tells those apart that begin in one version of the head."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """An objective as it is answered, as far as a shadow has to do with it.

    `generation` is the active one. `tables` are the objective's that users are answered from: that of what
    it is held back to, if it is, then the active one's. `primary` is the key of whoever no rule is meant for.
    """

    generation: int
    tables: tuple[ObjectiveTable, ...]
    primary: str

    @cached_property
    def models(self) -> Mapping[str, ModelTarget]:
        """Every model that is loaded and routed for them, by its key: as most users get it."""
        found: dict[str, ModelTarget] = {}
        for table in reversed(self.tables):
            default = table.models[table.default_model]
            found |= {model.routing_key: model for model in (*reversed(table.models), default)}
        return found

    def has(self, key: str) -> bool:
        """Say whether a key is loaded and routed."""
        return key in self.models

    def parameters(self, key: str) -> str:
        """Return a model's parameters where they are others than the primary's, as JSON; empty: nowhere."""
        own, primary = self._own_parameters(key), self._own_parameters(self.primary)
        others: dict[str, Value | None] = {
            name: value for name, value in own.items() if not _is_equal(value, primary.get(name))
        }
        others |= dict.fromkeys(primary.keys() - own.keys())
        return json.dumps(others, sort_keys=True) if others else ""

    def _own_parameters(self, key: str) -> Mapping[str, Value]:
        return self.models[key].parameters if key in self.models else EMPTY

    @property
    def deadline(self) -> float:
        """How many seconds the objective's callers wait."""
        return max((table.deadline for table in self.tables), default=1.0)


def _is_equal(one: Value, other: Value | None) -> bool:
    """Say whether two parameters are the same to a model: 1, 1.0 and true aren't."""
    return type(one) is type(other) and one == other


def start(before: Shadowed | None, wanted: WantedShadow, stage: Stage, at: At) -> Shadowed:
    """Return the objective's shadows with one more, and with its noise floor if that is wanted.

    Raises ControlRefused.
    """
    check_start(wanted)
    target = _target(wanted, stage)
    of_itself = target.routing_key == stage.primary
    if of_itself and not wanted.noise_floor:
        raise OfItself(
            f"{wanted.objective}: {_named(target)} is what is copied, so there is nothing to compare; to "
            "learn how much two answers of it differ, say --noise-floor",
            objective=wanted.objective,
        )
    standing = () if before is None else before.standing
    new = [
        _shadow(wanted, key, stage.parameters(key), is_noise=is_noise, at=at)
        for key, is_noise in ((target.routing_key, False), (stage.primary, True))
        if (wanted.noise_floor if is_noise else not of_itself)
    ]
    missing = [each for each in new if not any(_is_same(each, other) for other in standing)]
    if before is not None and not missing:
        return before
    _check_room(wanted.objective, standing, missing)
    shadows = () if before is None else before.shadows
    return Shadowed(
        objective=wanted.objective,
        tenant=wanted.tenant,
        primary=stage.primary,
        deadline=stage.deadline,
        shadows=(*shadows, *missing),
        version=at.version,
    )


def check_start(wanted: WantedShadow) -> None:
    """Raise InvalidShadow for a share, an end or a size that no shadow can have."""
    _check_share(wanted.objective, wanted.basis_points, "start.basis_points")
    _check_ends(wanted.objective, wanted.ends, "start")
    if not LEAST_BODY <= wanted.max_body <= MAX_BODY:
        raise InvalidShadow(
            f"{wanted.objective}: bodies up to {wanted.max_body} bytes can't be copied: say {LEAST_BODY} "
            f"to {MAX_BODY}",
            objective=wanted.objective,
            path="start.max_body",
        )


def _check_share(objective: str, basis_points: int, path: str) -> None:
    if not 0 <= basis_points <= BASIS_POINTS:
        raise InvalidShadow(
            f"{objective}: {percent(basis_points)}: a share is of 0 to 100 %", objective=objective, path=path
        )


def _check_ends(objective: str, ends: Ends, path: str) -> None:
    if not 0 <= ends.pairs <= MAX_PAIRS:
        raise InvalidShadow(
            f"{objective}: a shadow ends after 1 to {MAX_PAIRS:,} pairs, not {ends.pairs:,}",
            objective=objective,
            path=f"{path}.pairs",
        )
    if ends.lasts and not 1.0 <= ends.lasts <= MAX_LASTS:
        raise InvalidShadow(
            f"{objective}: a shadow ends after 1 second to {MAX_LASTS / 86_400:g} days",
            objective=objective,
            path=f"{path}.lasts",
        )


def _target(wanted: WantedShadow, stage: Stage) -> ModelTarget:
    """Return the model that is to get copies. Raises NotServed."""
    objective = wanted.objective
    if not stage.tables:
        raise NotServed(
            f"{wanted.tenant} serves no objective {objective} in generation {stage.generation}; "
            "`lightbulb status` says what is active",
            objective=objective,
        )
    named = [each for each in stage.models.values() if each.name == wanted.model]
    found = [each for each in named if wanted.version in {"", each.version}]
    if len(found) == 1:
        return found[0]
    there = ", ".join(sorted(map(_named, stage.models.values())))
    if found:
        raise NotServed(
            f"{objective} has several versions of {wanted.model}: say which of {there}", objective=objective
        )
    asked = model_id(wanted.model, wanted.version) if wanted.version else wanted.model
    raise NotServed(
        f"{objective}: {asked} isn't loaded in generation {stage.generation}, only {there} are; publish a "
        "rule that names it and gives it to nobody: a shift of 0 %",
        objective=objective,
    )


def _named(target: ModelTarget) -> str:
    return model_id(target.name, target.version)


def _shadow(wanted: WantedShadow, key: str, parameters: str, *, is_noise: bool, at: At) -> Shadow:
    if len(parameters) > MAX_PARAMETERS:
        raise NotServed(
            f"{wanted.objective}: what {model_of(key)} has for parameters in place of the primary's is "
            f"longer than {MAX_PARAMETERS} characters, and a copy can't be sent with it",
            objective=wanted.objective,
        )
    return Shadow(
        parameters=parameters,
        number=at.version,
        part=wanted.part,
        key=key,
        is_noise=is_noise,
        basis_points=wanted.basis_points,
        max_body=wanted.max_body,
        pairs=wanted.ends.pairs,
        until=at.now + wanted.ends.lasts if wanted.ends.lasts else 0.0,
        entered=at.now,
        author=wanted.author,
    )


def _is_same(new: Shadow, standing: Shadow) -> bool:
    """Say whether a shadow stands as it is wanted. Raises ShadowStands for one that is otherwise."""
    if (new.key, new.is_noise) != (standing.key, standing.is_noise):
        return False
    asked = (new.basis_points, new.max_body, new.pairs, bool(new.until))
    there = (standing.basis_points, standing.max_body, standing.pairs, bool(standing.until))
    if asked == there or new.is_noise:
        return True
    objective = new.key.partition("|")[0]
    raise ShadowStands(
        f"{objective} has shadow {standing.id} of {model_of(standing.key)}, at "
        f"{percent(standing.basis_points)}; to change that: lightbulb shadow set {objective} "
        f"{model_of(standing.key)}",
        objective=objective,
    )


def _check_room(objective: str, standing: Sequence[Shadow], new: Sequence[Shadow]) -> None:
    if len(standing) + len(new) <= MAX_SHADOWS:
        return
    there = ", ".join(f"{each.id} of {model_of(each.key)}" for each in standing)
    raise TooManyShadows(
        f"{objective} has shadows {there}, and may have {MAX_SHADOWS}: stop one: lightbulb shadow stop "
        f"{objective} MODEL",
        objective=objective,
    )


def change(  # noqa: PLR0913, PLR0917 - what is changed, and of what
    before: Shadowed, model: str, version: str, basis_points: int | None, ends: Ends | None, at: At
) -> Shadowed:
    """Return the shadows with another share, or another end, of those of a model; empty: of all.

    None leaves it as it is. Raises NoShadow, InvalidShadow.
    """
    if basis_points is not None:
        _check_share(before.objective, basis_points, "set.basis_points")
    if ends is not None:
        _check_ends(before.objective, ends, "set")
    chosen = {each.id for each in _chosen(before, model, version)}

    def changed(shadow: Shadow) -> Shadow:
        if shadow.id not in chosen:
            return shadow
        share = shadow.basis_points if basis_points is None else basis_points
        if share != shadow.basis_points:
            shadow = replace(shadow, basis_points=share, in_force=0.0)
        if ends is not None:
            shadow = replace(shadow, pairs=ends.pairs, until=at.now + ends.lasts if ends.lasts else 0.0)
        return shadow

    after = tuple(map(changed, before.shadows))
    shown = [(each.id, each.basis_points) for each in after] != [
        (each.id, each.basis_points) for each in before.shadows
    ]
    return replace(before, shadows=after, version=at.version if shown else before.version)


def stop(before: Shadowed, model: str, version: str, at: At, why: str = "") -> Shadowed:
    """Return the shadows with those of a model stopped; empty: with all. Raises NoShadow."""
    return stopped(before, {each.id: why for each in _chosen(before, model, version)}, at)


def stopped(before: Shadowed, why: dict[str, str], at: At) -> Shadowed:
    """Return the shadows with some stopped, by id, and why; of those that are, nothing changes."""
    if not any(each.id in why for each in before.standing):
        return before
    shadows = tuple(
        replace(each, stopped=True, entered=at.now, in_force=0.0, why=why[each.id][:MAX_WHY])
        if each.id in why and not each.stopped
        else each
        for each in before.shadows
    )
    return replace(before, shadows=shadows, version=at.version)


def _chosen(before: Shadowed, model: str, version: str) -> tuple[Shadow, ...]:
    """Return the shadows of a model, each with the noise floor that was started with it."""
    if not model:
        return before.shadows
    numbers = {
        (each.number, each.part)
        for each in before.shadows
        if model_of(each.key).rpartition("@")[0] == model
        and (not version or model_of(each.key) == model_id(model, version))
    }
    if not numbers:
        there = ", ".join(model_of(each.key) for each in before.standing) or "none"
        asked = model_id(model, version) if version else model
        raise NoShadow(
            f"{before.objective} has no shadow of {asked}; it has {there}", objective=before.objective
        )
    return tuple(each for each in before.shadows if (each.number, each.part) in numbers)
