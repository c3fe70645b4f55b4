"""What a rule function returned, as one of the five kinds of rule; nothing is looked up yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar, cast

from controlplane.problems import Problem, problem_at
from controlplane.rules.condition import read_condition
from controlplane.rules.oddities import unfit
from controlplane.rules.sandbox import RawRule
from controlplane.rules.shadows import SHADOW_WORDS, read_ends, read_max_body, read_noise_floor
from controlplane.rules.stepped import PROBATION_WORDS, STEP_WORDS, read_probation, read_schedule
from controlplane.rules.unit import read_unit
from controlplane.rules.yaml_file import Misfit, hint
from lightbulb.model import BASIS_POINTS, EMPTY, Condition, Probation, Schedule, Source, Value
from lightbulb.rpc.enrich import is_reserved

T = TypeVar("T")

_CELL = re.compile(r"[1-9][0-9]{0,8}")

COMMON = ("targetObjectives", "modelInputType", "modelType")
KINDS: Mapping[str, tuple[str, ...]] = {
    "cellToModel": ("abTestId", "priority"),
    "defaultModel": PROBATION_WORDS,
    "when": ("model", "priority"),
    "shift": (),
    "permitOverrides": ("clients",),
    "shadow": (),
}
"""The key that tells a rule's kind -> the other keys of that kind."""

_TOGETHER: Mapping[frozenset[str], str] = {
    frozenset({"when", "shift"}): "put when into shift: {from, to, percent, when}",
    frozenset({"when", "cellToModel"}): "say who may be in the test by its eligible in experiments.yaml",
}
"""Kinds that an author takes for one -> what was probably meant."""


_SHARE_WORDS = ("percent", "salt", "unit", "when")
_MISPLACED: Mapping[bool, tuple[tuple[str, ...], str, str]] = {
    True: (
        _SHARE_WORDS,
        "a shift with a schedule is of all users, by its steps",
        "leave it out, or write percent in place of schedule",
    ),
    False: (
        STEP_WORDS,
        "it is of a shift with a schedule",
        "write schedule: [5, 25, 50, 100] in place of percent, or leave it out",
    ),
}
"""In a shift with a schedule, and in one without: words of the other, why they aren't its, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """A model that a rule names; an empty version means the only one."""

    name: str
    version: str = ""
    parameters: Mapping[str, Value] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every rule says."""

    source: Source
    objectives: tuple[str, ...]
    input_type: str
    model_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AbTest(Common):
    """Cells of an A/B test -> models."""

    test_id: str
    cells: Mapping[int, ModelRef]
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Default(Common):
    """The model of an objective when nothing else applies; `probation`: how it is judged while it is new."""

    model: ModelRef
    probation: Probation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextCondition(Common):
    """The model for contexts that meet a condition."""

    when: Condition
    model: ModelRef
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift(Common):
    """A part of the users, of those who meet `when`, goes to another model; or all, by a `schedule`."""

    start: ModelRef
    end: ModelRef
    basis_points: int
    salt: str
    unit: str
    when: Condition | None
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides(Common):
    """Models that clients may ask for."""

    models: tuple[ModelRef, ...]
    clients: tuple[str, ...] | None
    """None: every client may. Empty: none may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow(Common):
    """A model that gets copies of the requests to the default, as `lightbulb shadow start` has it."""

    model: ModelRef
    basis_points: int
    noise_floor: bool
    max_body: int
    pairs: int
    lasts: float


Rule = AbTest | Default | ContextCondition | Shift | Overrides | Shadow


def read_rules(raw: Iterable[RawRule], problems: list[Problem]) -> tuple[Rule, ...]:
    """Return every rule that has a rule's shape; what is wrong with the others is added to `problems`."""
    rules = []
    for each in raw:
        try:
            rules.append(_Reader(each.source, problems).rule(each.value))
        except Misfit:
            continue
    return tuple(rules)


