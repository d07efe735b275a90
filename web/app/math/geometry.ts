/** Lengths, angles and regions on one image. */
import type { ImagePoint } from "./spaces";

/** Millimetres per pixel in both directions; null where the image says nothing trustworthy. */
export interface Spacing {
  readonly column: number;
  readonly row: number;
}

/** The distance in millimetres with *spacing*, in pixels without. */
export function distance(from: ImagePoint, to: ImagePoint, spacing: Spacing | null): number {
  return Math.hypot((to[0] - from[0]) * (spacing?.column ?? 1), (to[1] - from[1]) * (spacing?.row ?? 1));
}

/** The angle at *apex* in degrees, 0 to 180, true to the pixels' shape. */
export function angle(first: ImagePoint, apex: ImagePoint, second: ImagePoint, spacing: Spacing | null): number {
  const [w, h] = [spacing?.column ?? 1, spacing?.row ?? 1];
  const [ax, ay] = [(first[0] - apex[0]) * w, (first[1] - apex[1]) * h];
  const [bx, by] = [(second[0] - apex[0]) * w, (second[1] - apex[1]) * h];
  return (Math.abs(Math.atan2(ax * by - ay * bx, ax * bx + ay * by)) * 180) / Math.PI;
}

export interface Statistics {
  readonly mean: number;
  readonly deviation: number;
  readonly least: number;
  readonly most: number;
  readonly count: number;
  /** In mm² with a spacing, else in pixels. */
  readonly area: number;
}

export type Region = "rectangle" | "ellipse";

/**
 * Figures over the pixels whose centres lie inside the region spanned by two opposite corners; null when there are none.
 * *valueAt* answers in modality units for a whole column and row inside the image.
 */
export function statistics(
  region: Region,
  corner: ImagePoint,
  opposite: ImagePoint,
  size: { readonly columns: number; readonly rows: number },
  spacing: Spacing | null,
  valueAt: (column: number, row: number) => number,
): Statistics | null {
  const [left, right] = [Math.min(corner[0], opposite[0]), Math.max(corner[0], opposite[0])];
  const [top, bottom] = [Math.min(corner[1], opposite[1]), Math.max(corner[1], opposite[1])];
  const [cx, cy, rx, ry] = [(left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2];
  let [count, mean, squares, least, most] = [0, 0, 0, Infinity, -Infinity];
  for (let row = Math.max(0, Math.ceil(top - 0.5)); row + 0.5 <= Math.min(bottom, size.rows); row++) {
    for (let column = Math.max(0, Math.ceil(left - 0.5)); column + 0.5 <= Math.min(right, size.columns); column++) {
      if (region === "ellipse" && ((column + 0.5 - cx) / rx) ** 2 + ((row + 0.5 - cy) / ry) ** 2 > 1) continue;
      const value = valueAt(column, row);
      count++;
      // Welford's running mean: no loss on large offsets.
      const step = value - mean;
      mean += step / count;
      squares += step * (value - mean);
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
  }
  if (count === 0) return null;
  const whole = (right - left) * (bottom - top) * (region === "ellipse" ? Math.PI / 4 : 1);
  return {
    mean, deviation: Math.sqrt(squares / count), least, most, count,
    area: whole * (spacing?.column ?? 1) * (spacing?.row ?? 1),
  };
}

/** A round length (1, 2 or 5 times a power of ten) that is at most *limit*: for scale bars. */
export function roundLength(limit: number): number {
  const power = 10 ** Math.floor(Math.log10(limit));
  return ([5, 2].find((step) => step * power <= limit) ?? 1) * power;
}
