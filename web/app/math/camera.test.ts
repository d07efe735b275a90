import { describe, expect, it } from "vitest";
import { adapted, fitted, matrixOf, middleOf, mirrored, panned, scaleOf, toImage, toView, turned, zoomedAt, type Camera } from "./camera";
import { imagePoint, viewPoint } from "./spaces";

const PICTURE = { columns: 512, rows: 256, aspect: 1 };
const VIEW = { width: 800, height: 600 };

function everyCamera(): Camera[] {
  const start = zoomedAt(panned(fitted({ ...PICTURE, aspect: 1.4 }, VIEW), 37, -12), viewPoint(120, 80), 2.5);
  return [0, 1, 2, 3].flatMap((quarters) => [turned(start, quarters), mirrored(turned(start, quarters))]);
}

describe("camera", () => {
  it("shows the whole picture when fitted", () => {
    const camera = fitted(PICTURE, VIEW);
    expect(toView(camera, imagePoint(0, 0))).toEqual([0, 100]);
    expect(toView(camera, imagePoint(512, 256))).toEqual([800, 500]);
  });

  it("fits the turned picture into the view as well", () => {
    const camera = turned(fitted(PICTURE, VIEW), 1);
    expect(scaleOf(camera)).toBeCloseTo(600 / 512);
  });

  it("leads back from the view to the image under every turn and flip", () => {
    for (const camera of everyCamera()) {
      const back = toImage(camera, toView(camera, imagePoint(100.25, 33.5)));
      expect(back[0]).toBeCloseTo(100.25, 9);
      expect(back[1]).toBeCloseTo(33.5, 9);
    }
  });

  it("keeps what lies under the pointer when zooming", () => {
    for (const camera of everyCamera()) {
      const held = toImage(camera, viewPoint(611, 222));
      const zoomed = toImage(zoomedAt(camera, viewPoint(611, 222), 1.7), viewPoint(611, 222));
      expect(zoomed[0]).toBeCloseTo(held[0], 6);
      expect(zoomed[1]).toBeCloseTo(held[1], 6);
    }
  });

  it("moves the picture with the hand", () => {
    for (const camera of everyCamera()) {
      const before = toView(camera, imagePoint(10, 20));
      const after = toView(panned(camera, 15, -7), imagePoint(10, 20));
      expect(after[0] - before[0]).toBeCloseTo(15, 6);
      expect(after[1] - before[1]).toBeCloseTo(-7, 6);
    }
  });

  it("turns clockwise", () => {
    const camera = turned(fitted(PICTURE, VIEW), 1);
    const corner = toView(camera, imagePoint(0, 0));
    expect(corner[0]).toBeGreaterThan(400);
    expect(corner[1]).toBeCloseTo(0, 6);
  });

  it("mirrors left and right as seen, whatever the turn", () => {
    for (const quarters of [0, 1, 2, 3]) {
      const camera = turned(fitted(PICTURE, VIEW), quarters);
      const before = toView(camera, imagePoint(40, 30));
      const after = toView(mirrored(camera), imagePoint(40, 30));
      expect(after[0]).toBeCloseTo(800 - before[0], 6);
      expect(after[1]).toBeCloseTo(before[1], 6);
    }
  });

  it("gives the same look on another screen", () => {
    const camera = zoomedAt(fitted(PICTURE, VIEW), viewPoint(200, 300), 3);
    const phone = adapted(camera, PICTURE, { width: 360, height: 400 });
    expect(phone.center).toEqual(camera.center);
    expect(phone.zoom).toBe(camera.zoom);
    expect(toView(phone, phone.center)).toEqual([180, 200]);
  });

  it("stretches rows of tall pixels", () => {
    const camera = fitted({ columns: 100, rows: 100, aspect: 2 }, { width: 400, height: 400 });
    const [a, , , d] = matrixOf(camera);
    expect(d / a).toBeCloseTo(2);
    expect(middleOf(camera.picture)).toEqual([50, 50]);
  });
});
