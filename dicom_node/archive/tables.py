"""How the index is kept: Patient, Study, Series and Instance of PS3.3, each below one institution."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, UniqueConstraint

from telemed.kernel.database import UtcDateTime, metadata

patient_table = Table(
    "patient",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution", String(64), nullable=False),
    Column("patient_id", String(80), nullable=False),
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
    UniqueConstraint("institution", "patient_id", "variant"),
    Index(None, "name_folded"),
    Index(None, "name_ideographic"),
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
    UniqueConstraint("institution", "study_instance_uid"),
    Index(None, "study_instance_uid"),
    Index(None, "institution", "accession_number"),
    Index(None, "study_date"),
    Index(None, "first_received_at"),
    Index(None, "settled_at", "last_received_at"),
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
