"""Records as lines of JSON, and back.

    {"v":1,"request":"…","shadows":["…"],"side":"primary","at":…,"model":"m@1",…,"answer":{"ids":[…],…}}

A line begins with the format's version and the request's id, so that a reader finds what belongs together
before it reads the rest. `v` rises with a change that an older reader would misread; fields that a reader
doesn't know are passed over.
"""

from __future__ import annotations

import json
import math
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from lightbulb.comparison.answers import Answer, BytesAnswer, RankingAnswer, ScoreAnswer
from lightbulb.comparison.record import FORMAT, LIVE, OK, Asked, Line, Record, Recorded, Side

SUFFIX = ".jsonl"
"""Of a file of lines."""

MAX_ID = 128
"""Bytes of the id of a request or a shadow."""

MAX_LINE = 1 << 20
"""Bytes of a line, its end included."""

_ID = re.compile(rb"[\x21\x23-\x5b\x5d-\x7e]{1,%d}" % MAX_ID)
_HEAD = re.compile(rb'\{"v":(\d{1,9}),"request":"(%b)",' % _ID.pattern)
MAX_AT = 1e11
MAX_MICROSECONDS = 10**12

_encode_all = json.JSONEncoder(ensure_ascii=False).encode
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Unreadable(ValueError):
    """A line that is no record; the message says why."""


class OtherVersion(Unreadable):
    """A line of another version of the format."""

    def __init__(self, version: object) -> None:
        super().__init__(f"it is of format {version!r}; this Lightbulb reads format {FORMAT}")


def is_id(text: str) -> bool:
    """Say whether a request or a shadow can be told by this: printable ASCII without quotes, not too long."""
    return text.isascii() and _ID.fullmatch(text.encode()) is not None


def line_of(line: Line) -> bytes:
    """Return a record as a line."""
    if isinstance(line, Recorded):
        document = {"host": line.host, "instance": line.instance, "records": line.records}
        return f'{{"v":{FORMAT},"recorded":{_encode({**document, "dropped": line.dropped})}}}\n'.encode()
    rest = {
        "shadows": line.shadows,
        "side": line.side,
        "at": round(line.at, 3),
        "model": line.model,
        "objective": line.objective,
        "traffic": line.traffic,
        "user": line.user,
        "status": line.status,
        "us": line.microseconds,
    }
    head = f'{{"v":{FORMAT},"request":"{line.request}",{_encode(rest)[1:-1]}'
    answer = "" if line.answer is None else f',"answer":{_answer_text(line.answer)}'
    asked = "" if line.asked is None else f',"asked":{_encode(_asked_document(line.asked))}'
    return f"{head}{answer}{asked}}}\n".encode()


def request_of(line: bytes) -> bytes | None:
    """Return the id of a record's request; None for a line that is another. Raises Unreadable."""
    head = _HEAD.match(line)
    if head is None:
        _version(_document(line))
        return None
    if int(head[1]) != FORMAT:
        raise OtherVersion(int(head[1]))
    return head[2]


def read_line(line: bytes) -> Line:
    """Return what a line says. Raises Unreadable."""
    document = _document(line)
    _version(document)
    try:
        if "recorded" in document:
            return _recorded(document["recorded"])
        return _record(document)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise Unreadable(f"it is no record: {type(error).__name__}: {error}") from error


def _document(line: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(line)
        if b"\\u" in line:
            _encode_all(document).encode()  # halves of characters can be written, but not shown
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise Unreadable("it is no JSON object")
    return document


def _version(document: Mapping[str, Any]) -> None:
    if document.get("v") != FORMAT:
        raise OtherVersion(document.get("v"))


def _recorded(document: Mapping[str, Any]) -> Recorded:
    return Recorded(
        host=str(document["host"]),
        instance=str(document["instance"]),
        records=int(document["records"]),
        dropped=int(document["dropped"]),
    )


def _record(document: Mapping[str, Any]) -> Record:
    answer = document.get("answer")
    texts = {name: document.get(name, default) for name, default in _TEXTS.items()}
    shadows = document["shadows"]
    if set(map(type, (*texts.values(), *shadows))) != {str}:
        raise TypeError("a text isn't one")
    return Record(
        **texts,
        shadows=tuple(shadows),
        side=_SIDES[document["side"]],
        at=_within(float(document["at"]), MAX_AT),
        microseconds=int(_within(document["us"], MAX_MICROSECONDS)),
        answer=None if answer is None else _answer(answer),
        asked=_asked(document["asked"]) if "asked" in document else None,
    )


def _asked_document(asked: Asked) -> Mapping[str, Any]:
    return {"request": b64encode(asked.request).decode(), "declared": dict(asked.declared)}


def _asked(document: Mapping[str, Any]) -> Asked:
    declared = document["declared"]
    if not set(map(type, declared.values())) <= {str, int, float}:
        raise TypeError("what is declared is neither a text nor a number")
    return Asked(request=b64decode(document["request"], validate=True), declared=declared)


def _within(value: float, most: float) -> float:
    if not 0 <= value <= most:
        raise ValueError(f"{value} isn't from 0 to {most}")
    return value


_SIDES = {each.value: each for each in Side}
_TEXTS = {"request": None, "model": None, "objective": None, "traffic": LIVE, "user": "", "status": OK}
"""The fields that are texts, and what they are if they aren't there."""


def _answer_text(answer: Answer) -> str:
    match answer:
        case RankingAnswer():
            scores = f',"scores":{_numbers(answer.scores)}' if answer.scores else ""
            return f'{{"ids":{_encode(answer.ids)}{scores},"length":{answer.length}}}'
        case ScoreAnswer():
            tolerance = f',"tolerance":{answer.tolerance!r}' if answer.tolerance else ""
            return f'{{"values":{_numbers(answer.scores)},"length":{answer.length}{tolerance}}}'
        case BytesAnswer():
            return _encode({"digest": answer.digest, "size": answer.size, "excerpt": answer.excerpt})


def _numbers(values: Sequence[float]) -> str:
    """Return numbers with six digits, which takes a third of what all digits do."""
    text = ("%.6g," * len(values) % tuple(values))[:-1]
    if "n" in text:  # nan, inf
        text = text.replace("nan", "NaN").replace("inf", "Infinity")
    return f"[{text}]"


def _answer(document: Mapping[str, Any]) -> Answer:
    if "ids" in document:
        return _ranking(document)
    if "values" in document:
        return ScoreAnswer(
            scores=_floats(document["values"]),
            length=int(document["length"]),
            tolerance=_within(float(document.get("tolerance", 0.0)), math.inf),
        )
    return BytesAnswer(
        digest=str(document["digest"]), size=int(document["size"]), excerpt=str(document.get("excerpt", ""))
    )


def _ranking(document: Mapping[str, Any]) -> RankingAnswer:
    ids, scores = document["ids"], document.get("scores", ())
    if not set(map(type, ids)) <= _IDS:
        raise TypeError("an id is neither a whole number nor a text")
    if scores and len(scores) != len(ids):
        raise ValueError(f"there are {len(ids)} ids and {len(scores)} scores")
    return RankingAnswer(ids=tuple(ids), scores=_floats(scores), length=int(document["length"]))


def _floats(values: Sequence[Any]) -> tuple[float, ...]:
    types = set(map(type, values))
    if not types <= _NUMBERS:
        raise TypeError("a score is no number")
    return tuple(map(float, values) if int in types else values)


_IDS = frozenset({int, str})
_NUMBERS = frozenset({int, float})
