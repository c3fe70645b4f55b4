"""What is wrong with a value that a rule compares with, and what to write."""

from __future__ import annotations


class BadValue(ValueError):
    """A value that its operator can't compare with."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy
