"""Tables of numbers: one column for each lead under a row of names, or one row for each lead behind its name.

Lines that begin with ``#`` declare what a table cannot hold: ``# gain_uv=2.5`` (microvolts of one unit) or ``# unit=mV``,
``# rate=500``, ``# patient_id=``, ``# name=``, ``# sex=``, ``# birth_date=1960-01-31``, ``# started_at=2026-01-31T08:00:00Z``.
A column called time, t, seconds or ms is the time axis and gives the rate. No gain is ever guessed.
"""

import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from ecg.errors import EcgError
from ecg.formats import Declared
from ecg.leads import lead_named
from ecg.recording import MAX_LEADS, MAX_SAMPLES, UNSTATED_ZONE, Millivolts, PatientTags, Recording, unique_names

MAX_TEXT = 128 * 1024 * 1024
UNITS_UV = {"uv": 1.0, "µv": 1.0, "μv": 1.0, "mv": 1000.0, "v": 1e6, "nv": 1e-3}

#: A time column's name -> seconds of one of its units.
TIMES_S = {"time": 1.0, "t": 1.0, "seconds": 1.0, "time_s": 1.0, "time (s)": 1.0, "ms": 1e-3, "time_ms": 1e-3, "time (ms)": 1e-3}

_RATE_KEYS = ("rate", "sampling_frequency_hz", "sampling_rate", "fs")
_EMPTY_CELL = re.compile(r"(?<=,)(?=,|$)|^(?=,)", re.MULTILINE)


def read(files: Mapping[str, bytes], declared: Declared) -> Recording:
    """Return the table in the one file of *files*; `EcgError` without gain, rate or names, or at a cell that is no number."""
    name, data = next(iter(files.items()))
    if len(data) > MAX_TEXT:
        raise EcgError(f"{name} is {len(data) // 2**20} MB of text; at most {MAX_TEXT // 2**20} MB are read: send a part of it.")
    comments, lines = _split(_text(data))
    if not lines:
        raise EcgError(f"{name} holds no table; send the file as the machine wrote it.")
    names, table = _table(name, lines, declared)
    gain = _gain(name, comments, declared)
    rate = _rate(name, comments, declared)
    seconds_per_unit = next((TIMES_S[each.lower()] for each in names if each.lower() in TIMES_S), None)
    if seconds_per_unit is not None:
        column = next(place for place, each in enumerate(names) if each.lower() in TIMES_S)
        rate = rate or _rate_of(name, table[:, column] * seconds_per_unit)
        names, table = [*names[:column], *names[column + 1 :]], np.delete(table, column, axis=1)
    if not rate:
        raise EcgError(f"{name} names no sampling frequency; write a line '# rate=500' above the table, or declare it.")
    return Recording(
        format="csv",
        leads=unique_names([lead_named(each) for each in names]),
        sampling_frequency_hz=rate,
        millivolts=np.ascontiguousarray(table.T) * (gain / 1000),
        resolution_mv=_resolution(table, gain),
        started_at=_moment(comments.get("started_at", "")),
        patient=_patient(comments),
    )


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030", errors="replace")


