"""Gathers what a document shows, and makes it: key images from the archive, ECGs on paper, the clock so far."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from consult.practitioners.model import Viewer
from consult.reports.document.authority import Authority
from consult.reports.document.content import Attachments, Hints, Illustration, Ledger
from consult.reports.document.pages import write
from consult.reports.document.signature import Signatory
from consult.reports.document.slip import write_slip
from consult.reports.document.superseded import write_superseded
from consult.reports.model import REPLACING, KeyImage, Report, ReportStatus
from consult.turnaround.views import turnaround
from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.index import Instance
from dicom_node.imaging.imaging import Imaging
from ecg.rendering import Sheet
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.errors import Invalid, NotFound

#: Longer side of a key image: 300 dpi at the size it is printed.
PICTURE_PX = (1200, 1200)

#: What the page shows of an analysis: a key of its measurements (a dot goes deeper), the name, the unit.
MEASUREMENTS = (
    ("heart_rate_bpm", "心率 Heart rate", "bpm"),
    ("p_duration_ms", "P 时限 P duration", "ms"),
    ("pr_interval_ms", "PR 间期 PR interval", "ms"),
    ("qrs_duration_ms", "QRS 时限 QRS duration", "ms"),
    ("qt_interval_ms", "QT 间期 QT interval", "ms"),
    ("qtc_ms.bazett", "QTc (Bazett)", "ms"),
    ("p_axis_deg", "P 电轴 P axis", "°"),
    ("qrs_axis_deg", "QRS 电轴 QRS axis", "°"),
    ("t_axis_deg", "T 电轴 T axis", "°"),
    ("rv5_sv1_mv", "RV5+SV1", "mV"),
)


class Documents:
    """Makes the signed pages of a report, and what is handed out of them later. Slow: never called in a transaction."""

    def __init__(
        self,
        database: Database,
        archive: Archive,
        imaging: Imaging,
        confinement: Confinement,
        *,
        authority: Authority,
        fonts: Path,
    ) -> None:
        """Sign as *authority* certifies; embed the type found in the folder *fonts* (see `document.fonts.FILES`)."""
        self._database = database
        self._archive = archive
        self._imaging = imaging
        self._confinement = confinement
        self._signatory = Signatory(authority)
        self._fonts = fonts

    def make(self, report: Report, by: Viewer) -> bytes:
        """Return the PDF with T0 to T4, signed by the report's signer; of a cancelled one the text alone, without its images.

        Raises Invalid naming a key image that cannot be shown.
        """
        institution = report.institution.id
        with self._database.reading() as db:
            ledger = _ledger(db, report, by)
            if report.status is ReportStatus.CANCELLED:
                return self._signatory.sign(write(report, Attachments(), ledger, self._fonts), report)
            chosen = [(image, index.instance(db, institution, image.sop_instance_uid)) for image in report.key_images]
            recordings = [kept for _, kept in chosen if kept.kind == "ecg"] or _recordings(db, report)[-1:]
        shown = [self._illustration(image, kept, institution) for image, kept in chosen if kept.kind != "ecg"]
        traced = [self._traced(kept, institution) for kept in recordings]
        hints = traced[0][1] if traced else None
        attachments = Attachments(shown, [paper for paper, _ in traced], hints)
        return self._signatory.sign(write(report, attachments, ledger, self._fonts), report)

    def slip(self, report: Report, signed: bytes, by: Viewer) -> bytes:
        """Return the delivery slip, with T0 to T6, of the *signed* bytes of `reports.views.document`."""
        with self._database.reading() as db:
            ledger = _ledger(db, report, by)
        return write_slip(signed, report, ledger, self._fonts)

    def printed(self, report: Report, signed: bytes, newest: Report) -> bytes:
        """Return what to print of a version: the *signed* bytes of `reports.views.document`, marked where *newest* is another."""
        return signed if newest.id == report.id else write_superseded(signed, newest, self._fonts)

    def _illustration(self, image: KeyImage, kept: Instance, institution: str) -> Illustration:
        number = "—" if kept.number is None else str(kept.number)
        caption = f"图像 Image {number}" + (f"　帧 Frame {image.frame}/{kept.frames}" if kept.frames > 1 else "")
        try:
            path = self._archive.file(institution, kept.sop_instance_uid)
            jpeg = self._imaging.rendered(path, image.frame, size=PICTURE_PX, digest=kept.digest)
        except (Invalid, NotFound) as error:
            raise Invalid(f"key image {number} cannot be printed, take it out: {error.sentence}", code="key-image") from error
        return Illustration(jpeg, caption)

    def _traced(self, kept: Instance, institution: str) -> tuple[Sheet, Hints]:
        content = self._archive.read(institution, kept.sop_instance_uid)
        traced: tuple[Sheet, Hints] = self._confinement.run(on_paper, content)
        return traced


def on_paper(content: bytes) -> tuple[Sheet, Hints]:
    """Return the DICOM recording *content* as a sheet and as what the machine makes of it; runs in confinement."""
    from ecg import formats, pipeline, rendering  # noqa: PLC0415 - scipy belongs into the worker, not into the start

    try:
        recording = formats.read({"recording.dcm": content})
    except ValueError as error:
        raise Invalid(f"the ECG cannot be printed: {error}", code="recording") from error
    analysis = pipeline.analyse(recording)
    return rendering.sheets(recording, analysis=analysis)[0], hints_of(analysis.as_json())


def hints_of(analysis: Mapping[str, Any]) -> Hints:
    """Return the rows of a page from an analysis in the JSON of the public interface; what is null is left out."""
    rows = []
    for key, name, unit in MEASUREMENTS:
        value: Any = analysis["measurements"]
        for part in key.split("."):
            value = value.get(part) if value is not None else None
        if value is not None:
            rows.append((name, f"{value} {unit}"))
    said = (statement["text"] for statement in analysis["statements"])
    return Hints(rows, [f"{text['zh']} {text['en']}" for text in said])


def _recordings(db: Connection, report: Report) -> list[Instance]:
    """Return the study's ECGs in the order they were received; none when the study is gone."""
    try:
        study = index.study(db, report.institution.id, report.study_instance_uid)
    except NotFound:
        return []
    found = [kept for series in index.series_of(db, study.id) for kept in index.instances_of(db, series.id) if kept.kind == "ecg"]
    return sorted(found, key=lambda kept: kept.received_at)


def _ledger(db: Connection, report: Report, by: Viewer) -> Ledger:
    clock = turnaround(db, by, report.task_id, report.signed_at)
    stamps: list[datetime | None] = [
        clock.T0,
        clock.T1,
        clock.T2,
        clock.T3,
        report.signed_at,
        report.delivered_at,
        report.read_at,
    ]
    return Ledger(stamps, 0 if report.status in REPLACING else report.budget_s, clock.paused_s)
