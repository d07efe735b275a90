"""How other people's software shows a frame: dcmtk's dcmj2pnm and dcml2pnm, and pydicom's functions."""

from __future__ import annotations

import io
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.multival import MultiValue
from pydicom.pixels import pixel_array
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian

JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_MEMORY = 3 << 30


class NotShown(Exception):
    """The peer cannot show this frame; its text says why, in the peer's words."""


def by_dcmtk(path: Path, number: int, options: list[str], syntax: str = "") -> np.ndarray:
    """Return frame *number* as dcmtk draws it, its overlays white."""
    program = "/usr/bin/dcml2pnm" if syntax in JPEG_LS else "/usr/bin/dcmj2pnm"
    command = ["prlimit", f"--as={_MEMORY}", program, "+op", "+F", str(number), "+Omr", *options, str(path)]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        raise NotShown("it took longer than a minute") from None
    if ended.returncode or not ended.stdout:
        raise NotShown((ended.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1])
    return np.asarray(Image.open(io.BytesIO(ended.stdout))).astype(int)


def by_dcmtk_over_pydicom(path: Path, number: int, options: list[str], folder: Path) -> np.ndarray:
    """Have pydicom decode the frame and dcmtk draw it: for what dcmtk does not decode, or knows no functional groups of."""
    data_set, pixels = _read(path, number)
    if pixels.dtype.kind == "f":
        raise NotShown("it knows no pixels of floating point")
    flat = _flattened(data_set, number)
    flat.PixelData = pixels.tobytes()
    flat["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    flat.NumberOfFrames, flat.PixelRepresentation = 1, int(pixels.dtype.kind == "i")
    flat.BitsAllocated = 8 * pixels.dtype.itemsize
    flat.BitsStored = min(data_set.BitsStored, flat.BitsAllocated)
    flat.HighBit = flat.BitsStored - 1
    if pixels.ndim == 3:
        flat.PlanarConfiguration, flat.PhotometricInterpretation = 0, "RGB"
    flat.file_meta = pydicom.dataset.FileMetaDataset()
    flat.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    try:
        flat.save_as(written := folder / f"{abs(hash((path, number)))}.dcm", enforce_file_format=False)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise NotShown(f"pydicom does not write it: {error}") from error
    return by_dcmtk(written, 1, options)


def by_pydicom(path: Path, number: int) -> np.ndarray:
    """Return the frame through pydicom's modality and VOI functions; without a window, the whole range of its values."""
    data_set, pixels = _read(path, number)
    flat = _flattened(data_set, number)
    if flat.PhotometricInterpretation == "PALETTE COLOR":
        return apply_color_lut(pixels, flat) >> 8
    if pixels.ndim == 3:
        return pixels >> max(0, int(flat.BitsStored) - 8)
    values = apply_modality_lut(pixels, flat).astype(float)
    if "VOILUTSequence" in flat:
        shown = apply_voi_lut(values.astype(int), flat) / (2.0 ** int(flat.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    elif flat.get("WindowWidth"):
        shown = _windowed(values, flat)
    else:
        shown = (values - values.min()) / max(values.max() - values.min(), 1e-12)
    inverse = flat.PhotometricInterpretation == "MONOCHROME1"
    return np.rint((1 - shown if inverse else shown) * 255).astype(int)


def _windowed(values: np.ndarray, flat: pydicom.Dataset) -> np.ndarray:
    """Apply the first window by the words of PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    centre, width = (float(_first(flat[keyword].value)) for keyword in ("WindowCenter", "WindowWidth"))
    function = flat.get("VOILUTFunction", "LINEAR") or "LINEAR"
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - centre) / width))
    if function == "LINEAR" and width >= 1:
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return (values > centre).astype(float)
    return np.clip((values - centre) / width + 0.5, 0, 1)


def _first(value: object) -> object:
    return value[0] if isinstance(value, MultiValue) else value


def _read(path: Path, number: int) -> tuple[pydicom.Dataset, np.ndarray]:
    """Return the data set and frame *number*, colour as RGB."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data_set = pydicom.dcmread(path)
            data_set.PixelRepresentation = data_set.get("PixelRepresentation") or 0
            return data_set, pixel_array(data_set, index=number - 1, raw=False)
        except Exception as error:
            raise NotShown(f"pydicom does not decode it: {str(error).splitlines()[0][:90]}") from error


def _flattened(data_set: pydicom.Dataset, number: int) -> pydicom.Dataset:
    """Return a copy without pixels whose attributes are those of the frame's functional groups."""
    flat = pydicom.Dataset({element.tag: element for element in data_set if element.tag.group not in (0x0002, 0x7FE0)})
    groups = [*data_set.get("SharedFunctionalGroupsSequence", [])[:1]]
    groups += data_set.get("PerFrameFunctionalGroupsSequence", [])[number - 1 : number]
    for group in groups:
        for keyword in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in group.get(keyword) or []:
                flat.update(item)
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        if keyword in flat:
            del flat[keyword]
    return flat
