"""docs/errors.md tells each reason that there is, with its code, and what to do."""

import re
from collections.abc import Mapping

import pytest

from controlplane.api import errors as control_plane
from lightbulb.host import status as host
from lightbulb.rpc import status as resolve
from lightbulb.rpc.details import ErrorKind
from tests.docs.blocks import ROOT

ROW = re.compile(r"\| `([A-Z_]+)` \| `([A-Z_]+)` \| (.+) \|")
AGAIN = re.compile(r"\b[Aa]gain\b")


def rows(domain: str) -> dict[str, tuple[str, str]]:
    """Return reason -> code and remedy of the section that is about a domain."""
    text = (ROOT / "docs" / "errors.md").read_text()
    (section,) = [part for part in text.split("\n## ") if f"`{domain}`" in part.partition("\n")[0]]
    return {reason: (code, remedy) for reason, code, remedy in ROW.findall(section)}


@pytest.mark.parametrize(
    ("domain", "kinds"),
    [
        (resolve.DOMAIN, resolve.KINDS),
        (host.DOMAIN, host.KINDS),
        (control_plane.DOMAIN, control_plane.KINDS),
    ],
)
def test_every_reason_is_documented_with_its_code(domain: str, kinds: Mapping[type, ErrorKind]) -> None:
    written = rows(domain)
    assert {reason: code for reason, (code, _) in written.items()} == {
        kind.reason: kind.code.name for kind in kinds.values()
    }
    for kind in kinds.values():
        if kind.retry_after is not None:
            assert AGAIN.search(written[kind.reason][1]), f"{kind.reason} has RetryInfo"
