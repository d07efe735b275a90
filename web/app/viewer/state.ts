/**
 * What one reader sees, as plain JSON that means the same on every screen.
 *
 * Positions are image pixels (column, row), the zoom is relative to "the whole image fits", the window is in the image's
 * own units: two people with different monitors who hold the same state look at the same pixels. Durable (ViewerState)
 * and volatile (ViewerPointer) are separate kinds, so that a lost pointer never loses a scroll.
 */

/** Window centre and width in modality units (Hounsfield for CT), after rescale. */
export interface WindowState {
  readonly center: number;
  readonly width: number;
}

/** Everything needed to show the same image the same way elsewhere. `frame` counts from 1, as DICOM does. */
export interface ViewerState {
  readonly study_instance_uid: string;
  readonly series_instance_uid: string;
  readonly sop_instance_uid: string;
  readonly frame: number;
  /** null: the image has no window (colour) or the viewer shall choose its default. */
  readonly window: WindowState | null;
  /** 1 = the whole image just fits. */
  readonly zoom: number;
  /** The image position [column, row] at the centre of the view; pixel centres are at .5. */
  readonly center: readonly [number, number];
  /** Clockwise turn in degrees: 0, 90, 180 or 270, applied after the flip. */
  readonly rotation: number;
  readonly flip: boolean;
  readonly invert: boolean;
}

/** Where somebody points: an image position, or null when the pointer left the image. */
export interface ViewerPointer {
  readonly sop_instance_uid: string;
  readonly frame: number;
  readonly at: readonly [number, number] | null;
}

/** Another person's pointer, to be drawn with a name and a colour when the same frame is shown. */
export interface RemotePointer extends ViewerPointer {
  readonly id: string;
  readonly name: string;
  readonly color: string;
}

const UID = /^[0-9.]{1,64}$/;

/** Read a state that came from outside; null when it is not one. Never throws, never keeps unknown members. */
export function readViewerState(value: unknown): ViewerState | null {
  if (!isRecord(value)) return null;
  const { study_instance_uid, series_instance_uid, sop_instance_uid, frame, zoom, center, rotation, flip, invert } = value;
  if (!isUid(study_instance_uid) || !isUid(series_instance_uid) || !isUid(sop_instance_uid)) return null;
  if (!isBetween(frame, 1, 1e6) || !isBetween(zoom, 0.01, 1000) || !isPosition(center)) return null;
  if (rotation !== 0 && rotation !== 90 && rotation !== 180 && rotation !== 270) return null;
  if (typeof flip !== "boolean" || typeof invert !== "boolean") return null;
  const shown = readWindow(value["window"]);
  if (shown === undefined) return null;
  return {
    study_instance_uid, series_instance_uid, sop_instance_uid, frame: Math.floor(frame), window: shown, zoom,
    center: [center[0], center[1]], rotation, flip, invert,
  };
}

/** Read a pointer that came from outside; null when it is not one. */
export function readViewerPointer(value: unknown): ViewerPointer | null {
  if (!isRecord(value) || !isUid(value["sop_instance_uid"]) || !isBetween(value["frame"], 1, 1e6)) return null;
  const at = value["at"];
  if (at !== null && !isPosition(at)) return null;
  return { sop_instance_uid: value["sop_instance_uid"], frame: Math.floor(value["frame"]), at: at && [at[0], at[1]] };
}

/** Whether two states show the same thing, to within what an eye could tell. */
export function sameView(a: ViewerState, b: ViewerState): boolean {
  return a.sop_instance_uid === b.sop_instance_uid && a.frame === b.frame && a.series_instance_uid === b.series_instance_uid &&
    a.rotation === b.rotation && a.flip === b.flip && a.invert === b.invert &&
    close(a.zoom, b.zoom) && close(a.center[0], b.center[0]) && close(a.center[1], b.center[1]) &&
    (a.window === null || b.window === null ? a.window === b.window
      : close(a.window.center, b.window.center) && close(a.window.width, b.window.width));
}

function close(a: number, b: number): boolean {
  return Math.abs(a - b) < 1e-3;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isUid(value: unknown): value is string {
  return typeof value === "string" && UID.test(value);
}

function isBetween(value: unknown, low: number, high: number): value is number {
  return typeof value === "number" && value >= low && value <= high;
}

function isPosition(value: unknown): value is readonly [number, number] {
  return Array.isArray(value) && value.length === 2 && isBetween(value[0], -1e6, 1e6) && isBetween(value[1], -1e6, 1e6);
}

function readWindow(value: unknown): WindowState | null | undefined {
  if (value === null) return null;
  if (!isRecord(value) || !isBetween(value["center"], -1e7, 1e7) || !isBetween(value["width"], 1e-6, 1e7)) return undefined;
  return { center: value["center"], width: value["width"] };
}
