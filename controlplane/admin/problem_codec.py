"""What is wrong with a workspace, as the API and the store have it."""

from __future__ import annotations

from controlplane.problems import Problem, Severity
from lightbulb.v1 import control_plane_pb2 as pb

_SEVERITIES = {Severity.ERROR: pb.SEVERITY_ERROR, Severity.WARNING: pb.SEVERITY_WARNING}


def problem_to_message(problem: Problem) -> pb.Problem:
    """Return a problem as a message."""
    return pb.Problem(
        file=problem.file,
        line=problem.line,
        rule=problem.rule,
        code=problem.code,
        message=problem.message,
        remedy=problem.remedy,
        severity=_SEVERITIES[problem.severity],
    )


def problem_from_message(message: pb.Problem) -> Problem:
    """Return a problem that was told; an older control plane tells of errors alone."""
    return Problem(
        file=message.file,
        line=message.line,
        rule=message.rule,
        code=message.code,
        message=message.message,
        remedy=message.remedy,
        severity=Severity.WARNING if message.severity == pb.SEVERITY_WARNING else Severity.ERROR,
    )
