"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit_record",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("entity_id", sa.String(length=128), nullable=False),
        sa.Column("outcome", sa.Integer(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_record")),
    )
    op.create_index(op.f("ix_audit_record_actor_at"), "audit_record", ["actor", "at"], unique=False)
    op.create_index(op.f("ix_audit_record_entity_entity_id"), "audit_record", ["entity", "entity_id"], unique=False)
    op.create_table(
        "ecg_analysis",
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("analysed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("institution", "sop_instance_uid", name=op.f("pk_ecg_analysis")),
    )
    op.create_index(op.f("ix_ecg_analysis_study_instance_uid"), "ecg_analysis", ["study_instance_uid"], unique=False)
    op.create_table(
        "event",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_subject_position"), "event", ["subject", "position"], unique=False)
    op.create_table(
        "event_cursor",
        sa.Column("follower", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("follower", name=op.f("pk_event_cursor")),
    )
    op.create_table(
        "organization",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
        sa.UniqueConstraint("name", name=op.f("uq_organization_name")),
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=80), nullable=False),
        sa.Column("variant", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_folded", sa.String(length=400), nullable=False),
        sa.Column("name_ideographic", sa.String(length=200), nullable=False),
        sa.Column("name_phonetic", sa.String(length=200), nullable=False),
        sa.Column("name_raw", sa.LargeBinary(), nullable=False),
        sa.Column("name_legibility", sa.String(length=16), nullable=False),
        sa.Column("sex", sa.String(length=16), nullable=False),
        sa.Column("birth_date", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient")),
        sa.UniqueConstraint("institution", "patient_id", "variant", name=op.f("uq_patient_institution_patient_id_variant")),
    )
    op.create_index(op.f("ix_patient_name_folded"), "patient", ["name_folded"], unique=False)
    op.create_index(op.f("ix_patient_name_ideographic"), "patient", ["name_ideographic"], unique=False)
    op.create_table(
        "sign_in_failure",
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_sign_in_failure")),
    )
    op.create_index(op.f("ix_sign_in_failure_since"), "sign_in_failure", ["since"], unique=False)
    op.create_table(
        "turnaround",
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("institution", sa.String(length=32), nullable=False),
        sa.Column("performer", sa.String(length=32), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("budget_s", sa.Integer(), nullable=False),
        sa.Column("t0_at", UtcDateTime(), nullable=False),
        sa.Column("t1_at", UtcDateTime(), nullable=True),
        sa.Column("t2_at", UtcDateTime(), nullable=True),
        sa.Column("t3_at", UtcDateTime(), nullable=True),
        sa.Column("t4_at", UtcDateTime(), nullable=True),
        sa.Column("t5_at", UtcDateTime(), nullable=True),
        sa.Column("t6_at", UtcDateTime(), nullable=True),
        sa.Column("paused_s", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_turnaround")),
    )
    op.create_index(op.f("ix_turnaround_t0_at"), "turnaround", ["t0_at"], unique=False)
    op.create_table(
        "ae_binding",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("networks", sa.JSON(), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["institution_id"], ["organization.id"], name=op.f("fk_ae_binding_institution_id_organization")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ae_binding")),
    )
    op.create_index(op.f("ix_ae_binding_ae_title"), "ae_binding", ["ae_title"], unique=False)
    op.create_table(
        "cooperation_agreement",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("performer_id", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("services", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_id"], ["organization.id"], name=op.f("fk_cooperation_agreement_institution_id_organization")
        ),
        sa.ForeignKeyConstraint(
            ["performer_id"], ["organization.id"], name=op.f("fk_cooperation_agreement_performer_id_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cooperation_agreement")),
    )
    op.create_index(
        op.f("ix_cooperation_agreement_institution_id_performer_id"),
        "cooperation_agreement",
        ["institution_id", "performer_id"],
        unique=False,
    )
    op.create_table(
        "practitioner",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_id"], ["organization.id"], name=op.f("fk_practitioner_institution_id_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_practitioner")),
    )
    op.create_index(op.f("ix_practitioner_institution_id"), "practitioner", ["institution_id"], unique=False)
    op.create_table(
        "service_request",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("performer_id", sa.String(length=32), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("consent_kind", sa.String(length=16), nullable=False),
        sa.Column("consent_note", sa.Text(), nullable=False),
        sa.Column("requester_id", sa.String(length=32), nullable=False),
        sa.Column("placed_at", UtcDateTime(), nullable=False),
        sa.Column("wanted_by", UtcDateTime(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_id"], ["organization.id"], name=op.f("fk_service_request_institution_id_organization")
        ),
        sa.ForeignKeyConstraint(["performer_id"], ["organization.id"], name=op.f("fk_service_request_performer_id_organization")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_request")),
    )
    op.create_index(
        op.f("ix_service_request_institution_id_study_instance_uid"),
        "service_request",
        ["institution_id", "study_instance_uid"],
        unique=False,
    )
    op.create_table(
        "study",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("patient_key", sa.String(length=32), nullable=False),
        sa.Column("accession_number", sa.String(length=80), nullable=False),
        sa.Column("study_id", sa.String(length=80), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("study_date", sa.String(length=8), nullable=False),
        sa.Column("study_time", sa.String(length=16), nullable=False),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=True),
        sa.Column("referring_physician", sa.String(length=200), nullable=False),
        sa.Column("modalities", sa.JSON(), nullable=False),
        sa.Column("series_count", sa.Integer(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("first_received_at", UtcDateTime(), nullable=False),
        sa.Column("last_received_at", UtcDateTime(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["patient_key"], ["patient.id"], name=op.f("fk_study_patient_key_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study")),
        sa.UniqueConstraint("institution", "study_instance_uid", name=op.f("uq_study_institution_study_instance_uid")),
    )
    op.create_index(op.f("ix_study_first_received_at"), "study", ["first_received_at"], unique=False)
    op.create_index(op.f("ix_study_institution_accession_number"), "study", ["institution", "accession_number"], unique=False)
    op.create_index(op.f("ix_study_patient_key"), "study", ["patient_key"], unique=False)
    op.create_index(op.f("ix_study_settled_at_last_received_at"), "study", ["settled_at", "last_received_at"], unique=False)
    op.create_index(op.f("ix_study_study_date"), "study", ["study_date"], unique=False)
    op.create_index(op.f("ix_study_study_instance_uid"), "study", ["study_instance_uid"], unique=False)
    op.create_table(
        "account",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("practitioner_id", sa.String(length=32), nullable=False),
        sa.Column("password_hash", sa.String(length=256), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["practitioner_id"], ["practitioner.id"], name=op.f("fk_account_practitioner_id_practitioner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("practitioner_id", name=op.f("uq_account_practitioner_id")),
        sa.UniqueConstraint("username", name=op.f("uq_account_username")),
    )
    op.create_table(
        "practitioner_role",
        sa.Column("practitioner_id", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioner.id"], name=op.f("fk_practitioner_role_practitioner_id_practitioner")
        ),
        sa.PrimaryKeyConstraint("practitioner_id", "role", name=op.f("pk_practitioner_role")),
    )
    op.create_table(
        "round",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("opened_by", sa.String(length=32), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["institution_id"], ["organization.id"], name=op.f("fk_round_institution_id_organization")),
        sa.ForeignKeyConstraint(["opened_by"], ["practitioner.id"], name=op.f("fk_round_opened_by_practitioner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round")),
    )
    op.create_index(
        op.f("ix_round_institution_id_study_instance_uid"), "round", ["institution_id", "study_instance_uid"], unique=False
    )
    op.create_index(op.f("ix_round_status_opened_at"), "round", ["status", "opened_at"], unique=False)
    op.create_table(
        "series",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("study_id", sa.String(length=32), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("body_part", sa.String(length=80), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("first_received_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_series_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("study_id", "series_instance_uid", name=op.f("uq_series_study_id_series_instance_uid")),
    )
    op.create_index(op.f("ix_series_series_instance_uid"), "series", ["series_instance_uid"], unique=False)
    op.create_table(
        "task",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("performer_id", sa.String(length=32), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("open_key", sa.String(length=100), nullable=True),
        sa.Column("specialty", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("priority_rank", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("owner_id", sa.String(length=32), nullable=True),
        sa.Column("declined_by", sa.JSON(), nullable=False),
        sa.Column("placed_at", UtcDateTime(), nullable=False),
        sa.Column("budget_s", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=True),
        sa.Column("breached_at", UtcDateTime(), nullable=True),
        sa.Column("completed_at", UtcDateTime(), nullable=True),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["institution_id"], ["organization.id"], name=op.f("fk_task_institution_id_organization")),
        sa.ForeignKeyConstraint(["owner_id"], ["practitioner.id"], name=op.f("fk_task_owner_id_practitioner")),
        sa.ForeignKeyConstraint(["performer_id"], ["organization.id"], name=op.f("fk_task_performer_id_organization")),
        sa.ForeignKeyConstraint(["request_id"], ["service_request.id"], name=op.f("fk_task_request_id_service_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("open_key", name=op.f("uq_task_open_key")),
    )
    op.create_index(
        op.f("ix_task_institution_id_study_instance_uid"), "task", ["institution_id", "study_instance_uid"], unique=False
    )
    op.create_index(
        op.f("ix_task_performer_id_status_priority_rank_due_at_id"),
        "task",
        ["performer_id", "status", "priority_rank", "due_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_task_status_due_at"), "task", ["status", "due_at"], unique=False)
    op.create_table(
        "access_token",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(length=128), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_access_token_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_access_token_digest")),
    )
    op.create_index(op.f("ix_access_token_account_id"), "access_token", ["account_id"], unique=False)
    op.create_table(
        "instance",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("series_id", sa.String(length=32), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("columns", sa.Integer(), nullable=True),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("data_digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_instance_series_id_series")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
        sa.UniqueConstraint("institution", "sop_instance_uid", name=op.f("uq_instance_institution_sop_instance_uid")),
    )
    op.create_index(op.f("ix_instance_digest"), "instance", ["digest"], unique=False)
    op.create_index(op.f("ix_instance_series_id"), "instance", ["series_id"], unique=False)
    op.create_index(op.f("ix_instance_sop_instance_uid"), "instance", ["sop_instance_uid"], unique=False)
    op.create_table(
        "report",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("performer", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("impression", sa.Text(), nullable=False),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("key_images", sa.JSON(), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.Column("signed_by", sa.String(length=32), nullable=False),
        sa.Column("named", sa.JSON(), nullable=False),
        sa.Column("lane", sa.String(length=32), nullable=False),
        sa.Column("budget_s", sa.Integer(), nullable=False),
        sa.Column("amends", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["amends"], ["report.id"], name=op.f("fk_report_amends_report")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_report_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sa.UniqueConstraint("amends", name=op.f("uq_report_amends")),
        sa.UniqueConstraint("task_id", "version", name=op.f("uq_report_task_id_version")),
    )
    op.create_index(op.f("ix_report_institution_signed_at"), "report", ["institution", "signed_at"], unique=False)
    op.create_index(
        op.f("ix_report_study_instance_uid_institution"), "report", ["study_instance_uid", "institution"], unique=False
    )
    op.create_table(
        "report_draft",
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("author", sa.String(length=32), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("impression", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=True),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("key_images", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("saved_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_report_draft_task_id_task")),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_report_draft")),
    )
    op.create_table(
        "round_institution",
        sa.Column("round_id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_id"], ["organization.id"], name=op.f("fk_round_institution_institution_id_organization")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_round_institution_round_id_round")),
        sa.PrimaryKeyConstraint("round_id", "institution_id", name=op.f("pk_round_institution")),
    )
    op.create_index(op.f("ix_round_institution_institution_id"), "round_institution", ["institution_id"], unique=False)
    op.create_table(
        "round_participant",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("round_id", sa.String(length=32), nullable=False),
        sa.Column("practitioner_id", sa.String(length=32), nullable=False),
        sa.Column("joined_at", UtcDateTime(), nullable=False),
        sa.Column("left_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioner.id"], name=op.f("fk_round_participant_practitioner_id_practitioner")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_round_participant_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_participant")),
    )
    op.create_index(op.f("ix_round_participant_round_id"), "round_participant", ["round_id"], unique=False)
    op.create_table(
        "session",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_session_account_id_account")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_account_id"), "session", ["account_id"], unique=False)
    op.create_index(op.f("ix_session_expires_at"), "session", ["expires_at"], unique=False)
    op.create_table(
        "instance_conflict",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("instance_id", sa.String(length=32), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("data_digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_instance_conflict_instance_id_instance")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance_conflict")),
        sa.UniqueConstraint("instance_id", "data_digest", name=op.f("uq_instance_conflict_instance_id_data_digest")),
    )
    op.create_index(op.f("ix_instance_conflict_digest"), "instance_conflict", ["digest"], unique=False)
    op.create_table(
        "report_delivery",
        sa.Column("report_id", sa.String(length=32), nullable=False),
        sa.Column("delivered_at", UtcDateTime(), nullable=False),
        sa.Column("delivered_by", sa.String(length=32), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=True),
        sa.Column("read_by", sa.String(length=32), nullable=True),
        sa.Column("read_by_name", sa.String(length=128), nullable=True),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_report_delivery_report_id_report")),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_report_delivery")),
    )
    op.create_table(
        "report_document",
        sa.Column("report_id", sa.String(length=32), nullable=False),
        sa.Column("media_type", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_report_document_report_id_report")),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_report_document")),
    )


def downgrade() -> None:
    op.drop_table("report_document")
    op.drop_table("report_delivery")
    op.drop_index(op.f("ix_instance_conflict_digest"), table_name="instance_conflict")
    op.drop_table("instance_conflict")
    op.drop_index(op.f("ix_session_expires_at"), table_name="session")
    op.drop_index(op.f("ix_session_account_id"), table_name="session")
    op.drop_table("session")
    op.drop_index(op.f("ix_round_participant_round_id"), table_name="round_participant")
    op.drop_table("round_participant")
    op.drop_index(op.f("ix_round_institution_institution_id"), table_name="round_institution")
    op.drop_table("round_institution")
    op.drop_table("report_draft")
    op.drop_index(op.f("ix_report_study_instance_uid_institution"), table_name="report")
    op.drop_index(op.f("ix_report_institution_signed_at"), table_name="report")
    op.drop_table("report")
    op.drop_index(op.f("ix_instance_sop_instance_uid"), table_name="instance")
    op.drop_index(op.f("ix_instance_series_id"), table_name="instance")
    op.drop_index(op.f("ix_instance_digest"), table_name="instance")
    op.drop_table("instance")
    op.drop_index(op.f("ix_access_token_account_id"), table_name="access_token")
    op.drop_table("access_token")
    op.drop_index(op.f("ix_task_status_due_at"), table_name="task")
    op.drop_index(op.f("ix_task_performer_id_status_priority_rank_due_at_id"), table_name="task")
    op.drop_index(op.f("ix_task_institution_id_study_instance_uid"), table_name="task")
    op.drop_table("task")
    op.drop_index(op.f("ix_series_series_instance_uid"), table_name="series")
    op.drop_table("series")
    op.drop_index(op.f("ix_round_status_opened_at"), table_name="round")
    op.drop_index(op.f("ix_round_institution_id_study_instance_uid"), table_name="round")
    op.drop_table("round")
    op.drop_table("practitioner_role")
    op.drop_table("account")
    op.drop_index(op.f("ix_study_study_instance_uid"), table_name="study")
    op.drop_index(op.f("ix_study_study_date"), table_name="study")
    op.drop_index(op.f("ix_study_settled_at_last_received_at"), table_name="study")
    op.drop_index(op.f("ix_study_patient_key"), table_name="study")
    op.drop_index(op.f("ix_study_institution_accession_number"), table_name="study")
    op.drop_index(op.f("ix_study_first_received_at"), table_name="study")
    op.drop_table("study")
    op.drop_index(op.f("ix_service_request_institution_id_study_instance_uid"), table_name="service_request")
    op.drop_table("service_request")
    op.drop_index(op.f("ix_practitioner_institution_id"), table_name="practitioner")
    op.drop_table("practitioner")
    op.drop_index(op.f("ix_cooperation_agreement_institution_id_performer_id"), table_name="cooperation_agreement")
    op.drop_table("cooperation_agreement")
    op.drop_index(op.f("ix_ae_binding_ae_title"), table_name="ae_binding")
    op.drop_table("ae_binding")
    op.drop_index(op.f("ix_turnaround_t0_at"), table_name="turnaround")
    op.drop_table("turnaround")
    op.drop_index(op.f("ix_sign_in_failure_since"), table_name="sign_in_failure")
    op.drop_table("sign_in_failure")
    op.drop_index(op.f("ix_patient_name_ideographic"), table_name="patient")
    op.drop_index(op.f("ix_patient_name_folded"), table_name="patient")
    op.drop_table("patient")
    op.drop_table("organization")
    op.drop_table("event_cursor")
    op.drop_index(op.f("ix_event_subject_position"), table_name="event")
    op.drop_table("event")
    op.drop_index(op.f("ix_ecg_analysis_study_instance_uid"), table_name="ecg_analysis")
    op.drop_table("ecg_analysis")
    op.drop_index(op.f("ix_audit_record_entity_entity_id"), table_name="audit_record")
    op.drop_index(op.f("ix_audit_record_actor_at"), table_name="audit_record")
    op.drop_table("audit_record")
