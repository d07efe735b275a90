"""How rounds are kept."""

from __future__ import annotations

from sqlalchemy import Column, Connection, ForeignKey, Index, String, Table, select

from consult.rounds.model import Round, RoundStatus
from telemed.kernel.database import UtcDateTime, metadata
from telemed.kernel.errors import NotFound

round_table = Table(
    "round",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("title", String(200), nullable=False),
    Column("institution_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("opened_by", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("closed_at", UtcDateTime, nullable=True),
    Index(None, "status", "opened_at"),
    Index(None, "institution_id", "study_instance_uid"),
)

#: Whose people may be in the round.
round_institution_table = Table(
    "round_institution",
    metadata,
    Column("round_id", String(32), ForeignKey("round.id"), primary_key=True),
    Column("institution_id", String(32), ForeignKey("organization.id"), primary_key=True, index=True),
)

#: One row for each time somebody came; *left_at* is empty while they are there.
round_participant_table = Table(
    "round_participant",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("round_id", String(32), ForeignKey("round.id"), nullable=False, index=True),
    Column("practitioner_id", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("joined_at", UtcDateTime, nullable=False),
    Column("left_at", UtcDateTime, nullable=True),
)


def load(db: Connection, round_id: str, institution_id: str) -> Round:
    """Return a round *institution_id* may be in; NotFound when there is none or it is not for them."""
    invited = select(round_institution_table.c.round_id).where(round_institution_table.c.institution_id == institution_id)
    query = select(round_table).where(round_table.c.id == round_id, round_table.c.id.in_(invited))
    row = db.execute(query).mappings().first()
    if row is None:
        raise NotFound("there is no such round")
    return Round(**{**row, "status": RoundStatus(row["status"])})
