"""What a plain scalar of YAML says: one thing for certain, or nothing. Pure.

YAML has had several ways to read `1e3`, `0x1F`, `yes` and `NO`. Here a number is written in digits, a boolean
is `true` or `false`, and whatever some reader of YAML takes for another value than a text is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from lightbulb.model import Value

MAX_EXACT = 2**53 - 1
"""The largest whole number that JavaScript, and every reader of JSON, carries exactly."""

MAX_DIGITS = 40
"""Characters of a number that is worked out, to say how it is written."""

INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")

_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE = frozenset({"False", "FALSE", "no", "No", "off", "Off", "OFF"})
"""Without NO, which is Norway."""
_DECIMAL = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a scalar isn't read, and what to write instead, if that is known: `true`, `1000`."""

    message: str
    write: str = ""


def doubt_about(text: str) -> Doubt | None:
    """Return why a plain scalar might mean something else than its text or its number; None if it can't.

    That of `true`, `false` and of a date is known: a field of texts takes dates as they are written.
    """
    if text in _NOTHING:
        return Doubt("is no value")
    if text in _TRUE or text in _FALSE:
        return Doubt("is a boolean to some and a text to others", "true" if text in _TRUE else "false")
    if (NUMBER.fullmatch(text) and text.strip("-0.")) or text in {"0", "0.0"}:
        return None
    for form, written in _FORMS:
        if form.fullmatch(text):
            return Doubt("is a number to some and a text to others", written(text))
    return Doubt("has digits of another script", _ascii(text)) if text.isdecimal() else None


def value_of(text: str) -> Value | Doubt:
    """Return what a plain scalar among values is: a boolean, a number or a text."""
    if text in {"true", "false"}:
        return text == "true"
    doubt = doubt_about(text)
    if doubt is not None:
        return doubt
    if _DATE.fullmatch(text):
        return Doubt("is a date to some and a text to others")
    return _number(text) if NUMBER.fullmatch(text) else text


def plain_number(text: str) -> str:
    """Return a number in digits, as `value_of` reads it; empty when it is none, or too long to say."""
    text = text.replace("_", "")
    exponent = text.lower().partition("e")[2]
    if not _DECIMAL.fullmatch(text) or len(text) > MAX_DIGITS or len(exponent) > len("-99"):
        return ""
    digits = f"{Decimal(text):f}"
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits in {"-0", ""} else digits


def _number(text: str) -> Value | Doubt:
    if len(text) > MAX_DIGITS or abs(Decimal(text)) > MAX_EXACT:
        return Doubt(f"is beyond {MAX_EXACT}, and no number carries it exactly")
    if "." not in text:
        return int(text)
    number = float(text)
    if Decimal(repr(number)) != Decimal(text):
        return Doubt("has more digits than a number carries", plain_number(repr(number)))
    return number


def _based(text: str) -> str:
    digits = text.replace("_", "")
    if len(digits) > MAX_DIGITS or digits.lstrip("+-")[2:] == "":
        return ""
    return str(int(digits, 0))


def _ascii(text: str) -> str:
    return str(int(text)) if len(text) <= MAX_DIGITS else ""


def _joined(text: str) -> str:
    """Return 1,000 without its comma; nothing for what may as well be a time or a fraction: 1:30, 0,5."""
    return re.sub(r"[,']", "", text) if re.fullmatch(r"[1-9][0-9]{0,2}([,'][0-9]{3})+", text) else ""


_FORMS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (re.compile(r"[-+]?\.?(inf|Inf|INF|nan|NaN|NAN|Infinity)"), lambda _: ""),
    (re.compile(r"[-+]?[0-9][0-9_]*([:,'][0-9]+)+(\.[0-9]*)?"), _joined),
    (re.compile(r"[-+]?(0[xX][0-9A-Fa-f_]+|0[oO][0-7_]+|0[bB][01_]+)"), _based),
    (_DECIMAL, plain_number),
)
"""What a number looks like in some YAML, beside plain digits, and what makes plain digits of it."""
