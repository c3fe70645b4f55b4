"""A workspace that is compiled with a memory of earlier ones comes to what it comes to from scratch."""

import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.model import Plan, RuleSet, Workspace
from controlplane.planning.parts import Parts
from controlplane.planning.plan import led_to, plan_on
from controlplane.problems import Problem, WorkspaceError
from controlplane.rollout.codec import PlanWriter, plan_to_bytes
from controlplane.rules import file_rules, file_tables, memory, sandbox
from controlplane.rules.compile import compile_and_warn, compile_workspace
from controlplane.rules.definitions import Definitions, read_experiments
from controlplane.rules.effective import EffectiveShares, effective_shares
from controlplane.rules.file_rules import FileRules, OwnRules
from controlplane.rules.file_tables import FileTables
from controlplane.rules.lock_file import LOCK, write_lock
from controlplane.rules.locked import lock
from controlplane.rules.memory import MAX_BYTES, Memory
from controlplane.rules.never import Walked
from controlplane.rules.sandbox import Evaluated, Limits, evaluate_beside
from controlplane.rules.value_codec import MODULES, NotOurs, from_json, to_json
from controlplane.rules.workspace import read_workspace
from lightbulb.model import ObjectiveTable
from lightbulb.resolution.codec import table_to_bytes
from lightbulb.v1 import store_pb2 as pb
from tests.depth import examples
from tests.rules.workspaces import rule

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "rules"

TEXTS = {
    "objectives.yaml": (
        "objectives:\n  - {name: Ranking, input_type: TITLE_INPUT_TYPE, owner: home, deadline: 250ms}\n",
        """objectives:
  - {name: Ranking, input_type: TITLE_INPUT_TYPE, owner: home, deadline: 250ms}
  - {name: Search, input_type: TITLE_INPUT_TYPE, owner: home, deadline: 1s}
""",
        "objectives:\n  - {name: Ranking, input_type: QUERY_INPUT_TYPE, owner: home, deadline: 250ms}\n",
        "objectives: [{name: Ranking}]\n",
        "objectives: {\n",
    ),
    "models.yaml": (
        "models:\n" + "".join(f"  - {{name: m{n}, version: '1', memory: 100MiB}}\n" for n in range(4)),
        "models:\n" + "".join(f"  - {{name: m{n}, version: '2', memory: 90GiB}}\n" for n in range(3)),
        "models:\n  - {name: m0, version: '1', memory: 1MiB}\n  - {name: m0, version: '2', memory: 1MiB}\n",
        "models:\n  - {name: m0, version: '1', memory: lots}\n  - {name: m1, version: '1', memory: 1MiB}\n",
    ),
    "experiments.yaml": (
        "experiments:\n  - {id: 1, cells: {1: 50, 2: 50}}\n  - {id: 2, cells: {1: 100}}\n",
        """experiments:
  - {id: 1, cells: {1: 90, 2: 10}, eligible: {attribute: country, values: [NO]}}
  - {id: 2, cells: {1: 100}, eligible: {not: {attribute: country, values: [NO]}}}
""",
        "experiments: []\n",
        "experiments: [{id: 1, cells: {1: 5}}]\n",
    ),
    "fleet.yaml": (
        "shards:\n  - {name: s, vip: v, memory: 1GiB}\n",
        "shards:\n  - {name: s, vip: v, memory: 1GiB, models: [m1@1]}\n",
        "shards:\n  - {name: s, vip: v, memory: 300MiB}\n  - {name: t, vip: w, memory: 300MiB}\n",
        "shards:\n  - {name: s, vip: v, memory: 50MiB}\n",
        "shards: []\n",
    ),
    "segments.yaml": (
        "segments:\n  - {name: north, when: {attribute: country, values: [NO, SE]}}\n",
        """segments:
  - {name: north, when: {any: [{attribute: country, values: [NO]}, {segment: staff}]}}
  - {name: staff, users: [ann, bob]}
""",
        "segments:\n  - {name: north, when: {segment: north}}\n",
        "segments:\n  - {name: south}\n",
        "",
    ),
}
"""What each YAML file may hold; the first ones fit together."""


