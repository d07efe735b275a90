"""Small real objects, from pydicom's own CT: every keyword may be set, names as bytes too."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import pydicom
from pydicom.data import get_testdata_file


@cache
def _ct() -> bytes:
    with open(get_testdata_file("CT_small.dcm", download=False), "rb") as file:  # noqa: PTH123 - pydicom gives a text
        image = pydicom.dcmread(file)
    image.Rows = image.Columns = 8
    image.PixelData = bytes(128)
    del image.DataSetTrailingPadding
    buffer = io.BytesIO()
    image.save_as(buffer)
    return buffer.getvalue()


def an_image(**attributes: Any) -> bytes:
    """A Part 10 file. A value of bytes stands in the file as it is, whatever the character set says."""
    image = pydicom.dcmread(io.BytesIO(_ct()))
    stand_ins: dict[bytes, bytes] = {}
    for number, (keyword, value) in enumerate(attributes.items()):
        if isinstance(value, bytes):
            raw = value + b" " * (len(value) % 2)
            stand_ins[f"@{number:@<{len(raw) - 1}}".encode()] = raw
            setattr(image, keyword, f"@{number:@<{len(raw) - 1}}")
        else:
            setattr(image, keyword, value)
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    buffer = io.BytesIO()
    image.save_as(buffer)
    data = buffer.getvalue()
    for stand_in, raw in stand_ins.items():
        assert data.count(stand_in) == 1
        data = data.replace(stand_in, raw)
    return data
