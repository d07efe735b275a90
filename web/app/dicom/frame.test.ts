import { describe, expect, it } from "vitest";
import { frameOf, FrameBroken, paint, reduced, valueAt } from "./frame";
import type { Slice } from "./series";
import type { PixelFormat } from "./voi";

const FORMAT: PixelFormat = {
  columns: 3, rows: 2, samples: 1, bitsAllocated: 16, bitsStored: 16, signed: true, photometric: "MONOCHROME2",
};

describe("frame", () => {
  it("refuses fewer bytes than the metadata promised", () => {
    expect(() => frameOf(new ArrayBuffer(11), FORMAT)).toThrow(FrameBroken);
    expect(() => frameOf(new ArrayBuffer(17), { ...FORMAT, samples: 3, bitsAllocated: 8 })).toThrow(FrameBroken);
    expect(frameOf(new ArrayBuffer(12), FORMAT).kind).toBe("grey");
  });

  it("accepts the padding byte of an odd frame", () => {
    expect(frameOf(new ArrayBuffer(8), { ...FORMAT, columns: 7, rows: 1, bitsAllocated: 8 }).kind).toBe("grey");
  });

  it("unpacks single bits, lowest first", () => {
    const frame = frameOf(Uint8Array.of(0b00101101).buffer, { ...FORMAT, bitsAllocated: 1, bitsStored: 1, signed: false });
    expect([...frame.pixels]).toEqual([1, 0, 1, 1, 0, 1]);
  });

  it("paints through the table, and every second pixel when asked", () => {
    const frame = frameOf(Uint16Array.of(0, 1, 2, 3, 4, 5).buffer, FORMAT);
    const table = Uint32Array.of(10, 11, 12, 13, 14, 15);
    const whole = new Uint32Array(6);
    paint(frame, 3, 2, table, false, 1, whole);
    expect([...whole]).toEqual([10, 11, 12, 13, 14, 15]);
    const half = new Uint32Array(reduced(3, 2) * reduced(2, 2));
    paint(frame, 3, 2, table, false, 2, half);
    expect([...half]).toEqual([10, 12]);
  });

  it("paints colour in the right order and inverts it but for the opacity", () => {
    const frame = frameOf(Uint8Array.of(1, 2, 3).buffer, { ...FORMAT, columns: 1, rows: 1, samples: 3, bitsAllocated: 8 });
    const target = new Uint32Array(1);
    paint(frame, 1, 1, target, false, 1, target);
    expect(target[0]).toBe(0xff030201);
    paint(frame, 1, 1, target, true, 1, target);
    expect(target[0]).toBe(0xfffcfdfe);
  });

  it("tells the value under a pixel in modality units", () => {
    const slice = { format: FORMAT, modality: { slope: 2, intercept: -10, lookup: null }, palette: null } as unknown as Slice;
    const frame = frameOf(Int16Array.of(0, 0, 0, 0, -7, 0).buffer, FORMAT);
    expect(valueAt(frame, slice, 1.9, 1.2)).toBe(-24);
  });
});
