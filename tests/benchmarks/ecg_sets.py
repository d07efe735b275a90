"""Annotated recordings outside the repository, as the benchmark sees them: signals, beats, waves, rhythm episodes, diagnoses."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg.formats import Declared, read
from ecg.recording import PatientTags, Recording

#: WFDB's symbols of beats (EC57 counts these and no others).
BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
VENTRICULAR, SUPRAVENTRICULAR = frozenset("VE"), frozenset("AaJSej")
#: Twelve leads of no annotated set, each heart once: nothing is trained on them.
APART = (
    "cpsc2018_A1980", "cpsc2018_A1982", "cpsc2018_A1984", "cpsc2018_A1986", "cpsc2018_A1988", "ptbdb_s0010_re", "ptbxl_00001_lr",
    "muse_1", "muse_2", "sierra_129DYPRG", "sierra_ad4d3d80-d165_1-04_orig", "aecg_Example_aECG", "dicom_pydicom",
    "scp_20070321_110542_ANON000014",
)  # fmt: skip
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_WAVES = {"p": "p", "N": "qrs", "t": "t"}
_AGE = re.compile(r"[Aa]ge:?\s*>?\s*(\d+)")
_PARTS = re.compile(r";|Dx:|,(?=\d)")  # CinC lists codes by commas, LUDB phrases by semicolons
_SEX = re.compile(r"[Ss]ex:?\s*([MF])")


@dataclass(frozen=True)
class Marked:
    """One recording and what people marked in it; samples are of its own rate.

    ``waves``: lead -> wave (p, qrs, t) -> rows of onset, peak, offset. ``fibrillation``: episodes from and to. ``labels`` are
    the diagnoses as the set words them.
    """

    name: str
    recording: Recording
    beats: np.ndarray
    symbols: tuple[str, ...] = ()
    waves: dict[str, dict[str, np.ndarray]] | None = None
    fibrillation: tuple[tuple[int, int], ...] | None = None
    labels: frozenset[str] = frozenset()


def folder() -> Path:
    """Return the folder of ECGs, or skip saying which variable names it."""
    data = os.environ.get("TELEMED_TEST_DATA")
    if not data or not (Path(data) / "ecg" / "MANIFEST.csv").is_file():
        pytest.skip("set TELEMED_TEST_DATA to the folder that holds ecg/MANIFEST.csv to measure on real recordings")
    return Path(data) / "ecg"


def _waves(path: Path) -> dict[str, np.ndarray]:
    """Return every marked wave; an end that was not marked is NaN."""
    marks = wfdb.rdann(str(path.with_suffix("")), path.suffix[1:])
    found: dict[str, list[tuple[float, float, float]]] = {"p": [], "qrs": [], "t": []}
    around = ["", *marks.symbol, ""]
    places = [np.nan, *map(float, marks.sample), np.nan]
    for place in range(1, len(around) - 1):
        if wave := _WAVES.get(around[place]):
            on = places[place - 1] if around[place - 1] == "(" else np.nan
            off = places[place + 1] if around[place + 1] == ")" else np.nan
            found[wave].append((on, places[place], off))
    return {wave: np.array(rows, float).reshape(-1, 3) for wave, rows in found.items()}


def _episodes(marks: wfdb.Annotation, samples: int) -> tuple[tuple[int, int], ...]:
    """Return the spans of fibrillation or flutter between rhythm changes."""
    episodes, begun = [], None
    for at, note in zip(marks.sample, marks.aux_note, strict=True):
        rhythm = note.strip("\0")
        if rhythm.startswith(("(AFIB", "(AFL")):
            begun = int(at) if begun is None else begun
        elif rhythm.startswith("(") and begun is not None:
            episodes.append((begun, int(at)))
            begun = None
    return (*episodes, (begun, samples)) if begun is not None else tuple(episodes)


def _marked(row: dict[str, str]) -> Marked:
    header = folder() / row["path"]
    signals = (header.with_suffix(suffix) for suffix in (".dat", ".mat", ".xyz"))
    files = {path.name: path.read_bytes() for path in (header, *signals) if path.exists()}
    # CPSC 2018 keeps millivolts at 500 Hz and does not say so.
    recording = read(files, declared=Declared(1000.0, 500.0) if row["set"] == "cpsc2018" else None)
    sex, age = _SEX.search(row["labels"]), _AGE.search(row["labels"])
    tags = PatientTags(sex=sex[1] if sex else "", age_years=float(age[1]) if age else None)
    recording = replace(recording, patient=tags)
    labels = frozenset(label.strip().lower() for label in re.split(_PARTS, row["labels"]))
    if row["set"] == "ludb":
        waves = {lead: _waves(header.with_suffix(f".{lead.lower()}")) for lead in LEADS}
        return Marked(row["id"], recording, waves["II"]["qrs"][:, 1].astype(int), waves=waves, labels=labels)
    if row["ann_ext"] != "atr":
        return Marked(row["id"], recording, np.empty(0, int), labels=labels)
    marks = wfdb.rdann(str(header.with_suffix("")), "atr")
    keep = [place for place, symbol in enumerate(marks.symbol) if symbol in BEATS]
    return Marked(
        row["id"], recording, marks.sample[keep], tuple(marks.symbol[place] for place in keep),
        fibrillation=_episodes(marks, recording.millivolts.shape[1]) if row["set"] == "cpsc2021" else None, labels=labels,
    )  # fmt: skip


def as_stored(marked: Marked) -> Marked:
    """Return a recording of LUDB with its stored numbers taken as microvolts.

    The gains in its headers stretch every lead to 1 mV from lowest to highest, so that I + III is far from II; in the stored
    numbers it is II to the last bit, and their microvolts are usual voltages.
    """
    stored = wfdb.rdrecord(str(folder() / "ludb" / str(int(marked.name.removeprefix("ludb_")))), physical=False).d_signal
    return replace(marked, recording=replace(marked.recording, millivolts=stored.T / 1000, resolution_mv=None))


@cache
def apart() -> tuple[Marked, ...]:
    """Return the recordings of `APART`."""
    with (folder() / "MANIFEST.csv").open(encoding="utf-8") as table:
        return tuple(_marked(row) for row in csv.DictReader(table) if row["id"] in APART)


@cache
def of_set(name: str) -> tuple[Marked, ...]:
    """Return the recordings of the set *name* (ludb, mitdb, cpsc2019, cpsc2021, cinc2021)."""
    with (folder() / "MANIFEST.csv").open(encoding="utf-8") as table:
        return tuple(_marked(row) for row in csv.DictReader(table) if row["set"] == name)
