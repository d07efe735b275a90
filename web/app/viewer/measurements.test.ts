import { describe, expect, it } from "vitest";
import { frameOf } from "../dicom/frame";
import type { Slice } from "../dicom/series";
import { imagePoint } from "../math/spaces";
import { captionOf, History, valueText } from "./measurements";
import { readingOf } from "./reading";

const SLICE = {
  sopInstanceUid: "1.2", frame: 1, unit: "HU", aspect: 1, spacing: { column: 0.5, row: 0.5 }, spacingOrigin: "patient", regions: [], palette: null,
  modality: { slope: 1, intercept: -1000, lookup: null },
  format: { columns: 4, rows: 4, samples: 1, bitsAllocated: 16, bitsStored: 16, signed: false, photometric: "MONOCHROME2" },
} as unknown as Slice;
const FRAME = frameOf(new Uint16Array(16).fill(1040).buffer, SLICE.format);
const LINE = [imagePoint(0, 0), imagePoint(3, 4)];

describe("measurements", () => {
  it("write millimetres where the image knows them, pixels where not", () => {
    expect(captionOf("length", LINE, SLICE, FRAME)).toEqual(["2.5 mm"]);
    expect(captionOf("length", LINE, { ...SLICE, spacing: null }, FRAME)).toEqual(["5.0 px"]);
    expect(captionOf("length", LINE, { ...SLICE, spacingOrigin: "detector" }, FRAME)).toEqual(["≈ 2.5 mm"]);
  });

  it("write the values of a region in the image's unit", () => {
    expect(captionOf("rectangle", [imagePoint(0, 0), imagePoint(2, 2)], SLICE, FRAME)).toEqual(["40.0 ± 0.0 HU", "40 … 40 HU", "1.0 mm²"]);
    expect(captionOf("ellipse", [imagePoint(0, 0), imagePoint(2, 2)], SLICE, undefined)).toEqual([]);
    expect(valueText(FRAME, SLICE, imagePoint(1, 1))).toBe("40 HU");
    expect(valueText(FRAME, SLICE, imagePoint(9, 1))).toBe("");
  });

  it("can be taken back and brought again", () => {
    const history = new History();
    history.add("length", SLICE, LINE);
    history.move(1, [imagePoint(1, 1), imagePoint(2, 2)]);
    history.remove(1);
    expect(history.all).toHaveLength(0);
    history.undo();
    expect(history.all[0].points[0]).toEqual([1, 1]);
    history.undo();
    expect(history.all[0].points).toEqual(LINE);
    history.redo();
    expect(history.all[0].points[0]).toEqual([1, 1]);
    expect([history.undo(), history.undo(), history.undo()]).toEqual([true, true, false]);
  });

  it("belong to one frame of one instance", () => {
    const history = new History();
    history.add("probe", SLICE, [LINE[0]]);
    expect(history.on(SLICE)).toHaveLength(1);
    expect(history.on({ ...SLICE, frame: 2 })).toHaveLength(0);
  });

  it("are taken up by a report with a figure, its unit and their place", () => {
    const drawn = { id: 1, kind: "length", sopInstanceUid: "1.2", frame: 1, points: LINE } as const;
    const slice = { ...SLICE, instanceNumber: 7 };
    const place = { image: { sop_instance_uid: "1.2", frame: 1 }, series: 3, number: 7 };
    expect(readingOf(drawn, slice, 3, FRAME)).toEqual({ kind: "length", words: "2.5 mm", value: "2.5", unit: "mm", ...place });
    expect(readingOf(drawn, { ...slice, spacingOrigin: "detector" }, 3, FRAME)?.value).toBe("≈ 2.5");
    const region = { ...drawn, kind: "rectangle", points: [imagePoint(0, 0), imagePoint(2, 2)] } as const;
    expect(readingOf(region, slice, 3, FRAME)).toMatchObject({ words: "40.0 ± 0.0 HU · 40 … 40 HU · 1.0 mm²", value: "40.0", unit: "HU" });
    expect(readingOf(region, slice, 3, undefined)).toBeNull();
  });
});
