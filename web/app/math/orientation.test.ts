import { describe, expect, it } from "vitest";
import { fitted, mirrored, turned } from "./camera";
import { depthOf, edgeLetters, lettersOf, toPatient, type Plane } from "./orientation";
import { imagePoint } from "./spaces";

const AXIAL: Plane = { position: [-100, -90, 40], alongRow: [1, 0, 0], alongColumn: [0, 1, 0], columnSpacing: 0.5, rowSpacing: 0.8 };
const CAMERA = fitted({ columns: 100, rows: 100, aspect: 1 }, { width: 100, height: 100 });

describe("orientation", () => {
  it("names the edges of an axial slice as radiologists expect", () => {
    expect(edgeLetters(AXIAL, CAMERA)).toEqual({ left: "R", right: "L", top: "A", bottom: "P" });
  });

  it("turns the letters with the picture", () => {
    expect(edgeLetters(AXIAL, turned(CAMERA, 1))).toEqual({ left: "P", right: "A", top: "R", bottom: "L" });
    expect(edgeLetters(AXIAL, mirrored(CAMERA))).toEqual({ left: "L", right: "R", top: "A", bottom: "P" });
  });

  it("names an oblique direction by its two strongest parts", () => {
    expect(lettersOf([0.8, -0.6, 0.05])).toBe("LA");
    expect(lettersOf([0, 0, -1])).toBe("F");
  });

  it("finds the patient position of the first pixel's centre", () => {
    expect(toPatient(AXIAL, imagePoint(0.5, 0.5))).toEqual([-100, -90, 40]);
    expect(toPatient(AXIAL, imagePoint(10.5, 20.5))).toEqual([-95, -74, 40]);
    expect(depthOf(AXIAL)).toBe(40);
  });
});
