"""From one frame as stored to pixels anyone can draw. Compressed frames are decoded in a confined worker."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from dicom_node.imaging import codestream
from dicom_node.imaging.elements import EXPLICIT_LITTLE
from dicom_node.imaging.layout import Layout
from telemed.kernel.errors import Invalid

log = logging.getLogger(__name__)

Pixels = npt.NDArray[Any]


def decoded(data: bytes, layout: Layout) -> tuple[Pixels, str]:
    """Return the frame as an array (rows, columns[, 3]) and its photometric interpretation, RGB for every colour.

    *data* is one frame as `frames.stored_frame` gives it: compressed, or native little endian and byte-aligned.
    Unused high bits are cleared, signs are right, palette indices and grey values are left as they are.

    Raises
    ------
    Invalid
        when the frame contradicts its header or the decoder refuses it.
    """
    if layout.native and layout.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return bits[: layout.rows * layout.columns].reshape(layout.rows, layout.columns), layout.photometric
    source: bytes = data
    if not layout.native:
        codestream.check(data, layout)
        source = encapsulate([data], has_bot=False)
    decoder = get_decoder(EXPLICIT_LITTLE if layout.native else layout.transfer_syntax_uid)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a decoder's remark on a stranger's file is not ours to act on
            pixels, properties = decoder.as_array(source, index=0, **_options(layout))
    except (ValueError, AttributeError, RuntimeError, NotImplementedError, IndexError, KeyError) as error:
        log.info("a frame in %s could not be decoded: %s", layout.transfer_syntax_uid, error)
        raise Invalid("the frame's pixels cannot be decoded; the object may be damaged", code="unreadable") from error
    if pixels.dtype.byteorder == ">":
        pixels = pixels.astype(pixels.dtype.newbyteorder("<"))
    return pixels, str(properties["photometric_interpretation"])


def _options(layout: Layout) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "columns": layout.columns,
        "rows": layout.rows,
        "number_of_frames": 1,
        "photometric_interpretation": layout.photometric,
        "pixel_keyword": layout.keyword,
        "pixel_representation": int(layout.signed),
        "samples_per_pixel": layout.samples,
        "pixel_vr": "OW" if layout.bits_allocated > 8 else "OB",
    }
    if layout.samples > 1:
        options["planar_configuration"] = layout.planar
    return options
