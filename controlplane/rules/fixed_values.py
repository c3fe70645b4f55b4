"""What a comparison can never be true of, though its operator takes its values. Pure.

The fixed attributes are texts of a known form: a country is an ISO 3166-1 code, a locale a BCP 47 tag. They
are compared exactly, and no client sends more than the protocol carries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from controlplane.rules.oddities import unfit
from lightbulb.model import FIXED_ATTRIBUTES, Comparison, Operator
from lightbulb.resolution.operators import OPERATORS, Kind
from lightbulb.rpc.messages import MAX_ATTRIBUTE, MAX_FIELD, MAX_LIST

_ASSIGNED = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY
BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK
FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR
IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK
ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF
TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(_ASSIGNED.split())
"""ISO 3166-1 alpha-2: the codes that are assigned."""

_RESERVED = frozenset({"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "TA", "UN"})
_USERS_OWN = re.compile(r"AA|Q[M-Z]|X[A-Z]|ZZ")
"""Codes that ISO leaves to whoever needs one: XK, ZZ, ..."""
_MEANT = {"UK": "GB", "EN": "GB", "EL": "GR", "SU": "RU", "FX": "FR", "USA": "US", "GBR": "GB"}

_LOCALE = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})"
    r"(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?|x(?:-[a-z0-9]{1,8})+",
    re.IGNORECASE | re.ASCII,
)
_LOCALE_START = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*-?")

_WHOLE = frozenset({Operator.IN, Operator.IN_IGNORING_CASE})
_STARTS = frozenset({Operator.PREFIX, Operator.PREFIX_IGNORING_CASE})
_ANY_TEXT = frozenset(
    {
        Operator.EXISTS,
        Operator.MATCHES,
        Operator.SUFFIX,
        Operator.SUFFIX_IGNORING_CASE,
        Operator.CONTAINS,
        Operator.CONTAINS_IGNORING_CASE,
    }
)
_LONGER = {Operator.SIZE_EQ: MAX_LIST, Operator.SIZE_GE: MAX_LIST, Operator.SIZE_GT: MAX_LIST - 1}
"""The largest bounds that a list can meet."""

_LISTS = frozenset({Operator.HAS_ANY, Operator.HAS_ALL})


@dataclass(frozen=True, slots=True)
class Never:
    """Why a comparison is never true, and what to write."""

    message: str
    remedy: str


def never_true(comparison: Comparison) -> Never | None:
    """Return why no request can meet a comparison; None if one may."""
    name = comparison.attribute
    if name == "user_id":
        remedy = 'write context.user.in("...") in JavaScript, {users: ["..."]} in YAML'
        return Never("user_id is no attribute", remedy)
    fault = unfit(name, MAX_FIELD)
    if fault:
        return Never(f"the attribute's name {fault}", "write the name that clients send")
    if "semver" in comparison.operator.value and _has_gap(str(comparison.values[0])):
        remedy = "write letters and digits between its dots, after the +"
        return Never(f"{comparison.values[0]!r} is not a semantic version", remedy)
    longest = _LONGER.get(comparison.operator)
    if longest is not None and float(comparison.values[0]) > longest:
        return Never(f"clients send lists of up to {MAX_LIST} elements", "write less")
    fixed = name in FIXED_ATTRIBUTES
    most = MAX_FIELD if fixed else MAX_ATTRIBUTE
    for value in comparison.values:
        if isinstance(value, str) and len(value) > most:
            return Never(f"a text of {len(value)} characters; clients send up to {most}", "shorten it")
    return _of_fixed(comparison) if fixed else None


def _has_gap(version: str) -> bool:
    """Say whether the build metadata of a version has an empty part; resolution doesn't look at it."""
    _, plus, build = version.partition("+")
    return bool(plus) and not all(build.split("."))


def _of_fixed(comparison: Comparison) -> Never | None:
    name, operator = comparison.attribute, comparison.operator
    if OPERATORS[operator].kind is Kind.NUMBER or operator in _LISTS:
        return Never(
            f"{name} is a text; {operator.value} is not for texts", f"compare {name} by in or prefix"
        )
    for value in comparison.values:
        if not isinstance(value, str) or not value:
            return Never(f"{name} is a text that is not empty, never {value!r}", "write such a text")
    if name not in {"country", "locale"} or operator in _ANY_TEXT:
        return None
    if operator not in _WHOLE | _STARTS:
        message = f"{name} is a code; {operator.value} is not for codes"
        return Never(message, f"compare {name} by in or prefix")
    return next(filter(None, (_CHECKS[name](str(value), operator) for value in comparison.values)), None)


def _country(value: str, operator: Operator) -> Never | None:
    code = value if operator in {Operator.IN, Operator.PREFIX} else value.upper()
    if operator in _STARTS:
        if any(country.startswith(code) for country in COUNTRIES) or _is_country(code):
            return None
        return Never(f"no country's code begins with {value!r}", "write one or two capital letters")
    if _is_country(code):
        return None
    meant = _MEANT.get(value.upper(), value.upper())
    remedy = f'write "{meant}"' if _is_country(meant) else "write two capital letters, for example US"
    return Never(f"no country has the code {value!r} in ISO 3166-1", remedy)


def _is_country(code: str) -> bool:
    return code in COUNTRIES or code in _RESERVED or _USERS_OWN.fullmatch(code) is not None


def _locale(value: str, operator: Operator) -> Never | None:
    form = _LOCALE_START if operator in _STARTS else _LOCALE
    if form.fullmatch(value):
        return None
    better = value.replace("_", "-").partition(".")[0]
    remedy = f'write "{usual_case(better)}"' if form.fullmatch(better) else "write for example en-US"
    return Never(f"{value!r} is no locale of BCP 47", remedy)


def usual_case(locale: str) -> str:
    """Return a locale as BCP 47 recommends to write it: en-US, zh-Hant-TW."""
    parts = locale.lower().split("-")
    for index, part in enumerate(parts):
        if len(part) == 1:
            break  # what follows an extension's letter is written small
        if index and part.isalpha() and len(part) in {2, 4}:
            parts[index] = part.upper() if len(part) == 2 else part.capitalize()
    return "-".join(parts)


_CHECKS = {"country": _country, "locale": _locale}
