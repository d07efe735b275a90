"""What is made of a kept ECG in a confined worker: paper, and the report of its analysis. Only bytes travel back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from consult.reports.document.ecg_paper import write_ecg
from ecg.formats import read
from ecg.holter import LONG_BYTES
from ecg.recording import Recording
from ecg.rendering import Paper, Particulars, Sheet, excerpt, sheets, svg
from telemed import __version__
from telemed.kernel.errors import Invalid, NotFound
from web.api.ecg_files import readable


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

    if path.stat().st_size > LONG_BYTES:
        raise Invalid("a report is written about a recording of minutes, not of hours", code="recording")
    with readable():
        recording, content = _read(path)
        return write(
            analyse(recording),
            recording,
            content,
            series_instance_uid=series_instance_uid,
            sop_instance_uid=sop_instance_uid,
            device=Device(version=__version__),
            written_at=at,
        )


def _pages(path: Path, paper: Paper, institution: str) -> list[Sheet]:
    from ecg.holter.whole import long_source  # noqa: PLC0415 - only a worker pays for loading the engine
    from ecg.pipeline import analyse  # noqa: PLC0415 - as above

    particulars = Particulars(institution)
    with readable():
        source = long_source(path)
        if source is None:
            recording = _read(path)[0]
        else:
            recording, paper, particulars = excerpt(source, paper, particulars)
        return sheets(recording, paper, particulars, analyse(recording))


def _read(path: Path) -> tuple[Recording, bytes]:
    content = path.read_bytes()
    return read({"the recording.dcm": content}), content
