"""Records as lines: what is written is read; what isn't a record is refused, by why."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightbulb.comparison.answers import BytesAnswer, RankingAnswer
from lightbulb.comparison.lines import OtherVersion, Unreadable, is_id, line_of, read_line, request_of
from lightbulb.comparison.record import Asked, Recorded, Side
from tests.comparison.records import ranking, record, score
from tests.depth import examples

texts = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.integers(-(10**6), 10**6).map(lambda each: each / 64)
answers = st.one_of(
    st.none(),
    st.lists(st.one_of(st.integers(-(2**63), 2**64), texts), max_size=5).map(lambda each: ranking(*each)),
    st.lists(st.tuples(st.integers(0, 9), numbers), max_size=5).map(
        lambda each: ranking(*(item for item, _ in each), scores=[float(f"{x:.6g}") for _, x in each])
    ),
    st.lists(numbers, max_size=5).map(lambda each: score(*(float(f"{x:.6g}") for x in each), tolerance=0.5)),
    st.builds(BytesAnswer, digest=texts, size=st.integers(0, 9), excerpt=texts),
)


@settings(max_examples=examples(400))
@given(answer=answers, model=texts, user=texts, shadow=texts, side=st.sampled_from(Side))
def test_what_is_written_is_read(answer, model: str, user: str, shadow: str, side: Side) -> None:
    one = record(answer=answer, model=model, user=user, shadows=(shadow, "s2"), side=side)
    line = line_of(one)
    assert (read_line(line), request_of(line)) == (one, b"r-1")
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1


def test_scores_have_six_digits_and_what_is_no_number_stays_none() -> None:
    line = line_of(record(answer=ranking(1, 2, 3, scores=(0.12345678, math.nan, math.inf))))
    read = read_line(line).answer
    assert isinstance(read, RankingAnswer)
    assert read.scores[0] == 0.123457
    assert math.isnan(read.scores[1])
    assert math.isinf(read.scores[2])


def test_what_was_asked_is_kept_byte_by_byte() -> None:
    one = record(asked=Asked(request=bytes(range(256)), declared={"ids": "titles", "k": 3}))
    assert read_line(line_of(one)) == one


def test_what_a_host_recorded_is_a_line_of_its_own() -> None:
    told = Recorded(host="h", instance="i", records=3, dropped=1)
    assert (read_line(line_of(told)), request_of(line_of(told))) == (told, None)


def test_another_version_is_refused_by_its_number_and_an_unknown_field_is_passed_over() -> None:
    document = json.loads(line_of(record()))
    assert read_line(json.dumps({**document, "new": [1]}).encode()) == record()
    for line in (json.dumps({**document, "v": 2}), json.dumps(dict(sorted(document.items())) | {"v": 2})):
        for read in (read_line, request_of):
            with pytest.raises(OtherVersion, match="format 2; this Lightbulb reads format 1"):
                read(line.encode())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"request": 3}, "a text isn't one"),
        ({"shadows": [None]}, "a text isn't one"),
        ({"side": "third"}, "third"),
        ({"at": -1}, "isn't from 0"),
        ({"at": math.nan}, "isn't from 0"),
        ({"us": math.inf}, "isn't from 0"),
        ({"answer": {"ids": [1.5], "length": 1}}, "neither a whole number nor a text"),
        ({"answer": {"ids": [1, 2], "scores": [0.5], "length": 2}}, "2 ids and 1 scores"),
        ({"answer": {"values": ["x"], "length": 1}}, "a score is no number"),
        ({"answer": {"values": [10**400], "length": 1}}, "too large"),
        ({"answer": {}}, "digest"),
        ({"asked": {"request": "?", "declared": {}}}, "base64"),
        ({"asked": {"request": "", "declared": {"k": [1]}}}, "neither a text nor a number"),
        ({"asked": {"request": "", "declared": []}}, "values"),
        ({"model": "\ud800"}, "surrogates"),
    ],
)
def test_what_is_no_record_is_refused(change, why: str) -> None:
    line = json.dumps({**json.loads(line_of(record())), **change}).encode()
    with pytest.raises(Unreadable, match=why):
        read_line(line)


def test_an_id_is_printable_ascii_that_json_needs_no_escape_for() -> None:
    assert is_id("3f2c5c3e-8a84")
    assert not any(map(is_id, ("", "a b", 'a"b', "a\\b", "é", "x" * 129, "a\n")))
