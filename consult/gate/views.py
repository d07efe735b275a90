"""What the gate has said, and how often it asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select

from consult.gate.model import Fault, Gate, Verdict
from consult.gate.tables import gate_table
from consult.practitioners.model import Viewer
from consult.requests.model import Patient
from consult.requests.views import summaries
from dicom_node.archive import index
from ecg.holter import LONG_BYTES

#: A clinic with more open cards than this has another problem.
MOST_SHOWN = 50


@dataclass(frozen=True)
class Card:
    """One recording that waits for the clinic, and whose it is."""

    gate: Gate
    patient: Patient


@dataclass(frozen=True)
class Share:
    """Of so many recordings judged: how many were asked for again, how many of these came again or were kept with a reason."""

    judged: int
    asked: int
    repeated: int
    kept: int


def gate_of(db: Connection, institution: str, sop_instance_uid: str) -> Gate | None:
    """Return what was said of one recording, None when it was not judged."""
    mine = (gate_table.c.institution == institution) & (gate_table.c.sop_instance_uid == sop_instance_uid)
    row = db.execute(select(gate_table).where(mine)).mappings().first()
    return None if row is None else gate_from(row)


def gates_of_study(db: Connection, institution: str, study_instance_uid: str) -> list[Gate]:
    """Return what was said of a study's recordings, the earliest first."""
    mine = (gate_table.c.institution == institution) & (gate_table.c.study_instance_uid == study_instance_uid)
    order = gate_table.c.judged_at, gate_table.c.sop_instance_uid
    return [gate_from(row) for row in db.execute(select(gate_table).where(mine).order_by(*order)).mappings()]


def previous_strip(db: Connection, institution: str, sop_instance_uid: str) -> str | None:
    """Return the last short ECG of the same patient's study before the one that holds *sop_instance_uid*, None without one.

    What came earlier in the same study was replaced by this recording, and is nothing to compare it with.
    """
    present = index.study_of_instance(db, institution, sop_instance_uid)
    began = _began(present)
    for study in sorted(index.studies_of_patient(db, institution, present.patient.patient_id), key=_began, reverse=True):
        if study.id == present.id or _began(study) > began:
            continue
        strips = [
            one
            for series in index.series_of(db, study.id)
            if series.modality == "ECG"
            for one in index.instances_of(db, series.id)
            if one.kind == "ecg" and one.size <= LONG_BYTES
        ]
        if strips:
            return max(strips, key=lambda one: (one.received_at, one.sop_instance_uid)).sop_instance_uid
    return None


def _began(study: index.Study) -> datetime:
    return study.started_at or study.first_received_at


def open_cards(db: Connection, viewer: Viewer) -> list[Card]:
    """Return what waits for *viewer*'s institution, the newest first."""
    mine = (gate_table.c.institution == viewer.institution_id) & (gate_table.c.verdict == Verdict.OPEN)
    query = select(gate_table).where(mine).order_by(gate_table.c.judged_at.desc(), gate_table.c.sop_instance_uid)
    gates = [gate_from(row) for row in db.execute(query.limit(MOST_SHOWN)).mappings()]
    studies = summaries(db, {(gate.institution, gate.study_instance_uid) for gate in gates})
    return [
        Card(gate, studies[gate.institution, gate.study_instance_uid].patient)
        for gate in gates
        if (gate.institution, gate.study_instance_uid) in studies
    ]


def share(db: Connection, institution: str, since: datetime, until: datetime) -> Share:
    """Return how many of *institution*'s recordings judged from *since* to before *until* the gate asked for again."""
    mine = (gate_table.c.institution == institution) & (gate_table.c.judged_at >= since) & (gate_table.c.judged_at < until)
    gates = [gate_from(row) for row in db.execute(select(gate_table).where(mine)).mappings()]
    asked = [gate for gate in gates if gate.asks]
    count = {verdict: sum(gate.verdict is verdict for gate in asked) for verdict in Verdict}
    return Share(len(gates), len(asked), count[Verdict.REPEATED], count[Verdict.KEPT])


def gate_from(row: RowMapping) -> Gate:
    """Build a Gate from a row of gate_table."""
    faults = tuple(Fault.of(stored) for stored in row["faults"])
    columns = {column.name: row[column.name] for column in gate_table.c}
    return Gate(**{**columns, "verdict": Verdict(row["verdict"]), "faults": faults})
