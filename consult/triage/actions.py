"""Keep what the analysis of an ECG gave."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from consult.triage.model import Analysis
from consult.triage.tables import analysis_table
from consult.triage.views import analysis_of
from telemed.kernel.clock import Clock


def keep_analysis(db: Connection, clock: Clock, institution: str, study_instance_uid: str, analysis: Analysis) -> None:
    """Keep *analysis*, unless that recording already has one: the same bytes give the same answer."""
    if analysis_of(db, institution, analysis.sop_instance_uid) is None:
        row = {
            "institution": institution,
            "sop_instance_uid": analysis.sop_instance_uid,
            "study_instance_uid": study_instance_uid,
            "result": analysis.result,
            "problem": analysis.problem,
            "analysed_at": clock.now(),
        }
        db.execute(insert(analysis_table).values(row))
