"""How the index is kept: Patient, Study, Series and Instance of PS3.3, each below one institution."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    func,
    text,
)

from dicom_node.archive.matching import folded
from telemed.kernel.database import UtcDateTime, metadata


def _bytewise(length: int) -> String:
    """Return a text that is compared byte by byte on either database, so that what begins alike stands together."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _folded_patient_id(context: Any) -> str:  # noqa: ANN401 - SQLAlchemy's, of the row being inserted
    return folded(context.get_current_parameters()["patient_id"])


_MERGED = text("merged_into IS NOT NULL")

patient_table = Table(
    "patient",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution", String(64), nullable=False),
    Column("patient_id", String(80), nullable=False),
    Column("patient_id_folded", _bytewise(240), nullable=False, server_default="", default=_folded_patient_id, index=True),
    Column("variant", Integer, nullable=False),
    Column("issuer", String(80), nullable=False),
    Column("name", String(200), nullable=False),
    Column("name_folded", String(400), nullable=False),
    Column("name_ideographic", String(200), nullable=False),
    Column("name_phonetic", String(200), nullable=False),
    Column("name_raw", LargeBinary, nullable=False),
    Column("name_legibility", String(16), nullable=False),
    Column("sex", String(16), nullable=False),
    Column("birth_date", String(8), nullable=False),
    Column("issuer_entity", String(80), nullable=False, server_default=""),
    # The patient whom a person said this one is, always the last of a chain; no foreign key, or no restore could fill the table.
    Column("merged_into", String(32)),
    # When a person looked at what shares this patient ID and said that these are different people.
    Column("distinct_at", UtcDateTime),
    UniqueConstraint("institution", "patient_id", "variant"),
    # Nearly all were merged into nobody: SQLite, which only knows averages, would take this for no help.
    Index(None, "merged_into", sqlite_where=_MERGED, postgresql_where=_MERGED),
)

#: What a patient is searched by, see `naming`.
word_table = Table(
    "patient_word",
    metadata,
    Column("word", _bytewise(100), primary_key=True),
    Column("patient_key", String(32), ForeignKey("patient.id"), primary_key=True, index=True),
)

#: One patient said to be another; an undone one stays.
merge_table = Table(
    "patient_merge",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution", String(64), nullable=False, index=True),
    Column("survivor_key", String(32), ForeignKey("patient.id"), nullable=False, index=True),
    Column("absorbed_key", String(32), ForeignKey("patient.id"), nullable=False, index=True),
    Column("reason", String(400), nullable=False),
    Column("merged_by", String(128), nullable=False),
    Column("merged_at", UtcDateTime, nullable=False),
    Column("undone_by", String(128)),
    Column("undone_at", UtcDateTime),
)

#: Studies of one patient said to be another's; an undone one stays. Its patients are no foreign keys: one that was *made* for
#: it goes when it is undone. *studies* are pairs: the study's row, and the patient that it named before.
split_table = Table(
    "patient_split",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution", String(64), nullable=False, index=True),
    Column("from_key", String(32), nullable=False),
    Column("to_key", String(32), nullable=False),
    Column("made", Boolean, nullable=False),
    Column("studies", JSON, nullable=False),
    Column("reason", String(400), nullable=False),
    Column("split_by", String(128), nullable=False),
    Column("split_at", UtcDateTime, nullable=False),
    Column("undone_by", String(128)),
    Column("undone_at", UtcDateTime),
)

#: What a device writes, whatever its label says; an empty value stands for any.
charset_profile_table = Table(
    "charset_profile",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution", String(64), nullable=False),
    Column("ae_title", String(16), nullable=False),
    Column("manufacturer", String(80), nullable=False),
    Column("model", String(80), nullable=False),
    Column("charset", String(16), nullable=False),
    Column("set_by", String(128), nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
    UniqueConstraint("institution", "ae_title", "manufacturer", "model"),
)

study_table = Table(
    "study",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution", String(64), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("patient_key", String(32), ForeignKey("patient.id"), nullable=False, index=True),
    Column("accession_number", String(80), nullable=False),
    Column("study_id", String(80), nullable=False),
    Column("description", String(200), nullable=False),
    Column("study_date", String(8), nullable=False),
    Column("study_time", String(16), nullable=False),
    Column("utc_offset_minutes", Integer),
    Column("referring_physician", String(200), nullable=False),
    Column("modalities", JSON, nullable=False),
    Column("series_count", Integer, nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("first_received_at", UtcDateTime, nullable=False),
    Column("last_received_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    # How the last settling knew, what it missed, when to look again before, and how many instances were committed to at once.
    Column("proof", String(16)),
    Column("missing", JSON),
    Column("look_at", UtcDateTime),
    Column("committed", Integer),
    # The patient that the study's objects name, or were said to mean, where a merge has put another one into patient_key.
    Column("received_patient_key", String(32), ForeignKey("patient.id")),
    # How many of its instances the house has written itself.
    Column("written_count", Integer, nullable=False, server_default="0"),
    UniqueConstraint("institution", "study_instance_uid"),
    Index(None, "study_instance_uid"),
    Index(None, "institution", "accession_number"),
    Index(None, "study_date", "study_time", "first_received_at", "id"),
    Index(None, "first_received_at"),
    Index(None, "settled_at", "last_received_at"),
)

#: What texts are matched by, see matching.Lowered.
for _column in (
    patient_table.c.name_folded,
    patient_table.c.name_ideographic,
    patient_table.c.name_phonetic,
    study_table.c.accession_number,
):
    Index(
        f"ix_{_column.table.name}_lower_{_column.name}",
        func.lower(_column).label("lowered"),
        postgresql_ops={"lowered": 'COLLATE "C"'},
    )

series_table = Table(
    "series",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("study_id", String(32), ForeignKey("study.id"), nullable=False),
    Column("series_instance_uid", String(64), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("number", Integer),
    Column("description", String(200), nullable=False),
    Column("body_part", String(80), nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("first_received_at", UtcDateTime, nullable=False),
    UniqueConstraint("study_id", "series_instance_uid"),
    Index(None, "series_instance_uid"),
)

#: The source of what the house itself writes about a study, its signed reports: longer than an AE title can be.
WRITTEN_HERE = "written by telemed"

instance_table = Table(
    "instance",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution", String(64), nullable=False),
    Column("series_id", String(32), ForeignKey("series.id"), nullable=False, index=True),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("number", Integer),
    Column("rows", Integer),
    Column("columns", Integer),
    Column("frames", Integer, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("digest", String(64), nullable=False, index=True),
    Column("data_digest", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("source", String(128), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    UniqueConstraint("institution", "sop_instance_uid"),
    Index(None, "sop_instance_uid"),
)

#: Other content that came under a SOP Instance UID already kept: kept beside the first, shown to nobody unasked.
conflict_table = Table(
    "instance_conflict",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("instance_id", String(32), ForeignKey("instance.id"), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("digest", String(64), nullable=False, index=True),
    Column("data_digest", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("source", String(128), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    UniqueConstraint("instance_id", "data_digest"),
)

#: The longest pauses (seconds) inside the last studies of a source, the newest last.
rhythm_table = Table(
    "device_rhythm",
    metadata,
    Column("institution", String(64), primary_key=True),
    Column("source", String(128), primary_key=True),
    Column("pauses", JSON, nullable=False),
)
