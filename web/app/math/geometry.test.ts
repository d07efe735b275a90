import { describe, expect, it } from "vitest";
import { angle, distance, roundLength, statistics } from "./geometry";
import { imagePoint } from "./spaces";

const SIZE = { columns: 20, rows: 20 };

describe("geometry", () => {
  it("measures in millimetres with the spacing of each direction", () => {
    expect(distance(imagePoint(0, 0), imagePoint(6, 8), { column: 0.5, row: 0.5 })).toBeCloseTo(5);
    expect(distance(imagePoint(0, 0), imagePoint(0, 10), { column: 1, row: 0.7 })).toBeCloseTo(7);
    expect(distance(imagePoint(0, 0), imagePoint(3, 4), null)).toBe(5);
  });

  it("measures an angle true to the pixels' shape", () => {
    expect(angle(imagePoint(1, 0), imagePoint(0, 0), imagePoint(0, 1), null)).toBeCloseTo(90);
    expect(angle(imagePoint(1, 0), imagePoint(0, 0), imagePoint(1, 1), { column: 1, row: 2 })).toBeCloseTo(63.435, 2);
  });

  it("averages exactly the pixels whose centres lie in a rectangle", () => {
    const found = statistics("rectangle", imagePoint(2, 2), imagePoint(4, 5), SIZE, { column: 0.5, row: 2 }, (c, r) => c + 100 * r);
    expect(found).toMatchObject({ count: 6, mean: 302.5, least: 202, most: 403, area: 6 });
  });

  it("takes an ellipse's inside only and cuts at the image's edge", () => {
    const found = statistics("ellipse", imagePoint(5, 5), imagePoint(15, 15), SIZE, null, () => 7);
    expect(found?.mean).toBe(7);
    expect(found?.deviation).toBe(0);
    expect(found?.count).toBeGreaterThan(70);
    expect(found?.count).toBeLessThan(86);
    expect(statistics("rectangle", imagePoint(-9, -9), imagePoint(-2, -2), SIZE, null, () => 1)).toBeNull();
  });

  it("chooses round lengths for a scale bar", () => {
    expect([roundLength(73), roundLength(12), roundLength(0.7)]).toEqual([50, 10, 0.5]);
  });
});
