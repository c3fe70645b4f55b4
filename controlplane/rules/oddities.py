"""Characters that a reader doesn't see, or takes for others: in names that look right and aren't. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

MAX_LOOKED_AT = 1024
"""Characters of a text that are looked at; no good name is as long."""
MAX_TEXT = 256
"""Characters of an owner, a salt, a model's type: more than a good one has."""

_MISLEADING = re.compile("[\0\x85\u2028\u2029\u202a-\u202e\u2066-\u2069]|\r(?!\n)")

_CYRILLIC = "A:A VE:B IE:E KA:K EM:M EN:H O:O ER:P ES:C TE:T HA:X U:Y DZE:S BYELORUSSIAN-UKRAINIAN_I:I JE:J"
_GREEK = (
    "ALPHA:A BETA:B EPSILON:E ZETA:Z ETA:H IOTA:I KAPPA:K MU:M NU:N OMICRON:O RHO:P TAU:T UPSILON:Y CHI:X"
)
_SMALL = {"CYRILLIC": "A IE O ER ES HA U DZE BYELORUSSIAN-UKRAINIAN_I JE", "GREEK": "OMICRON"}
_OTHERS = {
    "CYRILLIC SMALL LETTER SHHA": "h",
    "CYRILLIC SMALL LETTER KOMI DE": "d",
    "HYPHEN": "-",
    "NON-BREAKING HYPHEN": "-",
    "EN DASH": "-",
    "EM DASH": "-",
    "MINUS SIGN": "-",
}


def _looks() -> Mapping[str, str]:
    """Return letters of other scripts -> the Latin ones that they look like."""
    found = {unicodedata.lookup(name): latin for name, latin in _OTHERS.items()}
    for script, pairs in (("CYRILLIC", _CYRILLIC), ("GREEK", _GREEK)):
        for pair in pairs.split():
            name, latin = pair.replace("_", " ").split(":")
            found[unicodedata.lookup(f"{script} CAPITAL LETTER {name}")] = latin
            if name.replace(" ", "_") in _SMALL[script].split():
                found[unicodedata.lookup(f"{script} SMALL LETTER {name}")] = latin.lower()
    return found


_LOOKS = _looks()


def oddity(name: str, like: str = "") -> str:
    """Return what is odd about the first character that a reader of a name would miss or mistake; else empty.

    What stands in `like` is as it should be.
    """
    for position, character in enumerate(name[:MAX_LOOKED_AT], start=1):
        if " " < character < "\x7f" or character in like:
            continue
        what = f"character {position} of it is {_named(character)}"
        latin = _LOOKS.get(character) or _narrow(character)
        if latin:
            return f"{what}, which looks like {latin}"
        if not character.isprintable() or character.isspace() or unicodedata.combining(character):
            return what
    return ""


def misleading(text: str) -> tuple[int, str, str] | None:
    """Return the line, the message and the remedy for a character by which a file reads otherwise than it is.

    Some readers begin a new line at it and others don't, or it turns around what follows, or it ends a text.
    """
    if text.isascii() and "\r" not in text and "\0" not in text:
        return None  # which is known at once, of most files
    match = _MISLEADING.search(text)
    if match is None:
        return None
    line = text.count("\n", 0, match.start()) + 1
    if match.group() == "\r":
        return line, "a carriage return stands without a line feed", "save it with line feeds"
    if match.group() == "\0":
        return line, "a zero byte is not allowed", "save it as UTF-8"
    code = f"\\u{ord(match.group()):04x}"
    remedy = f"take it out; a text in double quotes can have {code}"
    return line, f"{_named(match.group())} is not allowed: few readers see it", remedy


def unfit(text: str, most: int = MAX_TEXT) -> str:
    """Return why a text can't stand for itself: too long, or with what nobody sees; empty if it can."""
    if len(text) > most:
        return f"has {len(text)} characters; {most} are allowed"
    for position, character in enumerate(text, start=1):
        if not character.isprintable() or (character == " " and position in {1, len(text)}):
            return f"can't have this: character {position} of it is {_named(character)}"
    return ""


def _named(character: str) -> str:
    if character == " ":
        return "a blank"
    name = unicodedata.name(character, "")
    code = f"U+{ord(character):04X}"
    return f"{name} ({code})" if name else code


def _narrow(character: str) -> str:
    """Return the ASCII character that a wide, bold or circled one stands for."""
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 and "!" <= plain <= "~" else ""
