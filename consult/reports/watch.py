"""The worker that puts each signed version into the archive as DICOM objects, beside the images it is about.

From there it goes like any other object: to who asks by DICOMweb or C-FIND, and to the nodes that forwarding rules name. A
version with a critical value goes once the clinic has read it back: no printer may be the first to tell. What had not gone
when its report was cancelled stays here.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from consult.practitioners.model import SYSTEM
from consult.reports.document.composite import ENHANCED_SR, Context, Source, series_of, uid_of
from consult.reports.document.encapsulated import encapsulate
from consult.reports.document.structured_report import write_structured_report
from consult.reports.model import NEWS, Report, ReportStatus
from consult.reports.tables import document_table, object_table, report_table
from consult.reports.views import objects_of, of_record
from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.tables import WRITTEN_HERE
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from telemed.kernel.errors import NotFound
from telemed.kernel.events import Event, Follower, Write


class Returning(Follower):
    """Follows what is signed and what is read back, from its own cursor."""

    TYPES = (*(type_ for status, type_ in NEWS.items() if status is not ReportStatus.PRELIMINARY), "CriticalReadBack")

    def __init__(self, database: Database, chronicle: Chronicle, archive: Archive) -> None:
        """Prepare to follow; nothing runs before start()."""
        self._chronicle = chronicle
        self._archive = archive
        super().__init__("returning", database, chronicle.events, self.TYPES, self.prepare)

    def prepare(self, event: Event) -> Write | None:
        """Keep the objects of the event's version, and return what is to be written of them; None when it is not due.

        A crash in between makes the same objects again, which the archive then has already.
        """
        with self._database.reading() as db:
            report = of_record(db, event.data["report_id"])
            if report.withheld or objects_of(db, report.id) or _was_cancelled(db, report):
                return None
            signed = db.execute(select(document_table).where(document_table.c.report_id == report.id)).one()
            try:
                context = _context(db, report, signed.images)
            except NotFound:  # the question was about a study that never came, or is gone: there is nothing to put it beside
                return None
            before = _before(db, report)
        made = (write_structured_report(report, context, before), encapsulate(report, signed.content, context))
        rows = [{"report_id": report.id, **self._stored(report, each)} for each in made]

        def write(db: Connection) -> None:
            db.execute(insert(object_table), rows)
            news = {
                "report_id": report.id,
                "study_instance_uid": report.study_instance_uid,
                "institution": report.institution.id,
                "performer": report.performer.id,
                "sop_instance_uids": [row["sop_instance_uid"] for row in rows],
            }
            actor = SYSTEM.practitioner_id
            self._chronicle.enter(
                db, "ReportFiled", report.task_id, news, actor=actor, institution=report.institution.id, entity="DiagnosticReport"
            )

        return write

    def _stored(self, report: Report, content: bytes) -> dict[str, str]:
        kept = self._archive.store(content, institution=report.institution.id, transfer_syntax_uid=None, source=WRITTEN_HERE)
        return {"sop_instance_uid": kept.sop_instance_uid, "digest": kept.digest}


def _was_cancelled(db: Connection, report: Report) -> bool:
    """Tell whether a later version withdrew *report*."""
    later = (report_table.c.task_id == report.task_id) & (report_table.c.version > report.version)
    cancelled = later & (report_table.c.status == ReportStatus.CANCELLED)
    return db.execute(select(report_table.c.id).where(cancelled).limit(1)).first() is not None


def _context(db: Connection, report: Report, images: str | None) -> Context:
    """Return what the archive knows of the report's study; *images* is the `model.listing` of what was signed over."""
    over = None if images is None else {line.partition(" ")[0] for line in images.splitlines()}
    study = index.study(db, report.institution.id, report.study_instance_uid)
    sources = [
        Source(one.sop_class_uid, one.sop_instance_uid, series.series_instance_uid)
        for series in index.series_of(db, study.id)
        for one in index.instances_of(db, series.id)
        if one.source != WRITTEN_HERE and (over is None or one.sop_instance_uid in over)
    ]
    return Context(study, index.patient_as_received(db, study), sources)


def _before(db: Connection, report: Report) -> list[Source]:
    """Return the structured reports of the versions that *report* replaces, as far as they were returned."""
    earlier = (report_table.c.task_id == report.task_id) & (report_table.c.version < report.version)
    returned = select(object_table.c.report_id).distinct().join(report_table, report_table.c.id == object_table.c.report_id)
    series = series_of(ENHANCED_SR, report.task_id)
    return [Source(ENHANCED_SR, uid_of(ENHANCED_SR, one), series) for one in sorted(db.scalars(returned.where(earlier)))]
