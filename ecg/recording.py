"""A recording: leads over one time axis, in millivolts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ecg.errors import EcgError
from ecg.leads import DERIVED, LEADS, LIMB, TWELVE, Lead

Millivolts = NDArray[np.float64]

MAX_LEADS = 32
MAX_SAMPLES = 32_000_000  # over all leads: a quarter of a gigabyte as float64
MIN_RATE_HZ, MAX_RATE_HZ = 50.0, 20_000.0


@dataclass(frozen=True)
class PatientTags:
    """Whose recording it is, as far as the file or the sender says; sex is "M", "F", "O" or ""."""

    patient_id: str = ""
    name: str = ""
    sex: str = ""
    birth_date: date | None = None
    age_years: float | None = None

    def age_at(self, moment: datetime | None) -> float | None:
        """Return the age in years, stated or reckoned from the birth date to *moment*; None when neither is known."""
        if self.age_years is not None or self.birth_date is None or moment is None:
            return self.age_years
        return (moment.date() - self.birth_date).days / 365.25


@dataclass(frozen=True)
class Filters:
    """How one lead was filtered before it was stored, as far as the file says; None is "not stated", not "not filtered"."""

    high_pass_hz: float | None = None
    low_pass_hz: float | None = None
    notch_hz: float | None = None


@dataclass(frozen=True, eq=False)
class Recording:
    """Leads sampled together.

    ``millivolts`` has the shape (leads, samples) and is read-only; a sample that is missing is NaN. ``resolution_mv`` is one
    step of the source's converter per lead when it is known, so that writing it again loses nothing; ``filters`` has one entry
    per lead or none. ``device`` holds what the machine measured itself, by the names of `ecg.device`, and
    ``device_statements`` what it said. ``equipment`` and ``institution`` are the names of the machine and of the place, as the
    file gives them. ``notes`` says what was left out on reading.
    """

    format: str
    leads: tuple[Lead, ...]
    sampling_frequency_hz: float
    millivolts: Millivolts
    resolution_mv: tuple[float, ...] | None = None
    started_at: datetime | None = None
    patient: PatientTags | None = None
    filters: tuple[Filters, ...] | None = None
    device: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    device_statements: tuple[str, ...] = ()
    equipment: str = ""
    institution: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = self.millivolts.shape
        if len(shape) != 2 or shape[0] != len(self.leads) or not shape[0]:
            raise EcgError(
                f"The recording holds samples of shape {shape} for {len(self.leads)} leads; send one row for each lead."
            )
        if len(self.leads) > MAX_LEADS:
            raise EcgError(f"The recording has {len(self.leads)} leads; at most {MAX_LEADS} are read.")
        if not shape[1]:
            raise EcgError("The recording has no samples; send one that was not cut off.")
        if self.millivolts.size > MAX_SAMPLES:
            raise EcgError(
                f"The recording has {self.millivolts.size} samples; at most {MAX_SAMPLES} are read: send a part of it."
            )
        if not MIN_RATE_HZ <= self.sampling_frequency_hz <= MAX_RATE_HZ:
            rate = f"{self.sampling_frequency_hz:g} Hz"
            raise EcgError(f"The sampling frequency is {rate}; it must lie between {MIN_RATE_HZ:g} and {MAX_RATE_HZ:g} Hz.")
        self.millivolts.setflags(write=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The leads' names in the order of the rows."""
        return tuple(lead.name for lead in self.leads)

    @property
    def duration_s(self) -> float:
        """How long it is, in seconds."""
        return float(self.millivolts.shape[1] / self.sampling_frequency_hz)

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """The row of each lead by its name."""
        return {lead.name: row for row, lead in enumerate(self.leads)}

    def lead(self, name: str) -> Millivolts | None:
        """Return the samples of the lead *name*, or None when it was not recorded."""
        row = self.rows.get(name)
        return None if row is None else self.millivolts[row]

    def microvolts(self) -> list[list[int | None]]:
        """Return every lead as whole microvolts, None where a sample is missing (the waveform of the API)."""
        bounded = np.nan_to_num(self.millivolts, nan=0.0, posinf=0.0, neginf=0.0).clip(-1e6, 1e6)
        whole = np.rint(bounded * 1000).astype(np.int64)
        missing = ~np.isfinite(self.millivolts)
        rows: list[list[int | None]] = list(whole.tolist())
        for row in np.flatnonzero(missing.any(axis=1)):
            for column in np.flatnonzero(missing[row]):
                rows[row][column] = None
        return rows


def with_limb_leads(recording: Recording) -> Recording:
    """Return *recording* with III, aVR, aVL and aVF reckoned from I and II where missing, standard leads in paper order first."""
    one, two = recording.lead("I"), recording.lead("II")
    have = dict(zip(recording.leads, recording.millivolts, strict=True))
    if len(have) < len(recording.leads):
        return recording
    resolution = dict(zip(recording.leads, recording.resolution_mv or (), strict=False))
    filters = dict(zip(recording.leads, recording.filters or (), strict=False))
    if one is not None and two is not None:
        for name, (of_one, of_two) in DERIVED.items():
            if LEADS[name] not in have:
                with np.errstate(over="ignore", invalid="ignore"):  # a broken lead breaks what follows from it
                    have[LEADS[name]] = of_one * one + of_two * two
                resolution[LEADS[name]] = resolution.get(LEADS["I"], 0.001) * min(abs(of_one), abs(of_two))
                filters[LEADS[name]] = filters.get(LEADS["I"], Filters())
    order = [lead for lead in TWELVE if lead in have] + [lead for lead in have if lead not in TWELVE]
    if tuple(order) == recording.leads:
        return recording
    return replace(
        recording,
        leads=tuple(order),
        millivolts=np.stack([have[lead] for lead in order]),
        resolution_mv=tuple(resolution[lead] for lead in order) if recording.resolution_mv else None,
        filters=tuple(filters[lead] for lead in order) if recording.filters else None,
    )


def unique_names(leads: Sequence[Lead]) -> tuple[Lead, ...]:
    """Return *leads* with a number put behind every repeated name, so that results can be keyed by name."""
    seen: dict[str, int] = {}
    kept = []
    for lead in leads:
        seen[lead.name] = count = seen.get(lead.name, 0) + 1
        kept.append(lead if count == 1 else Lead(f"{lead.name}.{count}"))
    return tuple(kept)


def has_limb_leads(recording: Recording) -> bool:
    """Tell whether all six limb leads are there."""
    return all(name in recording.rows for name in LIMB)
