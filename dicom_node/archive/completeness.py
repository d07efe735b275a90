"""Whether a study is whole: by proof where the modality gave one, else by what seems to be missing.

A modality says what it made in a performed procedure step, names it all when it asks for storage commitment, or writes the
study's count into the images. Where it says nothing, what the counts of a series, gaps in the instance numbers and in the slice
positions lack tells that something is still under way, and never that nothing is: another series may follow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Any

#: A series of fewer numbers or slices tells nothing by its gaps, nor one that lacks more than it has in proportion of this.
FEWEST, MOST_LACKING = 4, 0.5
#: How far slices may be from evenly spaced, as a share of their distance; and how many of the distances must be even.
UNEVEN, MOSTLY = 0.1, 0.8
_OF_STUDY = "NumberOfStudyRelatedInstances"


class Proof(StrEnum):
    """How a study is known to be complete."""

    MPPS = "mpps"
    COMMITMENT = "commitment"
    COUNT = "count"
    QUIET = "quiet"


@dataclass(frozen=True)
class Kept:
    """What is looked at of an instance that is kept; *attributes* as in the index."""

    sop_instance_uid: str
    sop_class_uid: str
    series_id: str
    series_number: int | None
    number: int | None
    attributes: Mapping[str, Any]
    source: str
    received_at: datetime


@dataclass(frozen=True)
class Missing:
    """*count* instances that have not come: the *numbers* of a series ("17-19, 22"), empty where no number is known."""

    series_number: int | None
    numbers: str
    count: int


@dataclass(frozen=True)
class Verdict:
    """*proof* is None where nothing proves it; one that is *final* needs no more waiting."""

    proof: Proof | None = None
    final: bool = False
    missing: tuple[Missing, ...] = ()


def judge(kept: Sequence[Kept], *, announced: frozenset[str] | None, committed: int | None) -> Verdict:
    """Judge a study by all that is *kept* of it.

    *announced* are the SOP Instance UIDs of its ended performed procedure steps, empty when none were told, None while a step
    goes on: nothing proves anything then. *committed* is how many of its instances one request for storage commitment named.
    """
    if announced:
        absent = announced - {one.sop_instance_uid for one in kept}
        return Verdict(missing=(Missing(None, "", len(absent)),)) if absent else Verdict(Proof.MPPS, final=True)
    stated = _stated(kept, _OF_STUDY)
    if stated > len(kept):
        return Verdict(missing=(Missing(None, "", stated - len(kept)),))
    if stated and announced is not None and sum(_OF_STUDY in one.attributes for one in kept) >= stated:
        return Verdict(Proof.COUNT, final=True)
    series = _by(kept, "series_id")
    short = tuple(
        Missing(members[0].series_number, "", count - len(members))
        for members in series
        if (count := _stated(members, "NumberOfSeriesRelatedInstances")) and count > len(members)
    )
    if short:
        return Verdict(missing=short)
    if committed is not None and announced is not None and committed >= len(kept):
        return Verdict(Proof.COMMITMENT)
    return Verdict(missing=tuple(gap for members in series if not _is_counted(members) and (gap := _gap(members)) is not None))


def _by(kept: Iterable[Kept], name: str) -> list[list[Kept]]:
    groups: defaultdict[Any, list[Kept]] = defaultdict(list)
    for one in kept:
        groups[getattr(one, name)].append(one)
    return list(groups.values())


def _stated(kept: Iterable[Kept], keyword: str) -> int:
    """Return the largest count that any instance states, 0 when none does; what is no sensible count counts as none."""
    return max((int(one.attributes.get(keyword, 0)) for one in kept), default=0)


def _is_counted(members: Sequence[Kept]) -> bool:
    """Tell whether a series is whole by counts: its own, or Images in Acquisition (0020,1002) of each acquisition.

    Makers differ in what the latter counts: where it fits it says something, where it does not it means nothing.
    """
    if _stated(members, "NumberOfSeriesRelatedInstances") == len(members):
        return True
    acquisitions: defaultdict[Any, list[Kept]] = defaultdict(list)
    for one in members:
        acquisitions[one.attributes.get("AcquisitionNumber")].append(one)
    return all(_stated(group, "ImagesInAcquisition") == len(group) for group in acquisitions.values())


def _gap(members: Sequence[Kept]) -> Missing | None:
    """Return what the numbers of a series leave out between the first and the last, else what its slices do."""
    series_number = members[0].series_number
    numbers = sorted({one.number for one in members if one.number is not None})
    if len(numbers) >= FEWEST:
        holes = [(before + 1, after - 1) for before, after in pairwise(numbers) if after - before > 1]
        count = sum(last - first + 1 for first, last in holes)
        if 0 < count <= MOST_LACKING * len(numbers):
            said = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in holes)
            return Missing(series_number, said, count)
    slices = _missing_slices(members)
    return Missing(series_number, "", slices) if slices else None


def _missing_slices(members: Sequence[Kept]) -> int:
    """Return how many slices of an evenly spaced stack are not there (PS3.3 C.7.6.2), 0 where it is none."""
    steps = [after - before for before, after in pairwise(sorted(set(_places(members))))]
    if len(steps) < FEWEST:
        return 0
    step = median(steps)
    even = [abs(one - step) <= UNEVEN * step for one in steps]
    lacking = [one / step for one, is_even in zip(steps, even, strict=True) if not is_even]
    if sum(even) < MOSTLY * len(steps) or any(abs(one - round(one)) > UNEVEN or round(one) < 2 for one in lacking):
        return 0
    count = sum(round(one) - 1 for one in lacking)
    return count if count <= MOST_LACKING * len(members) else 0


def _places(members: Sequence[Kept]) -> Iterable[float]:
    """Return where each slice lies along the normal of the first one's plane (mm); nothing unless all state it."""
    planes = [one.attributes.get("ImageOrientationPatient") or [] for one in members]
    points = [one.attributes.get("ImagePositionPatient") or [] for one in members]
    if any(len(plane) != 6 for plane in planes) or any(len(point) != 3 for point in points):
        return
    ax, ay, az, bx, by, bz = planes[0]
    normal = (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
    if any(max(abs(one - other) for one, other in zip(plane, planes[0], strict=True)) > 0.01 for plane in planes):
        return  # a localiser, or several stacks
    for point in points:
        yield round(sum(along * place for along, place in zip(normal, point, strict=True)), 2)
