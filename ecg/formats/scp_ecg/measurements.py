"""Sections 7, 8 and 10 (EN 1064, 5.10, 5.11, 5.13): what the machine measured and said itself."""

import struct
from statistics import median

_UNKNOWN = (29999, 0xFFFF)
_QTC = {1: "qtc_bazett_ms"}
#: The first numbers of each lead in section 10.
_PER_LEAD = ("p_duration_ms", "pr_interval_ms", "qrs_duration_ms", "qt_interval_ms")


def measured(section: bytes) -> dict[str, float]:
    """Return the global measurements of section 7, by the names of `ecg.device`: those of the reference beat, type 0."""
    found: dict[str, float] = {}
    if len(section) < 6:
        return found
    beats, spikes, rr = section[0], section[1], struct.unpack_from("<H", section, 2)[0]
    at = 6
    if beats and len(section) >= at + 16:
        p_on, p_off, qrs_on, qrs_off, t_off, *axes = struct.unpack_from("<5H3h", section, at)
        found |= _between("p_duration_ms", p_on, p_off) | _between("pr_interval_ms", p_on, qrs_on)
        found |= _between("qrs_duration_ms", qrs_on, qrs_off) | _between("qt_interval_ms", qrs_on, t_off)
        names = ("p_axis_deg", "qrs_axis_deg", "t_axis_deg")
        found |= {name: float(axis) for name, axis in zip(names, axes, strict=True) if abs(axis) <= 360}
    if rr and rr not in _UNKNOWN:
        found["rr_interval_ms"] = float(rr)
    at += 16 * beats + 10 * spikes
    kinds = struct.unpack_from("<H", section, at)[0] if len(section) >= at + 2 else 0
    at += 2 + kinds
    if len(section) >= at + 7:
        ventricular, _atrial, qtc, formula = struct.unpack_from("<3HB", section, at)
        found |= {"heart_rate_bpm": float(ventricular)} if ventricular and ventricular not in _UNKNOWN else {}
        found |= {_QTC.get(formula, "qtc_interval_ms"): float(qtc)} if qtc and qtc not in _UNKNOWN else {}
    return found


def _between(name: str, first: int, last: int) -> dict[str, float]:
    known = first not in _UNKNOWN and last not in _UNKNOWN and 0 < last - first < 2000
    return {name: float(last - first)} if known else {}


def measured_per_lead(section: bytes) -> dict[str, float]:
    """Return the medians over the leads of section 10, for machines that leave the waves out of section 7."""
    if len(section) < 4:
        return {}
    count, at = struct.unpack_from("<H", section)[0], 4
    columns: dict[str, list[int]] = {name: [] for name in _PER_LEAD}
    for _ in range(count):
        if len(section) < at + 12:
            break
        size = struct.unpack_from("<H", section, at + 2)[0]
        if size >= 8:
            values = struct.unpack_from("<4H", section, at + 4)
            for name, value in zip(_PER_LEAD, values, strict=True):
                columns[name] += [value] if value and value not in _UNKNOWN and value < 2000 else []
        at += 4 + size
    return {name: float(median(values)) for name, values in columns.items() if values}


def statements(section: bytes, codec: str) -> tuple[str, ...]:
    """Return the texts of section 8, the machine's report."""
    if len(section) < 9:
        return ()
    found, at = [], 9
    for _ in range(section[8]):
        if len(section) < at + 3:
            break
        size = struct.unpack_from("<H", section, at + 1)[0]
        text = section[at + 3 : at + 3 + size].decode(codec, "replace").replace("\0", " ").strip()
        found += [text] if text else []
        at += 3 + size
    return tuple(found)
