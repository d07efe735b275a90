"""The watch that notices when a study is complete, or has at least stopped growing.

A study that is proved complete settles at once; else once nothing came for a quiet time, which is that of the device, and
longer while something seems to be missing. A late image opens it again, and it settles again. What is settled, and when
to look again, stands in the study's row: a restart forgets nothing.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from dicom_node.archive import events
from dicom_node.archive.completeness import Kept, Proof, judge
from dicom_node.archive.rhythm import observe, quiet_of
from dicom_node.archive.tables import WRITTEN_HERE, instance_table, series_table, study_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from telemed.kernel.watch import Watch

_AT_ONCE, _VARIABLES = 50, 500
#: Instances of studies that were put off and are remembered until they are looked at again.
_REMEMBERED = 20000
#: A study is looked at for proof once nothing came for so long: what arrives in one go is looked at once.
LOOK_AFTER = timedelta(seconds=1)
#: How long it must be quiet when something seems to be missing.
HELD_FOR = timedelta(seconds=15)

_study = study_table.c
#: Asked again and again: made once. A clock set back would leave a study waiting for its own future: far ahead of now counts
#: as quiet, too.
_DUE = (
    select(study_table)
    .where(
        _study.settled_at.is_(None)
        & (
            (_study.look_at.is_(None) & (_study.last_received_at <= bindparam("a_while_ago")))
            | (_study.look_at <= bindparam("now"))
            | (_study.last_received_at > bindparam("far_ahead"))
        )
    )
    .limit(_AT_ONCE)
)

#: Returns the SOP Instance UIDs that a modality announced for (institution, StudyInstanceUID), none when it did not; None while
#: it is still at it.
Announced = Callable[[Connection, str, str], frozenset[str] | None]


def look_again(db: Connection, institution: str, study_instance_uid: str, now: datetime) -> None:
    """Let a study be judged anew at once, settled or not: its modality has said what it consists of."""
    mine = (study_table.c.institution == institution) & (study_table.c.study_instance_uid == study_instance_uid)
    db.execute(update(study_table).where(mine).values(settled_at=None, look_at=now))


def note_commitment(db: Connection, institution: str, sop_instance_uids: Sequence[str], now: datetime) -> None:
    """Remember how many instances of each study one request for storage commitment named, and look at the study again."""
    named: Counter[str] = Counter()
    for begin in range(0, len(sop_instance_uids), _VARIABLES):
        some = instance_table.c.sop_instance_uid.in_(sop_instance_uids[begin : begin + _VARIABLES])
        mine = select(series_table.c.study_id).join(instance_table, instance_table.c.series_id == series_table.c.id)
        named.update(db.execute(mine.where(instance_table.c.institution == institution, some)).scalars())
    for study_id, count in named.items():
        db.execute(update(study_table).where(study_table.c.id == study_id).values(committed=count, look_at=now))


class Settling(Watch):
    """A thread that settles studies that are proved complete, or at the least *quiet_s* seconds after their last instance.

    *filed_until* tells, given now, until when all that was received stands in the index: what is on its way is no quiet.
    """

    def __init__(
        self,
        database: Database,
        chronicle: Chronicle,
        *,
        announced: Announced = lambda *_study: frozenset(),
        filed_until: Callable[[datetime], datetime] = lambda now: now,
        quiet_s: float = 3,
        look_every_s: float = 0.5,
    ) -> None:
        super().__init__("settling", self.settle, every_s=look_every_s)
        self._database = database
        self._chronicle = chronicle
        self._announced = announced
        self._filed_until = filed_until
        self._quiet = timedelta(seconds=quiet_s)
        self._looked_at: OrderedDict[str, tuple[tuple[int, datetime], list[Kept]]] = OrderedDict()

    def settle(self) -> int:
        """Settle every study that is complete or has been quiet for long enough; return how many those were."""
        now = self._chronicle.clock.now()
        filed = self._filed_until(now)
        moments = {"now": filed, "a_while_ago": filed - min(LOOK_AFTER, self._quiet), "far_ahead": now + self._quiet}
        with self._database.reading() as db:
            found = db.execute(_DUE, moments).all()
        return sum(self._settle(study, now, filed) for study in found)

    def _settle(self, study: Row[Any], now: datetime, filed: datetime) -> bool:
        """Settle *study* or put it off; tell which."""
        with self._database.reading() as db:
            kept = self._kept(db, study)
            announced = self._announced(db, study.institution, study.study_instance_uid)
            device = quiet_of(db, study.institution, {one.source for one in kept}, least=self._quiet)
        verdict = judge(kept, announced=announced, committed=study.committed)
        wait = max(device, HELD_FOR) if verdict.missing else device
        last, missing = study.last_received_at, [asdict(gap) for gap in verdict.missing]
        settles = verdict.final or last <= filed - wait or last > now + wait
        proof = verdict.proof or Proof.QUIET
        ended = {"settled_at": now, "proof": proof, "missing": missing, "look_at": None}
        same = (study_table.c.id == study.id) & study_table.c.settled_at.is_(None)
        same &= (study_table.c.last_received_at == last) & (study_table.c.instance_count == study.instance_count)
        with self._database.transaction() as db:
            change = update(study_table).where(same).values(ended if settles else {"look_at": last + wait})
            if db.execute(change).rowcount == 0 or not settles:
                return False
            self._looked_at.pop(study.id)
            observe(db, study.institution, kept)
            self._tell(db, study, kept, proof, missing)
        return True

    def _kept(self, db: Connection, study: Row[Any]) -> list[Kept]:
        """Read what is kept of *study*; one that was put off and has not grown since need not be read again."""
        grown = study.instance_count, study.last_received_at
        looked_at, kept = self._looked_at.pop(study.id, (None, []))
        if looked_at != grown:
            kept = _kept(db, study.id)
        self._looked_at[study.id] = grown, kept
        while len(self._looked_at) > 1 and sum(len(each) for _, each in self._looked_at.values()) > _REMEMBERED:
            self._looked_at.popitem(last=False)
        return kept

    def _tell(self, db: Connection, study: Row[Any], kept: Sequence[Kept], proof: Proof, missing: list[dict[str, Any]]) -> None:
        told = events.study_settled(
            study.institution,
            study.study_instance_uid,
            modalities=list(study.modalities),
            series_count=study.series_count,
            instance_count=study.instance_count,
            last_received_at=study.last_received_at,
            sop_class_uids=sorted({one.sop_class_uid for one in kept}),
            proof=proof,
            missing=missing,
        )
        uid = study.study_instance_uid
        self._chronicle.enter(db, events.STUDY_SETTLED, uid, told, actor="archive", institution=study.institution, entity="Study")


def _kept(db: Connection, study_id: str) -> list[Kept]:
    columns = instance_table.c
    query = select(
        columns.sop_instance_uid,
        columns.sop_class_uid,
        columns.series_id,
        series_table.c.number.label("series_number"),
        columns.number,
        columns.attributes,
        columns.source,
        columns.received_at,
    )
    joined = query.join(series_table, series_table.c.id == columns.series_id).where(series_table.c.study_id == study_id)
    return [Kept(*row) for row in db.execute(joined.where(columns.source != WRITTEN_HERE))]
