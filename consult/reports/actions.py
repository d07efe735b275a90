"""What may be done with a report: save a draft, prepare a version, sign it, amend it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from consult.practitioners.model import Viewer
from consult.queue import actions as queue
from consult.queue.model import TaskStatus
from consult.queue.views import Task
from consult.queue.views import task as task_of
from consult.reports.model import (
    Draft,
    Named,
    NamedInstitution,
    NamedPatient,
    Prepared,
    Report,
    ReportEvent,
    ReportStatus,
    checked,
    sealed,
    signable,
    status_after,
)
from consult.reports.tables import document_table, draft_table, report_table
from consult.reports.views import draft as draft_of
from consult.reports.views import report as report_of
from consult.turnaround.actions import stamp
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database, new_id
from telemed.kernel.errors import Conflict, Invalid, Refused

#: Between preparing a version and signing it lies the making of its document; a longer pause means the reader should look again.
LONGEST_PREPARATION = timedelta(minutes=2)

#: Turns a prepared version into the bytes of its PDF; slow, so it is called outside any transaction.
DocumentMaker = Callable[[Report], bytes]


def save_draft(db: Connection, chronicle: Chronicle, task_id: str, draft: Draft, expected_version: int | None, by: Viewer) -> Draft:
    """Keep *draft* as the task's next draft version; an accepted task is thereby started.

    *expected_version* is the version the writer saw (0 before the first); None overwrites whatever is there.
    Raises Conflict (code ``draft-stale``) when somebody, or another window, saved in between.
    """


def sign_task(database: Database, chronicle: Chronicle, task_id: str, make: DocumentMaker, by: Viewer) -> Report:
    """Sign the task's draft: prepare it, *make* its document outside any transaction, then bind both in one."""


def amend_report(database: Database, chronicle: Chronicle, report_id: str, draft: Draft, reason: str, make: DocumentMaker, by: Viewer) -> Report:
    """Replace the signed report by a new signed version that names it; the old one stays readable."""
