"""The Modality Performed Procedure Step service class, PS3.4 F.7: the modality tells what it did, and what to expect of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from sqlalchemy import Connection, Row, insert, select, update

from dicom_node.archive.charset import charsets_of
from dicom_node.archive.settling import look_again
from dicom_node.services.exchange import Exchange
from dicom_node.services.identifier import items_of, raw_value, read_small, text_of
from dicom_node.services.status import PROCESSING_FAILURE, SUCCESS
from dicom_node.tables import step_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database, new_id
from telemed.kernel.errors import Invalid

#: PS3.4 Table F.7.2-1.
PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
#: PS3.7 Annex C.
INVALID_VALUE, DUPLICATE, NO_SUCH_INSTANCE, NO_SUCH_OPERATION = 0x0106, 0x0111, 0x0112, 0x0211
IN_PROGRESS, ENDED = "IN PROGRESS", ("COMPLETED", "DISCONTINUED")
STEP_COMPLETED = "StepCompleted"

MOST_BYTES = 8 << 20
MOST_INSTANCES = 65_535
_LONGEST_TEXT = 400

_STATUS, _STEP_MODALITY, _SCHEDULED, _STUDY = 0x00400252, 0x00080060, 0x00400270, 0x0020000D
_SERIES, _REFERENCED_INSTANCE = 0x00400340, 0x00081155
#: Referenced Image Sequence, and Referenced Non-Image Composite SOP Instance Sequence.
_INSTANCES = (0x00081140, 0x00400220)
#: Numbers among the texts would need their byte order; none is needed here.
_TEXTS = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI", "UT"})


class Performed:
    """N-CREATE begins a step, N-SET fills it in and ends it; afterwards it changes no more."""

    sop_classes: ClassVar[tuple[str, ...]] = (PERFORMED_PROCEDURE_STEP,)

    def __init__(self, database: Database, chronicle: Chronicle) -> None:
        self._database = database
        self._chronicle = chronicle

    def answer(self, exchange: Exchange) -> None:
        """Keep what the modality tells."""
        kind = type(exchange.request).__name__
        answers = {"N_CREATE": self._create, "N_SET": self._set}
        if kind not in answers:
            exchange.answer(NO_SUCH_OPERATION)
            return
        try:
            answers[kind](exchange)
        except Invalid as error:
            exchange.fail(error, INVALID_VALUE)

    def _create(self, exchange: Exchange) -> None:
        told = read_small(exchange.received("AttributeList"), exchange.transfer_syntax, most=MOST_BYTES)
        uid = str(exchange.request.AffectedSOPInstanceUID or generate_uid(prefix=None))
        if text_of(told, _STATUS, ()) != IN_PROGRESS:
            raise Invalid(f"a step begins as {IN_PROGRESS}", code="status")
        if len(uid) > 64:
            raise Invalid("the SOP Instance UID is too long", code="identifiers")
        institution = exchange.caller.institution
        with self._database.transaction() as db:
            known = _step(db, institution, uid) is not None
            if not known:
                row = {"institution": institution, "sop_instance_uid": uid, "ae_title": exchange.caller.aet}
                scheduled = next(items_of(told, _SCHEDULED), Dataset())
                row |= {"study_instance_uid": text_of(scheduled, _STUDY, ())[:64], "status": IN_PROGRESS}
                row |= {"modality": text_of(told, _STEP_MODALITY, ())[:16]}
                begun = insert(step_table).values(id=new_id(), **row, instance_uids=list(_instances(told)))
                db.execute(begun.values(attributes=_texts(told), begun_at=self._chronicle.clock.now()))
        exchange.answer(DUPLICATE if known else SUCCESS, fields={"AffectedSOPInstanceUID": uid})

    def _set(self, exchange: Exchange) -> None:
        uid = str(exchange.request.RequestedSOPInstanceUID or "")
        told = read_small(exchange.received("ModificationList"), exchange.transfer_syntax, most=MOST_BYTES)
        status = text_of(told, _STATUS, ()) or IN_PROGRESS
        if status not in (IN_PROGRESS, *ENDED):
            raise Invalid(f"{status[:16]!r} is no status of a step", code="status")
        with self._database.transaction() as db:
            step = _step(db, exchange.caller.institution, uid)
            if step is not None and step.status == IN_PROGRESS:
                self._change(db, step, told, status)
        if step is None:
            exchange.answer(NO_SUCH_INSTANCE)
        elif step.status != IN_PROGRESS:  # PS3.4 F.7.2.2.2
            exchange.answer(PROCESSING_FAILURE, comment="Performed Procedure Step Object may no longer be updated")
        else:
            exchange.answer(SUCCESS, fields={"AffectedSOPInstanceUID": uid})

    def _change(self, db: Connection, step: Row[Any], told: Dataset, status: str) -> None:
        instances = list(_instances(told)) or step.instance_uids
        values = {"status": status, "instance_uids": instances, "attributes": {**step.attributes, **_texts(told)}}
        if status in ENDED:
            values["ended_at"] = self._chronicle.clock.now()
        db.execute(update(step_table).where(step_table.c.id == step.id).values(values))
        if status in ENDED:
            look_again(db, step.institution, step.study_instance_uid, self._chronicle.clock.now())
            data = {
                "institution": step.institution,
                "study_instance_uid": step.study_instance_uid,
                "sop_instance_uid": step.sop_instance_uid,
                "status": status,
                "modality": step.modality,
                "instance_count": len(instances),
            }
            self._chronicle.enter(
                db,
                STEP_COMPLETED,
                step.study_instance_uid,
                data,
                actor=step.ae_title,
                institution=step.institution,
                entity="ProcedureStep",
            )


def expected_instances(db: Connection, institution: str, study_instance_uid: str) -> frozenset[str] | None:
    """Return the SOP Instance UIDs that ended steps of a study announced; None while a step runs."""
    mine = (step_table.c.institution == institution) & (step_table.c.study_instance_uid == study_instance_uid)
    steps = db.execute(select(step_table.c.status, step_table.c.instance_uids).where(mine)).all()
    if any(step.status == IN_PROGRESS for step in steps):
        return None
    return frozenset(uid for step in steps for uid in step.instance_uids)


def _step(db: Connection, institution: str, uid: str) -> Row[Any] | None:
    mine = (step_table.c.institution == institution) & (step_table.c.sop_instance_uid == uid)
    return db.execute(select(step_table).where(mine).with_for_update()).first()


def _texts(told: Dataset) -> dict[str, str]:
    """Return the top-level texts by keyword, read in whatever character set they state."""
    charsets = charsets_of(raw_value(told, 0x00080005))
    known = ((keyword_for_tag(tag), tag) for tag in sorted(told.keys()) if not tag.is_private)
    return {
        keyword: text_of(told, tag, charsets)[:_LONGEST_TEXT]
        for keyword, tag in known
        if keyword and dictionary_VR(tag) in _TEXTS and keyword != "SpecificCharacterSet"
    }


def _instances(told: Dataset) -> Iterator[str]:
    """Yield the UIDs of everything the step made."""
    count = 0
    for series in items_of(told, _SERIES):
        for sequence in _INSTANCES:
            for item in items_of(series, sequence):
                if (uid := text_of(item, _REFERENCED_INSTANCE, ())[:64]) and count < MOST_INSTANCES:
                    count += 1
                    yield uid
