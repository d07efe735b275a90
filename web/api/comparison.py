"""An ECG beside the same patient's previous one: found by institution and patient ID, among what the user may see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import Connection
from typing_extensions import TypedDict

from consult.access import may_read_study
from consult.intake import IMAGES
from consult.practitioners.model import Viewer
from dicom_node.archive import index
from ecg.holter import LONG_BYTES
from telemed.kernel.errors import Invalid, NotFound
from web import keys
from web.accounts.permissions import Permission
from web.api.ecg_files import comparison_json
from web.api.long_recordings import Wording
from web.api.operations import Call, Given, Operation, Ready
from web.api.recordings import holder_of


class Compared(TypedDict):
    """One of the two recordings; *started_at* is its study's, null where the study states none."""

    sop_instance_uid: str
    study_instance_uid: str
    started_at: str | None


class ChangedRhythm(TypedDict):
    """The rhythm of both."""

    before: Wording
    after: Wording
    changed: bool


class ChangedQuantity(TypedDict):
    """One quantity of both; *notable* from the limit on that *source* names, or where only one of them has it."""

    name: str
    lead: str
    text: Wording
    unit: str
    before: float | str | None
    after: float | str | None
    difference: float | None
    notable: bool
    source: str


class ChangedStatement(TypedDict):
    """A statement that only one of the two has."""

    code: str
    text: Wording
    severity: str


class ExchangedElectrodes(TypedDict):
    """Limb electrodes (RA, LA, LL) that seem exchanged in one of the two, and how the beats correlate as recorded and undone."""

    electrodes: list[str]
    text: Wording
    correlation: float
    correlation_undone: float


class Comparison(TypedDict):
    """What changed since the previous ECG: hints, never a diagnosis. *svg* draws both median beats, the previous in grey."""

    previous: Compared
    current: Compared
    rhythm: ChangedRhythm
    changes: list[ChangedQuantity]
    new_statements: list[ChangedStatement]
    gone_statements: list[ChangedStatement]
    exchanged_electrodes: ExchangedElectrodes | None
    sentences: list[Wording]
    svg: str


class ComparisonQuery(Given):
    """With which recording; without one, with the one before it."""

    other: str | None = Field(default=None, alias="with", max_length=64, pattern=r"^[0-9.]+$")


async def recording_comparison(call: Call[ComparisonQuery, None]) -> Ready[Comparison]:
    """Compare a recording with the patient's previous one, or with the one named."""
    holder, previous, current = await call.view(_pair, call.viewer, call.part("sop_instance_uid"), call.query.other)
    archive = call.request.app[keys.ARCHIVE]
    paths = [await call.off_loop(archive.file, holder, each["sop_instance_uid"]) for each in (previous, current)]
    about: dict[str, Any] = {"previous": previous, "current": current}
    return Ready(await call.off_loop(call.request.app[keys.CONFINEMENT].run, comparison_json, *paths, json.dumps(about)))


def _pair(db: Connection, viewer: Viewer, uid: str, other: str | None) -> tuple[str, Compared, Compared]:
    """Return who holds them, the recording before (or the *other* one), and the recording *uid*.

    Raises NotFound for what the viewer may not see or when there is none before, Invalid for one of another patient.
    """
    holder = holder_of(db, viewer, uid)
    patient_id = index.study_of_instance(db, holder, uid).patient.patient_id
    line = sorted(_recordings(db, viewer, holder, patient_id), key=lambda found: found[0])
    uids = [compared["sop_instance_uid"] for _, compared in line]
    if uid not in uids:
        raise NotFound("this recording has no patient ID or is too long to be compared", code="no-previous")
    place = uids.index(uid)
    if other is None:
        if place == 0:
            raise NotFound("the patient has no earlier ECG here", code="no-previous")
        return holder, line[place - 1][1], line[place][1]
    if other == uid or other not in uids:
        holder_of(db, viewer, other)  # what may not be seen is not there
        raise Invalid("name another short recording of the same patient", code="other-patient")
    return holder, line[uids.index(other)][1], line[place][1]


Moment = tuple[datetime, datetime, int, str]


def _recordings(db: Connection, viewer: Viewer, holder: str, patient_id: str) -> Iterator[tuple[Moment, Compared]]:
    """Yield the patient's strips among what *viewer* may see, each with what it is ordered by."""
    for study in index.studies_of_patient(db, holder, patient_id):
        if not _may_read(db, viewer, holder, study.study_instance_uid):
            continue
        began = study.started_at or study.first_received_at
        for series in index.series_of(db, study.id):
            for one in () if series.modality in IMAGES else index.instances_of(db, series.id):
                if one.kind == "ecg" and one.size <= LONG_BYTES:
                    compared = Compared(
                        sop_instance_uid=one.sop_instance_uid,
                        study_instance_uid=study.study_instance_uid,
                        started_at=study.started_at.isoformat() if study.started_at else None,
                    )
                    yield (began, one.received_at, one.number or 0, one.sop_instance_uid), compared


def _may_read(db: Connection, viewer: Viewer, holder: str, study_instance_uid: str) -> bool:
    try:
        return may_read_study(db, viewer, study_instance_uid) == holder
    except NotFound:
        return False


OPERATIONS = (Operation("GET", "/recordings/{sop_instance_uid}/comparison", recording_comparison, Permission.READ_STUDIES),)
