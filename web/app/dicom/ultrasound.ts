/** Ultrasound regions (PS3.3 C.8.5.5): each part of a screen has its own scale. */
import type { Spacing } from "../math/geometry";
import type { ImagePoint } from "../math/spaces";
import { items, number, TAG, type DataSet } from "./attributes";

export interface UltrasoundRegion {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly spacing: Spacing;
}

const TWO_DIMENSIONAL = 1;
const CENTIMETRES = 3;

/** The two-dimensional regions measured in centimetres, with their scale in millimetres. */
export function regionsOf(set: DataSet): UltrasoundRegion[] {
  return items(set, TAG.UltrasoundRegions).flatMap((item) => {
    const edges = [TAG.RegionMinX, TAG.RegionMinY, TAG.RegionMaxX, TAG.RegionMaxY].map((tag) => number(item, tag));
    const [dx, dy] = [number(item, TAG.PhysicalDeltaX), number(item, TAG.PhysicalDeltaY)];
    const metric = number(item, TAG.PhysicalUnitsX) === CENTIMETRES && number(item, TAG.PhysicalUnitsY) === CENTIMETRES;
    if (!metric || number(item, TAG.RegionSpatialFormat) !== TWO_DIMENSIONAL || dx === null || dy === null) return [];
    const [left, top, right, bottom] = edges;
    if (left === null || top === null || right === null || bottom === null || dx === 0 || dy === 0) return [];
    return [{ left, top, right, bottom, spacing: { column: Math.abs(dx) * 10, row: Math.abs(dy) * 10 } }];
  });
}

/** The scale that holds for all *points*: of the one region that contains them, else the image's own. */
export function spacingFor(
  slice: { readonly spacing: Spacing | null; readonly regions: readonly UltrasoundRegion[] },
  points: readonly ImagePoint[],
): Spacing | null {
  const inside = slice.regions.find((region) =>
    points.every(([x, y]) => x >= region.left && x <= region.right + 1 && y >= region.top && y <= region.bottom + 1),
  );
  return inside?.spacing ?? (slice.regions.length > 0 ? null : slice.spacing);
}
