import { describe, expect, it } from "vitest";
import { lay, planesOf } from "./graphics";

const set = {
  "60000010": { Value: [2] }, "60000011": { Value: [3] }, "60000050": { Value: [1, 2] },
  "60003000": { InlineBinary: btoa(String.fromCharCode(0b100101)) },
  "60020010": { Value: [1] }, "60020011": { Value: [8] }, "60020015": { Value: [2] }, "60020051": { Value: [4] },
  "60023000": { BulkDataURI: "https://clinic.example/dicom-web/x/bulkdata/60023000" },
};

describe("overlay planes", () => {
  it("belong to every frame, or to their own", () => {
    expect(planesOf(set, 1).map((plane) => plane.columns)).toEqual([3]);
    expect(planesOf(set, 5).map((plane) => [plane.columns, plane.firstBit])).toEqual([[3, 0], [8, 8]]);
    expect(planesOf(set, 6)).toHaveLength(1);
    expect(planesOf(set, 4)[1].data).toEqual({ uri: "/dicom-web/x/bulkdata/60023000" });
  });

  it("are laid at their place, cut off at the edge", () => {
    const mask = new Uint8Array(6);
    lay(planesOf(set, 1)[0], Uint8Array.of(0b100101), mask, 3, 2);
    expect([...mask]).toEqual([0, 1, 0, 0, 0, 0]);
    const whole = new Uint8Array(16);
    lay({ ...planesOf(set, 1)[0], down: 1, right: 0 }, Uint8Array.of(0b100101), whole, 4, 4);
    expect([...whole].flatMap((on, index) => (on ? [index] : []))).toEqual([4, 6, 10]);
  });
});