def _split(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the declarations and the lines of the table."""
    comments: dict[str, str] = {}
    lines = []
    for line in text.splitlines():
        if line.startswith("#"):
            key, sign, value = line[1:].partition("=")
            if sign:
                comments[key.strip().lower()] = value.strip()
        elif line.strip():
            lines.append(line.strip())
    return comments, lines


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell.strip()
    return True


def _table(name: str, lines: Sequence[str], declared: Declared) -> tuple[list[str], NDArray[np.float64]]:
    """Return the column names and the numbers as (samples, columns)."""
    delimiter = next((mark for mark in ("\t", ";", ",") if mark in lines[0]), ",")
    head = [cell.strip().strip('"') for cell in lines[0].split(delimiter)]
    if any(not _is_number(cell) for cell in head[1:]) or (len(head) == 1 and not _is_number(head[0])):
        names, body = head, lines[1:]
    elif not _is_number(head[0]):
        names = [line.split(delimiter, 1)[0].strip().strip('"') for line in lines]
        return names, _numbers(name, [line.partition(delimiter)[2] for line in lines], delimiter).T
    elif declared.leads:
        names, body = list(declared.leads), lines
    else:
        raise EcgError(
            f"{name} names no leads; write them into the first row, for example I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6."
        )
    table = _numbers(name, body, delimiter)
    if table.shape[1] != len(names) or len(names) > MAX_LEADS + 1:
        raise EcgError(f"{name} names {len(names)} columns and holds {table.shape[1]}; from 1 to {MAX_LEADS} leads are read.")
    return names, table


def _numbers(name: str, lines: Sequence[str], delimiter: str) -> NDArray[np.float64]:
    text = "\n".join(lines).replace(",", ".") if delimiter == ";" else "\n".join(lines)
    text = _EMPTY_CELL.sub("nan", text.replace(delimiter, ","))
    if not text:
        raise EcgError(f"{name} holds no table of numbers; send the file as the machine wrote it.")
    if len(lines) * (lines[0].count(delimiter) + 1) > MAX_SAMPLES:
        raise EcgError(f"{name} holds more than {MAX_SAMPLES} numbers; send a part of it.")
    try:
        return np.loadtxt(io.StringIO(text), delimiter=",", dtype=np.float64, ndmin=2, comments=None)
    except ValueError as error:
        raise EcgError(f"{name} holds a cell that is no number or a row of another length ({error}); correct it.") from error


def _positive(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise EcgError(f"{name} declares {text[:20]!r} where a positive number belongs; correct the line.")
    return value


def _gain(name: str, comments: Mapping[str, str], declared: Declared) -> float:
    """Return microvolts of one unit: what the sender declares stands above what the file says."""
    if declared.gain_uv_per_unit is not None:
        return _positive("The sender", f"{declared.gain_uv_per_unit:g}")
    if "gain_uv" in comments:
        return _positive(name, comments["gain_uv"])
    unit = comments.get("unit", "").lower()
    if unit in UNITS_UV:
        return UNITS_UV[unit]
    raise EcgError(f"{name} carries no gain; write a line '# unit=mV' or '# gain_uv=2.5' above the table, or declare it.")


def _rate(name: str, comments: Mapping[str, str], declared: Declared) -> float | None:
    if declared.sampling_frequency_hz is not None:
        return _positive("The sender", f"{declared.sampling_frequency_hz:g}")
    return next((_positive(name, comments[key]) for key in _RATE_KEYS if key in comments), None)


def _rate_of(name: str, times_s: Millivolts) -> float:
    """Return the rate of an even time axis."""
    steps = np.diff(times_s)
    step = float(np.median(steps)) if steps.size else 0.0
    if not step > 0 or not np.isfinite(step) or bool(np.abs(steps - step).max() > 0.5 * step):
        raise EcgError(f"{name} has a time column that does not rise evenly; write a line '# rate=500' above the table instead.")
    exact = float((times_s[-1] - times_s[0]) / (times_s.size - 1))
    return round(1 / exact, 3)


def _resolution(table: NDArray[np.float64], gain: float) -> tuple[float, ...] | None:
    """One unit is one step when every number is whole; otherwise the step is not known."""
    whole = bool(np.all(np.where(np.isfinite(table), table, 0.0) % 1 == 0))
    return (gain / 1000,) * table.shape[1] if whole else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UNSTATED_ZONE).astimezone(UTC)


def _patient(comments: Mapping[str, str]) -> PatientTags | None:
    keys = ("patient_id", "name", "sex", "birth_date", "age")
    if not any(key in comments for key in keys):
        return None
    try:
        birth_date = date.fromisoformat(comments.get("birth_date", ""))
    except ValueError:
        birth_date = None
    age = comments.get("age", "")
    return PatientTags(
        patient_id=comments.get("patient_id", ""),
        name=comments.get("name", ""),
        sex={"M": "M", "F": "F", "O": "O", "男": "M", "女": "F"}.get(comments.get("sex", "")[:1].upper(), ""),
        birth_date=birth_date,
        age_years=float(age) if age.isdigit() else None,
    )
