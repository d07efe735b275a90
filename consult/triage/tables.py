"""How automatic ECG analyses are kept: one row per recording, the result or the sentence why there is none."""

from __future__ import annotations

from sqlalchemy import JSON, Column, String, Table, Text

from telemed.kernel.database import UtcDateTime, metadata

analysis_table = Table(
    "ecg_analysis",
    metadata,
    Column("institution", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("study_instance_uid", String(64), nullable=False, index=True),
    Column("result", JSON(none_as_null=True), nullable=True),
    Column("problem", Text, nullable=True),
    Column("analysed_at", UtcDateTime, nullable=False),
)
