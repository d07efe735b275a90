"""ECG recordings: taken in by any format that carries a gain, kept as DICOM, shown with their analysis."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, NotRequired

from pydantic import Field, ValidationError, field_validator
from sqlalchemy import Connection, select
from typing_extensions import TypedDict

from consult.access import may_read_study
from consult.gate.actions import judge
from consult.gate.model import Gate
from consult.practitioners.model import Viewer
from consult.recordings import LONGEST_ANALYSIS_S
from consult.triage.model import Analysis as Analysed
from consult.triage.reading import ANALYSIS_S
from consult.triage.views import analysis_of
from dicom_node.archive import index
from dicom_node.archive.archive import Archive, Stored
from dicom_node.archive.tables import instance_table
from ecg.holter import LONG_BYTES
from telemed.kernel.errors import Invalid, NotFound
from web import keys
from web.accounts.permissions import Permission
from web.api.ecg_files import Identifiers, Particulars, Replaced, analysed, analysis_json, waveform_json
from web.api.ecg_uploads import Upload, received
from web.api.long_recordings import Long
from web.api.operations import Call, Given, Operation, Ready


class Text(TypedDict):
    """One wording in both languages."""

    zh: str
    en: str


class Statement(TypedDict):
    """One coded statement: a hint, never a diagnosis."""

    code: str
    text: Text
    severity: Literal["normal", "borderline", "abnormal", "critical"]
    evidence: dict[str, object]
    scp: str | None
    #: In standards' codes, "scp" and "aha"; an analysis made before they were mapped has none.
    codes: NotRequired[dict[str, str]]


class Corrected(TypedDict):
    """QT corrected for the rate, in milliseconds."""

    bazett: int | None
    fridericia: int | None
    framingham: int | None
    hodges: int | None


class Measurements(TypedDict):
    """Global measurements; what cannot be measured is null, and the warnings say why."""

    heart_rate_bpm: int | None
    p_duration_ms: int | None
    pr_interval_ms: int | None
    qrs_duration_ms: int | None
    qt_interval_ms: int | None
    qtc_ms: Corrected
    p_axis_deg: int | None
    qrs_axis_deg: int | None
    t_axis_deg: int | None
    rv5_sv1_mv: float | None
    st_j_mv: dict[str, float] | None


class Rhythm(TypedDict):
    """The rhythm's code and wording."""

    code: str
    text: str
    text_zh: str


class Quality(TypedDict):
    """Whether a lead can be measured, and if not, why."""

    usable: bool
    reasons: list[str]


class Device(TypedDict):
    """What the machine measured (by name, with its unit) and said itself, as the file keeps it."""

    measurements: dict[str, float]
    statements: list[str]


class Analysis(TypedDict):
    """Everything found in one recording; samples count from 0 in its own rate. *long* comes with five minutes and more."""

    format: str
    sampling_frequency_hz: float
    duration_s: float
    leads: list[str]
    r_peaks: list[int]
    beats: list[str]
    delineation: dict[str, dict[str, list[int]]]
    measurements: Measurements
    rhythm: Rhythm
    statements: list[Statement]
    quality: dict[str, Quality]
    warnings: list[str]
    device: Device
    long: NotRequired[Long]


class Waveform(TypedDict):
    """Samples in microvolts, null where one is missing; *total_s* is the length of the whole recording."""

    sampling_frequency_hz: float
    leads: list[str]
    start_s: float
    total_s: float
    microvolts: list[list[int | None]]


@dataclass(frozen=True)
class Kept:
    """Where a recording is kept, and what was found in it."""

    sop_instance_uid: str
    study_instance_uid: str
    analysis: Analysis
    #: What to record again while the patient still lies there.
    gate: Gate | None


class Stated(Given):
    """What may be said beside the file, as query or form fields."""

    patient_id: str | None = Field(default=None, max_length=64)
    name: str | None = Field(default=None, max_length=64)
    sex: Literal["M", "F", "O"] | None = None
    birth_date: date | None = None
    gain_uv: float | None = Field(default=None, gt=0, le=1e6, description="microvolts of one stored unit")
    sampling_frequency_hz: float | None = Field(default=None, ge=50, le=20_000)
    leads: str | None = Field(default=None, max_length=400, description="the leads in their order, with commas between them")
    replaces: str | None = Field(default=None, max_length=64, description="SOP Instance UID of the recording this is a repeat of")

    @field_validator("*", mode="before")
    @classmethod
    def _nothing_is_none(cls, value: object) -> object:
        """Take an empty field of a form as one that was not filled in."""
        return None if value == "" else value


class WaveformQuery(Given):
    """Which part of a long recording."""

    start_s: float = Field(default=0, ge=0, le=10_000_000)
    seconds: float | None = Field(default=None, gt=0, le=10_000_000)


async def upload_recording(call: Call[Stated, None]) -> Kept:
    """Take in one recording: a file as the body (name in X-Filename), or its files as multipart/form-data.

    A repeat (`replaces`) is kept in the study of the recording it replaces, and so answers the same request.
    """
    async with received(call.request) as upload:
        return await _taken_in(call, upload)


