"""The phantoms as DICOM: a CT series in JPEG-LS, a plate in JPEG-LS, a colour cine in baseline JPEG."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    UltrasoundMultiFrameImageStorage,
)

from sample_data import chest, head, heart
from sample_data.tags import MORNING, PEOPLE, Examination, image_of, uid

#: The stored value of 0 HU: air (-1000) still lies above 0.
INTERCEPT = -1024
JPEG_QUALITY = 70

CT = Examination("ct-head", PEOPLE["jia"], "CT", "头颅CT平扫 Head CT", MORNING, "突发头痛、右侧肢体无力2小时")
CR = Examination("cr-chest", PEOPLE["yi"], "CR", "胸部正位 Chest PA", MORNING + timedelta(minutes=12), "咳嗽两周")
US = Examination("us-heart", PEOPLE["bing"], "US", "心脏彩超 Echocardiography", MORNING + timedelta(minutes=25), "活动后气促")


def ct_series() -> Iterator[Dataset]:
    """Yield the head from the base to the vertex: 12 bits in 16, axial, contiguous."""
    chance = np.random.default_rng(20260302)
    shared = head.folds(chance)
    half = (head.SIZE - 1) / 2 * head.SPACING_MM
    for number, level in enumerate(head.LEVELS, 1):
        image = image_of(CT, CTImageStorage, number=number, series_description="脑 Brain 2.5 mm")
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.BodyPartExamined, image.PatientPosition = "HEAD", "HFS"
        image.FrameOfReferenceUID, image.PositionReferenceIndicator = uid(CT.key, "frame"), ""
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [-half, -half, level]
        image.SliceLocation, image.SliceThickness = level, head.SLICE_MM
        image.SpacingBetweenSlices = head.SLICE_MM
        image.PixelSpacing = [head.SPACING_MM, head.SPACING_MM]
        image.KVP, image.XRayTubeCurrent, image.ConvolutionKernel = 120, 250, "SYNTHETIC"
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, INTERCEPT, "HU"
        image.WindowCenter, image.WindowWidth = [40, 600], [80, 2800]
        image.WindowCenterWidthExplanation = ["脑 Brain", "骨 Bone"]
        pixels = (head.axial_slice(number - 1, shared, chance).astype(np.int32) - INTERCEPT).astype(np.uint16)
        yield _grey(image, pixels)


def cr_plate() -> Dataset:
    """Return the chest: 12 bits in 16, MONOCHROME2."""
    image = image_of(CR, ComputedRadiographyImageStorage, number=1, series_description="胸部正位 Chest PA")
    image.ImageType = ["ORIGINAL", "PRIMARY"]
    image.BodyPartExamined, image.ViewPosition, image.PatientOrientation = "CHEST", "PA", ["L", "F"]
    image.ImagerPixelSpacing = image.PixelSpacing = [chest.SPACING_MM, chest.SPACING_MM]
    image.CassetteOrientation, image.PlateID = "PORTRAIT", "DEMO"
    image.WindowCenter, image.WindowWidth = 2050, 3500
    image.WindowCenterWidthExplanation = "胸部 Chest"
    return _grey(image, chest.plate(np.random.default_rng(20260303)))


def us_cine() -> Dataset:
    """Return the beating heart: 36 colour frames, 25 in a second, YBR_FULL_422."""
    image = image_of(
        US, UltrasoundMultiFrameImageStorage, number=1, series_description="心尖四腔 Apical four chamber, colour flow"
    )
    image.ImageType = ["ORIGINAL", "PRIMARY", "", "0001"]
    image.Rows, image.Columns, image.NumberOfFrames = heart.ROWS, heart.COLUMNS, heart.FRAMES
    image.SamplesPerPixel, image.PlanarConfiguration = 3, 0
    image.PhotometricInterpretation = "YBR_FULL_422"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 8, 8, 7, 0
    image.FrameTime, image.FrameIncrementPointer = heart.FRAME_MS, 0x00181063
    image.CineRate = image.RecommendedDisplayFrameRate = round(1000 / heart.FRAME_MS)
    image.UltrasoundColorDataPresent = 1
    image.LossyImageCompression = "01"
    image.LossyImageCompressionMethod = "ISO_10918_1"
    image.SequenceOfUltrasoundRegions = [_region()]
    frames = [_jpeg(frame) for frame in heart.cine(np.random.default_rng(20260304))]
    raw = heart.ROWS * heart.COLUMNS * 3 * len(frames)
    image.LossyImageCompressionRatio = round(raw / sum(map(len, frames)), 1)
    image.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    image.PixelData = encapsulate(frames)
    image["PixelData"].VR = "OB"
    return image


def _grey(image: Dataset, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> Dataset:
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelData = pixels.astype("<u2").tobytes()
    image["PixelData"].VR = "OW"
    image.compress(JPEGLSLossless, generate_instance_uid=False)
    return image


def _region() -> Dataset:
    """Return the sector, calibrated, so that a length can be measured in it (PS3.3 C.8.5.5)."""
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 28, int(heart.APEX[1])
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = heart.COLUMNS - 28, heart.ROWS - 40
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = heart.MM_PER_PIXEL / 10
    return region


def _jpeg(frame: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    kept = io.BytesIO()
    Image.fromarray(frame).save(kept, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:2", optimize=True)
    return kept.getvalue()
