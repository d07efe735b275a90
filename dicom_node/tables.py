"""How the node remembers its peers, and what it still owes them."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, String, Table, UniqueConstraint

from telemed.kernel.database import UtcDateTime, metadata

#: Where an AE title is reached. *institution* empty: a destination for every institution's equipment.
peer_table = Table(
    "peer",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("ae_title", String(16), nullable=False, unique=True),
    Column("host", String(255), nullable=False),
    Column("port", Integer, nullable=False),
    Column("institution", String(64), nullable=False),
)

#: A storage commitment that was asked for and not yet reported; it goes once the peer has taken the report.
commitment_table = Table(
    "storage_commitment",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("transaction_uid", String(64), nullable=False),
    Column("institution", String(64), nullable=False),
    Column("ae_title", String(16), nullable=False),
    Column("instances", JSON, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("try_at", UtcDateTime, nullable=False),
    Index(None, "try_at"),
)

#: A performed procedure step (PS3.3 C.4.13-C.4.16) as the modality told it; *attributes* are its texts by keyword.
step_table = Table(
    "performed_procedure_step",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution", String(64), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("ae_title", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("instance_uids", JSON, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("institution", "sop_instance_uid"),
    Index(None, "institution", "study_instance_uid"),
)
