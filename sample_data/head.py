"""A head that nobody has: scalp, skull, brain, ventricles and a bleeding, in Hounsfield units, one axial slice at a time.

Coordinates are the patient's in millimetres: x to the left, y to the back, z to the vertex, from a point between the
thalami. Shapes are ellipsoids and bands; the folds of the cortex are the zero lines of smoothed noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Array = NDArray[np.float64]

SIZE = 256
SPACING_MM = 0.9
SLICE_MM = 2.5
#: The centre of each slice, from the skull base to the vertex.
LEVELS = tuple(-52.0 + SLICE_MM * number for number in range(62))

AIR, FAT, SKIN, MUSCLE, FLUID, WHITE, GREY, DURA = -1000.0, -85.0, 15.0, 52.0, 7.0, 26.0, 39.0, 54.0
COMPACT, DIPLOE, CELLS = 1350.0, 620.0, -650.0
BLOOD, OEDEMA = 68.0, 19.0

VERTEX_MM, BASE_MM = 104.0, -60.0
SCALP_MM, SKULL_MM = 5.5, 7.0

#: Where the bleeding lies: the patient's left basal ganglia.
BLEEDING = ((27.0, -2.0, 8.0), (14.0, 22.0, 17.0))


@dataclass(frozen=True)
class Blob:
    """An ellipsoid, mirrored to both sides unless it lies in the middle."""

    centre: tuple[float, float, float]
    axes: tuple[float, float, float]
    value: float


GANGLIA = (
    Blob((14, -18, 9), (5, 11, 11), 38.5),  # caudate
    Blob((24, -2, 3), (8, 18, 11), 38.5),  # lentiform
    Blob((10, 14, 3), (8, 13, 10), 37.5),  # thalamus
)
VENTRICLES = (
    Blob((8, -26, 12), (5, 14, 12), FLUID),  # frontal horns
    Blob((12, 4, 24), (6, 30, 9), FLUID),  # bodies
    Blob((24, 40, 10), (5.5, 17, 8), FLUID),  # occipital horns
    Blob((0, 6, 0), (2.2, 14, 10), FLUID),  # third
    Blob((0, 46, -34), (7, 6, 9), FLUID),  # fourth
)
CALCIFIED = (Blob((0, 29, 3), (2.5, 2.5, 3), 190.0), Blob((22, 36, 9), (1.8, 3, 3), 150.0))


@dataclass(frozen=True)
class Plane:
    """The points of one slice, and how deep each lies under the skin."""

    x: Array
    y: Array
    z: float
    depth: Array


@dataclass(frozen=True)
class Folds:
    """Smooth noise over the whole head, of unit spread; *fine* for folia and air cells."""

    coarse: Array
    fine: Array


def folds(chance: Generator) -> Folds:
    """Return the noise every slice of one head shares, so that folds go on from slice to slice."""
    shape = (len(LEVELS), SIZE, SIZE)
    white = chance.standard_normal(shape)
    coarse = gaussian_filter(white, (1.8, 4.2, 4.2))
    fine = gaussian_filter(white, (0.8, 1.8, 1.8))
    return Folds(coarse / coarse.std(), fine / fine.std())


def axial_slice(number: int, shared: Folds, chance: Generator) -> NDArray[np.int16]:
    """Return slice *number* (from the base) as (rows, columns) in Hounsfield units, with the noise of a scanner."""
    z = LEVELS[number]
    along = (np.arange(SIZE) - (SIZE - 1) / 2) * SPACING_MM
    x, y = np.meshgrid(along, along)
    depth = _depth(x, y, z)
    plane = Plane(x, y, z, depth)
    slope = 1 / max(0.35, _girth(z))
    skull = SKULL_MM * min(2.2, slope)
    inner = depth - SCALP_MM - skull
    hu = np.full(x.shape, AIR)
    hu = _outside(hu, depth, skull, z)
    brain = inner > 0
    hu[brain] = _brain(plane, inner, shared.coarse[number], shared.fine[number])[brain]
    if z < -22:
        hu = _base(hu, plane, shared.fine[number])
    hu = np.where(_headrest(x, y), -350.0, hu)
    noise = gaussian_filter(chance.standard_normal(x.shape), 0.75)
    body = gaussian_filter(hu, 0.62)
    graininess = np.where(depth > -2, 3.2, 0.8)
    hounsfield: NDArray[np.int16] = np.clip(np.round(body + noise / noise.std() * graininess), -1024, 3071).astype(np.int16)
    return hounsfield


def _girth(z: float) -> float:
    """Return how wide the head is at *z*, 1 at its widest."""
    if z >= 0:
        return float(np.sqrt(max(0.0, 1 - (z / VERTEX_MM) ** 2)))
    return 1 - 0.10 * (z / BASE_MM) ** 2


def _depth(x: Array, y: Array, z: float) -> Array:
    """Return how far below the skin each point lies along its ray from the middle, in millimetres; negative outside."""
    girth = _girth(z)
    width, length = 76 * girth, 95 * girth
    egg = width * (1 + 0.07 * np.clip(y / length, -1, 1))
    radius = np.hypot(x, y) + 1e-6
    edge = radius / np.sqrt((x / egg) ** 2 + (y / length) ** 2 + 1e-12)
    nose = 16 * np.exp(-((x / 9) ** 2)) * (y < 0) if z < -34 else 0.0
    return np.asarray(edge + nose - radius)


def _outside(hu: Array, depth: Array, skull: float, z: float) -> Array:
    """Draw scalp and skull: skin, fat or muscle, two tables with the diploe between them."""
    soft = MUSCLE if z < -15 else FAT
    layers = ((0.0, SKIN), (1.8, soft), (SCALP_MM - 0.8, SKIN), (SCALP_MM, COMPACT))
    for begin, value in layers:
        hu = np.where(depth >= begin, value, hu)
    table = max(1.6, 0.24 * skull)
    within = (depth >= SCALP_MM + table) & (depth < SCALP_MM + skull - table)
    return np.where(within, DIPLOE, hu)


def _brain(plane: Plane, inner: Array, coarse: Array, fine: Array) -> Array:
    """Draw everything within the skull; the bleeding pushes it to the other side."""
    (bx, by, bz), _ = BLEEDING
    x, y, z = plane.x, plane.y, plane.z
    push = 6.0 * np.exp(-(((x - bx + 14) / 34) ** 2) - ((y - by) / 46) ** 2 - ((z - bz) / 30) ** 2)
    x = x + push
    rim = np.clip(19 - 0.08 * max(z, 0.0), 8, 19)
    hu = np.full(x.shape, WHITE)
    cortex = (inner < 4.2) | ((np.abs(coarse) < 0.60) & (inner < rim))
    hu[cortex] = GREY
    fissure = (np.abs(coarse) < 0.15) & (inner < rim - 1)
    hu[fissure] = FLUID + 6
    hu[inner < 1.6] = FLUID + 5
    if z < -16:
        hu = _posterior_fossa(hu, Plane(x, y, z, inner), fine)
    for blob in GANGLIA:
        hu = _put(hu, blob, x, y, z)
    sylvian = (np.abs(np.abs(x) - 42 - 0.25 * (y + 12)) < 2.0) & (np.abs(y + 8) < 18) & (-14 < z < 14)
    hu[sylvian] = FLUID + 4
    between = (np.abs(x) < 2.4) & ((y < -42) | (y > 44) | (z > 40)) & (z > -6)
    hu[between] = FLUID + 4
    hu[(np.abs(x) < 0.9) & ((y < -40) | (y > 42) | (z > 38)) & (z > -6)] = DURA
    for blob in (*VENTRICLES, *CALCIFIED):
        hu = _put(hu, blob, x, y, z)
    return _bleeding(hu, x - push, y, z, coarse)


def _put(hu: Array, blob: Blob, x: Array, y: Array, z: float) -> Array:
    (cx, cy, cz), (ax, ay, az) = blob.centre, blob.axes
    inside = ((np.abs(x) - cx) / ax) ** 2 + ((y - cy) / ay) ** 2 + ((z - cz) / az) ** 2 < 1
    return np.where(inside, blob.value, hu)


def _posterior_fossa(hu: Array, plane: Plane, fine: Array) -> Array:
    """Draw the cerebellum with its folia, the brain stem, and the cisterns around it; depth is that under the skull."""
    x, y, z, inner = plane.x, plane.y, plane.z, plane.depth
    cerebellum = (y > 18 + 0.25 * np.abs(x)) & (np.abs(x) < 56) & (inner > 2)
    hu = np.where(cerebellum, np.where(np.abs(fine) < 0.22, 27.0, 36.5), hu)
    stem = np.hypot(x / 14, (y - 20) / 12)
    hu = np.where(stem < 1.35, FLUID + 3, hu)
    hu = np.where(stem < 1.0, 33.0, hu)
    star = (np.abs(np.abs(x) - 0.9 * (6 - y)) < 3.0) & (y > -14) & (y < 8) & (z > -34)
    return np.where(star, FLUID + 3, hu)


def _bleeding(hu: Array, x: Array, y: Array, z: float, coarse: Array) -> Array:
    (bx, by, bz), (ax, ay, az) = BLEEDING
    reach = np.sqrt(((x - bx) / ax) ** 2 + ((y - by) / ay) ** 2 + ((z - bz) / az) ** 2) + 0.10 * coarse
    hu = np.where((reach < 1.42) & (hu > FLUID + 8), OEDEMA + 0.4 * (hu - WHITE), hu)
    return np.where(reach < 1.0, BLOOD - 6 * np.clip(reach, 0, 1) ** 4, hu)


def _base(hu: Array, plane: Plane, fine: Array) -> Array:
    """Draw the skull base: petrous bones with air cells, orbits with their globes, sinuses."""
    x, y, z, depth = plane.x, plane.y, plane.z, plane.depth
    inside = depth > SCALP_MM
    across = np.abs(x)
    ridge = np.abs(y - (4 + 0.42 * across)) < (5 + 0.12 * across) * min(1.0, (-22 - z) / 8)
    petrous = ridge & (across > 12) & inside & (z < -24)
    hu = np.where(petrous, 950.0, hu)
    mastoid = (np.hypot(across - 58, (y - 30) / 1.2) < 11) & inside
    hu = np.where(mastoid, np.where(fine > 0, CELLS, 700.0), hu)
    wings = (np.abs(y + 24 + 0.45 * across) < 3.2) & (across > 10) & (z < -26) & inside
    hu = np.where(wings, 800.0, hu)
    if z < -30:
        orbit = np.hypot((across - 31) / 18, (y + 50) / 25) < 1
        wall = np.hypot((across - 31) / 20.5, (y + 50) / 26.5) < 1
        hu = np.where(wall & inside & ~orbit, 650.0, hu)
        hu = np.where(orbit & (depth > 2), FAT, hu)
        hu = np.where(orbit & (np.abs(across - 31 - 0.30 * (y + 52)) < 2.0) & (y > -54), 34.0, hu)
        swell = np.sqrt(np.clip(1 - ((z + 42) / 13.5) ** 2, 0, 1)) * 12.5
        eye = np.hypot(across - 31, y + 64)
        hu = np.where(eye < swell, 14.0, hu)
        hu = np.where((eye < swell) & (eye > swell - 1.5), 45.0, hu)
        hu = np.where((np.hypot((across - 31) / 4.5, (y + 72) / 2.2) < 1) & (swell > 9), 75.0, hu)
        ethmoid = (across < 10) & (y > -78) & (y < -34)
        septa = (np.abs(np.sin(y / 3.4)) < 0.22) | (across < 0.9)
        hu = np.where(ethmoid & inside, np.where(septa, 250.0, -900.0), hu)
        sphenoid = np.hypot(across / 13, (y + 22) / 11) < 1
        hu = np.where(sphenoid, np.where(across < 0.9, 300.0, -920.0), hu)
    sinus = (np.hypot((across - 9) / 9, (y + 81) / 4.5) < 1) & (z < -24)
    return np.where(sinus & inside, -930.0, hu)


def _headrest(x: Array, y: Array) -> NDArray[np.bool_]:
    """Return where the carbon shell is that the head rests in."""
    radius = np.hypot(x, y - 2)
    return np.asarray((np.abs(radius - 108) < 1.3) & (y > 45))
