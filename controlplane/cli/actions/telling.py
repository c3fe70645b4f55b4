"""Compares what hosts record, and tells the control plane, whose guards of agreement judge it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from controlplane.cli.actions.comparison import HOW
from controlplane.cli.control_plane import CALL_SECONDS, Addresses, call_on
from controlplane.cli.extras import require
from controlplane.cli.failed import Failed
from controlplane.cli.problems import printable
from controlplane.comparison.joining import Joining
from controlplane.comparison.tails import Tail, Tails
from controlplane.lifecycle.agreement import MAX_MODELS, Models
from controlplane.lifecycle.figures import Counts
from controlplane.lifecycle.verdict import percent
from lightbulb.comparison.record import Record
from lightbulb.v1 import telemetry_pb2 as pb
from lightbulb.v1.telemetry_pb2_grpc import TelemetryServiceStub

ALL_THERE_IS = 1
"""The epoch of who tells of every record that there is; of who follows it is when that began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Records in `places`, told of by the name of `teller`; and `every` so many seconds, None: once."""

    places: tuple[Path | str, ...]
    teller: str
    every: float | None = None


def tell(control_planes: Addresses, asked: Asked) -> None:
    """Tell of what there is, or until Ctrl-C of what is added. Raises Failed."""
    tails = _tails(asked.places)
    if asked.every is None:
        joining = Joining()
        joining.take(_read(tails))
        counts = joining.counts
        if not counts:
            raise _no_pairs(asked, joining)
        _tell(control_planes, asked.teller, ALL_THERE_IS, counts)
        _print(counts, {})
        _say_left_out(joining)
        return
    _follow(control_planes, asked, tails, asked.every)


def _follow(control_planes: Addresses, asked: Asked, tails: tuple[Tail, ...], every: float) -> None:
    """Tell of what is added from now on. Raises Failed for records that can't be read at the beginning."""
    for tail in tails:  # what is there already, another told of
        try:
            tail.skip()
        except OSError as error:
            raise _unread(error) from error
    began, joining, told = int(time.time() * 1_000), Joining(), dict[Models, Counts]()
    click.echo("compares what is recorded from now on, until Ctrl-C")
    while True:
        time.sleep(every)
        try:
            joining.take(_read(tails))
            counts = joining.counts
            if counts:  # again and again: a control plane may have begun anew
                _tell(control_planes, asked.teller, began, counts)
        except Failed as error:  # all that was counted is told the next time
            click.echo(f"{error}", err=True)
            continue
        _print(counts, told)
        _say_left_out(joining)
        told = dict(counts)


def _tails(places: tuple[Path | str, ...]) -> tuple[Tail, ...]:
    paths = tuple(place for place in places if isinstance(place, Path))
    urls = tuple(place for place in places if isinstance(place, str))
    if not urls:
        return (Tails(paths),)
    require("redis", "redis")
    from controlplane.cli.record_stream import StreamTail  # noqa: PLC0415 - an extra

    return (*((Tails(paths),) if paths else ()), *map(StreamTail, urls))


def _no_pairs(asked: Asked, joining: Joining) -> Failed:
    places = ", ".join(map(str, asked.places))
    message = f"no request of a user in {places} has records of both sides"
    if joining.not_live:
        return Failed("NO_PAIRS", f"{message}: {joining.not_live:,} are tests and replays", "wait for users'")
    return Failed("NO_PAIRS", message, HOW)


def _read(tails: tuple[Tail, ...]) -> Iterator[Record]:
    """Yield what was added. Raises Failed."""
    for tail in tails:
        before = tail.unreadable
        try:
            yield from tail.records()
        except OSError as error:
            raise _unread(error) from error
        if tail.unreadable > before:
            lines = tail.unreadable - before
            click.echo(f"passed over {lines:,} lines that are no records", err=True)


def _unread(error: OSError) -> Failed:
    return Failed("NO_RECORDS", f"can't read records: {error}", HOW)


def _tell(control_planes: Addresses, teller: str, epoch: int, counts: Mapping[Models, Counts]) -> None:
    """Tell all that was counted. Raises CallFailed."""
    request = pb.TellComparedRequest(
        teller=teller,
        epoch=epoch,
        compared=[
            pb.ComparedAnswers(
                objective=models.objective,
                primary=models.primary,
                candidate=models.candidate,
                pairs=each.compared,
                disagreement=each.disagreed,
            )
            for models, each in sorted(counts.items())
        ],
    )
    call_on(
        control_planes,
        lambda channel: TelemetryServiceStub(channel).TellCompared(request, timeout=CALL_SECONDS),
    )


def _say_left_out(joining: Joining) -> None:
    if joining.left_out:
        message = (
            f"left out {joining.left_out:,} pairs of answers: {MAX_MODELS:,} pairs of models are told of"
        )
        click.echo(message, err=True)


def _print(counts: Mapping[Models, Counts], told: Mapping[Models, Counts]) -> None:
    for models, each in sorted(counts.items()):
        if each != told.get(models) and each.compared:
            share = percent(1.0 - each.disagreed / each.compared)
            pairs = f"{models.candidate} agrees with {models.primary} to {share}, by {each.compared:,} pairs"
            click.echo(printable(f"{models.objective}: {pairs}"))
