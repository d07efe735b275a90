"""HL7 annotated ECG (AnnotatedECG, PORT_MT020001): sequences of numbers over one time axis, with origin and scale."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from xml.etree.ElementTree import Element

import numpy as np

from ecg.device import DEVICE_MEASURES
from ecg.errors import EcgError
from ecg.formats import Declared, markup
from ecg.leads import lead_named
from ecg.recording import MAX_LEADS, MAX_SAMPLES, UNSTATED_ZONE, Filters, Millivolts, PatientTags, Recording, unique_names

UNITS_MV = {"uV": 1e-3, "mV": 1.0, "V": 1e3, "nV": 1e-6}
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
YEARS = {"a": 1.0, "mo": 1 / 12, "wk": 7 / 365.25, "d": 1 / 365.25}
MAX_DIGITS = 8_000_000  # of one sequence: half an hour at 500 Hz
LEAD = "MDC_ECG_LEAD_"
FILTER = "MDC_ECG_CTL_VBL_ATTR_FILTER_"
REPORTED_AGE = "21612-7"  # LOINC
_MEASURES = {measure.aecg: name for name, measure in DEVICE_MEASURES.items()}


def read(files: Mapping[str, bytes], declared: Declared) -> Recording:
    """Return the rhythm series; sequence sets of different moments go to their places on one axis, NaN between them.

    `EcgError` when there is no rhythm, a sequence names no scale, or the sets differ in their rate.
    """
    name, data = next(iter(files.items()))
    root = markup.parse(name, data)
    every = root.findall("component/series")
    series = next((each for each in every if _code(each) == "RHYTHM"), every[0] if every else None)
    parts = [_Set(name, each, declared) for each in series.iterfind("component/sequenceSet")] if series is not None else []
    if series is None or not any(part.rows for part in parts):
        raise EcgError(f"{name} holds no rhythm series; export the ECG with its samples.")
    rates = {part.rate for part in parts}
    if len(rates) > 1:
        raise EcgError(f"{name} mixes the sampling frequencies {sorted(rates)}; export it with one.")
    rate = rates.pop()
    labels, millivolts, steps = _placed(name, parts, rate)
    return Recording(
        format="aecg",
        leads=unique_names([lead_named(label) for label in labels]),
        sampling_frequency_hz=rate,
        millivolts=millivolts,
        resolution_mv=steps,
        started_at=next((part.head for part in parts if part.head), None)
        or _moment(_value(series, "effectiveTime/low"))
        or _moment(_value(root, "effectiveTime/center")),
        patient=_patient(root),
        filters=(_filters(series),) * len(labels),
        device=MappingProxyType(dict(_measured(root))),
        device_statements=tuple(_statements(root)),
    )


class _Set:
    """One sequence set: *rows* of millivolts by lead code, their *steps*, the *rate*, the *head* where it is absolute."""

    def __init__(self, name: str, element: Element, declared: Declared) -> None:
        self.rows: dict[str, Millivolts] = {}
        self.steps: dict[str, float] = {}
        self.rate, self.start_s = declared.sampling_frequency_hz or 0.0, 0.0
        self.head: datetime | None = None
        for sequence in element.iterfind("component/sequence"):
            code, value = _code(sequence), sequence.find("value")
            if value is None:
                continue
            if code.startswith("TIME_"):
                self._axis(name, value)
            elif code.startswith(LEAD) or value.find("digits") is not None:
                self.steps[code], self.rows[code] = _numbers(name, code, value, declared)
        if not self.rate:
            raise EcgError(f"{name} names no sampling interval; declare the sampling frequency.")

    def _axis(self, name: str, value: Element) -> None:
        increment = value.find("increment")
        step = _quantity(increment, SECONDS) if increment is not None else None
        if not step or step < 1e-6:
            raise EcgError(f"{name} names no usable sampling interval; export it again.")
        self.rate = round(1 / step, 6)
        head = value.find("head")
        if head is not None:
            self.head = _moment(head.get("value", ""))
            self.start_s = self.head.timestamp() if self.head else _quantity(head, SECONDS) or 0.0


def _code(element: Element) -> str:
    code = element.find("code")
    return "" if code is None else code.get("code", "")


def _value(element: Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else found.get("value", "")


def _quantity(element: Element, units: Mapping[str, float]) -> float | None:
    """Return a PQ in the base of *units*, None when it is no number or has a unit that is none of them."""
    try:
        value = float(element.get("value", "")) * units[element.get("unit", "")]
    except (KeyError, ValueError):
        return None
    return value if abs(value) < 1e12 else None


def _numbers(name: str, code: str, value: Element, declared: Declared) -> tuple[float, Millivolts]:
    """Return the step and the samples of an SLIST_PQ, in millivolts."""
    scale, origin, digits = value.find("scale"), value.find("origin"), value.findtext("digits") or ""
    step = _quantity(scale, UNITS_MV) if scale is not None else None
    if not step and declared.gain_uv_per_unit:
        step = declared.gain_uv_per_unit / 1000
    if not step:
        raise EcgError(f"{name} carries no gain for {code} (no scale in volts); declare it in microvolts per unit.")
    if len(digits) > MAX_DIGITS:
        raise EcgError(f"{name} holds {len(digits)} characters of samples of {code}; at most {MAX_DIGITS} are read: send a part.")
    zero = _quantity(origin, UNITS_MV) if origin is not None else None
    return abs(step), (zero or 0.0) + np.array(digits.split(), np.float64) * step


def _placed(name: str, parts: list[_Set], rate: float) -> tuple[list[str], Millivolts, tuple[float, ...]]:
    start = min(part.start_s for part in parts)
    labels = list(dict.fromkeys(code for part in parts for code in part.rows))
    places = [round((part.start_s - start) * rate) for part in parts]
    samples = max(place + row.size for place, part in zip(places, parts, strict=True) for row in part.rows.values())
    if not 1 <= len(labels) <= MAX_LEADS or samples * len(labels) > MAX_SAMPLES:
        raise EcgError(f"{name} holds {len(labels)} leads of {samples} samples; {MAX_LEADS} and {MAX_SAMPLES} in all are read.")
    millivolts = np.full((len(labels), samples), np.nan)
    steps = {}
    for place, part in zip(places, parts, strict=True):
        for code, row in part.rows.items():
            millivolts[labels.index(code), place : place + row.size] = row
            steps[code] = part.steps[code]
    return labels, millivolts, tuple(steps[code] for code in labels)


def _filters(series: Element) -> Filters:
    found: dict[str, float] = {}
    for control in series.iterfind("controlVariable/controlVariable"):
        kind = _code(control).removeprefix(FILTER)
        for detail in control.iterfind("component/controlVariable"):
            value = detail.find("value")
            frequency = _quantity(value, {"Hz": 1.0}) if value is not None else None
            if frequency and _code(detail).endswith("_FREQ"):
                found[kind] = frequency
    return Filters(found.get("HIGH_PASS"), found.get("LOW_PASS"), found.get("NOTCH"))


def _measured(root: Element) -> Iterator[tuple[str, float]]:
    """Yield the measurements that speak of no single lead, wherever the machine annotated them."""
    for annotation in root.iter("annotation"):
        name = _MEASURES.get(_code(annotation))
        value = annotation.find("value")
        if name is None or value is None:
            continue
        boundaries = annotation.iterfind("support/supportingROI/component/boundary")
        if any(_code(boundary).startswith(LEAD) for boundary in boundaries):
            continue
        units = {"": 1.0, "ms": 1.0, "s": 1e3} if name.endswith("_ms") else {"": 1.0, "/min": 1.0, "bpm": 1.0, "deg": 1.0}
        quantity = _quantity(value, units)
        if quantity is not None:
            yield name, quantity


def _statements(root: Element) -> Iterator[str]:
    for annotation in root.iter("annotation"):
        if _code(annotation) == "MDC_ECG_INTERPRETATION_STATEMENT" and markup.text(annotation, "value"):
            yield markup.text(annotation, "value")


def _moment(text: str) -> datetime | None:
    """Return an HL7 TS (YYYYMMDDHHMMSS.sss+ZZZZ); without a zone it is taken as `UNSTATED_ZONE`."""
    plain, zone = text[:14].ljust(14, "0"), text[-5:] if text[-5:-4] in {"+", "-"} else ""
    fraction = text[14:].split("+", maxsplit=1)[0].split("-", maxsplit=1)[0].strip(".")[:6].ljust(6, "0")
    try:
        if zone:
            return datetime.strptime(f"{plain}.{fraction}{zone}", "%Y%m%d%H%M%S.%f%z").astimezone(UTC)
        return datetime.strptime(f"{plain}.{fraction}", "%Y%m%d%H%M%S.%f").replace(tzinfo=UNSTATED_ZONE).astimezone(UTC)
    except ValueError:
        return None


def _patient(root: Element) -> PatientTags | None:
    subject = next(root.iter("trialSubject"), None)
    if subject is None:
        return None
    person, identity = subject.find("subjectDemographicPerson"), subject.find("id")
    age = next((each.find("value") for each in root.iter("relatedObservation") if _code(each) == REPORTED_AGE), None)
    sex = person.find("administrativeGenderCode") if person is not None else None
    return PatientTags(
        patient_id="" if identity is None else identity.get("extension", ""),
        name="" if person is None else " ".join("".join(each.itertext()) for each in person.iterfind("name")).strip(),
        sex=sex.get("code", "") if sex is not None and sex.get("code") in {"M", "F"} else "",
        birth_date=_day(_value(person, "birthTime")) if person is not None else None,
        age_years=_quantity(age, YEARS) if age is not None else None,
    )


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None
