"""One frame of one object, read by its offset: as stored, or ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dicom_node.imaging.decoding import decoded
from dicom_node.imaging.elements import DEFLATED, EXPLICIT_LITTLE, FileSource, Source, open_data_set
from dicom_node.imaging.layout import Layout, Span, read_layout

OCTETS = "application/octet-stream"
#: PS3.18 Table 8.7.3-5: the media type of a compressed frame.
MEDIA_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.8.1": "application/x-deflate",
}


@dataclass(frozen=True)
class Frame:
    """The bytes of one frame and what one must know to draw them; native samples are little endian, without padding.

    *photometric*, *samples* and *bits_allocated* describe *data*, which need not be what the data set says: a ready frame of
    colour is always RGB, interleaved, and packed bits become bytes.
    """

    data: bytes
    media_type: str
    transfer_syntax_uid: str
    photometric: str
    samples: int
    bits_allocated: int
    rows: int
    columns: int
    signed: bool


def stored_frame(path: Path, number: int, layout: Layout) -> Frame:
    """Return frame *number* (from 1) of the file at *path* as it is stored: one read for native pixels.

    Big endian pixels come little endian, and packed bits are shifted to begin on a byte.
    """
    with FileSource(path) as file:
        return read_stored(file, number, layout)


def frame(path: Path, number: int) -> Frame:
    """Return frame *number* (from 1) of the file at *path*, ready to be drawn.

    It decodes where it is called: run it by `Confinement.run`, or use `imaging.Imaging`, unless the file is trusted.
    """
    with FileSource(path) as file:
        layout = read_layout(file)
        source = open_data_set(file)[1]
        return ready(read_stored(source, number, layout), layout)


def ready(stored: Frame, layout: Layout) -> Frame:
    """Return *stored* as pixels to be drawn: grey or palette indices as they are, colour as interleaved RGB of 8 or 16 bits."""
    if is_ready(layout):
        return stored
    pixels, photometric = decoded(stored.data, layout)
    return Frame(
        data=pixels.tobytes(),
        media_type=OCTETS,
        transfer_syntax_uid=EXPLICIT_LITTLE,
        photometric=photometric,
        samples=layout.samples,
        bits_allocated=8 * pixels.dtype.itemsize,
        rows=layout.rows,
        columns=layout.columns,
        signed=layout.signed,
    )


def is_ready(layout: Layout) -> bool:
    """Whether stored frames can be drawn as they are."""
    if not layout.native or layout.bits_allocated == 1:
        return False
    return layout.samples == 1 or (layout.photometric == "RGB" and layout.planar == 0)


def read_stored(source: Source, number: int, layout: Layout) -> Frame:
    """Return frame *number* as stored; *source* is what the offsets of *layout* count in."""
    layout.check(number)
    if layout.native:
        data = _native(source, number, layout)
    else:
        data = b"".join(source.at(span.offset, span.length) for span in layout.fragments[number - 1])
    return Frame(
        data=data,
        media_type=media_type_of(layout),
        transfer_syntax_uid=syntax_of(layout),
        photometric=layout.photometric,
        samples=layout.samples,
        bits_allocated=layout.bits_allocated,
        rows=layout.rows,
        columns=layout.columns,
        signed=layout.signed,
    )


def syntax_of(layout: Layout) -> str:
    """Return the transfer syntax that frames come in as stored: native ones always in little endian."""
    return EXPLICIT_LITTLE if layout.native else layout.transfer_syntax_uid


def media_type_of(layout: Layout) -> str:
    """Return the media type of frames as stored."""
    return OCTETS if layout.native else MEDIA_TYPES.get(layout.transfer_syntax_uid, OCTETS)


def place_of(layout: Layout, number: int) -> Span | None:
    """Return where in the file frame *number* stands just as it is when read as stored; None when it has to be put together."""
    layout.check(number)
    if not layout.native:
        fragments = layout.fragments[number - 1]
        return fragments[0] if len(fragments) == 1 else None
    if layout.big or layout.frame_bits % 8 or layout.transfer_syntax_uid == DEFLATED:
        return None
    length = layout.frame_bits // 8
    return Span(layout.value.offset + (number - 1) * length, length)


def _native(source: Source, number: int, layout: Layout) -> bytes:
    begin = (number - 1) * layout.frame_bits
    end = begin + layout.frame_bits
    first, last = begin // 8, -(-end // 8)
    if not layout.big:
        data = source.at(layout.value.offset + first, last - first)
    else:
        # Big endian OW swaps whole words whatever the sample's size is (PS3.5 section 8.1.1).
        width = max(layout.bits_allocated // 8, 2 if layout.words else 1)
        aligned = first // width * width
        until = min(-(-last // width) * width, layout.value.length // width * width)
        words = np.frombuffer(source.at(layout.value.offset + aligned, until - aligned), f">u{width}")
        data = words.astype(f"<u{width}").tobytes()[first - aligned : last - aligned]
    if begin % 8 or end % 8:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[begin % 8 : begin % 8 + layout.frame_bits]
        data = np.packbits(bits, bitorder="little").tobytes()
    return data
