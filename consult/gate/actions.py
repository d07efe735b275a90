"""Judge a recording, link it with the one that replaces it, or keep it as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, insert, update

from consult.gate.model import LONGEST_S, TRANSITIONS, Gate, Step, Verdict, faults_of
from consult.gate.tables import gate_table
from consult.gate.views import gate_of, gates_of_study
from consult.practitioners.model import SYSTEM, Viewer
from consult.triage.actions import keep_analysis
from consult.triage.model import Analysis
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import serialise
from telemed.kernel.errors import Conflict, Invalid, NotFound

GATE_LOCK = 0x7E1E0010
LONGEST_REASON = 500


def judge(
    db: Connection,
    chronicle: Chronicle,
    institution: str,
    study_instance_uid: str,
    analysis: Analysis,
    *,
    exchanged: Mapping[str, Any] | None = None,
) -> Gate | None:
    """Say what of a new recording is to be mended, once, and keep its analysis.

    *exchanged* are electrodes that changed places since the patient's previous ECG (`consult.triage.reading.exchanged_since`).

    None when there is nothing to judge by, or for a recording of hours: no patient lies on a couch any more.

    What was asked about in the same study this recording replaces.
    """
    serialise(db, GATE_LOCK)
    sop_instance_uid = analysis.sop_instance_uid
    known = gate_of(db, institution, sop_instance_uid)
    if known is not None or analysis.result is None or analysis.result["duration_s"] > LONGEST_S:
        return known
    keep_analysis(db, chronicle.clock, institution, study_instance_uid, analysis)
    faults, now = faults_of(analysis.result, exchanged), chronicle.clock.now()
    verdict = Verdict.OPEN if faults else Verdict.PASSED
    gate = Gate(institution, sop_instance_uid, study_instance_uid, verdict, faults, now)
    for earlier in gates_of_study(db, institution, study_instance_uid):
        if (earlier.verdict, Step.REPEAT) in TRANSITIONS:
            _decide(db, chronicle, earlier, Step.REPEAT, by=SYSTEM, replaced_by=sop_instance_uid)
    db.execute(insert(gate_table).values(**{**asdict(gate), "faults": [asdict(fault) for fault in faults]}))
    data = {"verdict": verdict, "repeat": gate.asks, "faults": [fault.code for fault in faults]}
    _enter(db, chronicle, "EcgJudged", gate, data, by=SYSTEM)
    return gate


def keep(db: Connection, chronicle: Chronicle, sop_instance_uid: str, *, reason: str, by: Viewer) -> Gate:
    """Keep a recording as it is, although the gate asked; it needs a *reason* where a repeat was asked for.

    Raises NotFound for another institution's, Conflict when it was decided already, Invalid without a reason or with a long one.
    """
    gate = gate_of(db, by.institution_id, sop_instance_uid)
    if gate is None:
        raise NotFound("there is no such recording", code="instance")
    if (gate.verdict, Step.KEEP) not in TRANSITIONS:
        raise Conflict("this recording was decided about already", code="gate-decided")
    if gate.asks and not reason.strip():
        raise Invalid("say why this recording is sent as it is", code="reason")
    if len(reason) > LONGEST_REASON:
        raise Invalid(f"the reason is too long: at most {LONGEST_REASON} characters", code="reason")
    return _decide(db, chronicle, gate, Step.KEEP, by=by, reason=reason.strip())


def _decide(db: Connection, chronicle: Chronicle, gate: Gate, step: Step, *, by: Viewer, **decided: str) -> Gate:
    verdict = TRANSITIONS[gate.verdict, step]
    row = {"verdict": verdict, "decided_at": chronicle.clock.now(), **decided}
    mine = (gate_table.c.institution == gate.institution) & (gate_table.c.sop_instance_uid == gate.sop_instance_uid)
    if db.execute(update(gate_table).where(mine, gate_table.c.verdict == gate.verdict).values(row)).rowcount != 1:
        raise Conflict("this recording was decided about already", code="gate-decided")
    _enter(db, chronicle, "EcgRepeated" if step is Step.REPEAT else "EcgKept", gate, {"verdict": verdict, **decided}, by=by)
    return gate_of(db, gate.institution, gate.sop_instance_uid) or gate


def _enter(db: Connection, chronicle: Chronicle, type_: str, gate: Gate, data: Mapping[str, Any], *, by: Viewer) -> None:
    chronicle.enter(
        db,
        type_,
        gate.sop_instance_uid,
        {"institution": gate.institution, "study_instance_uid": gate.study_instance_uid, **data},
        actor=by.practitioner_id,
        institution=gate.institution,
        entity="EcgGate",
    )
