"""`lightbulb shadow report`: what it prints, its page, and what it says when there is nothing to compare."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lightbulb.comparison.lines import line_of
from lightbulb.comparison.record import Recorded
from tests.cli.commands import run
from tests.cli.documented import check, tables
from tests.comparison.records import ranking, record, score, shadows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Records of 50 requests with a noise floor, a line that was cut, and one of the future."""
    primary, shadow = [], []
    for number in range(50):
        one = record(request=f"r-{number}", user=f"{number:016x}", shadows=("s1", "s0"))
        primary.append(line_of(one))
        other = ranking(*((2, 1, 3) if number % 2 else (7, 8, 9)))
        shadow += [
            line_of(shadows(one, answer=other)),
            line_of(shadows(one, shadows=("s0",), model="ranker@1")),
        ]
    told = line_of(Recorded(host="h", instance="i", records=40, dropped=3))
    (tmp_path / "primary").mkdir()
    (tmp_path / "shadow").mkdir()
    (tmp_path / "primary" / "h-i-1.jsonl").write_bytes(b"".join(primary) + told + primary[0][:40])
    (tmp_path / "shadow" / "g-i-1.jsonl").write_bytes(b"".join(shadow) + b'{"v":2}\n')
    return tmp_path


def test_a_report_says_who_agrees_how_far_and_what_is_missing(folder: Path) -> None:
    said = run("shadow", "report", str(folder))
    assert said.exit_code == 0, said.output
    text = " ".join(said.output.split())
    assert "Ranking: ranker@2 against ranker@1" in text
    assert "shadow s1, noise floor s0: 50 pairs of 50 users" in text
    assert "differs: agreement less the noise floor's is -0." in text
    assert "hosts dropped 3 records" in text
    assert "1 lines couldn't be read" in text
    assert "g-i-1.jsonl:101 it is of format 2" in text
    assert re.search(r"agreement@1 0\.0000 \(0\.0000 to 0\.0600\)", text)


def test_json_is_as_documented(folder: Path) -> None:
    said = run("shadow", "report", str(folder), "--output", "json")
    document = json.loads(said.output)
    check(document, tables()["`shadow report`"], whole=True)
    assert (document["dropped"], document["unreadable"]) == (3, 1)
    assert [each["shadow"] for each in document["shadows"]] == ["s1"]


class Page(HTMLParser):
    """What a page loads, and whether its elements are closed in order."""

    VOID = frozenset({"meta", "rect", "circle", "line", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("labelled", [True, False])
def test_the_page_needs_nothing_else_and_says_what_others_wrote_as_text(
    tmp_path: Path, labelled: bool
) -> None:
    lines = []
    for number in range(40):
        one = record(request=f"r-{number}", objective="<b>Fraud", answer=score(number / 40))
        lines += [line_of(one), line_of(shadows(one, answer=score(number / 50)))]
    (tmp_path / "one.jsonl").write_bytes(b"".join(lines))
    outcomes = tmp_path / "outcomes.csv"
    outcomes.write_text("request,outcome\n" + "".join(f"r-{number},{number % 2}\n" for number in range(40)))
    told = ("--outcomes", str(outcomes)) if labelled else ()
    page = tmp_path / "page.html"
    said = run("shadow", "report", str(tmp_path), "--page", str(page), *told)
    assert said.exit_code == 0, said.output
    text = page.read_text()
    parser = Page()
    parser.feed(text)
    assert (parser.loads, parser.open) == ([], [])
    assert "url(" not in text
    assert not re.search(r"&lt;(?!b&gt;)|&amp;", text)
    assert "&lt;b&gt;Fraud" in text
    assert "<b>Fraud" not in text
    assert ("Scores against outcomes" in text) is labelled


@pytest.mark.parametrize(
    ("lines", "code", "says"),
    [
        ([], "NO_RECORDS", "there are no records in"),
        (
            [b'{"v":7,"request":"r","x":1}\n'],
            "UNREADABLE_RECORDS",
            ":1 it is of format 7; this Lightbulb reads",
        ),
        ([b"what\n"], "UNREADABLE_RECORDS", "it is no JSON"),
        ([b"x" * (1 << 20) + b"x\n"], "UNREADABLE_RECORDS", "longer than 1,048,576 bytes"),
        ([line_of(record())], "NO_PAIRS", "shadow s1: 1 of the primary, 0 of the shadow"),
        ([line_of(record(traffic="test")), line_of(shadows(record()))], "NO_PAIRS", "1 tests and replays"),
    ],
)
def test_what_cannot_be_compared_is_said_with_a_remedy(
    tmp_path: Path, lines: list[bytes], code: str, says: str
) -> None:
    (tmp_path / "one.jsonl").write_bytes(b"".join(lines))
    said = run("shadow", "report", str(tmp_path), "--output", "json")
    error = json.loads(said.output)["error"]
    assert (said.exit_code, error["code"]) == (1, code)
    assert says in error["message"]
    assert error["remedy"]


def test_a_folder_that_is_not_there_and_a_shadow_that_has_no_record_are_named(folder: Path) -> None:
    said = run("shadow", "report", str(folder / "nowhere"))
    assert (said.exit_code, f"there is no {folder}/nowhere" in said.output) == (1, True)
    said = run("shadow", "report", str(folder), "--shadow", "s9")
    assert (said.exit_code, "is of shadow s9; leave out --shadow" in said.output) == (1, True)


def test_outcomes_that_are_none_are_named_by_line(folder: Path) -> None:
    bad = folder / "outcomes.csv"
    bad.write_text("request,outcome\nr-1,1\nr-2,yes\nr-3,7\n")
    said = run("shadow", "report", str(folder), "--outcomes", str(bad))
    assert said.exit_code == 1
    assert f"{bad}:3 'r-2,yes'" in said.output
    assert f"{bad}:4 'r-3,7'" in said.output
