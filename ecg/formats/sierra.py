"""Philips Sierra XML (TraceMaster, PageWriter) 1.03 to 1.04.02, plain or compressed by XLI.

The compressed form keeps III, aVR, aVL and aVF as what is left after their prediction from I and II.
"""

import binascii
from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ecg.errors import EcgError
from ecg.formats import Declared, markup, xli
from ecg.leads import TWELVE, lead_named
from ecg.recording import MAX_LEADS, MAX_SAMPLES, UNSTATED_ZONE, Filters, PatientTags, Recording, unique_names

TYPES = ("SierraECG", "PhilipsECG")
VERSIONS = ("1.03", "1.04", "1.04.01", "1.04.02")

#: Where the version says its measurements, the last found wins: their names -> ours.
BLOCKS = (
    "measurements/globalmeasurements",
    "internalmeasurements/crossleadmeasurements",
    "interpretations/interpretation/interpretationmeasurements",
    "interpretations/interpretation/globalmeasurements",
)
MEASURES = {
    "meanventrate": "heart_rate_bpm",
    "heartrate": "heart_rate_bpm",
    "rrint": "rr_interval_ms",
    "meanprint": "pr_interval_ms",
    "print": "pr_interval_ms",
    "meanqrsdur": "qrs_duration_ms",
    "qrsdur": "qrs_duration_ms",
    "meanqtint": "qt_interval_ms",
    "qtint": "qt_interval_ms",
    "meanqtc": "qtc_interval_ms",
    "qtcb": "qtc_bazett_ms",
    "qtcf": "qtc_fridericia_ms",
    "pfrontaxis": "p_axis_deg",
    "qrsfrontaxis": "qrs_axis_deg",
    "tfrontaxis": "t_axis_deg",
}
_SEX = {"Male": "M", "Female": "F"}


def read(files: Mapping[str, bytes], declared: Declared) -> Recording:
    """Return the waveforms; `EcgError` when the document is of another type or version, cut off, or names no resolution."""
    name, data = next(iter(files.items()))
    root = markup.parse(name, data)
    kind, version = markup.text(root, "documentinfo/documenttype"), markup.text(root, "documentinfo/documentversion")
    if kind not in TYPES or version not in VERSIONS:
        raise EcgError(
            f"{name} is a {kind or 'nameless'} document of version {version or 'unknown'}; Sierra ECG 1.03 to 1.04.02 is read."
        )
    signal, waveforms = root.find("dataacquisition/signalcharacteristics"), root.find("waveforms/parsedwaveforms")
    if signal is None or waveforms is None:
        raise EcgError(f"{name} holds no waveforms; export the ECG with its samples.")
    rate = markup.number(signal, "samplingrate") or declared.sampling_frequency_hz
    if not rate:
        raise EcgError(f"{name} names no sampling frequency; declare it.")
    labels = _labels(name, signal, waveforms)
    stored = _stored(name, waveforms, len(labels), round(_attribute(waveforms, "durationperchannel") * rate / 1000))
    step = _step_mv(name, signal, declared)
    offset = int(markup.number(signal, "signaloffset") or 0)
    statements = root.iterfind("interpretations/interpretation/statement/leftstatement")
    return Recording(
        format="sierra",
        leads=unique_names([lead_named(label) for label in labels]),
        sampling_frequency_hz=rate,
        millivolts=np.asarray((stored - offset) * step, np.float64),
        resolution_mv=(step,) * len(labels),
        started_at=_started_at(root.find("dataacquisition")),
        patient=_patient(root),
        filters=(_filters(signal),) * len(labels),
        device=MappingProxyType(_measured(root)),
        device_statements=tuple(each.text.strip() for each in statements if each.text and each.text.strip()),
    )


def _attribute(element: Element, key: str) -> float:
    try:
        value = float(element.get(key, ""))
    except ValueError:
        return 0.0
    return value if 0 <= value < 1e9 else 0.0


def _labels(name: str, signal: Element, waveforms: Element) -> list[str]:
    """Return the lead names: 1.04 lists them, 1.03 has the standard twelve first."""
    count = int(_attribute(waveforms, "numberofleads") or markup.number(signal, "numberchannelsallocated") or 0)
    listed = waveforms.get("leadlabels", "").split() or [lead.name for lead in TWELVE]
    if not 1 <= count <= MAX_LEADS:
        raise EcgError(f"{name} announces {count} leads; from 1 to {MAX_LEADS} are read.")
    return (listed + [f"channel {number + 1}" for number in range(len(listed), count)])[:count]


