"""EDF, EDF+ and BDF(+): records of 16-bit (BDF: 24-bit) numbers; a discontinuous file is laid on one axis, NaN in its gaps."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from ecg.errors import EcgError
from ecg.formats import Declared
from ecg.leads import Lead, lead_named
from ecg.recording import MAX_LEADS, MAX_SAMPLES, UNSTATED_ZONE, Filters, Millivolts, PatientTags, Recording, unique_names

UNITS_MV = {"uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "mv": 1.0, "v": 1e3, "nv": 1e-6}
MAX_SIGNALS = 256
_HEAD = 256
_FIELDS = {"label": 16, "transducer": 80, "unit": 8, "low": 8, "high": 8, "lowest": 8, "highest": 8, "filters": 80, "samples": 8}
_FREQUENCY = re.compile(r"(HP|LP|N):?\s*(\d+(?:\.\d+)?)\s*(m?)Hz", re.IGNORECASE)
_OTHERS = re.compile(r"(EEG|EOG|EMG|ERG|EP|MEG|MCG|Resp|Temp|SaO2|Light|Sound|Status|Trigger)\b", re.IGNORECASE)
_UNKNOWN = ("X", "dd-MMM-yyyy")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Signal:
    """One signal of the header: physical range *low* to *high* over the numbers *lowest* to *highest*."""

    label: str
    unit: str
    low: float
    high: float
    lowest: float
    highest: float
    filters: str
    samples: int  # in one record
    at: int  # the first of them in the record

    @property
    def is_annotations(self) -> bool:
        """Whether it holds the time-stamped annotations lists of EDF+ and BDF+."""
        return self.label in {"EDF Annotations", "BDF Annotations"}


@dataclass(frozen=True)
class Layout:
    """What the header says: the *chosen* signals are voltages of the fastest rate, *records* of *per_record* samples each.

    ``records`` are those that are there; the first begins at byte ``start``, and a number takes ``width`` bytes.
    """

    format: str
    signals: tuple[Signal, ...]
    chosen: tuple[Signal, ...]
    rate: float
    per_record: int
    records: int
    start: int
    width: int
    discontinuous: bool
    started_at: datetime | None
    patient: PatientTags | None

    @property
    def record_bytes(self) -> int:
        """How many bytes one record takes."""
        return sum(signal.samples for signal in self.signals) * self.width

    @property
    def leads(self) -> tuple[Lead, ...]:
        """The leads of the chosen signals."""
        return unique_names([lead_named(each.label.removeprefix("ECG ")) for each in self.chosen])

    @property
    def filters(self) -> tuple[Filters, ...]:
        """How the chosen signals were filtered."""
        return tuple(_filters(each.filters) for each in self.chosen)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out."""
        left = [each.label for each in self.signals if each not in self.chosen and not each.is_annotations]
        return tuple(f"Signal {label} is no ECG of {self.rate:g} Hz and was left out." for label in left)


def layout(name: str, data: bytes, size: int) -> Layout:
    """Return what the header at the beginning of *data* says of a file of *size* bytes.

    `EcgError` when it cannot be, the file is shorter than announced, or holds no voltage.
    """
    width = 3 if data[:1] == b"\xff" else 2
    head = data[:_HEAD].decode("latin-1")
    signals = _signals(name, data, _integer(name, head[252:256], "number of signals"))
    seconds = _decimal(name, head[244:252], "duration of a record")
    start = _HEAD * (len(signals) + 1)
    held = (size - start) // (sum(signal.samples for signal in signals) * width)
    announced = _integer(name, head[236:244], "number of records")
    if announced < -1 or announced == 0 or (announced > held):
        raise EcgError(f"{name} is cut off: it holds {max(held, 0)} of {announced} records; send the whole file.")
    records = held if announced == -1 else announced
    voltages = [each for each in signals if each.unit.lower() in UNITS_MV and not _OTHERS.match(each.label)]
    if not voltages or seconds <= 0 or not records:
        raise EcgError(f"{name} holds no ECG measured in volts; send one.")
    most = max(each.samples for each in voltages)
    chosen = tuple(each for each in voltages if each.samples == most)
    if len(chosen) > MAX_LEADS:
        raise EcgError(f"{name} holds {len(chosen)} leads; at most {MAX_LEADS} are read.")
    return Layout(
        "bdf" if width == 3 else "edf", tuple(signals), chosen, round(most / seconds, 6), most, records, start, width,
        head[195:197] == "+D", _started_at(head), _patient(head[8:88]),
    )  # fmt: skip