class _Reader:
    """Reads one rule; each misfit is a problem with its path in what the function returned.

    Reading goes on after one, with anything in its place, so that all of a rule's are noted.
    """

    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self._source = source
        self._problems = problems
        self._good = True

    def complain(self, path: str, message: str, remedy: str, code: str = "SHAPE") -> Misfit:
        self._problems.append(problem_at(self._source, code, f"{path}: {message}", remedy))
        return Misfit()

    def rule(self, data: object) -> Rule:
        """Return the rule; raise Misfit once all that is wrong with it has been noted."""
        if not isinstance(data, dict):
            raise self.complain("the result", "not an object", "return a rule")
        kinds = [kind for kind in KINDS if kind in data]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none of them"
            remedy = _TOGETHER.get(frozenset(kinds), f"return one of {', '.join(KINDS)}")
            raise self.complain("the result", f"has {found}", remedy)
        kind = kinds[0]
        known = (*COMMON, kind, *KINDS[kind])
        for key in sorted(data.keys() - set(known)):
            self.complain(key, "unknown key", hint(key, known, self._problems), "UNKNOWN_KEY")
        common = Common(
            source=self._source,
            objectives=self._take(self._names, data.get("targetObjectives"), "targetObjectives"),
            input_type=self._take(self._text, data.get("modelInputType"), "modelInputType"),
            model_type=self._take(self._text, data.get("modelType"), "modelType"),
        )
        rule = self._of_kind(kind, data, common)
        if not self._good:
            raise Misfit
        return rule

    def _take(self, read: Callable[[object, str], T], data: object, path: str) -> T:
        """Return what `read` makes of `data`; anything when it is a misfit."""
        try:
            return read(data, path)
        except Misfit:
            self._good = False
            return cast("T", None)

    def _of_kind(self, kind: str, data: Mapping[str, object], common: Common) -> Rule:
        shared = {
            "source": common.source,
            "objectives": common.objectives,
            "input_type": common.input_type,
            "model_type": common.model_type,
        }
        match kind:
            case "cellToModel":
                return AbTest(
                    **shared,  # type: ignore[arg-type] # the fields of Common
                    test_id=self._take(self._id, data.get("abTestId"), "abTestId"),
                    cells=self._take(self._cells, data["cellToModel"], "cellToModel"),
                    priority=self._take(self._priority, data.get("priority", 0), "priority"),
                )
            case "defaultModel":
                model = self._take(self._model, data["defaultModel"], "defaultModel")
                return Default(
                    **shared,  # type: ignore[arg-type]
                    model=model,
                    probation=read_probation(data, self.complain),
                )
            case "when":
                return ContextCondition(
                    **shared,  # type: ignore[arg-type]
                    when=self._take(self._condition, data["when"], "when"),
                    model=self._take(self._model, data.get("model"), "model"),
                    priority=self._take(self._priority, data.get("priority", 0), "priority"),
                )
            case "shift":
                return self._shift(data["shift"], shared)
            case "shadow":
                return self._shadow(data["shadow"], shared)
            case _:
                return Overrides(
                    **shared,  # type: ignore[arg-type]
                    models=self._take(self._models, data["permitOverrides"], "permitOverrides"),
                    clients=self._take(self._clients, data["clients"], "clients")
                    if "clients" in data
                    else None,
                )

    def _shift(self, data: object, shared: Mapping[str, object]) -> Shift:
        fields = self._object(data, "shift", ("from", "to", *_SHARE_WORDS, *STEP_WORDS))
        stepped = "schedule" in fields
        words, why, remedy = _MISPLACED[stepped]
        for word in words:
            if word in fields:
                self.complain(f"shift.{word}", why, remedy)
        return Shift(
            **shared,  # type: ignore[arg-type]
            start=self._take(self._model, fields.get("from"), "shift.from"),
            end=self._take(self._model, fields.get("to"), "shift.to"),
            basis_points=0
            if stepped
            else self._take(self._basis_points, fields.get("percent"), "shift.percent"),
            salt=self._take(self._text, fields["salt"], "shift.salt") if "salt" in fields else "",
            unit=self._take(self._unit, fields["unit"], "shift.unit") if "unit" in fields else "",
            when=self._take(self._condition, fields["when"], "shift.when") if "when" in fields else None,
            schedule=self._schedule(fields) if stepped else None,
        )

    def _shadow(self, data: object, shared: Mapping[str, object]) -> Shadow:
        fields = self._object(data, "shadow", ("model", "percent", *SHADOW_WORDS))
        ends = read_ends(fields, self.complain)
        return Shadow(
            **shared,  # type: ignore[arg-type]
            model=self._take(self._model, fields.get("model"), "shadow.model"),
            basis_points=self._take(self._basis_points, fields.get("percent"), "shadow.percent"),
            noise_floor=read_noise_floor(fields, self.complain),
            max_body=read_max_body(fields, self.complain),
            pairs=ends.pairs,
            lasts=ends.lasts,
        )

    def _schedule(self, fields: Mapping[str, object]) -> Schedule | None:
        steps = self._take(self._shares, fields["schedule"], "shift.schedule")
        return read_schedule(fields, steps, self.complain) if self._good else None

    def _unit(self, data: object, path: str) -> str:
        return read_unit(self._text(data, path), lambda message, remedy: self.complain(path, message, remedy))

    def _condition(self, data: object, path: str) -> Condition:
        return read_condition(data, path, self.complain)

    def _basis_points(self, percent: object, path: str) -> int:
        if not isinstance(percent, int | float) or isinstance(percent, bool) or not 0 <= percent <= 100:
            raise self.complain(path, "not a number from 0 to 100", "write for example 25")
        exact = Decimal(repr(percent)) * 100  # the shortest decimal that is this number: what was written
        if exact % 1:
            nearest = f"{min(max(round(percent, 2), 0.01), 99.99):g}"
            raise self.complain(path, f"{percent} has more than two decimals", f"write for example {nearest}")
        return int(exact)

    def _shares(self, data: object, path: str) -> tuple[int, ...]:
        return self._each(self._basis_points, data, path)

    def _cells(self, data: object, path: str) -> Mapping[int, ModelRef]:
        if not isinstance(data, dict) or not data:
            raise self.complain(path, "not an object of cells", "write {1: {name: ...}, ...}")
        cells = {}
        for key, value in data.items():
            model = self._take(self._model, value, f"{path}.{key}")
            cells[self._take(self._cell, key, f"{path}.{key}")] = model
        return cells

    def _cell(self, key: object, path: str) -> int:
        if not isinstance(key, str) or not _CELL.fullmatch(key):
            plain = key.lstrip("0") if isinstance(key, str) and key.isdecimal() and key.isascii() else ""
            remedy = f"write {plain}" if _CELL.fullmatch(plain) else "use the test's cell numbers, from 1"
            raise self.complain(path, "not a cell number", remedy)
        return int(key)

    def _models(self, data: object, path: str) -> tuple[ModelRef, ...]:
        return self._each(self._model, data, path)

    def _model(self, data: object, path: str) -> ModelRef:
        fields = self._object(data, path, ("name", "version", "parameters"))
        return ModelRef(
            name=self._take(self._text, fields.get("name"), f"{path}.name"),
            version=self._take(self._text, fields["version"], f"{path}.version")
            if "version" in fields
            else "",
            parameters=self._take(self._parameters, fields.get("parameters", {}), f"{path}.parameters"),
        )

    def _parameters(self, data: object, path: str) -> Mapping[str, Value]:
        parameters = self._object(data, path, None)
        for name in parameters:
            self._take(self._text, name, f"a name in {path}")
        reserved = [name for name in sorted(parameters) if is_reserved(name)]
        for name in reserved:
            message = "inference servers keep this name for themselves"
            self.complain(f"{path}.{name}", message, "rename it", "RESERVED_PARAMETER")
        if reserved:
            raise Misfit
        return {
            name: self._take(self._parameter, parameters[name], f"{path}.{name}")
            for name in sorted(parameters)
        }

    def _parameter(self, value: object, path: str) -> Value:
        if not isinstance(value, bool | int | float | str):
            raise self.complain(path, "not a scalar", "pass a text, number or boolean")
        return value

    def _object(self, data: object, path: str, known: tuple[str, ...] | None) -> Mapping[str, object]:
        if not isinstance(data, dict):
            raise self.complain(path, "not an object" if data is not None else "missing", "write {...}")
        for key in sorted(data.keys() - set(known or data)):
            remedy = hint(key, known or (), self._problems)
            self.complain(f"{path}.{key}", "unknown key", remedy, "UNKNOWN_KEY")
        return data

    def _each(self, read: Callable[[object, str], T], data: object, path: str) -> tuple[T, ...]:
        """Return what `read` makes of each item of a list."""
        if not isinstance(data, list):
            raise self.complain(path, "not a list" if data is not None else "missing", "write [...]")
        return tuple(self._take(read, each, f"{path}[{index}]") for index, each in enumerate(data))

    def _names(self, data: object, path: str) -> tuple[str, ...]:
        names = self._clients(data, path)
        if not names:
            raise self.complain(path, "empty", "name at least one")
        return names

    def _clients(self, data: object, path: str) -> tuple[str, ...]:
        return self._each(self._text, data, path)

    def _text(self, data: object, path: str) -> str:
        if not isinstance(data, str) or not data:
            raise self.complain(path, "missing" if data is None else "not a text", "write a text")
        fault = unfit(data)
        if fault:
            raise self.complain(path, fault, "write a short text without it")
        return data

    def _id(self, data: object, path: str) -> str:
        if isinstance(data, bool) or not isinstance(data, int | str) or data == "":
            raise self.complain(path, "not a test's id", "write the id that experiments.yaml has")
        return str(data)

    def _priority(self, priority: object, path: str) -> int:
        if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > BASIS_POINTS:
            raise self.complain(path, "not a whole number up to 10000", "write for example 10")
        return priority
