"""What can be no tenant's or objective's name is refused on the command line, before anybody is asked."""

import pytest

from tests.cli.commands import run

NOBODY = "127.0.0.1:1"


@pytest.mark.parametrize("name", ["..", " ", "a/b", "a,b", "x" * 129, "p\u0430yments"])
@pytest.mark.parametrize("command", ["status", "history", "events", "rollback", "pin 3", "publish ."])
def test_no_command_takes_a_hostile_name_of_a_tenant(command: str, name: str) -> None:
    result = run(*command.split(), "--control-plane", NOBODY, "--tenant", name)
    assert result.exit_code == 2
    assert "is no name of a tenant" in result.output.replace("\n", " ")


@pytest.mark.parametrize("command", ["sidecar", "serve"])
@pytest.mark.parametrize("option", ["--tenant", "--objective"])
def test_a_process_does_not_take_everything_for_a_name_that_is_empty(command: str, option: str) -> None:
    result = run(command, option, "")
    assert result.exit_code == 2
    assert "is no name of" in result.output
