"""The YAML files of a workspace, as values: what the platform defines, without the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from controlplane.model import NAME, CellWeight, DefinedSegment, Experiment, Model, Objective, Shard, Tenant
from controlplane.planning.buckets import packed
from controlplane.problems import Problem, has_errors, problem_at
from controlplane.rules.lock_file import LOCK
from controlplane.rules.locked import with_lock
from controlplane.rules.loops import find_loops
from controlplane.rules.memory import Memory, name_of
from controlplane.rules.segments import check_nesting, read_segment, unknown_segments, yaml_condition
from controlplane.rules.unit import read_unit, unit_text
from controlplane.rules.yaml_file import Misfit, YamlFile, hint
from controlplane.rules.yaml_tree import MappingNode, Node, ScalarNode
from lightbulb.model import BASIS_POINTS, Condition

T = TypeVar("T", Objective, Model, Experiment, Shard, DefinedSegment, Tenant)

DEFAULT_CACHE_SECONDS = 60.0
MAX_CELL = 999_999_999
MAX_LOAD_SECONDS = 86_400
"""Of a model: a publish that hangs is given up within a day."""
MAX_SHOWN_CELLS = 8
_NO_CELLS: tuple[CellWeight, ...] = ()
FILES = ("objectives.yaml", "models.yaml", "experiments.yaml", "fleet.yaml", "segments.yaml", LOCK)
OPTIONAL = frozenset({"segments.yaml"})


@dataclass(frozen=True, slots=True)
class Unread:
    """Names that stand in a file, but whose items couldn't be read: nobody shall call them unknown."""

    names: frozenset[str] = frozenset()
    everything: bool = False
    """Not even the names could be read."""

    def __contains__(self, name: object) -> bool:
        return self.everything or name in self.names

    def __bool__(self) -> bool:
        return self.everything or bool(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What rules may refer to, by name or id, in the order of the files."""

    objectives: Mapping[str, Objective]
    models: Mapping[str, Model]
    """By "name@version"."""
    versions: Mapping[str, tuple[str, ...]]
    """Name of a model -> its versions, sorted."""
    experiments: Mapping[str, Experiment]
    shards: Mapping[str, Shard]
    segments: Mapping[str, DefinedSegment]
    unread: Mapping[str, Unread]
    """By the key of each file: objectives, models (by name), experiments, shards, segments."""


def read_definitions(
    files: Mapping[str, bytes], problems: list[Problem], memory: Memory | None = None
) -> Definitions:
    """Return what the files define; whatever is wrong is added to `problems`, and left out.

    A file that `memory` has isn't read again.
    """
    memory = memory or Memory()
    unread: dict[str, Unread] = {}
    objectives = _read(files, "objectives.yaml", "objectives", _objective, problems, unread, memory)
    models = _read(files, "models.yaml", "models", _model, problems, unread, memory)
    experiments = _read(files, "experiments.yaml", "experiments", _experiment, problems, unread, memory)
    locked = _with_lock(experiments, files, problems, unread["experiments"], memory)
    shards = _read(files, "fleet.yaml", "shards", read_shard, problems, unread, memory)
    segments = _read(files, "segments.yaml", "segments", read_segment, problems, unread, memory)
    there = (part for file in FILES if file in files for part in (file, files[file]))
    fits_together = name_of("fits together", *there)
    definitions = memory.hold(
        fits_together,
        lambda: Definitions(
            objectives=objectives,
            models=models,
            versions=_versions(models.values()),
            experiments=locked,
            shards=shards,
            segments=segments,
            unread=unread,
        ),
    )
    if not memory.knows(fits_together):
        before = len(problems)
        _check(definitions, problems)
        if len(problems) == before:
            memory.remember(fits_together, value=True)
    return definitions


def _with_lock(
    experiments: Mapping[str, Experiment],
    files: Mapping[str, bytes],
    problems: list[Problem],
    unread: Unread,
    memory: Memory,
) -> Mapping[str, Experiment]:
    """Return the tests as `with_lock` does; the result is remembered if there is nothing to say."""
    if LOCK not in files:
        return experiments
    name = name_of("locked", files.get("experiments.yaml", b""), files[LOCK])
    known = memory.recall(dict, name)
    if known is not None:
        return known
    before = len(problems)
    found = with_lock(experiments, files, problems, unread=unread)
    if len(problems) == before and not unread:
        memory.remember(name, found)
    return found


def _check(definitions: Definitions, problems: list[Problem]) -> None:
    """Note what doesn't fit together."""
    _check_fleet(definitions, problems)
    _check_dependencies(definitions, problems)
    _check_layers(definitions.experiments, problems)
    check_nesting(definitions.segments, problems)
    _check_segments(definitions, problems)
    check_vips(definitions.shards, problems)
    _check_shard_models(definitions, problems)


def read_experiments(files: Mapping[str, bytes], problems: list[Problem]) -> Mapping[str, Experiment]:
    """Return the tests as experiments.yaml alone says it, by id."""
    return read_items(files, "experiments.yaml", "experiments", _experiment, problems)


def read_items(
    files: Mapping[str, bytes],
    file: str,
    key: str,
    read: Callable[[YamlFile, Node], tuple[str, T]],
    problems: list[Problem],
) -> Mapping[str, T]:
    """Return the items of a file's one list, by name; whatever is wrong is added to `problems`."""
    return _read_anew(files, file, key, read, problems, {})


def _read(  # noqa: PLR0913, PLR0917 - one file
    files: Mapping[str, bytes],
    file: str,
    key: str,
    read: Callable[[YamlFile, Node], tuple[str, T]],
    problems: list[Problem],
    unread: dict[str, Unread],
    memory: Memory,
) -> Mapping[str, T]:
    """Return the items of `file`'s one list, by name; note in `unread` what can't be read."""
    if file not in files and file in OPTIONAL:
        unread[key] = Unread()
        return {}
    name = name_of(key, files.get(file, b""))
    known = memory.recall(dict, name)
    if known is not None:
        unread[key] = Unread()
        return known
    before = len(problems)
    found = _read_anew(files, file, key, read, problems, unread)
    if len(problems) == before:
        memory.remember(name, found)
    return found


def _read_anew(  # noqa: PLR0913, PLR0917 - one file
    files: Mapping[str, bytes],
    file: str,
    key: str,
    read: Callable[[YamlFile, Node], tuple[str, T]],
    problems: list[Problem],
    unread: dict[str, Unread],
) -> Mapping[str, T]:
    unread[key] = Unread(everything=True)
    if file not in files:
        remedy = f"write it: {key}: [...]"
        if file == "fleet.yaml":
            remedy += "; or, where the fleet is the platform's, check with --fleet FILE"
        problems.append(Problem(file=file, code="MISSING_FILE", message="it is not there", remedy=remedy))
        return {}
    yaml_file = YamlFile(file, files[file], problems)
    nodes = _items(yaml_file, key, problems)
    if nodes is None:
        return {}
    found: dict[str, T] = {}
    lost: list[str] = []
    for node in nodes:
        try:
            name, value = read(yaml_file, node)
        except Misfit:
            lost.append(_label(node))
            continue
        if name in found:
            first = found[name].location.line
            yaml_file.problem(node, "DUPLICATE", f"{name} stands on line {first} already", "keep one of them")
            if isinstance(value, Model):
                lost.append(value.name)  # its version may be meant to be another
        else:
            found[name] = value
    unread[key] = Unread(frozenset(lost), everything="" in lost)
    return found


def _items(yaml_file: YamlFile, key: str, problems: list[Problem]) -> Sequence[Node] | None:
    """Return the items of a file's one list; None when there is no list, which is noted."""
    file = yaml_file.file
    if yaml_file.root is None:
        if not has_errors(problem for problem in problems if problem.file == file):
            problems.append(
                Problem(file=file, line=1, code="MISSING_KEY", message="it is empty", remedy=f"add {key}:")
            )
        return None
    try:
        fields = yaml_file.fields(yaml_file.root, "the file", [key])
        nodes = fields.take(key, yaml_file.items)
        fields.finish()
    except Misfit:
        return None
    return nodes


def _label(node: Node) -> str:
    """Return the name or id of an item that couldn't be read; empty when it has none that is one."""
    for key, value in node.pairs() if isinstance(node, MappingNode) else ():
        named = isinstance(key, ScalarNode) and key.value in {"name", "id"}
        if named and isinstance(value, ScalarNode) and NAME.fullmatch(value.value):
            return value.value
    return ""


def _versions(models: Iterable[Model]) -> Mapping[str, tuple[str, ...]]:
    versions: dict[str, list[str]] = {}
    for model in models:
        versions.setdefault(model.name, []).append(model.version)
    return {name: tuple(sorted(own)) for name, own in versions.items()}


def _objective(file: YamlFile, node: Node) -> tuple[str, Objective]:
    fields = file.fields(
        node, "an objective", ["name", "input_type", "owner", "deadline"], ["cache_lifetime"]
    )
    objective = Objective(
        name=fields.take("name", file.name),
        input_type=fields.take("input_type", file.name),
        owner=fields.take("owner", file.text),
        deadline=fields.take("deadline", file.time),
        cache_lifetime=fields.take("cache_lifetime", file.time, DEFAULT_CACHE_SECONDS),
        location=file.location(node),
    )
    fields.finish()
    return objective.name, objective


def _model(file: YamlFile, node: Node) -> tuple[str, Model]:
    fields = file.fields(
        node, "a model", ["name", "version", "memory"], ["facts", "depends_on", "load_timeout"]
    )
    model = Model(
        name=fields.take("name", file.name),
        version=fields.take("version", file.name),
        memory_mib=fields.take("memory", file.size),
        facts=fields.take("facts", lambda facts, what: file.each(facts, what, file.name), ()),
        depends_on=fields.take("depends_on", lambda needed, what: file.each(needed, what, file.text), ()),
        load_timeout=fields.take("load_timeout", lambda node, what: _load_timeout(file, node, what), 0.0),
        location=file.location(node),
    )
    fields.finish()
    return model.id, model


def _load_timeout(file: YamlFile, node: Node, what: str) -> float:
    seconds = file.time(node, what)
    if seconds > MAX_LOAD_SECONDS:
        message = f"{what} is more than a day"
        raise file.problem(node, "DURATION", message, f"write at most {MAX_LOAD_SECONDS // 3600}h")
    return seconds


def _experiment(file: YamlFile, node: Node) -> tuple[str, Experiment]:
    fields = file.fields(node, "an experiment", ["id", "cells"], ["salt", "layer", "eligible", "unit"])
    test_id = fields.take("id", file.name)
    cells = fields.take("cells", lambda node, _: _cells(file, node), _NO_CELLS)
    layer, begin, end = fields.take("layer", lambda node, _: _layer(file, node), ("", 0, BASIS_POINTS))
    experiment = Experiment(
        id=test_id,
        salt=fields.take("salt", file.text, f"ab:{test_id}"),
        cells=cells,
        buckets=packed({cell.number: cell.weight for cell in cells}),
        layer=layer,
        layer_begin=begin,
        layer_end=end,
        eligible=fields.take("eligible", lambda node, what: yaml_condition(file, node, what)),
        unit=fields.take("unit", lambda node, what: _unit(file, node, what), ""),
        location=file.location(node),
    )
    fields.finish()
    return test_id, experiment


def _unit(file: YamlFile, node: Node, what: str) -> str:
    def complain(message: str, remedy: str) -> Misfit:
        return file.problem(node, "UNIT", message, remedy)

    return read_unit(file.text(node, what), complain)


def _layer(file: YamlFile, node: Node) -> tuple[str, int, int]:
    fields = file.fields(node, "a layer", ["name", "from", "to"])
    name = fields.take("name", file.name)
    begin, end = fields.take("from", file.basis_points), fields.take("to", file.basis_points)
    fields.finish()
    if begin >= end:
        raise file.problem(
            node, "LAYER", "a test's part of a layer is empty", "let `to` be larger than `from`"
        )
    return name, begin, end


def _cells(file: YamlFile, node: Node) -> tuple[CellWeight, ...]:
    cells = []
    pairs = file.pairs(node, "cells")
    assert isinstance(node, MappingNode)
    misfits = len(node.items) // 2 - len(pairs)
    for name, key, value in pairs:
        try:
            number = file.integer(key, "cell")
            cells.append(CellWeight(number=number, weight=file.basis_points(value, f"weight of cell {name}")))
        except Misfit:
            misfits += 1
    if misfits:
        raise Misfit
    if not cells:
        raise file.problem(node, "CELLS", "there are no cells", "write for example {1: 50, 2: 50}")
    if any(not 1 <= cell.number <= MAX_CELL for cell in cells):
        raise file.problem(
            node, "CELLS", f"cells are numbered from 1 to {MAX_CELL}", "write for example 1: 50"
        )
    total = sum(cell.weight for cell in cells)
    if total != BASIS_POINTS:
        message = f"weights total {total / 100:g}, not 100"
        raise file.problem(node, "WEIGHT_SUM", message, _right_weights(cells, total))
    return tuple(sorted(cells, key=lambda cell: cell.number))


def _right_weights(cells: Sequence[CellWeight], total: int) -> str:
    """Return what to write for weights that don't total 100."""
    if total == BASIS_POINTS // 100:
        percent = ", ".join(f"{cell.number}: {cell.weight}" for cell in cells[:MAX_SHOWN_CELLS])
        more = ", ..." if len(cells) > MAX_SHOWN_CELLS else ""
        return f"these look like fractions; write percent: {{{percent}{more}}}"
    last = cells[-1]
    right = last.weight + BASIS_POINTS - total
    return f"set cell {last.number} to {right / 100:g}" if right >= 0 else "lower the weights"


def read_shard(file: YamlFile, node: Node) -> tuple[str, Shard]:
    """Return a shard of fleet.yaml; raises Misfit."""
    fields = file.fields(node, "a shard", ["name", "vip", "memory"], ["models"])
    shard = Shard(
        name=fields.take("name", file.name),
        vip=fields.take("vip", file.name),
        memory_mib=fields.take("memory", file.size),
        models=fields.take("models", lambda models, what: file.each(models, what, file.text), ()),
        location=file.location(node),
    )
    fields.finish()
    return shard.name, shard


def _check_fleet(definitions: Definitions, problems: list[Problem]) -> None:
    """Note a fleet without a shard: one cause, whatever number of models it leaves without a place."""
    if definitions.models and not definitions.shards and not definitions.unread["shards"]:
        remedy = "add one: {name: shard-a, vip: vip-a, memory: 4GiB}"
        message = "there is no shard, so no model has a place"
        problems.append(Problem(file="fleet.yaml", line=1, code="NO_SHARD", message=message, remedy=remedy))


def _check_dependencies(definitions: Definitions, problems: list[Problem]) -> None:
    """Note dependencies that aren't there, and each loop once."""
    models, unread = definitions.models, definitions.unread["models"]
    for model in models.values():
        for needed in model.depends_on:
            if needed not in models and needed.partition("@")[0] not in unread:
                message = f"{model.id} depends on {needed}, which is not defined"
                problems.append(
                    problem_at(model.location, "UNKNOWN_MODEL", message, hint(needed, models, problems))
                )
    for loop in find_loops({model.id: model.depends_on for model in models.values()}):
        message = "models depend on each other: " + " -> ".join(loop)
        problems.append(
            problem_at(models[loop[0]].location, "DEPENDENCY_LOOP", message, "remove one of these")
        )


def _check_layers(experiments: Mapping[str, Experiment], problems: list[Problem]) -> None:
    """Note tests whose parts of one layer overlap, or that go by another unit than the layer's first."""
    layers: dict[str, list[Experiment]] = {}
    for experiment in experiments.values():
        if experiment.layer:
            layers.setdefault(experiment.layer, []).append(experiment)
    for name, tests in layers.items():
        tests.sort(key=lambda test: (test.layer_begin, test.layer_end))
        for one, other in pairwise(tests):
            if other.layer_begin < one.layer_end:
                message = f"test {other.id} overlaps test {one.id} in layer {name}"
                remedy = f"let it begin at {one.layer_end / 100:g}"
                problems.append(problem_at(other.location, "LAYER_OVERLAP", message, remedy))
        for test in tests:
            if test.unit != tests[0].unit:
                units = f"{unit_text(test.unit)}, and test {tests[0].id} by {unit_text(tests[0].unit)}"
                message = f"test {test.id} goes by {units}: they can't share out layer {name}"
                problems.append(
                    problem_at(test.location, "LAYER_UNIT", message, "give both one unit, or two layers")
                )


def _check_segments(definitions: Definitions, problems: list[Problem]) -> None:
    """Note segments that segments or tests use and that aren't there."""
    segments, unread = definitions.segments, definitions.unread["segments"]
    using: list[tuple[str, Condition, DefinedSegment | Experiment]] = [
        (f"segment {each.name}", each.when, each) for each in segments.values()
    ]
    using += [
        (f"test {each.id}", each.eligible, each)
        for each in definitions.experiments.values()
        if each.eligible is not None
    ]
    for what, condition, place in using:
        for name in unknown_segments((condition,), segments):
            if name not in unread:
                message = f"{what} uses segment {name}, which is not defined"
                problems.append(
                    problem_at(place.location, "UNKNOWN_SEGMENT", message, hint(name, segments, problems))
                )


def check_vips(shards: Mapping[str, Shard], problems: list[Problem]) -> None:
    """Note VIPs that several shards have."""
    counts = Counter(shard.vip for shard in shards.values())
    for shard in shards.values():
        if counts[shard.vip] > 1:
            message = f"VIP {shard.vip} belongs to several shards"
            problems.append(problem_at(shard.location, "DUPLICATE_VIP", message, "give each shard its own"))


def _check_shard_models(definitions: Definitions, problems: list[Problem]) -> None:
    """Note models that a shard is to hold and that aren't there, or that two shards are to hold."""
    models, unread = definitions.models, definitions.unread["models"]
    holder: dict[str, Shard] = {}
    for shard in definitions.shards.values():
        for name in shard.models:
            if name not in models and name.partition("@")[0] not in unread:
                message = f"shard {shard.name} is to hold {name}, which is not defined"
                problems.append(
                    problem_at(shard.location, "UNKNOWN_MODEL", message, hint(name, models, problems))
                )
            first = holder.setdefault(name, shard)
            if first.name != shard.name:
                message = f"{name} is to be on shard {shard.name}, and on {first.name} already"
                problems.append(problem_at(shard.location, "DUPLICATE", message, "leave it on one of them"))
