"""Merged patients, words that names are searched by, and what devices write whatever they say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dicom_node.archive.charset import PersonName
from dicom_node.archive.matching import folded
from dicom_node.archive.naming import words_of
from telemed.kernel.database import UtcDateTime

revision = "0006"
down_revision = "0005"

AT_ONCE = 1000


def upgrade() -> None:
    op.add_column("patient", sa.Column("issuer_entity", sa.String(length=80), server_default="", nullable=False))
    op.add_column("patient", sa.Column("patient_id_folded", _bytewise(240), server_default="", nullable=False))
    op.create_index(op.f("ix_patient_patient_id_folded"), "patient", ["patient_id_folded"], unique=False)
    op.add_column("patient", sa.Column("distinct_at", UtcDateTime(), nullable=True))
    op.add_column("patient", sa.Column("merged_into", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_patient_merged_into"), "patient", ["merged_into"], unique=False)
    _add_received_patient_key()
    op.create_table(
        "patient_word",
        sa.Column("word", _bytewise(100), nullable=False),
        sa.Column("patient_key", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["patient_key"], ["patient.id"], name=op.f("fk_patient_word_patient_key_patient")),
        sa.PrimaryKeyConstraint("word", "patient_key", name=op.f("pk_patient_word")),
    )
    op.create_index(op.f("ix_patient_word_patient_key"), "patient_word", ["patient_key"], unique=False)
    _fill()
    op.create_table(
        "patient_merge",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("survivor_key", sa.String(length=32), nullable=False),
        sa.Column("absorbed_key", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("merged_by", sa.String(length=128), nullable=False),
        sa.Column("merged_at", UtcDateTime(), nullable=False),
        sa.Column("undone_by", sa.String(length=128), nullable=True),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["absorbed_key"], ["patient.id"], name=op.f("fk_patient_merge_absorbed_key_patient")),
        sa.ForeignKeyConstraint(["survivor_key"], ["patient.id"], name=op.f("fk_patient_merge_survivor_key_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_merge")),
    )
    for column in ("institution", "survivor_key", "absorbed_key"):
        op.create_index(op.f(f"ix_patient_merge_{column}"), "patient_merge", [column], unique=False)
    op.create_table(
        "charset_profile",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("manufacturer", sa.String(length=80), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("charset", sa.String(length=16), nullable=False),
        sa.Column("set_by", sa.String(length=128), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charset_profile")),
        sa.UniqueConstraint(
            "institution",
            "ae_title",
            "manufacturer",
            "model",
            name=op.f("uq_charset_profile_institution_ae_title_manufacturer_model"),
        ),
    )


def _add_received_patient_key() -> None:
    """Add a column that names a patient, or none: SQLite takes it in one statement only."""
    name = op.f("fk_study_received_patient_key_patient")
    if op.get_context().dialect.name == "sqlite":
        column = f"received_patient_key VARCHAR(32) CONSTRAINT {name} REFERENCES patient (id)"
        op.execute(f"ALTER TABLE study ADD COLUMN {column}")
    else:
        op.add_column("study", sa.Column("received_patient_key", sa.String(length=32), nullable=True))
        op.create_foreign_key(name, "study", "patient", ["received_patient_key"], ["id"])


def _bytewise(length: int) -> sa.String:
    return sa.String(length=length).with_variant(sa.String(length=length, collation="C"), "postgresql")


def _fill() -> None:
    """Write what the patients that are there already are searched by."""
    db = op.get_bind()
    names = ("id", "name", "name_ideographic", "name_phonetic", "patient_id", "patient_id_folded")
    patient = sa.table("patient", *(sa.column(name) for name in names))
    word = sa.table("patient_word", sa.column("word"), sa.column("patient_key"))
    last = ""
    while rows := db.execute(sa.select(patient).where(patient.c.id > last).order_by(patient.c.id).limit(AT_ONCE)).all():
        words = [{"word": one, "patient_key": row.id} for row in rows for one in words_of(PersonName(*row[1:4]))]
        if words:
            db.execute(sa.insert(word), words)
        ids = [{"key": row.id, "folded": folded(row.patient_id)} for row in rows]
        filled = sa.update(patient).where(patient.c.id == sa.bindparam("key"))
        db.execute(filled.values(patient_id_folded=sa.bindparam("folded")), ids)
        last = rows[-1].id


def downgrade() -> None:
    op.drop_table("charset_profile")
    op.drop_table("patient_merge")
    op.drop_table("patient_word")
    op.drop_index(op.f("ix_patient_merged_into"), table_name="patient")
    op.drop_index(op.f("ix_patient_patient_id_folded"), table_name="patient")
    if op.get_context().dialect.name != "sqlite":
        op.drop_constraint(op.f("fk_study_received_patient_key_patient"), "study")
    op.drop_column("study", "received_patient_key")
    for column in ("merged_into", "distinct_at", "issuer_entity", "patient_id_folded"):
        op.drop_column("patient", column)
