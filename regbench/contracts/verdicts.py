"""Clauses, and what comes of examining them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Ruling(StrEnum):
    """How it stands with one clause.

    A clause of style that does not hold warns, any other one fails. An exception that is no longer needed, because the
    clause holds, makes it fail.
    """

    HOLDS = "holds"
    FAILS = "fails"
    WARNS = "warns"
    EXCEPTED = "excepted"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Verdict:
    """What came of one clause.

    Attributes:
        clause: its name.
        must_hold: the clause in one line.
        ruling: see `Ruling`.
        message: why it fails, is excepted or is not applicable; empty where it holds.
    """

    clause: str
    must_hold: str
    ruling: Ruling
    message: str = ""


@dataclass(frozen=True)
class Clause:
    """Something that must hold.

    Attributes:
        name: in words joined by underscores.
        must_hold: one line.
        examine: raises `ViolationError` where a subject does not keep it, `NotApplicableError` where that is not known.
        is_style: whether it is about how a class is written, and not about what it computes.
    """

    name: str
    must_hold: str
    examine: Callable[[Any], None]
    is_style: bool = False


class ViolationError(Exception):
    """A clause does not hold; the message says why."""


class NotApplicableError(Exception):
    """A clause cannot be examined here; the message says why."""
