"""Two people in one row: chosen studies of a patient are another's. Only people say so, and every word can be taken back.

A split changes which patient the studies' objects count as naming; merges derive what is shown from that, as ever. A study
that was moved twice is moved back in the other order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from dicom_node.archive import events
from dicom_node.archive.identity import LONGEST_REASON, MOST_FOUND, patient
from dicom_node.archive.index import Patient, Study, select_studies, study_from
from dicom_node.archive.indexing import hold_index
from dicom_node.archive.tables import merge_table, patient_table, split_table, study_table, word_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound

MOST_STUDIES = 200
_NAMED = func.coalesce(study_table.c.received_patient_key, study_table.c.patient_key)


@dataclass(frozen=True)
class Split:
    """What a person said: *studies* shown with *from_key* are *to_key*'s; taken back when *undone_at* is not None.

    *studies* are (row of the study, the patient that it named before); *made* says that *to_key* was entered for it.
    """

    id: str
    institution: str
    from_key: str
    to_key: str
    made: bool
    studies: tuple[tuple[str, str], ...]
    reason: str
    split_by: str
    split_at: datetime
    undone_by: str | None
    undone_at: datetime | None


def split(
    db: Connection,
    chronicle: Chronicle,
    *,
    from_key: str,
    to_key: str | None,
    study_instance_uids: Collection[str],
    reason: str,
    actor: str,
) -> str:
    """Show the chosen studies of one patient as another's from now on, and return the split's id.

    Without *to_key* they are a further patient's of the same ID, told apart from the first one.

    Raises
    ------
    NotFound
        when a patient does not exist, or a study is not shown with them.
    Invalid
        for two institutions' patients, the same patient, no reason, no study, or all of them without another patient.
    Conflict
        when one of them is shown as somebody else.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= LONGEST_REASON:
        raise Invalid(f"say in 1 to {LONGEST_REASON} characters why these are two people", code="reason")
    if not 0 < len(set(study_instance_uids)) <= MOST_STUDIES:
        raise Invalid(f"choose 1 to {MOST_STUDIES} studies", code="studies")
    hold_index(db, patient(db, from_key).institution)
    source = patient(db, from_key)
    target = None if to_key is None else patient(db, to_key)
    if target is not None and target.institution != source.institution:
        raise Invalid("studies never go to another institution's patient", code="institutions")
    if to_key == from_key:
        raise Invalid("choose two patients: these are one and the same", code="same")
    if source.merged_into or (target is not None and target.merged_into):
        raise Conflict("one of them was merged with somebody else; look again", code="merged")
    of = study_table.c
    chosen = db.execute(select(of.id, _NAMED).where(of.patient_key == from_key, of.study_instance_uid.in_(study_instance_uids)))
    moved = [(row[0], row[1]) for row in chosen]
    if len(moved) < len(set(study_instance_uids)):
        raise NotFound("a study is not shown with this patient; look again", code="study")
    count = db.scalar(select(func.count()).select_from(study_table).where(of.patient_key == from_key))
    if target is None and count == len(moved):
        raise Invalid("leave the patient at least one study, or choose whom all of them belong to", code="studies")
    now = chronicle.clock.now()
    owner = to_key or _another(db, source, now)
    _move(db, [key for key, _ in moved], owner, owner)
    row = {"id": new_id(), "institution": source.institution, "from_key": from_key, "to_key": owner, "made": target is None}
    kept = {"studies": moved, "reason": reason, "split_by": actor, "split_at": now}
    db.execute(insert(split_table).values(**row, **kept))
    told = {**row, "studies": sorted(study_instance_uids), "reason": reason}
    chronicle.enter(db, events.PATIENTS_SPLIT, from_key, told, actor=actor, institution=source.institution, entity="Patient")
    return str(row["id"])


