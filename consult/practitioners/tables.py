"""How institutions, people and agreements are kept."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Date, ForeignKey, Index, String, Table, Text, false

from telemed.kernel.database import metadata

organization_table = Table(
    "organization",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("name_en", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("phone", String(40), nullable=False),
)

practitioner_table = Table(
    "practitioner",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("institution_id", String(32), ForeignKey("organization.id"), nullable=False, index=True),
    # What an administrator has seen; until then nobody is chosen by dispatch.
    Column("registration", String(40), nullable=False, default=""),
    Column("practising_since", Date, nullable=True),
    Column("expertise", JSON, nullable=False, default=list),
    Column("in_training", Boolean, nullable=False, server_default=false()),
)

practitioner_role_table = Table(
    "practitioner_role",
    metadata,
    Column("practitioner_id", String(32), ForeignKey("practitioner.id"), primary_key=True),
    Column("role", String(16), primary_key=True),
)

agreement_table = Table(
    "cooperation_agreement",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("performer_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=True),
    Column("services", JSON, nullable=False),
    Column("liability", Text, nullable=False, default=""),
    Column("price", String(100), nullable=False, default=""),
    # Which end was warned of, so that it is warned of once.
    Column("warned_of", Date, nullable=True),
    Index(None, "institution_id", "performer_id"),
)

ae_binding_table = Table(
    "ae_binding",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("ae_title", String(16), nullable=False, index=True),
    Column("networks", JSON, nullable=False),
    Column("institution_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("certificate_sha256", String(64), nullable=False, server_default=""),
)
