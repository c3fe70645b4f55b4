"""Children: those that end are told of once."""

from pathlib import Path

import pytest

from controlplane.cli.actions.local import _tell_of_gone
from controlplane.cli.processes import Processes, ProcessFailed

GOES_ON = "the rest goes on. To start it again, in another terminal:"


def test_those_that_ended_are_told_of_by_name_and_when_all_have_that_is_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Processes(tmp_path) as processes:
        one = processes.run("one", ["sh", "-c", "exit 3"])
        other = processes.run("other", ["sleep", "60"])
        one.process.wait()
        _tell_of_gone(processes)
        assert capsys.readouterr().err.splitlines() == [
            f"one ended with exit code 3 (its log: {tmp_path}/one.log); {GOES_ON}",
            "  sh -c 'exit 3'",
        ]
        _tell_of_gone(processes)
        assert capsys.readouterr().err == ""
        assert processes.children == (other,)
        other.process.kill()
        other.process.wait()
        with pytest.raises(ProcessFailed, match="all processes have ended"):
            _tell_of_gone(processes)
        assert "other ended with exit code -9" in capsys.readouterr().err


def test_our_own_command_is_given_as_people_type_it(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        child = processes.start("bulb", ["serve", "--node-id", "a b"])
        assert child.again == "lightbulb serve --node-id 'a b'"
