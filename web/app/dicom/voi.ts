/**
 * From a stored pixel value to a grey on the screen, as one table per look (PS3.3 C.11.1 and C.11.2).
 *
 * The table is indexed by the raw unsigned bits of a pixel, so sign, masking of unused high bits, rescale, window and
 * inversion cost nothing per pixel. Its entries are opaque ABGR, the byte order of ImageData on little-endian machines.
 */

export interface Window {
  readonly center: number;
  readonly width: number;
}

export type VoiFunction = "LINEAR" | "LINEAR_EXACT" | "SIGMOID";

/** How pixel bits are meant (PS3.3 C.7.6.3.1). */
export interface PixelFormat {
  readonly columns: number;
  readonly rows: number;
  readonly samples: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly signed: boolean;
  readonly photometric: string;
}

/** A look-up table of PS3.3 C.11.1.1 or C.11.2.1.1: inputs below `first` take the first entry, above the end the last. */
export interface Lookup {
  readonly first: number;
  readonly bits: number;
  readonly values: Uint16Array;
}

/** Stored value to modality units: a line, or a table. */
export interface Modality {
  readonly slope: number;
  readonly intercept: number;
  readonly lookup: Lookup | null;
}

export interface Look {
  readonly window: Window;
  readonly shape: VoiFunction;
  /** A table in place of the window, when the image carries one and the reader has not changed it. */
  readonly lookup: Lookup | null;
  /** True when low values are bright: MONOCHROME1, or inverted by the reader, not both. */
  readonly inverse: boolean;
}

/** The stored value that the low *bitsStored* bits of *raw* mean. */
export function storedValue(raw: number, format: PixelFormat): number {
  const mask = 2 ** format.bitsStored - 1;
  const value = raw & mask;
  return format.signed && value > mask >> 1 ? value - mask - 1 : value;
}

export function modalityValue(stored: number, modality: Modality): number {
  return modality.lookup === null ? stored * modality.slope + modality.intercept : entry(modality.lookup, stored);
}

/** Brightness 0..1 of a modality value under a window, by the function's formula in PS3.3 C.11.2.1.2 and .3. */
export function brightness(value: number, window: Window, shape: VoiFunction): number {
  const { center } = window;
  if (shape === "SIGMOID") return 1 / (1 + Math.exp((-4 * (value - center)) / window.width));
  // A width below 1 cannot be LINEAR (PS3.3 C.11.2.1.2.1): who writes it has fractional values and means the exact ramp.
  if (shape === "LINEAR_EXACT" || window.width < 1) return clamp((value - center) / window.width + 0.5);
  if (window.width === 1) return value <= center - 0.5 ? 0 : 1;
  return clamp((value - (center - 0.5)) / (window.width - 1) + 0.5);
}

/** The table for every raw pixel of *format*: 256 entries for eight bits, else 65536. */
export function greyTable(format: PixelFormat, modality: Modality, look: Look): Uint32Array<ArrayBuffer> {
  const table = new Uint32Array(format.bitsAllocated <= 8 ? 256 : 65536);
  const top = look.lookup === null ? 1 : 2 ** look.lookup.bits - 1;
  for (let raw = 0; raw < table.length; raw++) {
    const value = modalityValue(storedValue(raw, format), modality);
    const bright = look.lookup === null ? brightness(value, look.window, look.shape) : clamp(entry(look.lookup, value) / top);
    const grey = Math.round((look.inverse ? 1 - bright : bright) * 255);
    table[raw] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  return table;
}

/** The table of a PALETTE COLOR image (PS3.3 C.7.6.3.1.5); red, green and blue share one length. */
export function paletteTable(format: PixelFormat, red: Lookup, green: Lookup, blue: Lookup, inverse: boolean): Uint32Array<ArrayBuffer> {
  const table = new Uint32Array(format.bitsAllocated <= 8 ? 256 : 65536);
  const part = (lookup: Lookup, stored: number): number => {
    const value = entry(lookup, stored) >> (lookup.bits > 8 ? 8 : 0);
    return (inverse ? 255 - value : value) & 0xff;
  };
  for (let raw = 0; raw < table.length; raw++) {
    const stored = storedValue(raw, format);
    table[raw] = 0xff000000 | (part(blue, stored) << 16) | (part(green, stored) << 8) | part(red, stored);
  }
  return table;
}

/** A window over what is really there: the 1st to 99th percentile of the modality values, from a sample of the pixels. */
export function automaticWindow(pixels: Uint8Array | Uint16Array, format: PixelFormat, modality: Modality): Window {
  const step = Math.max(1, Math.floor(pixels.length / 20000));
  const values: number[] = [];
  for (let index = 0; index < pixels.length; index += step) values.push(modalityValue(storedValue(pixels[index], format), modality));
  values.sort((a, b) => a - b);
  const low = values[Math.floor(values.length * 0.01)] ?? 0;
  const high = values[Math.min(values.length - 1, Math.floor(values.length * 0.99))] ?? 1;
  const width = Math.max(1, high - low);
  return { center: low + width / 2, width };
}

function entry(lookup: Lookup, input: number): number {
  const index = Math.round(input) - lookup.first;
  return lookup.values[Math.min(lookup.values.length - 1, Math.max(0, index))];
}

function clamp(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}
