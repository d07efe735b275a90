"""What the machine saw in an ECG."""

from __future__ import annotations

from sqlalchemy import Connection, select

from consult.triage.model import Analysis
from consult.triage.tables import analysis_table


def analysis_of(db: Connection, institution: str, sop_instance_uid: str) -> Analysis | None:
    """Return what became of the analysis of one recording, None when it was not analysed yet."""
    mine = (analysis_table.c.institution == institution) & (analysis_table.c.sop_instance_uid == sop_instance_uid)
    found = db.execute(select(analysis_table).where(mine)).first()
    return None if found is None else Analysis(found.sop_instance_uid, found.result, found.problem)


def analyses_of_study(db: Connection, institution: str, study_instance_uid: str) -> tuple[Analysis, ...]:
    """Return what became of the analyses of a study's recordings, in the order of their UIDs."""
    mine = (analysis_table.c.institution == institution) & (analysis_table.c.study_instance_uid == study_instance_uid)
    rows = db.execute(select(analysis_table).where(mine).order_by(analysis_table.c.sop_instance_uid))
    return tuple(Analysis(row.sop_instance_uid, row.result, row.problem) for row in rows)