def lock_of(experiments: str) -> str:
    """Return the lock file of what experiments.yaml says."""
    problems: list[Problem] = []
    tests, _ = lock(read_experiments({"experiments.yaml": experiments.encode()}, problems).values(), {})
    assert not problems
    return write_lock(tests)


TEXTS[LOCK] = (*map(lock_of, TEXTS["experiments.yaml"][:2]), "tests: {\n", "")

BODIES = (
    "defaultModel: {name: 'm0'}",
    "defaultModel: {name: 'm0', version: '2', parameters: {depth: 1, rate: 1.0, on: true}}",
    "when: context.country.eq('NO'), model: {name: 'm1'}",
    "when: all(context.device.prefix('tv'), not(context.attribute('age').lt(18))), model: {name: 'm2'}",
    "abTestId: 1, cellToModel: {1: {name: 'm0'}, 2: {name: 'm1'}}",
    "abTestId: 2, cellToModel: {1: {name: 'm3'}}",
    "shift: {from: {name: 'm0'}, to: {name: 'm1'}, percent: 10, salt: 'x'}",
    "shift: {from: {name: 'm0'}, to: {name: 'm2'}, percent: 5, unit: 'session', when: segment('north')}",
    "when: segment('north'), model: {name: 'm3'}, priority: 1",
    "when: context.attribute('contry').eq('NO'), model: {name: 'm3'}, priority: 2",
    "permitOverrides: [{name: 'm1'}], clients: ['a']",
    "wenn: 1",
    "defaultModel: {name: 7, versoin: ''}",
)

FILES = (
    "",
    "function defineBadRule() { return {a: ",
    "const x = Object.keys(Objectives).length;\n",
    "let y; try { y = Objectives.Search; } catch { y = 'Ranking'; }\n",
    "const z = 'Search' in Objectives, other = Objectives.Serch;\n",
    "throw null;\n",
    "Date.now();\n",
)
"""How a file begins."""

TARGETS = (
    "['Ranking']",
    "[Objectives.Ranking]",
    "[Objectives.Search]",
    "Object.values(Objectives)",
    "[y ?? 'Ranking']",
    "['Nowhere']",
)


@st.composite
def js_files(draw: st.DrawFn) -> str:
    begin = draw(st.sampled_from((FILES[0],) * 20 + FILES))
    rules = draw(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(BODIES)), min_size=1, max_size=3))
    target = draw(st.sampled_from((TARGETS[0],) * 3 + TARGETS))
    common = f'targetObjectives: {target}, modelInputType: "TITLE_INPUT_TYPE", modelType: "S"'
    return begin + "".join(
        f"function define{number}Rule() {{ return {{{common}, {body}}}; }}\n" for number, body in rules
    )


FIRST = Workspace(
    files={
        **{file: texts[0].encode() for file, texts in TEXTS.items()},
        "a.js": rule(BODIES[0], "defineOneRule").encode(),
        "b.js": rule(BODIES[2], "defineTwoRule").encode(),
        "c.js": rule(BODIES[4], "defineThreeRule").encode(),
    }
)
APART = """objectives:
  - {name: Ranking, input_type: TITLE_INPUT_TYPE, owner: home, deadline: 250ms}
  - {name: Search, input_type: TITLE_INPUT_TYPE, owner: home, deadline: 1s}
  - {name: Kids, input_type: TITLE_INPUT_TYPE, owner: home, deadline: 1s, cache_lifetime: 5s}
"""


def rule_of(objective: str, body: str, name: str) -> str:
    return rule(body, name).replace("Ranking", objective)


SEVERAL = Workspace(
    files={
        **FIRST.files,
        **{file: TEXTS[file][0].encode() for file in ("segments.yaml", LOCK)},
        "objectives.yaml": APART.encode(),
        "c.js": (
            rule_of("Search", BODIES[0], "defineThreeRule") + rule(BODIES[4], "defineTestRule")
        ).encode(),
        "d.js": (
            rule_of("Search", BODIES[6], "defineEightRule") + rule(BODIES[8], "defineOtherRule")
        ).encode(),
        "e.js": (rule_of("Kids", BODIES[0], "defineFourRule")).encode(),
        "f.js": (rule_of("Kids", BODIES[7], "defineFiveRule")).encode(),
        "g.js": (rule_of("Kids", BODIES[9], "defineSixRule")).encode(),
    }
)
"""Files of which some have to do with each other, and a lock file and segments."""
EDITS = st.one_of(
    st.tuples(st.sampled_from("abcdefg"), js_files()).map(lambda edit: (f"{edit[0]}.js", edit[1])),
    st.sampled_from([(file, text) for file, texts in TEXTS.items() for text in texts]),
    st.tuples(st.sampled_from([*SEVERAL.files, "other.yaml"]), st.none()),
    st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")).map(lambda names: (f"{names[0]}.js", names)),
    st.just(("", "as it was")),
)


