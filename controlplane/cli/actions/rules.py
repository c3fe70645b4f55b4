"""Says what is wrong with a workspace, all of it at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from controlplane.cli.actions.types import types_doubt
from controlplane.cli.columns import print_columns
from controlplane.cli.output import print_json
from controlplane.cli.problems import BadWorkspace, counted, print_warnings, problem_document
from controlplane.cli.remembered import remembered
from controlplane.cli.shares import percents
from controlplane.model import RuleSet, Workspace
from controlplane.planning.difference import target_text
from controlplane.planning.layers import layer_of
from controlplane.planning.plan import make_plan
from controlplane.planning.schedules import steps_text
from controlplane.problems import Problem, Severity, WorkspaceError
from controlplane.rules.compile import compile_and_warn, without_collector
from controlplane.rules.effective import EffectiveShares, effective_shares
from controlplane.rules.memory import Memory, name_of
from controlplane.rules.platform import FLEET
from controlplane.rules.workspace import read_workspace
from lightbulb.model import ObjectiveTable, Schedule, ShiftRule, model_id

MIN_WIDTH = 140
"""A narrower terminal wraps the table's lines; better than cutting names short."""

COUNTED = (
    "counted: there are too many classes of contexts; the share of users who have each class of each "
    "attribute equally often is between the two, with 99%"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """The tables of a workspace that can be published, with who gets which model; and its warnings."""

    tables: Sequence[tuple[ObjectiveTable, EffectiveShares]]
    warnings: tuple[Problem, ...]


@without_collector()
def check(folder: Path, *, strict: bool, as_json: bool, fleet: Path | None = None) -> None:
    """Print the problems of a workspace, or what it holds when there is no error. Raises BadWorkspace.

    With `strict`, its warnings are errors. `fleet` is the file that it stands on, where it has none.
    """
    try:
        checked = _checked(folder, fleet, strict=strict)
    except WorkspaceError as error:
        if not as_json:
            raise BadWorkspace(error.problems) from error
        print_json({"objectives": [], "problems": [problem_document(each) for each in error.problems]})
        sys.exit(1)
    if as_json:
        objectives = [_document(*each) for each in checked.tables]
        print_json({"objectives": objectives, "problems": list(map(problem_document, checked.warnings))})
    else:
        print_warnings(checked.warnings)
        _print_summary(checked)
        if fleet is not None:
            _say_unchecked(checked)


def _checked(folder: Path, fleet: Path | None, *, strict: bool) -> _Checked:
    workspace = read_workspace(folder)
    if fleet is not None:
        workspace = _standing_on(workspace, fleet)
    with remembered(folder) as memory:
        compiled = compile_and_warn(workspace, memory=memory)
        warnings = (*compiled.warnings, *types_doubt(folder, workspace, memory))
        _check_room(compiled.rules, workspace, memory)
        tables = compiled.rules.tables
        shares = tuple(effective_shares(tables, compiled.digests, memory))
    if strict and warnings:
        raise WorkspaceError(replace(each, severity=Severity.ERROR) for each in warnings)
    return _Checked(tables=tuple(zip(tables, shares, strict=True)), warnings=warnings)


def _standing_on(workspace: Workspace, fleet: Path) -> Workspace:
    """Return a tenant's workspace with the platform's fleet in it. Raises WorkspaceError."""
    if FLEET in workspace.files:
        remedy = "leave out --fleet, or take the file out"
        twice = Problem(file=FLEET, code="FLEET_OF_PLATFORM", message="it has one of its own", remedy=remedy)
        raise WorkspaceError([twice])
    return Workspace(files={**workspace.files, FLEET: fleet.read_bytes()})


def _check_room(rules: RuleSet, workspace: Workspace, memory: Memory) -> None:
    """Raise WorkspaceError if the fleet has no room for what rules name."""
    wanted = {model_id(each.name, each.version) for table in rules.tables for each in table.models}
    files = (workspace.files["models.yaml"], workspace.files["fleet.yaml"])
    name = name_of("room", *files, *sorted(wanted))
    if not memory.knows(name):
        make_plan(rules)
        memory.remember(name, value=True)


def _document(table: ObjectiveTable, shares: EffectiveShares) -> Mapping[str, Any]:
    return {
        "objective": table.objective,
        "default_model": table.models[table.default_model].name,
        "default_version": table.models[table.default_model].version,
        "judged_for": 0.0 if table.probation is None else table.probation.seconds,
        "judged_by": [] if table.probation is None else list(table.probation.guards.guards),
        "ab_tests": [rule.test_id for rule in table.ab_rules],
        "conditions": len(table.context_rules),
        "shifts": [
            {
                "percent": shift.basis_points / 100,
                "to": table.models[shift.model].name,
                "version": table.models[shift.model].version,
                **_schedule(shift.schedule),
            }
            for shift in table.shifts
        ],
        "overrides": sum(len(rule.models) for rule in table.overrides),
        "users": [
            {
                "model": target_text(table.models[share.model]),
                "least": share.least,
                "most": share.most,
                "exact": not shares.counted,
                "counted": shares.counted,
            }
            for share in shares.models
        ],
    }


def _print_summary(checked: _Checked) -> None:
    header = ("objective", "default", "A/B tests", "conditions", "shift", "overrides")
    console = Console(width=max(Console().width, MIN_WIDTH))
    print_columns(console, header, [_summary(table) for table, _ in checked.tables])
    users = [line for each in checked.tables for line in _users(*each)]
    print_columns(console, ("objective", "users", "get"), users)
    if any(shares.counted for _, shares in checked.tables):
        console.print(COUNTED, highlight=False)
    count = len(checked.tables)
    found = counted(checked.warnings) or "no problems"
    console.print(f"[green]ok[/]: {count} objective{'' if count == 1 else 's'}, {found}")


def _say_unchecked(checked: _Checked) -> None:
    """Say what only a control plane knows, which has the other tenants' tests."""
    salts = {rule.layer_salt for table, _ in checked.tables for rule in table.ab_rules if rule.layer_salt}
    if salts:
        layers = ", ".join(sorted(layer_of(salt)[1] for salt in salts))
        Console(width=MIN_WIDTH).print(
            f"not checked here: whether another tenant has the buckets, if a layer is shared: {layers}; "
            "a publish refuses that",
            markup=False,
            highlight=False,
        )


def _users(table: ObjectiveTable, shares: EffectiveShares) -> Iterator[tuple[str, ...]]:
    """Yield which share of an objective's users gets each model."""
    for share in shares.models:
        told = percents(share.least, share.most, counted=shares.counted)
        yield table.objective, told, target_text(table.models[share.model])


def _summary(table: ObjectiveTable) -> tuple[str, ...]:
    return (
        table.objective,
        _id(table, table.default_model) + (" (judged)" if table.probation is not None else ""),
        ", ".join(rule.test_id for rule in table.ab_rules) or "-",
        str(len(table.context_rules)),
        ", ".join(f"{_share(shift)} to {_id(table, shift.model)}" for shift in table.shifts) or "-",
        str(sum(len(rule.models) for rule in table.overrides)),
    )


def _share(shift: ShiftRule) -> str:
    return f"{shift.basis_points / 100:g}%" if shift.schedule is None else steps_text(shift.schedule)


def _schedule(schedule: Schedule | None) -> Mapping[str, Any]:
    """Return the steps of a shift; of one without, none."""
    guards = None if schedule is None else schedule.guards
    return {
        "schedule": [] if schedule is None else [each / 100 for each in schedule.steps],
        "every": 0.0 if schedule is None else schedule.every,
        "guards": [] if guards is None else list(guards.guards),
    }


def _id(table: ObjectiveTable, index: int) -> str:
    return model_id(table.models[index].name, table.models[index].version)
