"""How the clock is kept. It refers to tasks by id alone: the slice stands below the queue."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table

from telemed.kernel.database import UtcDateTime, metadata

turnaround_table = Table(
    "turnaround",
    metadata,
    Column("task_id", String(32), primary_key=True),
    Column("institution", String(32), nullable=False),
    Column("performer", String(32), nullable=False),
    Column("lane", String(16), nullable=False),
    Column("budget_s", Integer, nullable=False),
    Column("t0_at", UtcDateTime, nullable=False),
    *(Column(f"t{number}_at", UtcDateTime, nullable=True) for number in range(1, 7)),
    # Ended pauses together, and since when the present one runs.
    Column("paused_s", Integer, nullable=False, default=0),
    Column("paused_since", UtcDateTime, nullable=True),
    Index(None, "t0_at"),
)
