"""Of a recording too long for memory only what is drawn is read."""

from dataclasses import replace

from ecg.errors import EcgError
from ecg.formats.streams import Source
from ecg.recording import Recording
from ecg.rendering.heading import Particulars
from ecg.rendering.layouts import Paper


def excerpt(source: Source, paper: Paper, particulars: Particulars) -> tuple[Recording, Paper, Particulars]:
    """Return what *paper* shows of *source* as a recording of its own, with the paper and the particulars that fit it.

    `EcgError` when the paper begins where the recording has ended.
    """
    rate = source.sampling_frequency_hz
    first = round(paper.start_s * rate)
    count = min(source.samples - first, round(paper.seconds * rate))
    if count < 1:
        raise EcgError(f"The recording is {source.duration_s:.0f} s long; choose a part that begins before its end.")
    part = replace(source.recording(first, count), started_at=source.started_at)
    return part, replace(paper, start_s=0.0), replace(particulars, begins_s=first / rate, total_s=source.duration_s)