def edited(files: Workspace, edit: tuple[str, object], first: Workspace) -> Workspace:
    """Return a workspace after a file was written, removed (None) or renamed (a pair), or all undone."""
    name, change = edit
    changed = dict(files.files)
    match change:
        case "as it was":
            changed = dict(first.files)
        case str():
            changed[name] = change.encode()
        case None:
            changed.pop(name, None)
        case (_, str(other)):
            changed[f"{other}.js"] = changed.pop(name, b"function defineMovedRule() {}\n")
    return Workspace(files=changed)


@dataclass
class Compiler:
    """What one that compiles and plans again remembers; of a new one it is nothing."""

    memory: Memory = field(default_factory=Memory)
    parts: Parts = field(default_factory=Parts)
    writer: PlanWriter = field(default_factory=PlanWriter)

    def outcome(
        self, files: Workspace, places: Mapping[str, str]
    ) -> tuple[bytes, Plan] | tuple[Problem, ...]:
        """Return the bytes of a workspace's plan with its warnings and shares, or its problems."""
        try:
            compiled = compile_and_warn(files, memory=self.memory)
            shares = list(effective_shares(compiled.rules.tables, compiled.digests, self.memory))
            plan = plan_on(compiled.rules, places, {}, self.parts)
        except WorkspaceError as error:
            return error.problems
        return self.writer.content(plan, repr((compiled.warnings, compiled.digests, shares))), plan


def outcome(files: Workspace, memory: Memory | None) -> bytes | tuple[Problem, ...]:
    """Return the bytes of a workspace's first plan, or its problems."""
    match Compiler(memory=memory or Memory()).outcome(files, {}):
        case (bytes(content), Plan()):
            return content
        case problems:
            return problems  # type: ignore[return-value] # what is left


@settings(max_examples=examples(15), deadline=None)
@given(st.sampled_from((FIRST, SEVERAL)), st.lists(EDITS, min_size=1, max_size=6), st.booleans())
def test_edits_come_to_what_they_come_to_from_scratch(
    first: Workspace, edits: list[tuple[str, object]], kept: bool
) -> None:
    files, compiler, places = first, Compiler(), dict[str, str]()
    for edit in [("", "as it was"), *edits]:
        files = edited(files, edit, first)
        found = compiler.outcome(files, places)
        assert found == Compiler().outcome(files, places), edit
        match found:
            case (bytes(content), Plan() as plan):
                places = dict(led_to(plan))
                assert plan_to_bytes(plan, pb.StoredGeneration.FromString(content).source_hash) == content
        compiler = Compiler(memory=Memory(compiler.memory.to_bytes())) if kept else compiler


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were evaluated."""
    names: list[str] = []

    def noting(sources: dict[str, str], *others: object) -> Evaluated:
        names.extend(sources)
        return evaluate_beside(sources, *others)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(file_rules, "evaluate_beside", noting)
    return names


def compiled_again(files: Workspace, change: Callable[[dict[str, bytes]], object]) -> RuleSet:
    """Compile a workspace, and then with a change."""
    memory = Memory()
    compile_workspace(files, memory=memory)
    changed = dict(files.files)
    change(changed)
    return compile_workspace(Workspace(files=changed), memory=Memory(memory.to_bytes()))


def test_only_a_file_that_changed_is_evaluated(evaluated: list[str]) -> None:
    compiled_again(FIRST, lambda files: files.update({"b.js": files["b.js"] + b"\n"}))
    assert evaluated == ["a.js", "b.js", "c.js", "b.js"]


def test_the_repositorys_workspace_is_remembered_as_a_whole(evaluated: list[str]) -> None:
    files = read_workspace(RULES)
    whole = Memory()
    compile_workspace(files, memory=whole)
    assert whole.to_bytes().count(b"\n") == 1 + len(whole._used)
    evaluated.clear()
    assert compiled_again(files, lambda _: None) == compile_workspace(files)
    rules = [name for name in files.files if name.endswith(".js")]
    assert sorted(evaluated) == sorted(2 * rules)  # once before, and once without a memory


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The objectives whose tables were made."""
    names: list[str] = []

    def noting(table: ObjectiveTable) -> bytes:
        names.append(table.objective)
        return table_to_bytes(table)

    monkeypatch.setattr(file_tables, "table_to_bytes", noting)
    return names