async def _taken_in(call: Call[Stated, None], upload: Upload) -> Kept:
    stated = _merged(call.query, upload.fields)
    viewer, app = call.viewer, call.request.app
    replaced = await call.view(_replaced, viewer.institution_id, stated.replaces) if stated.replaces else None
    identifiers = _identifiers(viewer.institution_id, upload, stated, replaced, app[keys.CLOCK].now())
    particulars = Particulars(**stated.model_dump(exclude={"replaces"}))
    work = partial(app[keys.CONFINEMENT].run, seconds=LONGEST_ANALYSIS_S if upload.size > LONG_BYTES else ANALYSIS_S)
    analysis, dicom = await call.off_loop(work, analysed, upload.folder, particulars, identifiers)
    converted = dicom.parent == upload.folder
    known = await call.view(_study_of, viewer.institution_id, identifiers.sop_instance_uid) if converted else None
    if known is not None:
        sop_instance_uid, study_instance_uid = identifiers.sop_instance_uid, known
    else:
        source = f"upload:{viewer.practitioner_id}"
        stored = await call.off_loop(_stored, app[keys.ARCHIVE], dicom, viewer.institution_id, source)
        sop_instance_uid, study_instance_uid = stored.sop_instance_uid, stored.study_instance_uid
    judged = await call.act(judge, viewer.institution_id, study_instance_uid, Analysed(sop_instance_uid, analysis))
    return Kept(sop_instance_uid, study_instance_uid, analysis, judged)


def _stored(archive: Archive, path: Path, institution: str, source: str) -> Stored:
    with path.open("rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return archive.store(content, institution=institution, transfer_syntax_uid=None, source=source)


def _replaced(db: Connection, institution: str, sop_instance_uid: str) -> index.Study:
    return index.study_of_instance(db, institution, sop_instance_uid)


async def recording_analysis(call: Call[None, None]) -> Ready[Analysis]:
    """Return the analysis of a kept recording; one not analysed on its arrival is analysed now."""
    uid = call.part("sop_instance_uid")
    institution = await call.view(holder_of, call.viewer, uid)
    known = await call.view(analysis_of, institution, uid)
    if known is not None and known.result is not None:
        return Ready(json.dumps(known.result, ensure_ascii=False).encode())
    path = await path_of(call)
    seconds = LONGEST_ANALYSIS_S if path.stat().st_size > LONG_BYTES else ANALYSIS_S
    return Ready(await call.off_loop(partial(call.request.app[keys.CONFINEMENT].run, seconds=seconds), analysis_json, path))


async def recording_waveform(call: Call[WaveformQuery, None]) -> Ready[Waveform]:
    """Return the samples of a kept recording, in microvolts."""
    path, query = await path_of(call), call.query
    work = call.request.app[keys.CONFINEMENT].run
    return Ready(await call.off_loop(work, waveform_json, path, query.start_s, query.seconds))


async def path_of(call: Call[Any, None]) -> Path:
    """Return where the recording that *call* names lies; NotFound when there is none for the one who calls."""
    uid = call.part("sop_instance_uid")
    institution = await call.view(holder_of, call.viewer, uid)
    return await call.off_loop(call.request.app[keys.ARCHIVE].file, institution, uid)


def holder_of(db: Connection, viewer: Viewer, sop_instance_uid: str) -> str:
    """Return the institution whose instance of that UID *viewer* may read; NotFound when there is none for them."""
    holders = select(instance_table.c.institution).where(instance_table.c.sop_instance_uid == sop_instance_uid)
    for holder in db.scalars(holders.order_by(instance_table.c.institution)).all():
        institution = str(holder)
        study = index.study_of_instance(db, institution, sop_instance_uid)
        try:
            if may_read_study(db, viewer, study.study_instance_uid) == institution:
                return institution
        except NotFound:
            continue
    raise NotFound("there is no such recording", code="instance")


def _study_of(db: Connection, institution: str, sop_instance_uid: str) -> str | None:
    try:
        return index.study_of_instance(db, institution, sop_instance_uid).study_instance_uid
    except NotFound:
        return None


def _merged(query: Stated, fields: Mapping[str, str]) -> Stated:
    try:
        return Stated.model_validate({**query.model_dump(exclude_none=True), **fields})
    except ValidationError as error:
        named = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_input=False, include_url=False))
        raise Invalid(f"a field is not right: {named}", code="field") from None


def _identifiers(institution: str, upload: Upload, stated: Stated, replaced: index.Study | None, now: datetime) -> Identifiers:
    """Derive the UIDs from what was sent, so that sending it again is known as a re-send."""
    content = hashlib.sha256(institution.encode())
    for name, sent in sorted(upload.files.items()):
        content.update(f"\0{name}\0{sent.size}\0".encode() + sent.digest)
    content.update(stated.model_dump_json(exclude_none=True).encode())
    study, series, instance = (_uid(content.digest() + part) for part in (b"study", b"series", b"instance"))
    if replaced is None:
        return Identifiers(study, series, instance, now)
    patient = replaced.patient
    return Identifiers(
        replaced.study_instance_uid,
        series,
        instance,
        now,
        Replaced(
            patient.patient_id,
            _person_name(patient),
            patient.sex,
            patient.birth_date,
            replaced.accession_number,
            replaced.study_id,
        ),
    )


def _person_name(patient: index.Patient) -> str:
    """Return all groups of a name as one PN value (PS3.5 6.2.1)."""
    return f"{patient.name}={patient.name_ideographic}={patient.name_phonetic}".rstrip("=")


def _uid(seed: bytes) -> str:
    """Return a UID under 2.25 (PS3.5 B.2), as long as a UUID's."""
    return f"2.25.{int.from_bytes(hashlib.sha256(seed).digest()[:16], 'big')}"


OPERATIONS = (
    Operation(
        "POST",
        "/recordings",
        upload_recording,
        Permission.SEND_STUDIES,
        status=201,
        consumes=("application/octet-stream", "multipart/form-data"),
    ),
    Operation("GET", "/recordings/{sop_instance_uid}/analysis", recording_analysis, Permission.READ_STUDIES),
    Operation("GET", "/recordings/{sop_instance_uid}/waveform", recording_waveform, Permission.READ_STUDIES),
)
