"""How tasks are kept."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text, text

from telemed.kernel.database import UtcDateTime, metadata

_OPEN = text("open_key IS NOT NULL")
_OWNED = text("owner_id IS NOT NULL")
_FIRST = ("begin_by", "id")
_ORDER = (*_FIRST, "lane", "status")

task_table = Table(
    "task",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("request_id", String(32), ForeignKey("service_request.id"), nullable=False),
    Column("institution_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("performer_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    # The study's key while the task is open, else NULL: at most one open task of a study, on both databases.
    Column("open_key", String(100), nullable=True, unique=True),
    Column("specialty", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("priority_rank", Integer, nullable=False),
    Column("lane", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("why", JSON, nullable=False),
    Column("owner_id", String(32), ForeignKey("practitioner.id"), nullable=True),
    # Whom dispatch chose, and what it thought of everybody; any fitting specialist of the hospital may still claim.
    Column("assigned_id", String(32), ForeignKey("practitioner.id"), nullable=True),
    Column("dispatch", JSON, nullable=False),
    Column("wanted", String(16), nullable=True),
    Column("declined_by", JSON, nullable=False),
    # Which reading is awaited, and who must not do it: they have read the study, or seen what another wrote of it.
    Column("stage", String(16), nullable=False, server_default="first"),
    Column("barred", JSON, nullable=False, server_default="[]"),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("budget_s", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    # How long reading it should take, and by when it should be begun: the order of the queue, see triage.begin_by.
    Column("reading_s", Integer, nullable=False),
    Column("begin_by", UtcDateTime, nullable=False),
    Column("claimed_at", UtcDateTime, nullable=True),
    # Until when the owner's claim holds unless they renew it; NULL while nobody holds the task or the clinic is asked.
    Column("lease_until", UtcDateTime, nullable=True, index=True),
    # How many rungs of the ladder are climbed, and when the next is; NULL while the clinic is asked and after the last.
    Column("escalated", Integer, nullable=False),
    Column("escalate_at", UtcDateTime, nullable=True, index=True),
    Column("breached_at", UtcDateTime, nullable=True),
    Column("completed_at", UtcDateTime, nullable=True),
    # How many instances the task was last told of: what exceeds it has come late.
    Column("instance_count", Integer, nullable=False),
    Column("report_id", String(32), nullable=True),
    # What has one status, for each side that may see it: all that is asked is in the index, so that SQLite takes it before it
    # knows how full the table is.
    Index(None, "performer_id", "specialty", "status", *_FIRST),
    Index(None, "institution_id", "status", *_FIRST),
    Index(None, "performer_id", "owner_id", "status", *_FIRST, sqlite_where=_OWNED, postgresql_where=_OWNED),
    # Most have no owner: SQLite, which only knows averages, would take this for no help.
    Index(None, "owner_id", "status", "completed_at", sqlite_where=_OWNED, postgresql_where=_OWNED),
    Index(None, "assigned_id", "status"),
    Index(None, "institution_id", "study_instance_uid"),
    # The queue: what is open, in its order, for either side; lane and status are asked without a look at the row.
    Index("ix_task_queue_performer", "performer_id", "specialty", *_ORDER, sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_task_queue_institution", "institution_id", *_ORDER, sqlite_where=_OPEN, postgresql_where=_OPEN),
)

#: Who reviews the report of a task without being told who wrote it, while they do.
blind_table = Table(
    "task_blind",
    metadata,
    Column("task_id", String(32), ForeignKey("task.id"), primary_key=True),
    Column("practitioner_id", String(32), ForeignKey("practitioner.id"), primary_key=True),
)

question_table = Table(
    "task_question",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("task_id", String(32), ForeignKey("task.id"), nullable=False),
    Column("question", Text, nullable=False),
    Column("asked_by", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("answer", Text, nullable=True),
    Column("answered_by", String(32), ForeignKey("practitioner.id"), nullable=True),
    Column("answered_at", UtcDateTime, nullable=True),
    Index(None, "task_id", "asked_at"),
)
