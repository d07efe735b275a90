import { describe, expect, it } from "vitest";
import type { Slice } from "../dicom/series";
import { matching } from "./linking";

const slice = (z: number, alongColumn = [0, 1, 0], frameOfReference = "1.5"): Slice =>
  ({ frameOfReference, plane: { position: [0, 0, z], alongRow: [1, 0, 0], alongColumn, columnSpacing: 1, rowSpacing: 1 } }) as unknown as Slice;

describe("linked panes", () => {
  it("show the nearest place of the other series", () => {
    expect(matching(slice(11), [slice(0), slice(5), slice(10), slice(15)])).toBe(2);
  });

  it("also when the other series looks from the other side", () => {
    expect(matching(slice(10), [slice(0, [0, -1, 0]), slice(9, [0, -1, 0])])).toBe(1);
  });

  it("do not pretend when planes or spaces differ", () => {
    expect(matching(slice(10), [slice(10, [0, 0, -1])])).toBeNull();
    expect(matching(slice(10), [slice(10, [0, 1, 0], "1.6")])).toBeNull();
  });
});
