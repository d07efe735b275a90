"""Writers of the formats that `ecg.formats` reads: synthetic files whose every number is known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from support.ecg_files import binary, markup, scp

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
RATE, STEP_UV = 500, 5.0


def counts(leads: int = 12, samples: int = 1000, seed: int = 1) -> np.ndarray:
    """Return whole steps (leads, samples): beats of one shape over a slow wander, and a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples)
    beats = 200 * np.exp(-(((time % 400 - 150) / 6.0) ** 2))
    rows = [(number % 5 - 2) * beats + 30 * np.sin(time / 90 + number) + rng.normal(0, 2, samples) for number in range(leads)]
    return np.rint(rows).astype(np.int64)


@dataclass(frozen=True)
class Sample:
    """One written file: its name, how it is made of counts, and what it is called when read."""

    name: str
    write: Callable[[np.ndarray], bytes]
    format: str
    leads: tuple[str, ...] = LEADS


EIGHT = ("I", "II", *LEADS[6:])
SAMPLES = (
    Sample("a.scp", lambda rows: scp.written(rows, LEADS), "scp-ecg"),
    Sample("a-aecg.xml", lambda rows: markup.aecg(rows, LEADS), "aecg"),
    Sample("a-muse.xml", lambda rows: markup.muse(rows, EIGHT), "muse", EIGHT),
    Sample("a-sierra.xml", lambda rows: markup.sierra(rows, LEADS), "sierra"),
    Sample("a-xli.xml", lambda rows: markup.sierra(rows, LEADS, compressed=True), "sierra"),
    Sample("a.mwf", lambda rows: binary.mfer(rows, LEADS), "mfer"),
    Sample("a.edf", lambda rows: binary.edf(rows, LEADS), "edf"),
    Sample("a.bdf", lambda rows: binary.edf(rows, LEADS, width=3), "bdf"),
    Sample("a.ECG", binary.contec, "contec", ("II", "III", *LEADS[6:])),
)
