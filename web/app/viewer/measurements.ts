/** What a reader draws on images, with undo. Values are frozen; the history is a list of whole sets. */
import { angle, distance, statistics, type Spacing, type Statistics } from "../math/geometry";
import type { ImagePoint } from "../math/spaces";
import { valueAt, type Frame } from "../dicom/frame";
import type { Slice } from "../dicom/series";
import { spacingFor } from "../dicom/ultrasound";

export type MeasureKind = "length" | "angle" | "rectangle" | "ellipse" | "probe";

export interface Measurement {
  readonly id: number;
  readonly kind: MeasureKind;
  readonly sopInstanceUid: string;
  readonly frame: number;
  readonly points: readonly ImagePoint[];
}

/** How many points each kind has when it is finished. */
export const POINTS: Readonly<Record<MeasureKind, number>> = { length: 2, angle: 3, rectangle: 2, ellipse: 2, probe: 1 };

/** All measurements of one viewport, every step of which can be taken back. */
export class History {
  #past: (readonly Measurement[])[] = [];
  #future: (readonly Measurement[])[] = [];
  #now: readonly Measurement[] = [];
  #next = 1;

  get all(): readonly Measurement[] {
    return this.#now;
  }

  on(slice: Slice): readonly Measurement[] {
    return this.#now.filter((one) => one.sopInstanceUid === slice.sopInstanceUid && one.frame === slice.frame);
  }

  add(kind: MeasureKind, slice: Slice, points: readonly ImagePoint[]): void {
    this.#become([...this.#now, { id: this.#next++, kind, sopInstanceUid: slice.sopInstanceUid, frame: slice.frame, points }]);
  }

  /** Replace one measurement's points, as one step of the history. */
  move(id: number, points: readonly ImagePoint[]): void {
    this.#become(this.#now.map((one) => (one.id === id ? { ...one, points } : one)));
  }

  remove(id: number): void {
    this.#become(this.#now.filter((one) => one.id !== id));
  }

  clear(): void {
    if (this.#now.length > 0) this.#become([]);
  }

  undo(): boolean {
    const before = this.#past.pop();
    if (before === undefined) return false;
    this.#future.push(this.#now);
    this.#now = before;
    return true;
  }

  redo(): boolean {
    const after = this.#future.pop();
    if (after === undefined) return false;
    this.#past.push(this.#now);
    this.#now = after;
    return true;
  }

  #become(next: readonly Measurement[]): void {
    this.#past.push(this.#now);
    this.#future = [];
    this.#now = next;
  }
}

/** The lines to write beside a measurement. *frame* may be missing while it loads: then only its geometry is told. */
export function captionOf(kind: MeasureKind, points: readonly ImagePoint[], slice: Slice, frame: Frame | undefined): string[] {
  const spacing = spacingFor(slice, points);
  switch (kind) {
    case "length":
      return [points.length < 2 ? "" : lengthText(distance(points[0], points[1], spacing), spacing, slice)];
    case "angle": {
      // Angles need the pixels' shape only, so a region's or the image's own aspect is enough.
      const shape = spacing ?? { column: 1, row: slice.aspect };
      return points.length < 3 ? [] : [`${angle(points[0], points[1], points[2], shape).toFixed(1)}°`];
    }
    case "probe":
      return frame === undefined ? [] : [valueText(frame, slice, points[0])];
    case "rectangle":
    case "ellipse": {
      if (points.length < 2) return [];
      const found = frame === undefined ? null : regionOf(kind, points, slice, frame, spacing);
      return found === null ? [] : regionText(found, slice.unit, spacing);
    }
  }
}

/** The value under a point with its unit; "" outside the image. */
export function valueText(frame: Frame, slice: Slice, at: ImagePoint): string {
  if (at[0] < 0 || at[1] < 0 || at[0] >= slice.format.columns || at[1] >= slice.format.rows) return "";
  const value = valueAt(frame, slice, at[0], at[1]);
  if (value === null) return "";
  if (typeof value !== "number") return `R${value[0]} G${value[1]} B${value[2]}`;
  return `${Number.isInteger(value) ? value : value.toFixed(2)}${slice.unit === "" ? "" : ` ${slice.unit}`}`;
}

function lengthText(length: number, spacing: Spacing | null, slice: Slice): string {
  if (spacing === null) return `${length.toFixed(1)} px`;
  // At the detector everything is larger than in the patient: the sign keeps the figure from being taken for anatomy.
  return `${slice.spacingOrigin === "detector" ? "≈ " : ""}${length.toFixed(1)} mm`;
}

function regionOf(kind: "rectangle" | "ellipse", points: readonly ImagePoint[], slice: Slice, frame: Frame, spacing: Spacing | null): Statistics | null {
  if (frame.kind === "color" || slice.palette !== null) return null;
  return statistics(kind, points[0], points[1], slice.format, spacing, (column, row) => valueAt(frame, slice, column, row) as number);
}

function regionText(found: Statistics, unit: string, spacing: Spacing | null): string[] {
  const tail = unit === "" ? "" : ` ${unit}`;
  return [
    `${found.mean.toFixed(1)} ± ${found.deviation.toFixed(1)}${tail}`,
    `${round(found.least)} … ${round(found.most)}${tail}`,
    spacing === null ? `${found.count} px` : `${found.area.toFixed(1)} mm²`,
  ];
}

function round(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}
