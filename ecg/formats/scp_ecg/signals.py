"""Sections 3 to 6 (EN 1064, 5.6 to 5.9): which leads, where the beats are, the reference beat, and the rhythm beside it.

The rhythm may be kept as differences, less a reference beat at each normal QRS, and thinned outside of the protected zones
(bimodal); each is undone here in the opposite order. Thinned stretches come back by straight lines between their means, as the
standard draws them, without its optional smoothing.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ecg.errors import EcgError
from ecg.formats.scp_ecg import huffman
from ecg.recording import MAX_LEADS

Counts = NDArray[np.int64]
Millivolts = NDArray[np.float64]

MAX_COUNTS = 1_200_000  # over all leads: more than three minutes of twelve leads at 500 Hz
MAX_BEATS = 20_000
_SUBTRACTED = 0x01


@dataclass(frozen=True)
class LeadPlace:
    """One lead of section 3: its code and its first and last sample, counted from 1."""

    code: int
    start: int
    end: int

    @property
    def samples(self) -> int:
        """How many samples it has."""
        return self.end - self.start + 1

    def runs(self, protected: Sequence[tuple[int, int]]) -> list[tuple[int, bool]]:
        """Return its stretches (samples, protected or not) in order, when *protected* are the zones (first, last)."""
        found, at = [], self.start
        for first, last in sorted(protected):
            begin, end = max(first, at), min(last, self.end)
            if begin > end:
                continue
            found += [(begin - at, False), (end - begin + 1, True)]
            at = end + 1
        return [*found, (self.end - at + 1, False)]


@dataclass(frozen=True)
class Beats:
    """Section 4: the reference beat's fiducial sample, where it was subtracted, and the zones that were not thinned."""

    length_ms: int = 0
    fiducial: int = 0
    subtracted: tuple[tuple[int, int, int, int], ...] = ()  # type, start, fiducial, end
    protected: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Block:
    """Section 5 or 6: one number's nanovolts, the interval, the order of the differences, bimodal or not, the leads' bytes."""

    step_nv: int
    interval_us: int
    differences: int
    bimodal: bool
    streams: tuple[bytes, ...]


def rhythm(name: str, sections: Mapping[int, bytes]) -> tuple[float, float, list[LeadPlace], list[Counts]]:
    """Return the step in nanovolts, the sampling interval in microseconds, the leads and their numbers."""
    if 3 not in sections or 6 not in sections:
        raise EcgError(f"{name} holds no rhythm (sections 3 and 6); export it with its samples.")
    leads, subtracted = _leads(name, sections[3])
    tables = huffman.tables(name, sections[2]) if 2 in sections else ()
    block = _block(name, 6, sections[6], len(leads))
    reference = _block(name, 5, sections[5], len(leads)) if 5 in sections else None
    beats = _beats(name, sections[4]) if 4 in sections else Beats()
    factor = 1
    if reference is not None and (block.bimodal or subtracted):
        factor, rest = divmod(block.interval_us, reference.interval_us)
        if rest or not 1 <= factor <= 4:  # some encoders thin without saying so in the flag
            raise EcgError(f"{name} samples its rhythm and its reference beat at rates that do not fit; export it again.")
    rows = []
    for lead, stream in zip(leads, block.streams, strict=True):
        runs = lead.runs(beats.protected) if factor > 1 else [(lead.samples, True)]
        stored = sum(samples if whole else sum(divmod(samples, factor)) for samples, whole in runs)
        rows.append(_thickened(_decoded(name, stream, stored, block.differences, tables), runs, factor))
    step = block.step_nv
    if subtracted:
        if reference is None or not beats.subtracted:
            raise EcgError(f"{name} subtracts a reference beat it does not hold (sections 4 and 5); export it again.")
        step = _add_reference(name, block=block, reference=reference, beats=beats, leads=leads, rows=rows, tables=tables)
    return float(step), block.interval_us / factor, leads, rows


def _leads(name: str, section: bytes) -> tuple[list[LeadPlace], bool]:
    """Return the leads, and whether reference beats were subtracted."""
    count, flags = section[0], section[1]
    if not 1 <= count <= MAX_LEADS:
        raise EcgError(f"{name} announces {count} leads; from 1 to {MAX_LEADS} are read.")
    leads = []
    for number in range(count):
        start, end, code = struct.unpack_from("<IIB", section, 2 + 9 * number)
        leads.append(LeadPlace(code, start, end))
    span = max(lead.end for lead in leads) - min(lead.start for lead in leads) + 1
    if min(lead.samples for lead in leads) < 1 or span * count > MAX_COUNTS:
        raise EcgError(f"{name} announces {count} leads over {span} samples; {MAX_COUNTS} in all are read: export it again.")
    return leads, bool(flags & _SUBTRACTED)


