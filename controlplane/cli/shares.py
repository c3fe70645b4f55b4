"""Shares of users as people write them."""

from __future__ import annotations

from lightbulb.v1 import control_plane_pb2 as pb


def moved_users(move: pb.MovedUsers) -> str:
    """Return who gets another model: "0-34% of users move from a@1 to b@1: 34% where country 'FR'"."""
    span = percents(move.least, move.most, exact=move.exact)
    where = f": {_percent(move.most)}% where {move.where}" if move.where else ""
    return f"{span} of users move from {move.before} to {move.after}{where}"


def percents(least: float, most: float, *, exact: bool) -> str:
    """Return a range such as "0-34%", and say so if others may be beyond it."""
    low, high = _percent(least), _percent(most)
    text = f"{high}%" if low == high else f"{low}-{high}%"
    return text if exact else f"{text}, as far as was looked at,"


def _percent(share: float) -> str:
    """Return it with up to two decimals; what isn't nobody isn't 0, nor everybody 100."""
    text = f"{share:.2f}".rstrip("0").rstrip(".")
    if text == "0" and share:
        return "<0.01"
    return ">99.99" if text == "100" and share < 100 else text
