"""What the documents say is so: every block is run, compiled or compared, or says why it can't be."""

from __future__ import annotations

import contextlib
import itertools
import re
from pathlib import Path

import click
import grpc
import pytest

from controlplane.cli.control_plane import publish_request, stub
from controlplane.cli.processes import free_ports
from controlplane.problems import WorkspaceError
from lightbulb.v1 import control_plane_pb2 as pb
from tests.docs.blocks import ROOT, Block, blocks_of, documents
from tests.docs.reader import Reader, stable
from tests.e2e.conftest import Up, running

LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")


def addresses(up: Up) -> dict[str, str]:
    """Return default address -> that of the running system; the longest part that documents write."""
    given = dict(itertools.pairwise(map(str, up.process.args)))  # type: ignore[arg-type] # a list of texts
    host, _, port = given["--first-host"].rpartition(":")
    here = {
        "127.0.0.1:7700": up.control_plane,
        "127.0.0.1:7701": up.lightbulb,
        "127.0.0.1:7710": up.sidecar,
        "127.0.0.1:7711": given["--sidecar-admin"],
    }
    hosts = {f"127.0.0.1:{7720 + number}": f"{host}:{int(port) + number}" for number in range(3)}
    beside = {f"127.0.0.1:{7703 + number}": f"127.0.0.1:{free}" for number, free in enumerate(free_ports(2))}
    return here | hosts | beside


@pytest.fixture
def fresh(up: Up) -> Up:
    """The system with the rules that it began with: the document before may have published others."""
    with grpc.insecure_channel(up.control_plane) as channel:
        api = stub(channel)
        wanted = api.Publish(publish_request(ROOT / "rules"), timeout=60).generation
        up.wait_for(
            "the rules that it began with",
            lambda: api.GetStatus(pb.GetStatusRequest(), timeout=60).active_generation == wanted,
        )
    return up


OWN_SYSTEM = ("docs/operator.md", "docs/researcher.md", "docs/shadow.md", "docs/shift.md", "docs/tenants.md")
"""Documents that change what all others stand on, or count generations from the first."""


@pytest.mark.envoy
@pytest.mark.parametrize("document", OWN_SYSTEM)
def test_every_block_does_what_it_says_in_a_system_of_its_own(document: str, tmp_path: Path) -> None:
    with running(tmp_path / "up") as system:
        (tmp_path / "here").mkdir()
        with contextlib.closing(Reader(tmp_path / "here", addresses(system))) as reader:
            for block in blocks_of(document):
                reader.do(block)


@pytest.mark.envoy
@pytest.mark.parametrize("document", [each for each in documents() if each not in OWN_SYSTEM])
def test_every_block_of_a_document_does_what_it_says(document: str, fresh: Up, tmp_path: Path) -> None:
    with contextlib.closing(Reader(tmp_path, addresses(fresh))) as reader:
        for block in blocks_of(document):
            reader.do(block)


@pytest.mark.parametrize("document", documents())
def test_links_between_documents_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    missing = [link for link in LINK.findall(text) if not ((ROOT / document).parent / link).exists()]
    assert missing == []


def test_what_differs_from_run_to_run_is_left_out_of_a_comparison_and_nothing_else() -> None:
    one = "generation 12 (929a4a6379fe) settled"
    assert stable(one) == stable("generation 3 (e28203fc2dba)  retiring  ")
    assert stable(one) != stable("generation 12 (929a4a6379fe) was withdrawn: refused")
    assert stable("host  host-1  synced") != stable("host  host-1  not synced: x")


@pytest.mark.parametrize(
    ("info", "text", "said"),
    [
        ("js", "// new.js\nfunction defineNewRule() { return {} }\n", "new.js:2 defineNewRule SHAPE"),
        ("js", "function defineNewRule() { return {} }\n", "let its first line name its file"),
        ("yaml", "# models.yaml: add\n  - name: one\n", "a model lacks version, memory"),
        ("python", "import nothing_of_this_name\n", "exit code 1, not 0"),
        ("sh", "lightbulb rules check nowhere\n", "exit code 1, not 0"),
        ("sh", "lightbulb demo\n", "demo runs on"),
        ("sh", "make coffee\n", "No rule to make target"),
        ("sh exit=1", "lightbulb rules check rules\n", "exit code 0, not 1"),
        ("sh process", "lightbulb host --shad a\n", "No such option '--shad'"),
        ("text", "generation 1\n", "the output of what?"),
        ("toml", "a = 1\n", "says nothing about how to check it"),
    ],
)
def test_a_block_that_is_wrong_is_noticed(info: str, text: str, said: str, tmp_path: Path) -> None:
    block = Block(document="some.md", line=1, info=info, text=text)
    with pytest.raises((AssertionError, WorkspaceError, click.UsageError)) as caught:
        Reader(tmp_path, {}).do(block)
    assert said in str(caught.value)


def test_an_output_that_differs_is_noticed(tmp_path: Path) -> None:
    reader = Reader(tmp_path, {})
    reader.do(Block(document="some.md", line=1, info="sh", text="echo one; echo two\n"))
    with pytest.raises(AssertionError, match=r"some.md:4: not printed here: one"):
        reader.do(Block(document="some.md", line=4, info="text", text="two\none\n"))
