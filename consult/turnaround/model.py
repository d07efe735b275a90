"""The points of the clock, and what is shown of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil


class Point(StrEnum):
    """A moment every consultation passes; see PRODUCT's clock for the event that makes each true."""

    T0 = "t0_at"  # the later of: last instance safe on disk; request placed
    T1 = "t1_at"  # the first image of diagnostic quality can be shown
    T2 = "t2_at"  # the study is proved complete
    T3 = "t3_at"  # claimed by a qualified specialist
    T4 = "t4_at"  # report signed
    T5 = "t5_at"  # report on the clinic's screen or in its system
    T6 = "t6_at"  # a named person at the clinic has opened it


@dataclass(frozen=True)
class Turnaround:
    """One consultation's clock; the field names are the public interface's.

    *elapsed_s* runs from T0 to T5, or to now while T5 is open, and never pauses; *paused_s* is told beside it, with the
    present pause, which began at *paused_since*.
    """

    T0: datetime | None
    T1: datetime | None
    T2: datetime | None
    T3: datetime | None
    T4: datetime | None
    T5: datetime | None
    T6: datetime | None
    budget_s: int
    elapsed_s: int | None
    paused_s: int
    paused_since: datetime | None


@dataclass(frozen=True)
class Figures:
    """Of the consultations whose T0 lies in a span: how many, how many delivered, and T5 - T0 in seconds.

    Within target are those that took no longer than their budget beside their pauses; *within_target_unpaused* lets no
    pause count, nor do the percentiles.
    *share_within_target* is of the delivered ones; it and the percentiles are None when none was delivered.
    """

    count: int
    delivered: int
    within_target: int
    within_target_unpaused: int
    share_within_target: float | None
    p50_s: int | None
    p90_s: int | None
    p95_s: int | None


def percentile(ordered: Sequence[int], share: float) -> int | None:
    """Return the nearest-rank percentile of values in ascending order, None of none."""
    return ordered[max(1, ceil(share * len(ordered))) - 1] if ordered else None