@pytest.mark.parametrize(
    ("file", "change", "made"),
    [
        ("e.js", b"\n", ["Kids"]),
        ("c.js", b"\n", ["Ranking", "Search"]),
        ("fleet.yaml", b"  - {name: more, vip: more, memory: 1GiB}\n", []),
        ("segments.yaml", b"# more\n", ["Kids", "Ranking", "Search"]),
        (LOCK, b"", []),
    ],
)
def test_only_tables_of_files_that_changed_are_made(
    file: str, change: bytes, made: list[str], compared: list[str]
) -> None:
    compiled_again(SEVERAL, lambda files: files.update({file: files[file] + change}))
    assert compared == ["Kids", "Ranking", "Search", *made]


def parts_of(kind: object) -> Iterator[type]:
    """Yield the classes that values of a type are made of."""
    seen: set[object] = set()
    stack = [kind]
    while stack:
        one: Any = stack.pop()
        if one in seen:
            continue
        seen.add(one)
        stack += get_args(one)
        if isinstance(one, type) and is_dataclass(one):
            stack += get_type_hints(one).values()
        if isinstance(one, type) and (is_dataclass(one) or issubclass(one, Enum)):
            yield one


@pytest.mark.parametrize(
    "kind",
    [FileRules, OwnRules, FileTables, Walked, EffectiveShares, Definitions],
    ids=lambda kind: kind.__name__,
)
def test_all_that_is_remembered_can_be_kept(kind: type) -> None:
    found = [part for part in parts_of(kind) if part is not Definitions and part.__name__ != "Unread"]
    assert kind is Definitions or kind in found
    assert {part.__qualname__ for part in found if part.__module__ not in MODULES} == set()


@pytest.mark.parametrize("files", [FIRST, SEVERAL], ids=["first", "several"])
def test_nothing_that_is_remembered_is_left_out(files: Workspace) -> None:
    memory = Memory()
    outcome(files, memory)
    assert memory.to_bytes().count(b"\n") == 1 + len(memory._used)
    again = Memory(memory.to_bytes())
    outcome(files, again)
    assert not again.changed


def test_a_file_without_segments_is_not_one_that_is_missing() -> None:
    test = "experiments: [{id: 1, cells: {1: 100}, eligible: {segment: north}}]\n"
    memory = Memory()
    for segments in ({"segments.yaml": b""}, {}):
        files = Workspace(files={**FIRST.files, "experiments.yaml": test.encode(), **segments})
        assert outcome(files, memory) == outcome(files, None)


def test_a_salt_that_two_files_use_is_found_when_one_of_them_changes() -> None:
    shift = BODIES[6]
    memory = Memory()
    files = Workspace(files={**SEVERAL.files, "d.js": rule_of("Search", shift, "defineThreeRule").encode()})
    other = Workspace(files={**files.files, "h.js": rule_of("Kids", shift, "defineEightRule").encode()})
    for each in (files, other, files):
        found = outcome(each, memory)
        assert found == outcome(each, None)
        codes = [problem.code for problem in found] if isinstance(found, tuple) else []
        assert ("DUPLICATE_SALT" in codes) == (each is other)


def test_files_that_were_not_come_to_are_the_same_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MAX_CHILDREN", 1)
    monkeypatch.setattr(sandbox, "Limits", lambda: Limits(cpu_seconds=1))
    memory = Memory()
    outcome(FIRST, memory)
    endless = Workspace(files={**FIRST.files, "b.js": b"function defineTwoRule() { for (;;); }"})
    found = outcome(endless, memory)
    assert [(each.code, each.file) for each in found] == [("TIME_LIMIT", "b.js"), ("NOT_EVALUATED", "c.js")]
    assert found == outcome(endless, None)


