"""How long a device pauses inside a study: the quiet after which it has probably finished.

A fixed time is too short for a slow ultrasound and too long for a CT. The longest pause of each study is remembered for
the AE title that sent it; quiet is what nine of ten studies never reached, and half as much again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import Connection, insert, select, update

from dicom_node.archive.completeness import Kept
from dicom_node.archive.tables import rhythm_table

#: Fewer studies tell nothing yet; older ones are forgotten, the device may have been replaced.
FEWEST_STUDIES, MOST_STUDIES = 5, 30
#: Whoever waits for an answer does not wait longer than this for images that may not come.
LONGEST_QUIET = timedelta(seconds=30)
#: A longer pause is another visit, not this device's rhythm.
LONGEST_PAUSE_S = 120.0
MARGIN = 1.5


def quiet_of(db: Connection, institution: str, sources: Iterable[str], *, least: timedelta) -> timedelta:
    """Return how long *sources* must be quiet: what was learned of the slowest, at least *least*."""
    mine = (rhythm_table.c.institution == institution) & rhythm_table.c.source.in_(set(sources))
    learned = [_learned(pauses) for pauses in db.execute(select(rhythm_table.c.pauses).where(mine)).scalars()]
    return max([least, *(min(quiet, LONGEST_QUIET) for quiet in learned)])


def _learned(pauses: list[float]) -> timedelta:
    if len(pauses) < FEWEST_STUDIES:
        return timedelta(0)
    return timedelta(seconds=MARGIN * sorted(pauses)[len(pauses) * 9 // 10])


def observe(db: Connection, institution: str, kept: Iterable[Kept]) -> None:
    """Remember the longest pause of each source in a study that has settled."""
    arrivals: defaultdict[str, list[datetime]] = defaultdict(list)
    for one in kept:
        arrivals[one.source].append(one.received_at)
    for source, times in arrivals.items():
        pauses = [(after - before).total_seconds() for before, after in pairwise(sorted(times))]
        usual = [pause for pause in pauses if pause <= LONGEST_PAUSE_S]
        if usual:
            _remember(db, institution, source, round(max(usual), 2))


def _remember(db: Connection, institution: str, source: str, pause: float) -> None:
    mine = (rhythm_table.c.institution == institution) & (rhythm_table.c.source == source)
    known = db.scalar(select(rhythm_table.c.pauses).where(mine))
    if known is None:
        db.execute(insert(rhythm_table).values(institution=institution, source=source, pauses=[pause]))
    else:
        db.execute(update(rhythm_table).where(mine).values(pauses=[*known, pause][-MOST_STUDIES:]))