def read(files: Mapping[str, bytes], _declared: Declared) -> Recording:
    """Return the voltages of the fastest rate that is there; other signals are left out with a note.

    `EcgError` when the header cannot be, the file is shorter than announced, or a signal's ranges give no gain.
    """
    name, data = next(iter(files.items()))
    plan = layout(name, data, len(data))
    if plan.per_record * len(plan.chosen) * plan.records > MAX_SAMPLES:
        raise EcgError(
            f"{name} holds {len(plan.chosen)} leads of {plan.per_record * plan.records} samples; {MAX_SAMPLES} in all are read."
        )
    cells = np.frombuffer(data, np.uint8, plan.records * plan.record_bytes, plan.start).reshape(plan.records, -1, plan.width)
    steps = [step_mv(name, each) for each in plan.chosen]
    rows = np.stack([row(each, step, cells) for each, step in zip(plan.chosen, steps, strict=True)])
    if plan.discontinuous:
        rows = _placed(name, rows, _onsets(plan.signals, cells), plan.rate, plan.per_record)
    return Recording(
        format=plan.format,
        leads=plan.leads,
        sampling_frequency_hz=plan.rate,
        millivolts=rows,
        resolution_mv=tuple(abs(step) for step in steps),
        started_at=plan.started_at,
        patient=plan.patient,
        filters=plan.filters,
        notes=plan.notes,
    )


def _integer(name: str, text: str, what: str) -> int:
    return int(_decimal(name, text, what))


def _decimal(name: str, text: str, what: str) -> float:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e12:
        raise EcgError(f"{name} says {text.strip()!r} where its header gives the {what}; export it again.")
    return value


def _signals(name: str, data: bytes, count: int) -> list[Signal]:
    if not 1 <= count <= MAX_SIGNALS or len(data) < _HEAD * (count + 1):
        raise EcgError(f"{name} announces {count} signals and its header does not hold them; from 1 to {MAX_SIGNALS} are read.")
    columns: dict[str, list[str]] = {}
    at = _HEAD
    for field, width in _FIELDS.items():
        columns[field] = [data[at + width * n : at + width * (n + 1)].decode("latin-1").strip() for n in range(count)]
        at += width * count
    signals: list[Signal] = []
    for number in range(count):
        own = {field: values[number] for field, values in columns.items()}
        samples = _integer(name, own["samples"], f"samples in a record of {own['label']}")
        if not 1 <= samples <= MAX_SAMPLES:
            raise EcgError(f"{name} announces {samples} samples in a record of {own['label']}; export it again.")
        low, high, lowest, highest = (
            _decimal(name, own[field], f"range of {own['label']}") for field in ("low", "high", "lowest", "highest")
        )
        place = signals[-1].at + signals[-1].samples if signals else 0
        signals.append(Signal(own["label"], own["unit"], low, high, lowest, highest, own["filters"], samples, place))
    return signals


def step_mv(name: str, signal: Signal) -> float:
    """Return millivolts of one step of *signal*; `EcgError` when its ranges give none."""
    step = (signal.high - signal.low) / ((signal.highest - signal.lowest) or np.nan) * UNITS_MV[signal.unit.lower()]
    if not np.isfinite(step) or step == 0:
        raise EcgError(f"{name} carries no gain for {signal.label}: its ranges are empty; export it again.")
    return float(step)


