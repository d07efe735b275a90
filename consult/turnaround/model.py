"""The points of the clock, and what is shown of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

    @classmethod
    def of(cls, clocks: Iterable[tuple[datetime, datetime | None, int, int]]) -> Figures:
        """Sum up clocks, each (T0, T5 or None, budget in s, pauses in s)."""
        count, taken = 0, []
        for t0, t5, budget_s, paused_s in clocks:
            count += 1
            if t5 is not None:
                taken.append((int((t5 - t0).total_seconds()), budget_s, paused_s))
        ordered = sorted(seconds for seconds, _, _ in taken)
        within = sum(seconds - paused_s <= budget_s for seconds, budget_s, paused_s in taken)
        return cls(
            count=count,
            delivered=len(taken),
            within_target=within,
            within_target_unpaused=sum(seconds <= budget_s for seconds, budget_s, _ in taken),
            share_within_target=within / len(taken) if taken else None,
            p50_s=percentile(ordered, 0.50),
            p90_s=percentile(ordered, 0.90),
            p95_s=percentile(ordered, 0.95),
        )


def percentile(ordered: Sequence[int], share: float) -> int | None:
    """Return the nearest-rank percentile of values in ascending order, None of none."""
    return ordered[max(1, ceil(share * len(ordered))) - 1] if ordered else None
