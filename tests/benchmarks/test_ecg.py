"""The ECG engine on annotated recordings, beside what is freely installed: beats, waves, statements and time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.ecg_detectors import MISSING, PEERS, neurokit_waves, one_lead, ours, rows_of, timed
from benchmarks.ecg_scores import WINDOW_S, Boundaries, Counts, Outcomes, global_intervals
from benchmarks.ecg_sets import SUPRAVENTRICULAR, VENTRICULAR, Marked, apart, as_stored, of_set

from ecg.analysis import Analysis
from ecg.comparison.average import average_beat
from ecg.comparison.electrodes import ELECTRODES, exchange
from ecg.measures.chest_order import ORDERS
from ecg.measures.placement import ARRANGEMENTS, FRONTAL
from ecg.pipeline import analyse
from ecg.recording import Recording

pytestmark = pytest.mark.benchmark

#: Set -> floor of F1 in percent; LUDB counts errors.
R_PEAK_FLOORS = {"mitdb": 99.7, "cpsc2021": 99.5, "cpsc2019": 95.5, "ludb": 99.7}
MOST_ERRORS_PER_900 = 2
#: Wave -> greatest spread in ms of onset and offset.
SPREADS = {"p": (18, 18), "qrs": (11, 13), "t": (999, 24)}
P_SE, P_PPV = 97, 96
#: Interval -> greatest bias and spread in ms.
GLOBAL_FLOORS = {"pr_interval_ms": (4, 11), "qrs_duration_ms": (4, 10), "qt_interval_ms": (6, 17)}
MOST_FALSE_PR = 1 / 12
FASTER = 3.0  # times neurokit2's least work: a figure that holds on a busy machine too
IMPORT_S = 0.3
FIBRILLATION = ("atrial-fibrillation", "atrial-flutter")
STRIP_S = 30


def inside(marked: Marked, found: np.ndarray) -> np.ndarray:
    """Leave out what lies before the first and behind the last mark of LUDB, whose outer beats are not marked."""
    within = WINDOW_S * marked.recording.sampling_frequency_hz
    if marked.waves is None:
        return found
    return found[(found >= marked.beats[0] - within) & (found <= marked.beats[-1] + within)]


def counted(records: tuple[Marked, ...], detect: Callable[[Marked], tuple[np.ndarray, float]]) -> tuple[Counts, float]:
    counts, cpu_s = Counts(), 0.0
    for marked in records:
        found, took = detect(marked)
        cpu_s += took
        counts.add(marked.beats, inside(marked, found), WINDOW_S * marked.recording.sampling_frequency_hz)
    return counts, cpu_s


@pytest.mark.parametrize("name", list(R_PEAK_FLOORS))
def test_r_peaks_beside_the_libraries(name: str):
    records = of_set(name)
    hours = sum(marked.recording.duration_s for marked in records) / 3600
    print(f"\n{name}: {len(records)} recordings, {sum(marked.beats.size for marked in records)} beats; not installed: {MISSING}")

    def show(who: str, counts: Counts, cpu_s: float) -> None:
        print(f"  {who:22s} Se {counts.se:6.2f} PPV {counts.ppv:6.2f} F1 {counts.f1:6.2f}  CPU {cpu_s / hours:6.2f} s/h")

    def by_us(marked: Marked) -> tuple[np.ndarray, float]:
        analysis, took = ours(marked.recording)
        return np.array(analysis.r_peaks), took

    def by_us_alone(marked: Marked) -> tuple[np.ndarray, float]:
        analysis, took = ours(one_lead(marked.recording))
        return np.array(analysis.r_peaks), took

    mine, cpu_s = counted(records, by_us)
    show("ours (whole analysis)", mine, cpu_s)
    show("ours, one lead", *counted(records, by_us_alone))
    for who, detect in PEERS.items():
        show(who, *counted(records, lambda marked, detect=detect: timed(detect, marked.recording)))
    assert mine.f1 >= R_PEAK_FLOORS[name]
    if name == "ludb":
        assert mine.extra + mine.missed <= MOST_ERRORS_PER_900


def boundaries(waves_of: Callable[[Marked, str], dict[str, np.ndarray]]) -> dict[str, Boundaries]:
    result = {wave: Boundaries() for wave in ("p", "qrs", "t")}
    for marked in of_set("ludb"):
        every = np.concatenate([rows.ravel() for lead in marked.waves.values() for rows in lead.values()])
        first, last = np.nanmin(every), np.nanmax(every)
        for lead, waves in marked.waves.items():
            found = waves_of(marked, lead)
            for wave, rows in waves.items():
                mine = rows_of(found, wave)
                mine = mine[(mine[:, 1] >= first) & (mine[:, 1] <= last)]
                result[wave].add(rows, mine, marked.recording.sampling_frequency_hz)
    return result


def test_waves_of_ludb_beside_neurokit():
    analyses = {marked.name: analyse(marked.recording) for marked in of_set("ludb")}

    def by_us(marked: Marked, lead: str) -> dict[str, np.ndarray]:
        return analyses[marked.name].delineation[lead]

    def by_neurokit(method: str) -> Callable[[Marked, str], dict[str, np.ndarray]]:
        return lambda marked, lead: neurokit_waves(np.array(marked.recording.lead(lead)), 500, method)

    mine = boundaries(by_us)
    results = {"ours": mine} | {f"neurokit2 {method}": boundaries(by_neurokit(method)) for method in ("prominence", "dwt")}
    for who, result in results.items():
        print()
        for wave, each in result.items():
            on, off = np.array(each.on_ms), np.array(each.off_ms)
            print(
                f"  {who:22s} {wave:4s} Se {each.there.se:6.2f} PPV {each.there.ppv:6.2f}  "
                f"on {np.nanmean(on):+6.1f}+-{np.nanstd(on):5.1f}  off {np.nanmean(off):+6.1f}+-{np.nanstd(off):5.1f} ms"
            )
    assert mine["p"].there.se >= P_SE
    assert mine["p"].there.ppv >= P_PPV
    for wave, (on_ms, off_ms) in SPREADS.items():
        assert np.nanstd(mine[wave].on_ms) <= on_ms, wave
        assert np.nanstd(mine[wave].off_ms) <= off_ms, wave


def test_global_intervals_of_ludb():
    differences: dict[str, list[float]] = {name: [] for name in GLOBAL_FLOORS}
    without_p, invented = 0, 0
    for marked in of_set("ludb"):
        measured = analyse(marked.recording).measurements
        truth = global_intervals(marked.waves, marked.beats, marked.recording.sampling_frequency_hz)
        for name, value in truth.items():
            if value is not None and getattr(measured, name) is not None:
                differences[name].append(getattr(measured, name) - value)
        if truth["pr_interval_ms"] is None:
            without_p += 1
            invented += measured.pr_interval_ms is not None
    print()
    for name, values in differences.items():
        print(f"  {name:16s} {np.mean(values):+5.1f}+-{np.std(values):4.1f} ms in {len(values)}")
    print(f"  PR given where no P wave is marked: {invented} of {without_p}")
    assert invented <= max(1, MOST_FALSE_PR * without_p)
    for name, (bias, spread) in GLOBAL_FLOORS.items():
        assert abs(np.mean(differences[name])) <= bias, name
        assert np.std(differences[name]) <= spread, name


def test_beat_classes_of_mit_bih_and_cpsc2021():
    print()
    for name in ("mitdb", "cpsc2021"):
        by_kind = {"V": Counts(), "S": Counts()}
        for marked in of_set(name):
            analysis = analyse(marked.recording)
            within, peaks = WINDOW_S * marked.recording.sampling_frequency_hz, np.array(analysis.r_peaks)
            for kind, symbols in (("V", VENTRICULAR), ("S", SUPRAVENTRICULAR)):
                truth = marked.beats[[symbol in symbols for symbol in marked.symbols]]
                # A fusion beat is neither right nor wrong to be called ventricular.
                unsure = marked.beats[[symbol in "FfQ" for symbol in marked.symbols]]
                found = peaks[[each == kind for each in analysis.beats]]
                found = found[[not np.any(np.abs(unsure - peak) < within) for peak in found]]
                by_kind[kind].add(truth, found, within)
        for kind, counts in by_kind.items():
            print(f"  {name:9s} {kind}: Se {counts.se:5.1f} PPV {counts.ppv:5.1f} of {counts.hits + counts.missed}")


def test_fibrillation_in_strips_of_half_a_minute():
    outcomes = Outcomes()
    for marked in of_set("cpsc2021"):
        rate, whole = marked.recording.sampling_frequency_hz, marked.recording.millivolts
        width = int(STRIP_S * rate)
        for first in range(0, whole.shape[1] - width + 1, width):
            share = sum(max(0, min(to, first + width) - max(begin, first)) for begin, to in marked.fibrillation) / width
            if 0.1 < share < 0.9:
                continue
            strip = type(marked.recording)("t", marked.recording.leads, rate, whole[:, first : first + width].copy())
            outcomes.add(marked=share > 0.5, found=analyse(strip).rhythm.code in FIBRILLATION)
    print(f"\n  cpsc2021 strips of {STRIP_S} s, fibrillation or flutter: found/there, false/not there, Se Sp PPV: {outcomes}")
    assert outcomes.fn <= 0.05 * (outcomes.tp + outcomes.fn)
    assert outcomes.fp <= 0.05 * (outcomes.tp + outcomes.fp)


#: Statement -> how the sets word what it says: SNOMED CT in CinC 2021, words in LUDB.
MEANT = {
    "atrial-fibrillation": {"164889003", "atrial fibrillation"},
    "atrial-flutter": {"164890007", "atrial flutter"},
    "sinus-bradycardia": {"426177001", "sinus bradycardia"},
    "sinus-tachycardia": {"427084000", "sinus tachycardia"},
    "sinus-arrhythmia": {"427393009", "sinus arrhythmia"},
    "paced": {"pacemaker presence"},
    "first-degree-av-block": {"270492004", "i degree av block"},
    "right-bundle-branch-block": {"59118001", "complete right bundle branch block"},
    "incomplete-right-bundle-branch-block": {"713426002", "incomplete right bundle branch block"},
    "left-bundle-branch-block": {"164909002", "complete left bundle branch block"},
    "left-anterior-fascicular-block": {"445118002", "left anterior hemiblock"},
    "wide-qrs": {"698252002", "non-specific intravintricular conduction delay"},
    "left-axis-deviation": {"39732003", "electric axis of the heart: left axis deviation"},
    "left-ventricular-hypertrophy": {"164873001", "55827005", "left ventricular hypertrophy"},
    "left-atrial-enlargement": {"253352002", "left atrial hypertrophy", "left atrial overload"},
    "right-atrial-enlargement": {"right atrial hypertrophy", "right atrial overload"},
    "right-ventricular-hypertrophy": {"89792004", "right ventricular hypertrophy"},
    "ventricular-premature-beats": {"427172004", "ventricular extrasystole"},
    "supraventricular-premature-beats": {"284470004", "atrial extrasystole"},
    "long-qt": {"111975006"},
    "t-wave-inversion": {"59931005"},
}
#: Statement -> others that say the same and more.
ALSO = {"left-ventricular-hypertrophy": {"left-ventricular-voltage"}, "long-qt": {"very-long-qt"}}


def _said(analysis: Analysis) -> set[str]:
    return {statement.code for statement in analysis.statements}


def test_statements_of_ludb_and_cinc2021():
    for name in ("ludb", "cinc2021"):
        said = [(marked, _said(analyse(marked.recording))) for marked in of_set(name)]
        print(f"\n  {name}: {len(said)} recordings; found/there, false/not there, Se Sp PPV")
        for code, words in MEANT.items():
            outcomes = Outcomes()
            for marked, codes in said:
                true = any(
                    label == word or label.startswith((f"{word}:", f"{word},")) for label in marked.labels for word in words
                )
                outcomes.add(marked=true, found=bool(codes & ({code} | ALSO.get(code, set()))))
            if outcomes.tp + outcomes.fn:
                print(f"  {code:40s} {outcomes}")
                if code == "atrial-fibrillation":
                    assert outcomes.fp <= max(1, 0.05 * (outcomes.tp + outcomes.fp))


ST_LIFTS_MV, ST_WITHIN_MV = (-0.1, 0.1, 0.25), 0.01


def test_st_shifts_put_into_real_recordings():
    """Lift lead II and V2 from 10 ms before each QRS ends until its T wave; the J point must follow."""
    off = []
    for marked in of_set("ludb"):
        plain, at = analyse(marked.recording), np.arange(marked.recording.millivolts.shape[1])
        before = plain.measurements.st_j_mv
        if before is None or plain.rhythm.code == "paced":
            continue
        for lead in {"II", "V2"} & set(before):
            ends = plain.delineation[lead]["qrs_off"]
            lifted = sum(np.clip((at - end + 5) / 3, 0, 1) * np.clip((end + 85 - at) / 20, 0, 1) for end in ends)
            for lift in ST_LIFTS_MV:
                samples = np.array(marked.recording.millivolts)
                samples[marked.recording.names.index(lead)] += lift * lifted
                after = analyse(replace(marked.recording, millivolts=samples, resolution_mv=None)).measurements.st_j_mv
                off.append(np.inf if after is None or lead not in after else after[lead] - before[lead] - lift)
    right = np.abs(off) <= ST_WITHIN_MV + 5e-4  # levels are rounded to a thousandth
    print(f"\n  ST at J within {ST_WITHIN_MV} mV of the shift put in: {right.sum()} of {right.size}")
    assert right.mean() >= 0.95


#: What I, II, III, aVR, aVL and aVF show when two electrodes change places (row, sign), and what is to be said then.
SWAPS = {
    "arm-electrodes-swapped": ((0, -1), (2, 1), (1, 1), (4, 1), (3, 1), (5, 1)),
    "right-arm-left-leg-swapped": ((2, -1), (1, -1), (0, -1), (5, 1), (4, 1), (3, 1)),
    "left-arm-left-leg-swapped": ((1, 1), (0, 1), (2, -1), (3, 1), (5, 1), (4, 1)),
    "limb-electrodes-rotated": ((2, 1), (0, -1), (1, -1), (4, 1), (5, 1), (3, 1)),
}
PLAIN_SWAPS = ("arm-electrodes-swapped", "right-arm-left-leg-swapped", "limb-electrodes-rotated")
HINTS = {*SWAPS, "chest-electrodes-swapped", "dextrocardia", "right-leg-electrode-misplaced"}


def unpaced(ludb: Callable[[Marked], Marked]) -> list[Recording]:
    """Return the recordings whose electrodes are to be moved, those of LUDB as *ludb* gives them."""
    records = [*map(ludb, of_set("ludb")), *of_set("cinc2021")]
    return [marked.recording for marked in records if not any("pacemaker" in label for label in marked.labels)]


#: How LUDB is taken: with its stored numbers as microvolts, or with every lead stretched to one height as its headers have it.
TAKEN = {"as stored": as_stored, "stretched": lambda marked: marked}


@pytest.mark.parametrize("taken", list(TAKEN))
def test_electrodes_swapped_on_real_recordings(taken: str):
    records = unpaced(TAKEN[taken])
    false = sum(bool(HINTS & _said(analyse(recording))) for recording in records)
    print(f"\n  LUDB {taken}, hints of any kind where nothing was swapped: {false} of {len(records)}")
    for code, rows in SWAPS.items():
        found = named = 0
        for recording in records:
            samples = np.array(recording.millivolts)
            samples[:6] = [sign * recording.millivolts[row] for row, sign in rows]
            said = HINTS & _said(analyse(replace(recording, millivolts=samples, resolution_mv=None)))
            found, named = found + bool(said), named + (code in said)
        print(f"  {code:28s} noticed {found}, named {named} of {len(records)}")
        assert code not in PLAIN_SWAPS or found >= 0.95 * len(records)
    assert false <= 0.02 * len(records)


@pytest.mark.parametrize("taken", list(TAKEN))
def test_chest_electrodes_exchanged_on_real_recordings(taken: str):
    records = unpaced(TAKEN[taken])
    chest = slice(6, 12)
    print(f"\n  LUDB {taken}")
    for electrodes, rows in ORDERS.items():
        found = named = 0
        for recording in records:
            samples = np.array(recording.millivolts)
            samples[chest] = recording.millivolts[chest][list(rows)]
            analysis = analyse(replace(recording, millivolts=samples, resolution_mv=None))
            hint = next((each for each in analysis.statements if each.code == "chest-electrodes-swapped"), None)
            found, named = found + (hint is not None), named + (hint is not None and hint.evidence["electrodes"] == [*electrodes])
        print(f"  {'-'.join(electrodes) or 'nothing exchanged':20s} noticed {found}, named {named} of {len(records)}")
        assert found >= 0.95 * len(records) if electrodes else found <= 0.02 * len(records)


def test_recordings_that_taught_nothing_are_not_accused():
    accused = [marked.name for marked in apart() if HINTS & _said(analyse(marked.recording))]
    print(f"\n  hints of any kind in recordings of no set: {len(accused)} of {len(apart())} {' '.join(accused)}")
    assert len(accused) <= 0.02 * len(apart())


def test_limb_electrodes_exchanged_between_the_halves_of_a_recording():
    """No set holds two recordings of twelve leads of one patient: the first half stands for the previous ECG."""
    beats = []
    for recording in unpaced(as_stored) + [marked.recording for marked in apart()]:
        samples = recording.millivolts
        halves = samples[:, : samples.shape[1] // 2], samples[:, samples.shape[1] // 2 :]
        pair = [average_beat(replace(recording, millivolts=half.copy(), resolution_mv=None)) for half in halves]
        if all(beat is not None and {"I", "II"} <= set(beat.leads) for beat in pair):
            beats.append(pair)
    print()
    for arrangement, undo in ARRANGEMENTS.items():
        swap = np.linalg.inv(FRONTAL) @ np.linalg.inv(undo) @ FRONTAL
        found = named = 0
        for was, now in beats:
            leads = dict(zip(("I", "II"), swap @ np.stack([now.leads["I"], now.leads["II"]]), strict=True))
            hint = exchange(was, replace(now, leads={**now.leads, **leads}))
            found, named = found + (hint is not None), named + (hint is not None and hint.named == ELECTRODES[arrangement][1])
        print(f"  {arrangement:30s} noticed {found}, named {named} of {len(beats)}")
        assert found >= 0.95 * len(beats) if arrangement in ELECTRODES else found <= 0.02 * len(beats)


def _neurokit_on_all_leads(marked: Marked) -> float:
    """Return the CPU seconds of neurokit2's least work on every lead: clean, peaks, delineation by prominence."""
    begun = time.process_time()
    for row in marked.recording.millivolts:
        neurokit_waves(np.array(row), marked.recording.sampling_frequency_hz, "prominence")
    return time.process_time() - begun


def test_one_record_takes_little_time_and_the_package_loads_at_once():
    records = of_set("ludb")
    for marked in records[:3]:
        ours(marked.recording)
        _neurokit_on_all_leads(marked)
    took = np.array([min(ours(marked.recording)[1] for _ in range(3)) for marked in records]) * 1000
    theirs = np.array([_neurokit_on_all_leads(marked) for marked in records[::10]]) * 1000
    program = "import time; begun = time.perf_counter(); import ecg, ecg.pipeline; print(time.perf_counter() - begun)"
    loaded = min(float(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout) for _ in range(3))
    print(
        f"\n  12 leads, 10 s: {np.median(took):.1f} ms CPU, p95 {np.percentile(took, 95):.1f}; neurokit2 {np.median(theirs):.0f}"
    )
    print(f"  import with the engine {loaded:.2f} s")
    assert np.median(theirs) >= FASTER * np.median(took)
    assert loaded <= IMPORT_S
