"""The demo's users: the same ones every time, spread over countries, devices, locales and surfaces."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

from lightbulb.model import RequestContext

_COUNTRIES = ("US", "CA", "MX", "BR", "FR", "DE", "IN", "JP", "KR")
_DEVICES = ("tv-roku", "tv-android", "phone-ios", "phone-android", "web")
_LOCALES = ("en-US", "fr-CA", "es-MX", "pt-BR", "fr-FR", "de-DE", "hi-IN", "ja-JP", "ko-KR")
_SURFACES = ("home", "home", "home", "search", "kids", "browse", "home")
_VERSIONS = ("4.1.0", "4.2.0", "5.0.0-beta.1", "5.0.0")


def population(count: int) -> Iterator[RequestContext]:
    """Yield `count` users. The cycles' lengths have no common factor, so that all combinations occur."""
    traits = zip(
        cycle(zip(_COUNTRIES, _LOCALES, strict=True)),
        cycle(_DEVICES),
        cycle(_SURFACES),
        cycle(_VERSIONS),
        strict=False,
    )
    for number, ((country, locale), device, surface, version) in enumerate(islice(traits, count), start=1):
        yield RequestContext(
            user_id=f"user-{number:05d}",
            country=country,
            locale=locale,
            device=device,
            surface=surface,
            attributes={"app_version": version},
        )
