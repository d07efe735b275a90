/** One decoded frame in memory, and the painting of it into ImageData. */
import { greyTable, paletteTable, storedValue, modalityValue, type Look, type PixelFormat } from "./voi";
import type { Slice } from "./series";

interface Shown {
  /** What it weighs in memory. */
  readonly bytes: number;
  /** One byte a pixel of the image, not 0 where an overlay lies; null when there is none. */
  readonly graphics?: Uint8Array | null;
}

export type Frame = Shown & (
  /** One sample a pixel: raw bits as they were stored, grey or palette. */
  | { readonly kind: "grey"; readonly pixels: Uint8Array | Uint16Array }
  /** Red, green, blue (and an ignored fourth when stride is 4), as rendered or decoded by the server. */
  | { readonly kind: "color"; readonly pixels: Uint8Array | Uint8ClampedArray; readonly stride: 3 | 4; readonly columns: number; readonly rows: number }
);

/** The pixels arrived but are not what the metadata promised. */
export class FrameBroken extends Error {}

/** Read a frame's raw little-endian bytes. Throws FrameBroken when there are too few. */
export function frameOf(buffer: ArrayBuffer, format: PixelFormat): Frame {
  const count = format.columns * format.rows;
  const size = buffer.byteLength;
  if (format.samples === 3) {
    if (size < count * 3) throw new FrameBroken(`${size} < ${count * 3}`);
    return { kind: "color", pixels: new Uint8Array(buffer, 0, count * 3), stride: 3, columns: format.columns, rows: format.rows, bytes: size };
  }
  if (format.bitsAllocated === 1) return { kind: "grey", pixels: unpacked(new Uint8Array(buffer), count), bytes: count };
  if (format.bitsAllocated === 8) {
    if (size < count) throw new FrameBroken(`${size} < ${count}`);
    return { kind: "grey", pixels: new Uint8Array(buffer, 0, count), bytes: size };
  }
  if (size < count * 2) throw new FrameBroken(`${size} < ${count * 2}`);
  return { kind: "grey", pixels: new Uint16Array(buffer, 0, count), bytes: size };
}

/** The table a grey or palette slice is painted with. */
export function tableFor(slice: Slice, look: Look): Uint32Array<ArrayBuffer> {
  const { palette } = slice;
  if (palette !== null) return paletteTable(slice.format, palette.red, palette.green, palette.blue, look.inverse);
  return greyTable(slice.format, slice.modality, look);
}

/**
 * Paint every *step*-th pixel of every *step*-th row into *target* (one opaque ABGR word a pixel, `reduced` sizes).
 * *table* is ignored for colour; *inverse* for grey, whose table holds it already.
 */
export function paint(frame: Frame, columns: number, rows: number, table: Uint32Array, inverse: boolean, step: number, target: Uint32Array): void {
  const { pixels, graphics } = frame;
  if (frame.kind === "grey" && step === 1) {
    for (let index = 0; index < target.length; index++) target[index] = table[pixels[index]];
    if (graphics) for (let index = 0; index < target.length; index++) if (graphics[index]) target[index] = 0xffffffff;
    return;
  }
  const flip = inverse ? 0x00ffffff : 0;
  const stride = frame.kind === "color" ? frame.stride : 1;
  let at = 0;
  for (let row = 0; row < rows; row += step) {
    for (let column = 0; column < columns; column += step, at++) {
      const place = row * columns + column;
      const from = place * stride;
      target[at] = graphics?.[place] ? 0xffffffff : frame.kind === "grey" ? table[pixels[from]]
        : (0xff000000 | (pixels[from + 2] << 16) | (pixels[from + 1] << 8) | pixels[from]) ^ flip;
    }
  }
}

/** Columns or rows left when only every *step*-th is painted. */
export function reduced(size: number, step: number): number {
  return Math.ceil(size / step);
}

/** The value under a pixel in modality units; for colour the three parts, for what the server rendered null. */
export function valueAt(frame: Frame, slice: Slice, column: number, row: number): number | readonly [number, number, number] | null {
  const index = Math.floor(row) * slice.format.columns + Math.floor(column);
  if (frame.kind === "color") {
    if (frame.columns !== slice.format.columns || frame.rows !== slice.format.rows) return null;
    const from = index * frame.stride;
    return [frame.pixels[from], frame.pixels[from + 1], frame.pixels[from + 2]];
  }
  if (slice.palette !== null || index < 0 || index >= frame.pixels.length) return null;
  return modalityValue(storedValue(frame.pixels[index], slice.format), slice.modality);
}

function unpacked(bytes: Uint8Array, count: number): Uint8Array {
  if (bytes.length >= count) return bytes.subarray(0, count);
  if (bytes.length < Math.ceil(count / 8)) throw new FrameBroken(`${bytes.length} < ${Math.ceil(count / 8)}`);
  return Uint8Array.from({ length: count }, (_, index) => (bytes[index >> 3] >> (index & 7)) & 1);
}
