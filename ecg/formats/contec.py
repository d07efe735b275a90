"""Contec ECG90A (.ECG): II, III and V1 to V6 as 12-bit numbers of 5 microvolts at 800 Hz, I, aVR, aVL and aVF follow.

The maker publishes no description: layout and scale are those of recordings compared with the machine's own export.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from ecg.errors import EcgError
from ecg.formats import Declared
from ecg.leads import LEADS
from ecg.recording import MAX_SAMPLES, UNSTATED_ZONE, PatientTags, Recording, with_limb_leads

RATE_HZ = 800.0
STEP_MV = 0.005
ZERO = 2048
OFF = 0x6800  # the electrode is not connected
STORED = ("II", "III", "V1", "V2", "V3", "V4", "V5", "V6")
_HEAD, _FOOT = 43, 37
_AGE_UNKNOWN = (0, 255)


def read(files: Mapping[str, bytes], _declared: Declared) -> Recording:
    """Return the recording; leads that were never connected are all NaN. `EcgError` when samples are cut off."""
    name, data = next(iter(files.items()))
    body = len(data) - _HEAD - _FOOT
    row_bytes = 2 * len(STORED)
    if body < row_bytes or body % row_bytes or body // 2 > MAX_SAMPLES:
        raise EcgError(f"{name} is cut off: {body} bytes are no whole number of {row_bytes}-byte rows; send it again.")
    stored = np.frombuffer(data, "<u2", body // 2, _HEAD).reshape(-1, len(STORED)).T.astype(np.int64)
    known = (stored != OFF) & (stored < 2 * ZERO)
    if not known.any():
        raise EcgError(f"{name} holds no connected lead; record it again.")
    two_three = np.where(known, (stored - ZERO) * STEP_MV, np.nan)
    recording = Recording(
        format="contec",
        leads=tuple(LEADS[lead] for lead in ("I", *STORED)),
        sampling_frequency_hz=RATE_HZ,
        millivolts=np.vstack([np.where(known[0] & known[1], (stored[0] - stored[1]) * STEP_MV, np.nan), two_three]),
        resolution_mv=(STEP_MV,) * (1 + len(STORED)),
        started_at=_started_at(data),
        patient=_patient(data),
    )
    return with_limb_leads(recording)


def _started_at(data: bytes) -> datetime | None:
    """Return the machine's clock; it keeps no zone, so it is taken as `UNSTATED_ZONE`."""
    try:
        return datetime.strptime(data[10:29].decode("ascii"), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UNSTATED_ZONE).astimezone(UTC)
    except ValueError:
        return None


def _patient(data: bytes) -> PatientTags:
    case, name = (part.partition(b"\0")[0].decode("gb18030", "replace").strip() for part in (data[:8], data[32:40]))
    sex, age = data[40], data[41]
    return PatientTags(
        patient_id=case,
        name=name,
        sex={0: "F", 1: "M"}.get(sex, ""),
        age_years=float(age) if age not in _AGE_UNKNOWN else None,
    )
