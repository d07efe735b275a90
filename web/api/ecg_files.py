"""What is done to an ECG file in a confined worker: read, analysed, converted. Only plain values and bytes travel back.

It imports no HTTP, so that a worker starts quickly, and the engine only where it is used: the server itself never loads it.
`web.api.recordings` calls it through `Confinement.run`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dicom_node.archive.disk import unavailable
from ecg import EcgError
from ecg.formats import Declared, read
from ecg.formats import dicom as dicom_format
from ecg.formats.streams import Source, of_recording, opened
from ecg.holter import LONG_BYTES
from ecg.recording import PatientTags
from telemed.kernel.errors import Conflict, Invalid

#: In the folder of an upload: the folder of the files as they came, and what is made of them.
SENT, CONVERTED = "sent", "converted.dcm"
#: Of a form that cannot be read piece by piece: half an hour of 12 leads at 1 kHz.
MOST_WHOLE_BYTES = 64 << 20
#: The most samples of one answer, over all leads: 12 leads at 500 Hz for more than five minutes.
MOST_SAMPLES = 2_000_000
BIRTH_DATE = len("YYYYMMDD")


@dataclass(frozen=True)
class Particulars:
    """What the sender said beside the file; what is None is taken from the file."""

    patient_id: str | None = None
    name: str | None = None
    sex: str | None = None
    birth_date: date | None = None
    gain_uv: float | None = None
    sampling_frequency_hz: float | None = None
    leads: str | None = None


@dataclass(frozen=True)
class Replaced:
    """Whose recording, and of which study, a repeat replaces; dates and names as in DICOM."""

    patient_id: str
    name: str
    sex: str
    birth_date: str
    accession_number: str
    study_id: str

    def tags(self) -> PatientTags:
        """Return the patient as a recording names one."""
        digits = self.birth_date if len(self.birth_date) == BIRTH_DATE and self.birth_date.isdecimal() else ""
        born = datetime.strptime(digits, "%Y%m%d").date() if digits else None  # noqa: DTZ007 - a birthday has no zone
        return PatientTags(self.patient_id, self.name, self.sex, born)


@dataclass(frozen=True)
class Identifiers:
    """Under which UIDs a converted recording is kept, and when it was made if the file does not say.

    With *replaced* even a DICOM file is rewritten, sample for sample, into that study and under that patient.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    received_at: datetime
    replaced: Replaced | None = None


def analysed(folder: Path, given: Particulars, identifiers: Identifiers) -> tuple[dict[str, Any], Path]:
    """Return the analysis of the recording in the files under `SENT` of *folder*, and its DICOM form.

    Unless it was DICOM already, and no repeat, this is written to `CONVERTED` of *folder*.

    Raises
    ------
    Invalid
        code ``recording``: unreadable, no ECG, or without a gain; the sentence says which.
    Conflict
        code ``other-patient``: it names another patient than the recording that it is to replace.
    Unavailable
        when there is no room for the DICOM form.
    """
    from ecg.holter.whole import analysis_of_source  # noqa: PLC0415 - only a worker pays for loading the engine

    leads = tuple(given.leads.split(",")) if given.leads else None
    files = sorted((folder / SENT).iterdir())
    try:
        source = _source(files, Declared(given.gain_uv, given.sampling_frequency_hz, leads))
        patient = _patient(source, given)
        replaced = identifiers.replaced
        if replaced is not None:
            if patient.patient_id not in {"", replaced.patient_id}:
                raise Conflict("this recording is of another patient than the one it is to replace", code="other-patient")
            patient = replaced.tags()
        analysis = analysis_of_source(replace(source, patient=patient))
        if source.format == "dicom" and replaced is None:
            return analysis, next(file for file in files if _is_dicom(file))
        with (folder / CONVERTED).open("wb") as converted:
            dicom_format.write_to(
                converted,
                source,
                patient,
                study_instance_uid=identifiers.study_instance_uid,
                series_instance_uid=identifiers.series_instance_uid,
                sop_instance_uid=identifiers.sop_instance_uid,
                acquired_at=source.started_at or identifiers.received_at,
                accession_number=replaced.accession_number if replaced else "",
                study_id=replaced.study_id if replaced else "",
            )
    except EcgError as error:
        raise Invalid(str(error), code="recording") from None
    except OSError as error:
        raise unavailable(error) from error
    return analysis, folder / CONVERTED


