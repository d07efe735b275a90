"""How reports are kept: drafts that change, versions and documents that never do, and what is known of their delivery."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from telemed.kernel.database import UtcDateTime, metadata

draft_table = Table(
    "report_draft",
    metadata,
    Column("task_id", String(32), ForeignKey("task.id"), primary_key=True),
    Column("author", String(32), nullable=False),
    Column("findings", Text, nullable=False),
    Column("impression", Text, nullable=False),
    Column("kind", String(16)),
    Column("critical", Boolean, nullable=False),
    Column("key_images", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("saved_at", UtcDateTime, nullable=False),
)

#: What a draft said before: see `actions.save_draft` for which versions stay.
draft_version_table = Table(
    "report_draft_version",
    metadata,
    Column("task_id", String(32), ForeignKey("task.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("author", String(32), nullable=False),
    Column("findings", Text, nullable=False),
    Column("impression", Text, nullable=False),
    Column("kind", String(16)),
    Column("critical", Boolean, nullable=False),
    Column("key_images", JSON, nullable=False),
    Column("saved_at", UtcDateTime, nullable=False),
)

report_table = Table(
    "report",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("task_id", String(32), ForeignKey("task.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("institution", String(64), nullable=False),
    Column("performer", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("findings", Text, nullable=False),
    Column("impression", Text, nullable=False),
    Column("critical", Boolean, nullable=False),
    Column("key_images", JSON, nullable=False),
    Column("signed_at", UtcDateTime, nullable=False),
    Column("signed_by", String(32), nullable=False),
    # Who, where and whom it is about, as they were called when it was signed: a later change of name must not reach it.
    Column("named", JSON, nullable=False),
    Column("lane", String(32), nullable=False),
    Column("budget_s", Integer, nullable=False),
    Column("amends", String(32), ForeignKey("report.id"), unique=True),
    Column("reason", Text),
    # `model.Withdrawal` of a cancelled version; null for any other.
    Column("cause", String(32)),
    # `model.stored_addenda`; null where it was signed before there were any.
    Column("addenda", JSON),
    Column("content_sha256", String(64), nullable=False),
    # Of `report_document.images`; null before there were signatures.
    Column("images_sha256", String(64)),
    UniqueConstraint("task_id", "version"),
    Index(None, "study_instance_uid", "institution"),
    Index(None, "institution", "signed_at"),
)

document_table = Table(
    "report_document",
    metadata,
    Column("report_id", String(32), ForeignKey("report.id"), primary_key=True),
    Column("media_type", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    # `model.listing` of the study as it was when the report was signed.
    Column("images", Text),
)

#: The DICOM objects in which a version is returned to its clinic, and what the archive keeps each of them by.
object_table = Table(
    "report_object",
    metadata,
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("report_id", String(32), ForeignKey("report.id"), nullable=False, index=True),
    Column("digest", String(64), nullable=False),
)

#: T5 and T6 of one version. It stands here so that a report is shown with them in one query; only `consult.delivery` writes it.
delivery_table = Table(
    "report_delivery",
    metadata,
    Column("report_id", String(32), ForeignKey("report.id"), primary_key=True),
    Column("delivered_at", UtcDateTime, nullable=False),
    Column("delivered_by", String(32), nullable=False),
    # The AE title of the clinic's own system that has it, while no screen there has shown its news.
    Column("only_in", String(16), nullable=True),
    Column("read_at", UtcDateTime),
    Column("read_by", String(32)),
    Column("read_by_name", String(128)),
    # What the clinic repeated of a critical value, and who did: until then its document is withheld from the clinic.
    Column("read_back", Text),
    Column("read_back_at", UtcDateTime),
    Column("read_back_by", String(32)),
    Column("read_back_by_name", String(128)),
)
