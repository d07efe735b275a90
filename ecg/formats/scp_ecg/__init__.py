"""SCP-ECG (EN 1064, ISO 11073-91064), versions 1 to 3: leads at full fidelity, whatever compression they are kept in."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from ecg.errors import EcgError
from ecg.formats import Declared
from ecg.formats.scp_ecg import container, header, measurements, signals
from ecg.leads import Lead, lead_named
from ecg.recording import Recording, unique_names


def read(files: Mapping[str, bytes], declared: Declared) -> Recording:
    """Return the rhythm; `EcgError` when a checksum fails, a length cannot be, or the amplitude step is zero."""
    name, data = next(iter(files.items()))
    sections = container.sections(name, data)
    step_nv, interval_us, leads, rows = signals.rhythm(name, sections)
    step_mv = step_nv * 1e-6 or (declared.gain_uv_per_unit or 0.0) / 1000
    if not step_mv:
        raise EcgError(f"{name} carries no gain (the amplitude step is zero); declare it in microvolts per unit.")
    said = header.header(sections.get(1, b""))
    device = measurements.measured(sections.get(7, b""))
    return Recording(
        format="scp-ecg",
        leads=unique_names([_lead(lead.code) for lead in leads]),
        sampling_frequency_hz=_rate(interval_us),
        millivolts=_on_one_axis(leads, rows, step_mv),
        resolution_mv=(step_mv,) * len(leads),
        started_at=said.started_at,
        patient=said.patient,
        filters=(said.filters,) * len(leads),
        device=MappingProxyType(measurements.measured_per_lead(sections.get(10, b"")) | device),
        device_statements=measurements.statements(sections.get(8, b""), said.codec),
    )


def _rate(interval_us: float) -> float:
    """Return the rate, whole where the interval is that of a whole rate rounded to microseconds (1667 us are 600 Hz)."""
    whole = max(round(1e6 / interval_us), 1)
    return float(whole) if abs(1e6 / whole - interval_us) < 0.5 else round(1e6 / interval_us, 6)


def _lead(code: int) -> Lead:
    known = lead_named(f"2:{code}")
    return known if known.number else Lead(f"code {code}")


def _on_one_axis(leads: list[signals.LeadPlace], rows: list[signals.Counts], step_mv: float) -> signals.Millivolts:
    """Return the leads from the first sample of any to the last of any; where one was not recorded it is NaN."""
    first = min(lead.start for lead in leads)
    samples = max(lead.end for lead in leads) - first + 1
    millivolts = np.full((len(leads), samples), np.nan)
    for number, (lead, row) in enumerate(zip(leads, rows, strict=True)):
        millivolts[number, lead.start - first : lead.start - first + row.size] = row * step_mv
    return millivolts
