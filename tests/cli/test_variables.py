"""Every option answers to its environment variable."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from controlplane.cli.main import main
from controlplane.cli.processes import Processes
from controlplane.cli.variables import Option
from tests.cli.commands import ARGUMENTS, PATHS, command

SHARED = {
    "LIGHTBULB_AUTHOR",
    "LIGHTBULB_TENANT",
    "LIGHTBULB_CONTROL_PLANE",
    "LIGHTBULB_ENVOY",
    "LIGHTBULB_LIGHTBULB",
    "LIGHTBULB_MODELS",
    "LIGHTBULB_NODE_ID",
    "LIGHTBULB_OUTPUT",
    "LIGHTBULB_SIDECAR_ADDRESS",
    "LIGHTBULB_STATE_DIR",
}

OPTIONS = [
    pytest.param(path, option, id=f"{path} {option.opts[0]}")
    for path in PATHS
    for option in command(path).params
    if isinstance(option, click.Option)
]


def parsed(path: str, *arguments: str) -> click.Context:
    """Return a command's context as the whole command line makes it."""
    context = main.make_context("lightbulb", [], resilient_parsing=True)
    *groups, name = path.split()
    for group in groups:
        context = command(group).make_context(group, [], parent=context, resilient_parsing=True)
    return command(path).make_context(name, [*arguments], parent=context)


def text_for(option: click.Option) -> str:
    """Return a value for an option that isn't its default."""
    kind = option.type
    if option.is_flag:
        return "true"
    if isinstance(kind, click.Choice):
        return next(each for each in kind.choices if each != option.default)
    if isinstance(kind, click.IntRange | click.FloatRange):
        return "0.5" if kind.max == 1 else "4"
    name = kind.name
    if isinstance(kind, click.Path):
        return "/bin/sh" if kind.exists else "somewhere"
    own = {
        "ip": "10.1.2.3",
        "name": "another",
        "percent": "4",
        "percent,…": "4,5",
        "duration": "4m",
        "float": "0.05",
        "pairs|duration": "24h",
        "size": "4MiB",
    }
    return own.get(name) or ("10.1.2.3:4567" if "port" in name else "a=1")


def variables(path: str, option: click.Option) -> list[str]:
    assert isinstance(option, Option)
    return list(option.variables(parsed(path, *ARGUMENTS.get(path, ()))))


@pytest.mark.parametrize(("path", "option"), OPTIONS)
def test_an_option_and_its_variable_do_the_same(
    path: str, option: click.Option, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = text_for(option)
    needed = list(ARGUMENTS.get(path, ()))
    if option.opts[0] in needed:
        at = needed.index(option.opts[0])
        del needed[at : at + 2]
    flag = max(option.opts, key=len)
    given = parsed(path, *needed, *([flag] if option.is_flag else [flag, value])).params
    for variable in variables(path, option):
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            assert parsed(path, *needed).params == given, variable
    if not option.is_flag:
        assert given[option.name] != option.get_default(click.Context(main))


@pytest.mark.parametrize("path", PATHS)
def test_a_variable_is_named_for_its_option_and_shown_in_the_help(path: str) -> None:
    text = " ".join(CliRunner().invoke(main, [*path.split(), "--help"], terminal_width=200).output.split())
    prefix = "LIGHTBULB_" + re.sub(r"\W", "_", path).upper()
    for option in command(path).params:
        if isinstance(option, click.Option):
            name = max(option.opts, key=len).removeprefix("--").replace("-", "_").upper()
            shared, own = f"LIGHTBULB_{name}", f"{prefix}_{name}"
            assert variables(path, option) == ([shared, own] if option.envvar else [own])
            assert f"env var: {option.envvar or own}" in text


def test_a_shared_variable_stands_for_one_option_alone() -> None:
    stands_for = defaultdict(set)
    for parameter in OPTIONS:
        path, option = parameter.values
        assert isinstance(path, str)
        assert isinstance(option, click.Option)
        for variable in variables(path, option):
            stands_for[variable].add(option.opts[0])
    assert {variable for variable in SHARED if len(stands_for[variable]) != 1} == set()
    shared = {
        param.envvar for each in OPTIONS if isinstance(param := each.values[1], Option) and param.envvar
    }
    assert shared == SHARED


def test_up_and_demo_dont_listen_where_others_are_told_to_ask() -> None:
    for path in ("up", "demo"):
        for option in command(path).params:
            if isinstance(option, Option) and option.name in {"control_plane", "lightbulb"}:
                assert variables(path, option) == [f"LIGHTBULB_{path.upper()}_{option.name.upper()}"]


@pytest.mark.parametrize(
    ("variable", "value", "arguments"),
    [
        ("LIGHTBULB_CONTROL_PLANE", "nowhere", ("status",)),
        ("LIGHTBULB_STATUS_CONTROL_PLANE", "nowhere", ("status",)),
        ("LIGHTBULB_OUTPUT", "xml", ("status",)),
        ("LIGHTBULB_PUBLISH_WAIT", "0", ("publish",)),
        ("LIGHTBULB_INFER_CELL", "x", ("infer", "X", "--user", "u")),
        ("LIGHTBULB_CONTROL_PLANE_POLICY", "loading=abc", ("control-plane",)),
        ("LIGHTBULB_UP_FIRST_HOST", "127.0.0.1:65535", ("up",)),
    ],
)
def test_a_bad_value_is_told_with_the_variable_that_it_came_from(
    variable: str, value: str, arguments: tuple[str, ...]
) -> None:
    done = CliRunner(env={variable: value}).invoke(main, arguments)
    assert done.exit_code == 2
    assert f"Invalid value for variable {variable}: " in done.stderr


def test_the_command_line_comes_before_the_variable() -> None:
    runner = CliRunner(env={"LIGHTBULB_CONTROL_PLANE": "nowhere"})
    assert (
        "no control plane at 127.0.0.1:1 "
        in runner.invoke(main, ["status", "--control-plane", "127.0.0.1:1"]).stderr
    )


def test_children_are_told_all_by_their_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTBULB_RULES", "elsewhere")
    monkeypatch.setenv("OTHER", "kept")
    with Processes(tmp_path) as processes:
        child = processes.run("env", ["env"])
        child.process.wait()
        lines = child.log.read_text().splitlines()
    assert "OTHER=kept" in lines
    assert [line for line in lines if line.startswith("LIGHTBULB_") and "PORTS" not in line] == []
