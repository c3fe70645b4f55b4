"""Inputs that a decoder once failed on: in `corpus/`, made small, read again by every run of the suite."""

from __future__ import annotations

import hashlib
import traceback
from pathlib import Path

from tests.fuzz.decoder import Decoder

EXIT_FIND = 77
"""Exit code of a process that has found something."""

CORPUS = Path(__file__).parent / "corpus"


def kept(decoder: Decoder) -> dict[str, bytes]:
    """Return name -> input of what was found in a decoder."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / decoder.name).glob("*"))}


def keep(decoder: Decoder, data: bytes) -> Path:
    """Write an input into the corpus, and return its file."""
    path = CORPUS / decoder.name / hashlib.sha256(data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def find_in(decoder: Decoder, data: bytes) -> str:
    """Return the error that reading an input ends in, and where it is raised; empty when it is none."""
    try:
        decoder.check(data)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
        places = [f"{each.filename}:{each.lineno}" for each in traceback.extract_tb(error.__traceback__)]
        return f"{type(error).__name__} at {places[-1]}"
    return ""


def smaller(decoder: Decoder, data: bytes) -> bytes:
    """Return as little of an input as still fails in the same place."""
    wanted = find_in(decoder, data)
    size = len(data) // 2
    while size:
        place = 0
        while place < len(data):
            shorter = data[:place] + data[place + size :]
            if find_in(decoder, shorter) == wanted:
                data = shorter
            else:
                place += size
        size //= 2
    return data
