import { describe, expect, it } from "vitest";
import { filtered } from "./filters";

const RATE = 500;
const wave = (hertz: number, offset = 0): Float32Array =>
  Float32Array.from({ length: RATE * 10 }, (_, index) => offset + Math.sin((2 * Math.PI * hertz * index) / RATE));
const height = (signal: Float32Array): number => {
  const middle = signal.slice(RATE * 3, RATE * 7);
  return (Math.max(...middle) - Math.min(...middle)) / 2;
};

describe("display filters", () => {
  it("let the QRS band through untouched and unmoved", () => {
    const before = wave(5);
    const after = filtered(before, RATE, "diagnostic");
    expect(height(after)).toBeCloseTo(1, 1);
    const peak = (signal: Float32Array): number => signal.slice(2000, 2100).indexOf(Math.max(...signal.slice(2000, 2100)));
    expect(peak(after)).toBe(peak(before));
  });

  it("remove mains only in the monitor band", () => {
    expect(height(filtered(wave(100), RATE, "monitor"))).toBeLessThan(0.1);
    expect(height(filtered(wave(100), RATE, "diagnostic"))).toBeGreaterThan(0.6);
  });

  it("take away an offset without a step at the edge", () => {
    expect(Math.max(...filtered(wave(0, 5), RATE, "diagnostic").map(Math.abs))).toBeLessThan(1e-3);
  });

  it("leave gaps as gaps and raw as raw", () => {
    const samples = Float32Array.of(1, NaN, 1);
    expect(filtered(samples, RATE, "raw")).toBe(samples);
    expect([...filtered(samples, RATE, "monitor")].map(Number.isNaN)).toEqual([false, true, false]);
  });
});
