"""What an object says about how its pixels are to be looked at: gathered from the data set for one frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from dicom_node.imaging import overlays
from dicom_node.imaging.elements import Encoding, Source, open_data_set, top_level
from dicom_node.imaging.voi import Function, Table, Window

_WANTED = [
    *(f"{colour}PaletteColorLookupTable{part}" for colour in ("Red", "Green", "Blue") for part in ("Descriptor", "Data")),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    "SpecificCharacterSet",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "PresentationLUTShape",
    "PhotometricInterpretation",
    "PixelAspectRatio",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PixelRepresentation",
    "BitsStored",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
_TAGS = [*map(Tag, _WANTED), *map(Tag, overlays.TAGS)]
_WANTED_TAGS = frozenset(map(int, _TAGS))
_NOT_PLAIN = frozenset({*map(int, map(Tag, _WANTED[:9])), *overlays.TAGS})
_PIXELS, _SHORT = 0x7FE00000, 256
#: A pixel more oblong than this is a mistake, not a shape.
MAXIMUM_ASPECT = 16.0


@dataclass(frozen=True)
class Presentation:
    """How one frame is to be looked at. *data_set* holds the palette and the overlays, when there are some.

    *aspect* is a pixel's height by its width.
    """

    slope: float
    intercept: float
    modality: Table | None
    window: Window | None
    voi: Table | None
    inverse: bool
    padding: tuple[float, float] | None
    aspect: float
    data_set: Dataset


def presentation_of(path: Path, number: int) -> Presentation:
    """Gather what the file at *path* says about frame *number*; a whole parse of the header, so run it confined."""
    return _gathered(dcmread(path, stop_before_pixels=True, specific_tags=[*_TAGS]), number)


def plain_presentation_of(file: Source) -> Presentation | None:
    """Gather the same by a bounded walk over short values, in any process; None where it takes more than those to say it.

    Sequences, palettes and overlays do: functional groups, look-up tables, graphics.
    """
    _, source, offset, encoding = open_data_set(file)
    said: list[tuple[int, bytes]] = []
    for element in top_level(source, offset, encoding):
        if element.tag >= _PIXELS:
            break
        if element.tag not in _WANTED_TAGS:
            continue
        if element.length > _SHORT or dictionary_VR(element.tag) == "SQ" or element.tag in _NOT_PLAIN:
            return None
        said.append((element.tag, source.at(element.offset, element.length)))
    return _understood(tuple(said), encoding)


@lru_cache(maxsize=256)  # the images of a series mostly say the same
def _understood(said: tuple[tuple[int, bytes], ...], encoding: Encoding) -> Presentation:
    """Return what an image's short values say, by tag and as they are written."""
    data_set = Dataset()
    for tag, value in said:
        vr = dictionary_VR(tag)
        if vr == "US or SS":  # padding is of the pixels' kind (PS3.5 A.1), and stands behind what says it
            vr = "SS" if data_set.get("PixelRepresentation", 0) == 1 else "US"
        data_set[tag] = RawDataElement(Tag(tag), vr, len(value), value, 0, not encoding.explicit, not encoding.big)
    data_set.set_original_encoding(not encoding.explicit, not encoding.big, None)
    return _gathered(data_set, 1)


def _gathered(data_set: Dataset, number: int) -> Presentation:
    groups = list(_groups(data_set, number))
    signed = data_set.get("PixelRepresentation", 0) == 1
    slope, intercept = _number(_first(groups, "RescaleSlope")), _number(_first(groups, "RescaleIntercept")) or 0.0
    order = ">" if data_set.original_encoding[1] is False else "<"
    return Presentation(
        slope=1.0 if slope is None or slope == 0 else slope,
        intercept=intercept,
        modality=_table(groups, "ModalityLUTSequence", signed=signed, order=order),
        window=_window(groups),
        # A VOI LUT's input is the modality LUT's output, which is signed as soon as the intercept can make it so.
        voi=_table(groups, "VOILUTSequence", signed=signed or intercept < 0, order=order),
        # The two say the same thing (PS3.3 C.8.11.3.1.2): together they turn the greys once, not twice.
        inverse=data_set.get("PhotometricInterpretation") == "MONOCHROME1" or data_set.get("PresentationLUTShape") == "INVERSE",
        padding=_padding(data_set),
        aspect=_aspect(groups),
        data_set=data_set,
    )


def _groups(data_set: Dataset, number: int) -> Iterator[Dataset]:
    """Yield where to look, the most particular first: the frame's functional groups, the shared ones, the data set."""
    per_frame = data_set.get("PerFrameFunctionalGroupsSequence") or []
    shared = data_set.get("SharedFunctionalGroupsSequence") or []
    for group in (per_frame[number - 1 : number], shared[:1]):
        for item in group:
            for keyword in ("PixelValueTransformationSequence", "FrameVOILUTSequence", "PixelMeasuresSequence"):
                yield from (item.get(keyword) or [])[:1]
    yield data_set


def _first(groups: list[Dataset], keyword: str) -> Any:  # noqa: ANN401 - whatever the element holds
    return next((value for group in groups if (value := group.get(keyword)) not in (None, "")), None)


def _number(value: Any) -> float | None:  # noqa: ANN401 - a stranger's element may hold anything
    if isinstance(value, MultiValue | list):
        value = value[0] if len(value) else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _window(groups: list[Dataset]) -> Window | None:
    centre, width = _number(_first(groups, "WindowCenter")), _number(_first(groups, "WindowWidth"))
    if centre is None or width is None or width <= 0:
        return None
    function = str(_first(groups, "VOILUTFunction") or "LINEAR").strip().upper()
    return Window(centre, width, Function(function) if function in set(Function) else Function.LINEAR)


def _table(groups: list[Dataset], keyword: str, *, signed: bool, order: str) -> Table | None:
    items = _first(groups, keyword) or []
    if not len(items) or not all(items[0].get(part) is not None for part in ("LUTDescriptor", "LUTData")):
        return None  # an empty item says no more than none
    descriptor, data = items[0].LUTDescriptor, items[0]["LUTData"].value
    if len(descriptor) != 3:
        return None
    count, first, bits = (int(value) for value in descriptor)
    count = count or 1 << 16
    first = first - (1 << 16) if signed and first >= 1 << 15 else first
    if isinstance(data, bytes):
        wide = len(data) >= 2 * count
        entries = np.frombuffer(data[: 2 * count if wide else count], f"{order}u2" if wide else "u1")
    else:
        entries = np.asarray(data, np.int64).reshape(-1)[:count] & 0xFFFF
    if entries.size == 0 or not 8 <= bits <= 16:
        return None
    return Table(first, bits, entries.astype(np.float64))


def _padding(data_set: Dataset) -> tuple[float, float] | None:
    low = _number(data_set.get("PixelPaddingValue"))
    if low is None:
        return None
    limit = _number(data_set.get("PixelPaddingRangeLimit"))
    high = low if limit is None else limit
    return min(low, high), max(low, high)


def _aspect(groups: list[Dataset]) -> float:
    """Return a pixel's height by its width, from the ratio when it is said (PS3.3 C.7.6.3.1.7), else from the spacing."""
    for keyword in ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        value = _first(groups, keyword)
        if isinstance(value, MultiValue | list) and len(value) == 2:
            height, width = _number(value[0]), _number(value[1])
            if height and width and 1 / MAXIMUM_ASPECT <= height / width <= MAXIMUM_ASPECT:
                return height / width
    return 1.0
