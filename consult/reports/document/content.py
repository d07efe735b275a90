"""What a document shows beyond the report itself, handed in as plain values so that the page knows no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ecg.rendering import Sheet


@dataclass(frozen=True)
class Illustration:
    """A key image: JPEG bytes and one line beneath it."""

    jpeg: bytes
    caption: str


@dataclass(frozen=True)
class Hints:
    """What the machine measured and noticed; never a diagnosis. Rows of (name, value), and statements in Chinese."""

    measurements: Sequence[tuple[str, str]]
    statements: Sequence[str]


@dataclass(frozen=True)
class Ledger:
    """When each of T0 to T6 came true, None when it has not; *budget_s* is the lane's target from T0 to T5.

    A version that replaces a signed one carries its own T4 to T6 and no target (0): the clock of record ended with the first.
    """

    stamps: Sequence[datetime | None]
    budget_s: int
    paused_s: int = 0


@dataclass(frozen=True)
class Attachments:
    """Everything beside the text; *sheets* are ECGs on paper, in millimetres."""

    illustrations: Sequence[Illustration] = ()
    sheets: Sequence[Sheet] = ()
    hints: Hints | None = None
