"""T5 and T6: the report reached the clinic; a named person there opened it."""

from __future__ import annotations

from sqlalchemy import Connection

from consult.practitioners.model import Viewer
from consult.reports.model import Report
from telemed.kernel.audit import Chronicle


def delivered(db: Connection, chronicle: Chronicle, report_id: str, by: Viewer) -> Report:
    """Stamp T5: the report's news is on the inviting clinic's screen. Repeating it changes nothing; the first one counts."""


def receipt(db: Connection, chronicle: Chronicle, report_id: str, by: Viewer) -> Report:
    """Stamp T6: *by*, a named person at the inviting clinic, has opened the report. Implies T5; the first one counts."""