def row(signal: Signal, step: float, cells: NDArray[np.uint8]) -> Millivolts:
    """Return one signal in millivolts; *cells* has the shape (records, numbers of a record, bytes of a number)."""
    own = cells[:, signal.at : signal.at + signal.samples].astype(np.int32)
    top = own[..., -1] - ((own[..., -1] & 0x80) << 1)  # the sign sits in the last byte
    whole = top << (8 * (own.shape[-1] - 1))
    for place in range(own.shape[-1] - 1):
        whole |= own[..., place] << (8 * place)
    return np.asarray((whole.reshape(-1) - signal.lowest) * step + signal.low * UNITS_MV[signal.unit.lower()])


def _onsets(signals: Sequence[Signal], cells: NDArray[np.uint8]) -> list[float]:
    """Return when each record begins, in seconds after the start: the first time-keeping stamp of its annotations."""
    annotations = next((each for each in signals if each.is_annotations), None)
    if annotations is None:
        return []
    own = cells[:, annotations.at : annotations.at + annotations.samples].reshape(len(cells), -1)
    return [float(record.tobytes().split(b"\x14", 1)[0].strip(b"\0").split(b"\x15")[0]) for record in own]


def _placed(name: str, rows: Millivolts, onsets: Sequence[float], rate: float, per_record: int) -> Millivolts:
    """Return the records of an interrupted recording at their times."""
    places = np.rint((np.array(onsets) - onsets[0]) * rate).astype(np.int64) if onsets else np.empty(0, np.int64)
    if places.size * per_record != rows.shape[1] or bool((np.diff(places) < per_record).any()):
        raise EcgError(f"{name} is discontinuous and its records name no rising times; export it again.")
    samples = int(places[-1]) + per_record
    if samples * len(rows) > MAX_SAMPLES:
        raise EcgError(f"{name} stretches over {samples} samples with its gaps; at most {MAX_SAMPLES} in all are read.")
    axis = np.full((len(rows), samples), np.nan)
    for number, place in enumerate(places):
        axis[:, place : place + per_record] = rows[:, number * per_record : (number + 1) * per_record]
    return axis


def _filters(text: str) -> Filters:
    found = {
        kind.upper(): float(value) * (1e-3 if milli else 1.0) for kind, value, milli in _FREQUENCY.findall(text.replace(",", "."))
    }
    return Filters(found.get("HP"), found.get("LP"), found.get("N"))


def _started_at(head: str) -> datetime | None:
    """Return the start, taken as of `UNSTATED_ZONE`: EDF keeps none. EDF+ states the full year or X, EDF means 1985 to 2084."""
    if head[88:].startswith("Startdate X"):
        return None
    stated = re.match(r"Startdate (\d{2})-([A-Z]{3})-(\d{4})", head[88:168].upper().replace("STARTDATE", "Startdate"))
    try:
        day, month, year = (int(part) for part in head[168:176].split("."))
        hour, minute, second = (int(part) for part in head[176:184].split("."))
        if stated and stated[2] in _MONTHS:
            day, month, year = int(stated[1]), _MONTHS.index(stated[2]) + 1, int(stated[3])
        else:
            year += 1900 if year >= 85 else 2000
        return datetime(year, month, day, hour, minute, second, tzinfo=UNSTATED_ZONE).astimezone(UTC)
    except ValueError:
        return None


def _patient(text: str) -> PatientTags | None:
    """Return what EDF+ orders (code, sex, birth date, name, X where unknown); plain EDF keeps free text, taken as the ID."""
    code, sex, born, name, *_ = [*("" if part in _UNKNOWN else part for part in text.split()), "", "", "", ""]
    if sex not in {"M", "F", ""} or not re.match(r"(\d{2}-[A-Za-z]{3}-\d{4})?$", born):
        return PatientTags(patient_id=text.strip()) if text.strip() else None
    tags = PatientTags(patient_id=code.replace("_", " "), name=name.replace("_", " "), sex=sex, birth_date=_day(born))
    return tags if tags != PatientTags() else None


def _day(text: str) -> date | None:
    try:
        return date(int(text[7:]), _MONTHS.index(text[3:6].upper()) + 1, int(text[:2]))
    except ValueError:
        return None
