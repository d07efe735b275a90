"""Analyse a kept ECG, in a confined process: the engine reads what strangers sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consult.triage.model import Analysis
from dicom_node.archive.archive import Archive
from telemed.kernel.confinement import Confinement
from telemed.kernel.errors import Invalid, NotFound

#: What the analysis of a recording of minutes may take: a worker's first one loads the library for heart rate variability.
ANALYSIS_S = 90.0


def analysed(archive: Archive, confinement: Confinement, institution: str, uid: str, *, seconds: float = ANALYSIS_S) -> Analysis:
    """Return what became of the analysis of a kept recording. Slow: never called in a transaction."""
    try:
        return Analysis(uid, confinement.run(_analyse, archive.file(institution, uid), seconds=seconds))
    except (Invalid, NotFound) as error:  # a task comes of it all the same, and says so
        return Analysis(uid, None, error.sentence)


def exchanged_since(
    archive: Archive, confinement: Confinement, institution: str, previous: str, uid: str
) -> dict[str, Any] | None:
    """Return the limb electrodes that seem exchanged since the patient's *previous* recording; None too where one cannot be read.

    As `ecg.comparison.electrodes.Exchange.as_json`. Slow: never called in a transaction.
    """
    try:
        found: dict[str, Any] | None = confinement.run(
            _exchanged, *(archive.file(institution, one) for one in (previous, uid)), seconds=ANALYSIS_S
        )
    except (Invalid, NotFound):
        return None
    return found


def make_ready(confinement: Confinement) -> None:
    """Have one worker loaded with the engine before a patient lies on a couch; call it once the server is up."""
    confinement.run(_load, seconds=ANALYSIS_S)


def _load() -> None:
    from ecg.readiness import load  # noqa: PLC0415 - see below

    load()


def _analyse(path: Path) -> dict[str, Any]:
    """Read and analyse one recording; runs in a confined process, which alone pays for loading the engine."""
    from ecg.errors import EcgError  # noqa: PLC0415 - see above
    from ecg.holter.whole import analysis_of_file  # noqa: PLC0415 - see above

    try:
        return analysis_of_file(path)
    except EcgError as error:
        raise Invalid(str(error), code="ecg-unreadable") from error


def _exchanged(previous: Path, current: Path) -> dict[str, Any] | None:
    """Compare the limb leads of two recordings; runs in a confined process."""
    from ecg.comparison.average import average_beat  # noqa: PLC0415 - see above
    from ecg.comparison.electrodes import exchange  # noqa: PLC0415 - see above
    from ecg.errors import EcgError  # noqa: PLC0415 - see above
    from ecg.formats import read  # noqa: PLC0415 - see above

    try:
        found = exchange(*(average_beat(read({path.name: path.read_bytes()})) for path in (previous, current)))
    except EcgError as error:
        raise Invalid(str(error), code="ecg-unreadable") from error
    return None if found is None else found.as_json()
