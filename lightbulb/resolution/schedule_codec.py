"""Steps of shifts, and how new defaults are judged: values to messages of protos/lightbulb/v1/table.proto."""

from __future__ import annotations

from lightbulb.model import GuardTerms, Probation, Schedule
from lightbulb.v1 import table_pb2 as pb


def schedule_to_proto(schedule: Schedule) -> pb.Schedule:
    """Return the wire form of a shift's steps."""
    guards = None if schedule.guards is None else _guards_to_proto(schedule.guards)
    return pb.Schedule(steps=schedule.steps, every=schedule.every, guards=guards)


def schedule_from_proto(message: pb.Schedule) -> Schedule:
    """Return a shift's steps."""
    return Schedule(
        steps=tuple(message.steps),
        every=message.every,
        guards=_guards_from_proto(message.guards) if message.HasField("guards") else None,
    )


def probation_to_proto(probation: Probation) -> pb.Probation:
    """Return the wire form of how a new default is judged."""
    return pb.Probation(guards=_guards_to_proto(probation.guards), seconds=probation.seconds)


def probation_from_proto(message: pb.Probation) -> Probation:
    """Return how a new default is judged."""
    return Probation(guards=_guards_from_proto(message.guards), seconds=message.seconds)


def _guards_to_proto(terms: GuardTerms) -> pb.Guards:
    return pb.Guards(
        guards=terms.guards, alpha=terms.alpha, interval=terms.interval, min_sample=terms.min_sample
    )


def _guards_from_proto(message: pb.Guards) -> GuardTerms:
    return GuardTerms(
        guards=tuple(message.guards),
        alpha=message.alpha,
        interval=message.interval,
        min_sample=message.min_sample,
    )