def _beats(name: str, section: bytes) -> Beats:
    length_ms, fiducial, count = struct.unpack_from("<3H", section)
    if count > MAX_BEATS or (14 * count > len(section) - 6):
        raise EcgError(f"{name} announces {count} beats in section 4 and does not hold them; send it again.")
    zones = 6 + 14 * count
    return Beats(
        length_ms,
        fiducial,
        tuple(struct.unpack_from("<H3I", section, 6 + 14 * number) for number in range(count)),
        tuple(struct.unpack_from("<2I", section, at) for at in range(zones, min(zones + 8 * count, len(section) - 7), 8)),
    )


def _block(name: str, number: int, section: bytes, leads: int) -> Block:
    step_nv, interval_us, differences, bimodal, *sizes = struct.unpack_from(f"<HHBB{leads}H", section)
    ends = np.cumsum([6 + 2 * leads, *sizes])
    if not interval_us or differences > 2 or ends[-1] > len(section):
        raise EcgError(
            f"{name} says of its section {number} what cannot be ({interval_us} us, {ends[-1]} bytes); export it again."
        )
    streams = tuple(section[begin:end] for begin, end in pairwise(ends))
    return Block(step_nv, interval_us, differences, bool(bimodal), streams)


def _decoded(name: str, stream: bytes, count: int, differences: int, tables: tuple[huffman.Table, ...]) -> Counts:
    """Return *count* numbers of one stream, its differences summed; sums wrap at 16 bits as the encoder's did."""
    if tables:
        values = huffman.decode(name, stream, count, tables)
    elif len(stream) >= 2 * count:
        values = np.frombuffer(stream, "<i2", count).astype(np.int64)
    else:
        raise EcgError(f"{name} is damaged: a lead ends after {len(stream) // 2} of {count} samples; send it again.")
    if differences == 2 and count > 1:
        values[1] -= values[0]
        values[1:] = np.cumsum(values[1:])
    if differences:
        values = np.cumsum(values)
    return values.astype(np.int16).astype(np.int64)


def _thickened(stored: Counts, runs: Sequence[tuple[int, bool]], factor: int) -> Counts:
    """Return all samples: a stretch that was thinned holds one mean for *factor* samples, and what is left over as it was."""
    parts, at = [], 0
    for samples, whole in runs:
        means, rest = (0, samples) if whole else divmod(samples, factor)
        if means:
            places = (np.arange(means * factor) - factor // 2) / factor  # level before the first mean and after the last
            parts.append(np.rint(np.interp(places, np.arange(means), stored[at : at + means])).astype(np.int64))
        parts.append(stored[at + means : at + means + rest])
        at += means + rest
    return np.concatenate(parts)


def _add_reference(
    name: str,
    *,
    block: Block,
    reference: Block,
    beats: Beats,
    leads: Sequence[LeadPlace],
    rows: list[Counts],
    tables: tuple[huffman.Table, ...],
) -> int:
    """Add the reference beat where it was subtracted, in the largest step both can be said in; return that step."""
    length = round(beats.length_ms * 1000 / reference.interval_us)
    step = math.gcd(block.step_nv, reference.step_nv)
    if not step or not 1 <= length <= MAX_COUNTS // len(leads):
        raise EcgError(f"{name} has a reference beat of {length} samples and a step of {step} nV; export it again.")
    for number, (lead, stream) in enumerate(zip(leads, reference.streams, strict=True)):
        beat = _decoded(name, stream, length, reference.differences, tables) * (reference.step_nv // step)
        rows[number] = row = rows[number] * (block.step_nv // step)
        for kind, start, fiducial, end in beats.subtracted:
            shift = fiducial - beats.fiducial + 1  # where the beat's first sample lies
            first, last = max(start, lead.start, shift), min(end, lead.end, shift + length - 1)
            if kind == 0 and first <= last:
                row[first - lead.start : last - lead.start + 1] += beat[first - shift : last - shift + 1]
    return step
