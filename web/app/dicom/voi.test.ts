import { describe, expect, it } from "vitest";
import { automaticWindow, brightness, greyTable, paletteTable, storedValue, type Look, type Modality, type PixelFormat } from "./voi";

const CT: PixelFormat = {
  columns: 2, rows: 2, samples: 1, bitsAllocated: 16, bitsStored: 12, signed: true, photometric: "MONOCHROME2",
};
const LINE: Modality = { slope: 1, intercept: -1024, lookup: null };
const LOOK: Look = { window: { center: 40, width: 400 }, shape: "LINEAR", lookup: null, inverse: false };
const grey = (table: Uint32Array, raw: number): number => table[raw] & 0xff;

describe("voi", () => {
  it("reads the sign from the stored bits and ignores the bits above them", () => {
    expect(storedValue(0x0fff, CT)).toBe(-1);
    expect(storedValue(0xf7ff, CT)).toBe(2047);
    expect(storedValue(0x0fff, { ...CT, signed: false })).toBe(4095);
    expect(storedValue(0xffff, { ...CT, bitsStored: 16 })).toBe(-1);
  });

  it("follows the standard's LINEAR formula at its edges", () => {
    const window = { center: 2048, width: 4096 };
    expect(brightness(0, window, "LINEAR")).toBe(0);
    expect(brightness(4095, window, "LINEAR")).toBe(1);
    expect(brightness(0, { center: 0.5, width: 1 }, "LINEAR")).toBe(0);
    expect(brightness(1, { center: 0.5, width: 1 }, "LINEAR")).toBe(1);
    expect(brightness(0.1, { center: 0.1, width: 0.2 }, "LINEAR")).toBe(0.5);
    expect(brightness(50, { center: 50, width: 10 }, "LINEAR_EXACT")).toBe(0.5);
    expect(brightness(50, { center: 50, width: 10 }, "SIGMOID")).toBe(0.5);
  });

  it("paints air black and bone white in a soft tissue window", () => {
    const table = greyTable({ ...CT, signed: false }, LINE, LOOK);
    expect(grey(table, 0)).toBe(0);
    expect(grey(table, 1024 + 1000)).toBe(255);
    expect(Math.abs(grey(table, 1024 + 40) - 128)).toBeLessThanOrEqual(1);
    expect(table[0] >>> 24).toBe(255);
  });

  it("inverts exactly", () => {
    const plain = greyTable(CT, LINE, LOOK);
    const inverse = greyTable(CT, LINE, { ...LOOK, inverse: true });
    for (const raw of [0, 900, 1064, 1100, 2047, 65535]) expect(grey(plain, raw) + grey(inverse, raw)).toBe(255);
  });

  it("uses a VOI table in place of the window, with its ends held", () => {
    const lookup = { first: 10, bits: 8, values: Uint16Array.of(0, 128, 255) };
    const table = greyTable({ ...CT, signed: false }, { slope: 1, intercept: 0, lookup: null }, { ...LOOK, lookup });
    expect([grey(table, 0), grey(table, 11), grey(table, 12), grey(table, 4000)]).toEqual([0, 128, 255, 255]);
  });

  it("paints a palette in the right channels", () => {
    const of = (...values: number[]) => ({ first: 0, bits: 16, values: Uint16Array.from(values) });
    const table = paletteTable({ ...CT, bitsAllocated: 8, bitsStored: 8, signed: false }, of(0, 0xff00), of(0, 0x8000), of(0, 0), false);
    expect([table[1] & 0xff, (table[1] >> 8) & 0xff, (table[1] >> 16) & 0xff]).toEqual([255, 128, 0]);
  });

  it("finds a window when the image has none", () => {
    const pixels = Uint16Array.from({ length: 1000 }, (_, index) => index);
    const window = automaticWindow(pixels, { ...CT, signed: false }, { slope: 2, intercept: 0, lookup: null });
    expect(window.center).toBeCloseTo(1000, -2);
    expect(window.width).toBeGreaterThan(1800);
    expect(automaticWindow(Uint16Array.of(5, 5, 5), CT, LINE).width).toBe(1);
  });
});
