"""Shares of users as people write them."""

from __future__ import annotations

from lightbulb.v1 import control_plane_pb2 as pb


def moved_users(move: pb.MovedUsers) -> str:
    """Return who gets another model: "0-34% of users move from a@1 to b@1: 34% where country 'FR'"."""
    where = f": {_percent(move.most)}% where {move.where}" if move.where else ""
    path = f"from {move.before} to {move.after}" if move.before else "to another model"
    span = _span(move.least, move.most, counted=move.counted)
    return f"{span} of users move {path}{where}{_counted(move.counted)}"


def percents(least: float, most: float, *, counted: int) -> str:
    """Return a range such as "0-34%", or between what a share lies of which so many users were counted."""
    return f"{_span(least, most, counted=counted)}{_counted(counted)}"


def _span(least: float, most: float, *, counted: int) -> str:
    low, high = _percent(least), _percent(most)
    if counted:
        return f"between {low}% and {high}%"
    return f"{high}%" if low == high else f"{low}-{high}%"


def _counted(users: int) -> str:
    return f" (counted, {users:,} users)" if users else ""


def _percent(share: float) -> str:
    """Return it with up to two decimals; what isn't nobody isn't 0, nor everybody 100."""
    text = f"{share:.2f}".rstrip("0").rstrip(".")
    if text == "0" and share:
        return "<0.01"
    return ">99.99" if text == "100" and share < 100 else text
