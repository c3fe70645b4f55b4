"""What a rule says of a shadow, as `lightbulb shadow start` has it; what is wrong is complained of."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.lifecycle.shadow import DEFAULT_BODY, LEAST_BODY, MAX_BODY, MAX_LASTS, MAX_PAIRS, Ends
from controlplane.lifecycle.shadow_words import END_ADVICE, SIZE_ADVICE, bytes_of, end_of, together
from controlplane.rules.condition import Complain

SHADOW_WORDS = ("noiseFloor", "until", "maxBody")

Fields = Mapping[str, object]


def read_noise_floor(fields: Fields, complain: Complain) -> bool:
    """Say whether requests are copied to the default too."""
    value = fields.get("noiseFloor", False)
    if not isinstance(value, bool):
        complain("shadow.noiseFloor", "neither true nor false", "write true, or leave it out")
        return False
    return value


def read_max_body(fields: Fields, complain: Complain) -> int:
    """Return up to how many bytes a body is copied."""
    if "maxBody" not in fields:
        return DEFAULT_BODY
    value = fields["maxBody"]
    size = bytes_of(value) if isinstance(value, str) else None
    if size is None or not LEAST_BODY <= size <= MAX_BODY:
        complain("shadow.maxBody", "no size of 1KiB to 16MiB", f"write {SIZE_ADVICE}, as a text")
        return DEFAULT_BODY
    return size


def read_ends(fields: Fields, complain: Complain) -> Ends:
    """Return when it ends by itself."""
    value = fields.get("until", [])
    texts = value if isinstance(value, list) else [value]
    found = [end_of(each) if isinstance(each, str) else None for each in texts]
    ends = together(tuple(each for each in found if each is not None))
    if None in found or ends.pairs > MAX_PAIRS or (ends.lasts and not 1.0 <= ends.lasts <= MAX_LASTS):
        complain("shadow.until", "no end", f"write {END_ADVICE}, or a list of both, as texts")
    return ends
