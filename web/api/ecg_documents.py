"""What is made of a kept ECG in a confined worker: paper, and the report of its analysis. Only bytes travel back."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path

from consult.reports.document.ecg_paper import write_ecg
from ecg import EcgError
from ecg.formats import read
from ecg.recording import Recording
from ecg.rendering import Paper, Particulars, Sheet, sheets, svg
from telemed import __version__
from telemed.kernel.errors import Invalid, NotFound

#: What made a report: this program, wherever it runs.
DEVICE_UID = f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, 'telemed').int}"


def paper_svg(path: Path, paper: Paper, institution: str, page: int) -> bytes:
    """Return the page *page*, from 1, of the recording at *path*; NotFound when there are fewer."""
    pages = _pages(path, paper, institution)
    if page > len(pages):
        raise NotFound(f"this recording has {len(pages)} pages on this paper", code="page")
    return svg(pages[page - 1]).encode()


def paper_pdf(path: Path, paper: Paper, institution: str, fonts: Path) -> bytes:
    """Return the recording at *path* with all its pages; *fonts* is the folder of their type."""
    return write_ecg(_pages(path, paper, institution), fonts)


def report_dicom(path: Path, series_instance_uid: str, sop_instance_uid: str, at: datetime) -> bytes:
    """Return the analysis of the recording at *path* as a DICOM ECG Report dated *at*."""
    from ecg.pipeline import analyse  # noqa: PLC0415 - only a worker pays for loading the engine
    from ecg.structured_report import write  # noqa: PLC0415 - as above
    from ecg.structured_report.writing import Device  # noqa: PLC0415 - as above

    recording, content = _read(path)
    return write(
        analyse(recording),
        recording,
        content,
        series_instance_uid=series_instance_uid,
        sop_instance_uid=sop_instance_uid,
        device=Device(DEVICE_UID, version=__version__),
        written_at=at,
    )


def _pages(path: Path, paper: Paper, institution: str) -> list[Sheet]:
    from ecg.pipeline import analyse  # noqa: PLC0415 - only a worker pays for loading the engine

    recording, _ = _read(path)
    return sheets(recording, paper, Particulars(institution), analyse(recording))


def _read(path: Path) -> tuple[Recording, bytes]:
    content = path.read_bytes()
    try:
        return read({"the recording.dcm": content}), content
    except EcgError as error:
        raise Invalid(str(error), code="recording") from None
