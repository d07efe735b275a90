"""A kept recording on calibrated paper, and its analysis as a DICOM report."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import Field
from sqlalchemy import Connection

from consult.practitioners.model import Viewer
from consult.practitioners.views import institution
from dicom_node.archive import index
from ecg import EcgError
from ecg.rendering import GAINS_MM_MV, LAYOUTS, SPEEDS_MM_S, Paper
from telemed.kernel.errors import Invalid
from web import keys
from web.accounts.permissions import Permission
from web.api.ecg_documents import paper_pdf, paper_svg, report_dicom
from web.api.operations import Call, Given, Operation
from web.api.recordings import holder_of, path_of

DICOM = "application/dicom"


class PaperQuery(Given):
    """How a recording is drawn, exact at 100 %; *page* counts from 1, a PDF holds all pages."""

    layout: str = Field(default="3x4+1R", max_length=16, description=", ".join(LAYOUTS))
    speed: float = Field(default=25, description=f"mm/s: {', '.join(map(str, SPEEDS_MM_S))}")
    gain: float = Field(default=10, description=f"mm/mV: {', '.join(map(str, GAINS_MM_MV))}")
    cabrera: bool = False
    filter: str = Field(default="none", max_length=16, description="none, diagnostic (0.05-150 Hz) or monitor (0.5-40 Hz)")
    start_s: float = Field(default=0, ge=0, le=10_000_000)
    seconds: float = Field(default=10, gt=0, le=60)
    page: int = Field(default=1, ge=1, le=100)

    def paper(self) -> Paper:
        """Return the paper that was chosen; Invalid for a choice that is not offered."""
        try:
            return Paper(self.layout, self.speed, self.gain, self.cabrera, self.filter, self.start_s, self.seconds)
        except EcgError as error:
            raise Invalid(str(error), code="paper") from None


@dataclass(frozen=True)
class Written:
    """The report that was put beside the recording."""

    sop_instance_uid: str
    study_instance_uid: str


async def recording_svg(call: Call[PaperQuery, None]) -> web.Response:
    """Return one page of a recording on paper, as SVG whose unit is a millimetre."""
    work, name = call.request.app[keys.CONFINEMENT].run, await _institution(call)
    content = await call.off_loop(work, paper_svg, await path_of(call), call.query.paper(), name, call.query.page)
    return web.Response(body=content, content_type="image/svg+xml", charset="utf-8")


async def recording_pdf(call: Call[PaperQuery, None]) -> web.Response:
    """Return a recording on paper, ready to print at 100 %."""
    app, name = call.request.app, await _institution(call)
    work, paper, path = app[keys.CONFINEMENT].run, call.query.paper(), await path_of(call)
    content = await call.off_loop(work, paper_pdf, path, paper, name, app[keys.FONTS])
    headers = {"Content-Disposition": f'inline; filename="ecg-{call.part("sop_instance_uid")}.pdf"'}
    return web.Response(body=content, content_type="application/pdf", headers=headers)


async def recording_report(call: Call[None, None]) -> web.Response:
    """Return the analysis as a DICOM ECG Report (PS3.16 TID 3700) about the recording."""
    headers = {"Content-Disposition": f'attachment; filename="ecg-report-{call.part("sop_instance_uid")}.dcm"'}
    return web.Response(body=await _report(call), content_type=DICOM, headers=headers)


async def store_report(call: Call[None, None]) -> Written:
    """Put the analysis, as a DICOM ECG Report, beside the recording in the archive; asked again it is the same object."""
    kept = await call.view(_instance, call.viewer, call.part("sop_instance_uid"))
    stored = await call.off_loop(
        call.request.app[keys.ARCHIVE].store,
        await _report(call),
        institution=kept.institution,
        transfer_syntax_uid=None,
        source=f"analysis:{call.viewer.practitioner_id}",
    )
    return Written(stored.sop_instance_uid, stored.study_instance_uid)


async def _report(call: Call[None, None]) -> bytes:
    """Write the report; its UIDs and its date follow from the recording, so that it is the same each time."""
    uid = call.part("sop_instance_uid")
    kept = await call.view(_instance, call.viewer, uid)
    series, instance = (f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{uid} {part}').int}" for part in ("report series", "report"))
    work = call.request.app[keys.CONFINEMENT].run
    content: bytes = await call.off_loop(work, report_dicom, await path_of(call), series, instance, kept.received_at)
    return content


def _instance(db: Connection, viewer: Viewer, sop_instance_uid: str) -> index.Instance:
    return index.instance(db, holder_of(db, viewer, sop_instance_uid), sop_instance_uid)


async def _institution(call: Call[Any, None]) -> str:
    """Return the name of the institution that recorded it."""
    kept = await call.view(_instance, call.viewer, call.part("sop_instance_uid"))
    return (await call.view(institution, kept.institution)).name


OPERATIONS = (
    Operation(
        "GET", "/recordings/{sop_instance_uid}/paper.svg", recording_svg, Permission.READ_STUDIES, produces="image/svg+xml"
    ),
    Operation(
        "GET", "/recordings/{sop_instance_uid}/paper.pdf", recording_pdf, Permission.READ_STUDIES, produces="application/pdf"
    ),
    Operation("GET", "/recordings/{sop_instance_uid}/report.dcm", recording_report, Permission.READ_STUDIES, produces=DICOM),
    Operation("POST", "/recordings/{sop_instance_uid}/report", store_report, Permission.SEND_STUDIES, status=201),
)
