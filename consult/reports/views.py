"""What is shown of reports: one, those of a study, the draft, the clinic's inbox."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from consult.practitioners.model import Viewer
from consult.reports.model import Draft, Report


@dataclass(frozen=True)
class Page:
    """Some of a list; *next* is the cursor of the rest, None at the end."""

    items: tuple[Report, ...]
    next: str | None


def report(db: Connection, viewer: Viewer, report_id: str) -> Report:
    """Return one version; raise NotFound when it is absent or of neither of the viewer's institutions."""


def reports_of_study(db: Connection, viewer: Viewer, study_instance_uid: str) -> tuple[Report, ...]:
    """Return every version the viewer may see, newest first."""


def draft(db: Connection, viewer: Viewer, task_id: str) -> Draft:
    """Return what was written so far, an empty Draft of version 0 when nothing was."""


def inbox(db: Connection, viewer: Viewer, *, unread_only: bool = False, limit: int = 50, cursor: str | None = None) -> Page:
    """Return the newest versions signed for the viewer's institution, newest first, with their T5 and T6."""


def document(db: Connection, viewer: Viewer, report_id: str) -> bytes:
    """Return the signed PDF exactly as it was signed."""