SEARCH = b"  - {name: Search, input_type: TITLE_INPUT_TYPE, owner: home, deadline: 1s}\n"


@pytest.mark.parametrize(
    ("objectives", "again"),
    [
        ("[Objectives.Ranking]", False),
        ("['Ranking', ...(() => { try { return [Objectives.Search] } catch { return [] } })()]", True),
        ("'Search' in Objectives ? ['Search', 'Ranking'] : ['Ranking']", True),
        ("Object.keys(Objectives)", True),
        ("[(() => { try { return Objectives['x'.repeat(2000)] } catch { return 'Ranking' } })()]", True),
    ],
)
def test_a_file_is_evaluated_again_when_what_it_asked_for_changed(
    objectives: str, again: bool, evaluated: list[str]
) -> None:
    text = f"""function defineRule() {{ return {{targetObjectives: {objectives}, modelType: "S",
      modelInputType: "TITLE_INPUT_TYPE", defaultModel: {{name: "m0"}}}}; }}"""
    files = Workspace(files={**FIRST.files, "a.js": text.encode()})
    more = Workspace(files={**files.files, "objectives.yaml": files.files["objectives.yaml"] + SEARCH})
    memory = Memory()
    assert isinstance(outcome(files, memory), bytes)
    evaluated.clear()
    with_memory = outcome(more, memory)
    assert evaluated == (["a.js"] if again else [])
    assert with_memory == outcome(more, None)


def test_what_is_not_whole_or_of_another_version_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Memory()
    outcome(FIRST, first)
    kept = first.to_bytes()
    assert first.to_bytes() == kept
    assert Memory(kept).to_bytes() != kept  # nothing of it was used
    for broken in (
        kept[:-1],
        kept[:40],
        b"",
        b"\n",
        kept.replace(b"Ranking", b"Renking"),
        random.Random(1).randbytes(99),
    ):
        again = Memory(broken)
        assert outcome(FIRST, again) == outcome(FIRST, None)
        assert again.to_bytes() == kept
    monkeypatch.setattr(memory, "program", lambda: "another")
    assert Memory(kept).to_bytes() == Memory().to_bytes()


def test_what_can_not_be_kept_is_left_out() -> None:
    some = Memory()
    some.remember("0" * 64, object())
    some.remember("1" * 64, 1)
    assert some.to_bytes().count(b"\n") == 2


def test_more_than_there_is_room_for_is_not_kept() -> None:
    one = Memory()
    one.remember("0" * 64, "x" * MAX_BYTES)
    assert one.to_bytes() == b""


@dataclass(frozen=True)
class Foreign:
    path: str = ""


@pytest.mark.parametrize("value", [object(), [1], b"", Foreign(), Path(), {1: [2]}, (1, Foreign())])
def test_only_values_of_ours_are_remembered(value: object) -> None:
    with pytest.raises(NotOurs):
        to_json(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[[],{}]",
        '[["os:system"],[3,"true"]]',
        '[["pathlib:Path"],[3]]',
        '[["lightbulb.model:field"],[3]]',
        '[["controlplane.model:dataclass"],[3]]',
        '[["controlplane.model:Location"],[3,"a"]]',
        '[["lightbulb.model:Operator"],[3,"NONE"]]',
        "[[],[3]]",
        "[[],[1,2]]",
        "[[],[]]",
        "[[]," + "[0," * 100_000 + "]" * 100_000 + "]",
    ],
)
def test_json_that_stands_for_no_value_of_ours_is_refused(text: str) -> None:
    with pytest.raises(NotOurs):
        from_json(text)


def test_what_is_remembered_is_of_this_code_all_of_it() -> None:
    code = "import controlplane.rules.effective, controlplane.rules.compile, controlplane.planning.plan, sys"
    asked = f"{code}; print(*(getattr(each, '__file__', None) for each in sys.modules.values()), sep='\\n')"
    files = map(Path, subprocess.check_output([sys.executable, "-c", asked], text=True).splitlines())
    ours = {
        each.parent for each in files if {"controlplane", "lightbulb"} & set(each.parts[len(ROOT.parts) :])
    }
    assert ours == set(memory.CODE)
