/** Overlay planes (PS3.3 C.9.2): the graphics a modality laid over an image, read from its metadata, drawn white. */
import { number, numbers, type DataSet } from "./attributes";
import { ask, demand } from "./fetching";

/** One plane for one frame; *data* is where its bits are: an address below the site, or base64. */
export interface Plane {
  readonly rows: number;
  readonly columns: number;
  /** Where its upper left pixel lies in the image, from 0; may be negative. */
  readonly down: number;
  readonly right: number;
  /** The plane's first bit in the data. */
  readonly firstBit: number;
  readonly data: { readonly uri: string } | { readonly base64: string };
}

const GROUPS = Array.from({ length: 16 }, (_, index) => (0x6000 + 2 * index).toString(16).toUpperCase());

/** The planes that lie over *frame* (from 1). */
export function planesOf(set: DataSet, frame: number): Plane[] {
  return GROUPS.flatMap((group) => {
    const attribute = set[`${group}3000`];
    const [rows, columns] = [number(set, `${group}0010`), number(set, `${group}0011`)];
    if (attribute === undefined || rows === null || columns === null || rows < 1 || columns < 1) return [];
    const data = attribute.BulkDataURI !== undefined ? { uri: new URL(attribute.BulkDataURI, "http://site").pathname }
      : attribute.InlineBinary !== undefined ? { base64: attribute.InlineBinary } : null;
    // One plane alone is for every frame.
    const count = number(set, `${group}0015`) ?? 1;
    const index = count === 1 ? 0 : frame - (number(set, `${group}0051`) ?? 1);
    if (data === null || index < 0 || index >= count) return [];
    const [top, left] = numbers(set, `${group}0050`);
    return [{ rows, columns, down: (top ?? 1) - 1, right: (left ?? 1) - 1, firstBit: index * rows * columns, data }];
  });
}

const SHARED_MS = 10_000;
const fetched = new Map<string, Promise<Uint8Array>>();

/** The image's pixels that graphics cover, one byte each; null when there are none. Throws FrameUnavailable. */
export async function graphicsOf(planes: readonly Plane[], columns: number, rows: number): Promise<Uint8Array | null> {
  if (planes.length === 0) return null;
  const mask = new Uint8Array(columns * rows);
  for (const plane of planes) lay(plane, await bitsOf(plane), mask, columns, rows);
  return mask;
}

async function bitsOf(plane: Plane): Promise<Uint8Array> {
  if ("base64" in plane.data) return Uint8Array.from(atob(plane.data.base64), (character) => character.charCodeAt(0));
  const { uri } = plane.data;
  let running = fetched.get(uri);
  if (running === undefined) {
    running = load(uri);
    fetched.set(uri, running);
    // A multi-frame's planes share one element, fetched once while its frames are; what failed is asked for again at once.
    running.then(() => setTimeout(() => fetched.delete(uri), SHARED_MS), () => fetched.delete(uri));
  }
  return running;
}

async function load(uri: string): Promise<Uint8Array> {
  const response = await ask(uri, "application/octet-stream");
  await demand(response);
  return new Uint8Array(await response.arrayBuffer());
}

/** Set the pixels of *mask* that *plane* covers; what hangs over the image's edge, or is not there, is left out. */
export function lay(plane: Plane, bits: Uint8Array, mask: Uint8Array, columns: number, rows: number): void {
  for (let row = Math.max(0, -plane.down); row < plane.rows && row + plane.down < rows; row++) {
    for (let column = Math.max(0, -plane.right); column < plane.columns && column + plane.right < columns; column++) {
      const at = plane.firstBit + row * plane.columns + column;
      if ((bits[at >> 3] >> (at & 7)) & 1) mask[(row + plane.down) * columns + column + plane.right] = 1;
    }
  }
}