def _source(files: Sequence[Path], declared: Declared) -> Source:
    """Return the recording in *files*: a large one to be read piece by piece, the others whole."""
    size = sum(file.stat().st_size for file in files)
    heads = [file for file in files if file.suffix.lower() == ".hea"] if len(files) > 1 else files
    if size > LONG_BYTES and len(heads) == 1:
        return opened(heads[0], declared=declared, most_whole=MOST_WHOLE_BYTES)
    if size > MOST_WHOLE_BYTES:
        raise EcgError(
            f"{heads[0].name if heads else files[0].name} has more than {MOST_WHOLE_BYTES >> 20} MB; send a part of it."
        )
    return of_recording(read({file.name: file.read_bytes() for file in files}, declared=declared))


def _is_dicom(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(132)[128:] == b"DICM"


def analysis_json(path: Path) -> bytes:
    """Return the analysis of the kept recording at *path* as JSON."""
    from ecg.holter.whole import analysis_of_file  # noqa: PLC0415 - only a worker pays for loading the engine

    with readable():
        return _json(analysis_of_file(path))


def waveform_json(path: Path, start_s: float, seconds: float | None) -> bytes:
    """Return the samples of the kept recording at *path* from *start_s* on as JSON, never more than MOST_SAMPLES."""
    from ecg.holter.whole import long_source  # noqa: PLC0415 - only a worker pays for loading the engine

    with readable():
        source = long_source(path) or of_recording(read({"the recording.dcm": path.read_bytes()}))
        rate, leads, samples = source.sampling_frequency_hz, len(source.leads), source.samples
        first = min(samples, round(start_s * rate))
        most = MOST_SAMPLES // leads
        count = min(samples - first, most if seconds is None else min(most, max(1, round(seconds * rate))))
        microvolts = source.recording(first, count).microvolts() if count else [[] for _ in source.leads]
    return _json(
        {
            "sampling_frequency_hz": int(rate) if rate == int(rate) else rate,
            "leads": [lead.name for lead in source.leads],
            "start_s": first / rate,
            "total_s": source.duration_s,
            "microvolts": microvolts,
        }
    )


def comparison_json(previous: Path, current: Path, about: str) -> bytes:
    """Return what changed from one kept recording to another, and both drawn, as JSON; *about* is a JSON object put around it."""
    from ecg.comparison import average, changes, drawing  # noqa: PLC0415 - only a worker pays for loading the engine

    with readable():
        one, other = (average.snapshot(read({"the recording.dcm": path.read_bytes()})) for path in (previous, current))
    drawn = drawing.svg(one.beat, other.beat)
    return _json({**json.loads(about), **changes.compare(one, other).as_json(), "svg": drawn})


@contextmanager
def readable() -> Iterator[None]:
    """Say of what cannot be read that it is invalid."""
    try:
        yield
    except EcgError as error:
        raise Invalid(str(error), code="recording") from None


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _patient(source: Source, given: Particulars) -> PatientTags:
    stated = source.patient or PatientTags()
    return replace(
        stated,
        patient_id=stated.patient_id if given.patient_id is None else given.patient_id,
        name=stated.name if given.name is None else person_name(given.name),
        sex=stated.sex if given.sex is None else given.sex,
        birth_date=stated.birth_date if given.birth_date is None else given.birth_date,
    )


def person_name(name: str) -> str:
    """Write a name as people type it as a PN value (PS3.5 6.2.1): Chinese goes into the ideographic group."""
    plain = " ".join(name.replace("=", " ").replace("\\", " ").split())
    if plain.isascii():
        return plain if "^" in plain else plain.replace(" ", "^", 1)
    return f"={plain}"
