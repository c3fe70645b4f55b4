"""Pictures of a report as SVG, drawn in the page's own colours (classes `one`, `other`). Pure.

Side `one` is the primary, or the noise floor; `other` is the shadow. A picture is 400 units wide, so that its
text can be read on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from controlplane.comparison.report import Band, Bar, Line

WIDTH = 400
HEIGHT = 230
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 12, 40
ROW = 30
NAMES = 132
NUMBERS = 46
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


def forest(lines: Sequence[Line]) -> str:
    """Draw figures with their intervals, the noise floor's above."""
    ends = [
        end
        for line in lines
        for each in (line.candidate, line.floor)
        if each
        for end in (each.low, each.high)
    ]
    low, high = _around(min(ends), max(ends))
    height = ROW * len(lines) + 34

    def x(value: float) -> float:
        return NAMES + (value - low) / (high - low) * (WIDTH - NAMES - NUMBERS)

    parts = [_vertical(x(tick), 4, height - 24, _number(tick)) for tick in _ticks(low, high, 4)]
    for row, line in enumerate(lines):
        y = ROW * row + 20
        parts.append(_text(0, y + 4, line.name))
        if line.floor is not None:
            parts.append(_whisker("one", x(line.floor.low), x(line.floor.value), x(line.floor.high), y - 6))
        shift = 5 if line.floor is not None else 0
        interval = line.candidate
        parts.append(_whisker("other", x(interval.low), x(interval.value), x(interval.high), y + shift))
        parts.append(_text(WIDTH, y + 4, f"{interval.value:.3f}", anchor="end"))
    return _svg(height, parts, "figures with their 95 % intervals")


def bars(each: Sequence[Bar], label: str) -> str:
    """Draw two histograms of shares: the one as an outline, the other filled."""
    top = max((max(bar.primary, bar.shadow) for bar in each), default=0.0) or 1.0
    low, high = each[0].low, each[-1].high

    def x(value: float) -> float:
        return _across((value - low) / (high - low))

    def y(value: float) -> float:
        return _up(value / top)

    parts = [_horizontal(y(tick), f"{tick:.0%}") for tick in _ticks(0.0, top, 4)]
    parts += [_below(x(tick), _number(tick)) for tick in _ticks(low, high, 5)]
    for bar in each:
        width = x(bar.high) - x(bar.low)
        parts.append(
            f'<rect class="other fill" x="{x(bar.low) + 1:.1f}" y="{y(bar.shadow):.1f}" '
            f'width="{width - 2:.1f}" height="{HEIGHT - BOTTOM - y(bar.shadow):.1f}"/>'
        )
    if any(bar.primary for bar in each):
        parts.append(_path("one", [(x(at), y(bar.primary)) for bar in each for at in (bar.low, bar.high)]))
    parts.append(_text(WIDTH / 2, HEIGHT - 4, label, anchor="middle"))
    return _svg(HEIGHT, parts, label)


def curves(each: Sequence[Bar], label: str) -> str:
    """Draw the shares at or below each value of two histograms, on a logarithmic axis."""
    seen = [bar for bar in each if bar.primary or bar.shadow]
    if not seen:
        return ""
    low, high = math.log10(seen[0].low), math.log10(seen[-1].high)

    def x(value: float) -> float:
        return _across((math.log10(value) - low) / (high - low))

    parts = [_horizontal(_up(tick), f"{tick:.0%}") for tick in QUARTERS]
    parts += [_below(x(tick), _number(tick)) for tick in _decades(low, high)]
    for side, name in (("one", "primary"), ("other", "shadow")):
        total, points = 0.0, [(x(seen[0].low), _up(0.0))]
        for bar in each:
            if seen[0].low <= bar.low <= seen[-1].low:
                total += getattr(bar, name)
                points.append((x(bar.high), _up(total)))
        parts.append(_path(side, points))
    parts.append(_text(WIDTH / 2, HEIGHT - 4, label, anchor="middle"))
    return _svg(HEIGHT, parts, label)


def calibration(sides: Sequence[tuple[str, Sequence[Band]]], below: str, beside: str) -> str:
    """Draw what was found where so much was foretold; the diagonal is what is right."""
    parts = [_horizontal(_up(tick), _number(tick)) for tick in QUARTERS]
    parts += [_below(_across(tick), _number(tick)) for tick in QUARTERS]
    parts.append(_path("right", [(_across(0.0), _up(0.0)), (_across(1.0), _up(1.0))]))
    for side, each in sides:
        points = [(_across(band.foretold), _up(band.found)) for band in each]
        parts.append(_path(side, points))
        most = max((band.scores for band in each), default=1)
        for band, (left, top) in zip(each, points, strict=True):
            size = 2 + 4 * math.sqrt(band.scores / most)
            parts.append(f'<circle class="{side} fill" cx="{left:.1f}" cy="{top:.1f}" r="{size:.1f}"/>')
    parts.append(_text(WIDTH / 2, HEIGHT - 4, below, anchor="middle"))
    parts.append(_text(LEFT + 6, TOP + 10, beside))
    return _svg(HEIGHT, parts, f"{beside} by {below}")


def _across(share: float) -> float:
    """Return where a share of a picture's width is."""
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _up(share: float) -> float:
    """Return where a share of a picture's height is."""
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _svg(height: float, parts: Sequence[str], title: str) -> str:
    label = escape(title)
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _vertical(x: float, top: float, bottom: float, text: str) -> str:
    line = f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'
    return line + _text(x, bottom + 16, text, anchor="middle")


def _horizontal(y: float, text: str) -> str:
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + _text(LEFT - 6, y + 4, text, anchor="end")


def _below(x: float, text: str) -> str:
    return _text(x, HEIGHT - BOTTOM + 15, text, anchor="middle")


def _whisker(side: str, low: float, value: float, high: float, y: float) -> str:
    line = f'<line class="{side}" x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + f'<circle class="{side} fill" cx="{value:.1f}" cy="{y:.1f}" r="3.5"/>'


def _path(side: str, points: Sequence[tuple[float, float]]) -> str:
    return f'<polyline class="{side}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def _around(low: float, high: float) -> tuple[float, float]:
    """Return ends with a little room."""
    room = (high - low) * 0.06 or 0.01
    return low - room, high + room


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Return about so many round numbers between two."""
    rough = (high - low) / count
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(at * step, 12) + 0.0 for at in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Return round numbers between two powers of ten, by their logarithms."""
    factors = (1, 2, 5) if high - low < 3 else (1,)
    found = [
        factor * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for factor in factors
    ]
    return [each for each in found if low <= math.log10(each) <= high]


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 10_000 else f"{value:,.0f}"
