"""When an answer is to be expected, and how likely it comes late: from what waits before it and who is there to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import NormalDist

#: How much a reading differs from its usual time, as a share of it (standard deviation).
SPREAD = 0.5
#: From the signature to the clinic's screen.
DELIVERY = timedelta(seconds=10)
#: What a reading is still expected to take, at least, that has taken its usual time already.
LEAST_LEFT = 0.25
#: From this probability on somebody is told that an answer will come late.
LIKELY = 0.8


@dataclass(frozen=True)
class Forecast:
    """When the report is expected on the clinic's screen (T5), how likely it is late (0 to 1), and by how many minutes.

    *late_by_min* is the expected T5 beyond the deadline, 0 when it lies before it. *ahead* tasks are read before.
    """

    expected_at: datetime
    late: float
    late_by_min: int
    ahead: int


def forecast(
    now: datetime,
    due_at: datetime,
    reading: timedelta,
    *,
    before: Sequence[timedelta] = (),
    readers: int,
    begun_at: datetime | None = None,
) -> Forecast | None:
    """Return what is to be expected of a task whose reading usually takes *reading*.

    *before* are the readings that come first, shared by *readers*; None when nobody is there to read. A task that is being
    read since *begun_at* waits for none of them. Durations are taken as independent and their sum as normal: many small
    ones, none of which decides.
    """
    if begun_at is not None:
        own = max(reading - (now - begun_at), LEAST_LEFT * reading)
        mean, variance = own, (SPREAD * own.total_seconds()) ** 2
    elif readers == 0:
        return None
    else:
        each = [one.total_seconds() for one in before]
        mean = timedelta(seconds=sum(each) / readers) + reading
        variance = SPREAD**2 * (sum(one**2 for one in each) / readers**2 + reading.total_seconds() ** 2)
    expected_at = now + mean + DELIVERY
    left_s = (due_at - expected_at).total_seconds()
    late = 1 - NormalDist(0, max(variance, 1) ** 0.5).cdf(left_s)
    return Forecast(expected_at, round(late, 3), max(0, ceil(-left_s / 60)), len(before) if begun_at is None else 0)
