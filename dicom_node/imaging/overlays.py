"""Overlay planes (PS3.3 C.9.2): the graphics an object carries beside its pixels or, as was once done, in their unused bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from dicom_node.imaging.decoding import decoded
from dicom_node.imaging.frames import Frame
from dicom_node.imaging.layout import Layout

Mask = npt.NDArray[np.bool_]

GROUPS = range(0x6000, 0x6020, 2)
_ROWS, _COLUMNS, _FRAMES, _ORIGIN, _FIRST_FRAME = 0x0010, 0x0011, 0x0015, 0x0050, 0x0051
_BITS_ALLOCATED, _BIT_POSITION, _DATA = 0x0100, 0x0102, 0x3000
TAGS = tuple(
    group << 16 | element
    for group in GROUPS
    for element in (_ROWS, _COLUMNS, _FRAMES, _ORIGIN, _FIRST_FRAME, _BITS_ALLOCATED, _BIT_POSITION, _DATA)
)


def mask_of(data_set: Dataset, number: int, stored: Frame, layout: Layout) -> Mask | None:
    """Return where graphics lie on frame *number* (rows, columns), all planes together; None when there are none."""
    planes = [plane for group in GROUPS for plane in _planes(data_set, group << 16, number, stored, layout)]
    return np.logical_or.reduce(planes) if planes else None


def _planes(data_set: Dataset, group: int, number: int, stored: Frame, layout: Layout) -> Iterator[Mask]:
    position = _number(data_set, group | _BIT_POSITION, 0)
    if group | _DATA not in data_set:
        embedded = group | _BITS_ALLOCATED in data_set and layout.samples == 1
        if embedded and layout.bits_stored <= position < layout.bits_allocated:
            cells, _ = decoded(stored.data, replace(layout, bits_stored=layout.bits_allocated, signed=False))
            yield ((cells >> position) & 1).astype(bool)
        return
    rows, columns = _number(data_set, group | _ROWS, 0), _number(data_set, group | _COLUMNS, 0)
    frame = number - _number(data_set, group | _FIRST_FRAME, 1)
    data = data_set[group | _DATA].value
    if _number(data_set, group | _FRAMES, 1) == 1:
        frame = 0  # one plane is for every frame
    if not isinstance(data, bytes) or frame < 0 or rows <= 0 or columns <= 0 or (frame + 1) * rows * columns > 8 * len(data):
        return
    if data_set.original_encoding[1] is False and data_set[group | _DATA].VR != "OB":
        data = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype("<u2").tobytes()
    first = frame * rows * columns
    bits = np.unpackbits(np.frombuffer(data, np.uint8)[first // 8 : -(-(first + rows * columns) // 8)], bitorder="little")
    plane = bits[first % 8 :][: rows * columns].reshape(rows, columns).astype(bool)
    yield _placed(plane, _number(data_set, group | _ORIGIN, 1, 0) - 1, _number(data_set, group | _ORIGIN, 1, 1) - 1, layout)


def _placed(plane: Mask, down: int, right: int, layout: Layout) -> Mask:
    """Lay *plane*'s upper left corner *down* rows and *right* columns from the image's; what hangs over is cut off."""
    mask = np.zeros((layout.rows, layout.columns), bool)
    height = min(plane.shape[0] + down, layout.rows) - max(down, 0)
    width = min(plane.shape[1] + right, layout.columns) - max(right, 0)
    if height > 0 and width > 0:
        top, left = max(-down, 0), max(-right, 0)
        mask[max(down, 0) :, max(right, 0) :][:height, :width] = plane[top : top + height, left : left + width]
    return mask


def _number(data_set: Dataset, tag: int, default: int, index: int = 0) -> int:
    """Return a value of an element, *default* when it is missing or no number."""
    value: Any = data_set[tag].value if tag in data_set else None
    try:
        return int(value[index] if isinstance(value, MultiValue | list) else value)
    except (TypeError, ValueError, IndexError):
        return default
