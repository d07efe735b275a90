"""Analyse a kept ECG, in a confined process: the engine reads what strangers sent."""

from __future__ import annotations

from typing import Any

from consult.triage.model import Analysis
from dicom_node.archive.archive import Archive
from telemed.kernel.confinement import Confinement
from telemed.kernel.errors import Invalid, NotFound


def analysed(archive: Archive, confinement: Confinement, institution: str, sop_instance_uid: str) -> Analysis:
    """Return the analysis of a kept recording, or the sentence why there is none. Slow: never called in a transaction."""
    try:
        data = archive.read(institution, sop_instance_uid)
        return Analysis(sop_instance_uid, confinement.run(_analyse, data))
    except (Invalid, NotFound) as error:  # a task comes of it all the same, and says so
        return Analysis(sop_instance_uid, None, error.sentence)


def _analyse(data: bytes) -> dict[str, Any]:
    """Read and analyse one recording; runs in a confined process, which alone pays for loading the engine."""
    from ecg.errors import EcgError  # noqa: PLC0415 - see above
    from ecg.formats import read  # noqa: PLC0415 - see above
    from ecg.pipeline import analyse  # noqa: PLC0415 - see above

    try:
        recording = read({"recording": data})
        return analyse(recording).as_json()
    except EcgError as error:
        raise Invalid(str(error), code="ecg-unreadable") from error