def unsplit(db: Connection, chronicle: Chronicle, split_id: str, *, actor: str) -> None:
    """Take a split back: its studies are shown with whoever they would be, had it never been made.

    Raises
    ------
    NotFound
        when there is no such split.
    Conflict
        when it was taken back already, or one of its studies was moved again since.
    """
    hold_index(db, split_by_id(db, split_id).institution)
    undone = split_by_id(db, split_id)
    if undone.undone_at is not None:
        raise Conflict("this split was taken back already", code="undone")
    keys = [key for key, _ in undone.studies]
    if set(db.scalars(select(_NAMED).where(study_table.c.id.in_(keys)))) != {undone.to_key}:
        raise Conflict("some of these studies were moved again since: take that back first", code="moved")
    for named in {before for _, before in undone.studies}:
        shown = patient(db, named).merged_into or named
        _move(db, [key for key, before in undone.studies if before == named], named, shown)
    mark = {"undone_by": actor, "undone_at": chronicle.clock.now()}
    db.execute(update(split_table).where(split_table.c.id == split_id).values(**mark))
    if undone.made:
        _forget_if_alone(db, undone.to_key)
    told = {"id": split_id, "institution": undone.institution, "from_key": undone.from_key, "to_key": undone.to_key}
    chronicle.enter(
        db, events.PATIENTS_UNSPLIT, undone.from_key, told, actor=actor, institution=undone.institution, entity="Patient"
    )


def split_by_id(db: Connection, split_id: str) -> Split:
    """Return one split; NotFound when there is none."""
    found = splits(db, split_table.c.id == split_id)
    if not found:
        raise NotFound("there is no such split", code="split")
    return found[0]


def splits(db: Connection, where: ColumnElement[bool]) -> list[Split]:
    """Return the newest splits of *where*, a condition over split_table; those taken back are among them."""
    rows = select(split_table).where(where).order_by(split_table.c.split_at.desc(), split_table.c.id).limit(MOST_FOUND)
    return [
        Split(**{**row, "studies": tuple((key, before) for key, before in row["studies"])}) for row in db.execute(rows).mappings()
    ]


def studies_shown_with(db: Connection, patient_key: str) -> list[Study]:
    """Return the studies shown with a patient, newest first, at most MOST_STUDIES."""
    newest = (study_table.c.study_date.desc(), study_table.c.study_time.desc(), study_table.c.id)
    rows = select_studies().where(study_table.c.patient_key == patient_key).order_by(*newest).limit(MOST_STUDIES)
    return [study_from(row) for row in db.execute(rows).mappings()]


def _move(db: Connection, studies: Sequence[str], named: str, shown: str) -> None:
    """Let *studies* name one patient and be shown with another, or with the same."""
    values = {"patient_key": shown, "received_patient_key": named if named != shown else None}
    db.execute(update(study_table).where(study_table.c.id.in_(studies)).values(**values))


def _another(db: Connection, source: Patient, now: datetime) -> str:
    """Enter a further patient of the same ID, described alike, and return the key; somebody has looked at that one."""
    mine = (patient_table.c.institution == source.institution) & (patient_table.c.patient_id == source.patient_id)
    row = dict(db.execute(select(patient_table).where(patient_table.c.id == source.id)).mappings().one())
    variant = db.execute(select(func.max(patient_table.c.variant) + 1).where(mine)).scalar_one()
    key = new_id()
    db.execute(insert(patient_table).values(**row | {"id": key, "variant": variant, "distinct_at": now}))
    words = db.scalars(select(word_table.c.word).where(word_table.c.patient_key == source.id)).all()
    if words:
        db.execute(insert(word_table), [{"word": word, "patient_key": key} for word in words])
    return key


def _forget_if_alone(db: Connection, key: str) -> None:
    """Strike out a patient that was entered for a split, unless anything has come to name it since."""
    studies = select(study_table.c.id).where(or_(study_table.c.patient_key == key, study_table.c.received_patient_key == key))
    merges = select(merge_table.c.id).where(or_(merge_table.c.survivor_key == key, merge_table.c.absorbed_key == key))
    others = select(split_table.c.id).where(split_table.c.from_key == key)
    if all(db.execute(found.limit(1)).first() is None for found in (studies, merges, others)):
        db.execute(delete(word_table).where(word_table.c.patient_key == key))
        db.execute(delete(patient_table).where(patient_table.c.id == key))