def _step_mv(name: str, signal: Element, declared: Declared) -> float:
    microvolts = markup.number(signal, "signalresolution") or markup.number(signal, "resolution") or declared.gain_uv_per_unit
    if not microvolts:
        raise EcgError(f"{name} carries no gain (signal resolution); declare it in microvolts per unit.")
    return microvolts / 1000


def _stored(name: str, waveforms: Element, leads: int, samples: int) -> NDArray[np.int64]:
    encoding = waveforms.get("dataencoding", "")
    compression = waveforms.get("compressmethod") or waveforms.get("compression") or "Uncompressed"
    if encoding != "Base64" or compression not in {"XLI", "Uncompressed", "None"}:
        raise EcgError(f"{name} keeps its samples as {encoding} {compression}, which is not read; export it plain or as XLI.")
    if not 0 < samples * leads <= MAX_SAMPLES:
        raise EcgError(f"{name} announces {samples} samples of {leads} leads; between 1 and {MAX_SAMPLES} in all are read.")
    try:
        data = binascii.a2b_base64(waveforms.text or "")
    except binascii.Error as error:
        raise EcgError(f"{name} holds no base64 samples ({error}); export it again.") from error
    if compression == "XLI":
        return _predicted(np.stack(xli.decode(name, data, leads, samples)))
    if len(data) < leads * samples * 2:
        raise EcgError(f"{name} is cut off: it holds {len(data) // 2} of {leads * samples} samples; export it again.")
    return np.frombuffer(data, "<i2", leads * samples).reshape(leads, samples).astype(np.int64)


def _predicted(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the leads with the four derived ones put together again from their prediction and what was left over."""
    if len(rows) >= 6:
        one, two = rows[0], rows[1]
        rows[2] = two - one - rows[2]
        rows[3] = -rows[3] - (one + two) // 2
        rows[4] = (one - rows[2]) // 2 - rows[4]
        rows[5] = (two + rows[2]) // 2 - rows[5]
    return rows


def _filters(signal: Element) -> Filters:
    """Return the band of the stored signal (1.03 writes "0.05-150"); the filters of the printed report are not its."""
    low, _, high = markup.text(signal, "signalbandwidth").partition("-")
    band = [float(end) if end.replace(".", "", 1).isdigit() else None for end in (low, high)]
    notched = markup.text(signal, "notchfiltered").lower() == "true"
    return Filters(
        high_pass_hz=markup.number(signal, "hipass") or band[0],
        low_pass_hz=markup.number(signal, "lowpass") or band[1],
        notch_hz=markup.number(signal, "acsetting") if notched else None,
    )


def _measured(root: Element) -> dict[str, float]:
    found: dict[str, float] = {}
    for path in BLOCKS:
        block = root.find(path)
        if block is not None:
            values = {ours: markup.number(block, theirs) for theirs, ours in MEASURES.items() if markup.text(block, theirs)}
            found |= {ours: value for ours, value in values.items() if value is not None}
    return found


def _started_at(acquisition: Element | None) -> datetime | None:
    """Return the acquisition time; the document keeps no zone, so it is taken as `UNSTATED_ZONE`."""
    if acquisition is None:
        return None
    try:
        clock = datetime.fromisoformat(f"{acquisition.get('date')}T{acquisition.get('time')}")
        return clock.replace(tzinfo=UNSTATED_ZONE).astimezone(UTC)
    except ValueError:
        return None


def _patient(root: Element) -> PatientTags | None:
    who = root.find("patient/generalpatientdata")
    if who is None:
        return None
    try:
        birth_date = date.fromisoformat(markup.text(who, "age/dateofbirth"))
    except ValueError:
        birth_date = None
    names = [markup.text(who, f"name/{part}") for part in ("lastname", "firstname", "middlename")]
    return PatientTags(
        patient_id=markup.text(who, "patientid"),
        name="^".join(names).rstrip("^"),
        sex=_SEX.get(markup.text(who, "sex"), ""),
        birth_date=birth_date,
        age_years=markup.number(who, "age/years"),
    )
