import { describe, expect, it } from "vitest";
import { beatsPerMinute, caught, milliseconds, millivolts, moved, nextChosen, NONE, toggled } from "./calipers";

describe("calipers", () => {
  it("measure time and rate by the paper speed", () => {
    expect(milliseconds([10, 30], 25)).toBe(800);
    expect(milliseconds([30, 10], 50)).toBe(400);
    expect(beatsPerMinute([10, 30], 25)).toBe(75);
    expect(beatsPerMinute([10, 10], 25)).toBeNull();
  });

  it("measure amplitude by the gain", () => {
    expect(millivolts([20, 5], 10)).toBe(1.5);
    expect(millivolts([20, 5], 20)).toBe(0.75);
  });

  it("catch the nearest line within reach", () => {
    const both = toggled(toggled(NONE, "time", 100), "amplitude", 40);
    expect(caught(both, 91, 60, 2)).toEqual({ kind: "time", end: 0 });
    expect(caught(both, 60, 49, 2)).toEqual({ kind: "amplitude", end: 1 });
    expect(caught(both, 60, 60, 2)).toBeNull();
  });

  it("move one line and stay on the paper", () => {
    const time = toggled(NONE, "time", 100);
    expect(moved(time, "time", 0, 50, 264).time).toEqual([50, 110]);
    expect(moved(time, "time", 1, 999, 264).time).toEqual([90, 264]);
    expect(moved(NONE, "time", 0, 5, 264)).toBe(NONE);
  });

  it("go round the lines by keyboard and disappear when switched off", () => {
    const both = toggled(toggled(NONE, "time", 100), "amplitude", 40);
    expect(nextChosen(both).chosen).toEqual({ kind: "time", end: 0 });
    expect(nextChosen(nextChosen(both)).chosen).toEqual({ kind: "time", end: 1 });
    expect(toggled(toggled(NONE, "time", 100), "time", 0)).toEqual(NONE);
  });
});
