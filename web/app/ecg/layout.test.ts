import { describe, expect, it } from "vitest";
import { cellAt, MARGIN, paperOf, type PaperSettings } from "./layout";
import { leadName, STANDARD, waveformOf } from "./waveform";

const SETTINGS: PaperSettings = { layout: "3x4+1R", speed: 25, gain: 10, cabrera: false, startS: 0 };

describe("ECG paper", () => {
  it("shows ten seconds in four columns of two and a half, and lead II below", () => {
    const paper = paperOf(SETTINGS, STANDARD);
    expect(paper.pageS).toBe(10);
    expect(paper.cells).toHaveLength(13);
    expect(paper.cells[3]).toMatchObject({ lead: "aVR", x: MARGIN + 62.5, width: 62.5, startS: 2.5, seconds: 2.5 });
    expect(paper.cells[12]).toMatchObject({ lead: "II", rhythm: true, startS: 0, seconds: 10, width: 250 });
    expect(paper.cells[0].baseline).toBe(paper.cells[3].baseline);
  });

  it("runs three leads through the page below the columns", () => {
    const { cells, pulses } = paperOf({ ...SETTINGS, layout: "3x4+3R" }, STANDARD);
    expect(cells.slice(12).map(({ lead, width }) => [lead, width])).toEqual([["V1", 250], ["II", 250], ["V5", 250]]);
    expect(pulses).toHaveLength(6);
  });

  it("keeps columns consecutive in time at every speed", () => {
    for (const speed of [12.5, 25, 50]) {
      const { cells, pageS } = paperOf({ ...SETTINGS, layout: "6x2", speed, startS: 3 }, STANDARD);
      expect(cells[6].startS).toBeCloseTo(cells[0].startS + cells[0].seconds);
      expect(cells[11].startS + cells[11].seconds).toBeCloseTo(3 + pageS);
      expect(cells[0].width / cells[0].seconds).toBeCloseTo(speed);
    }
  });

  it("writes twelve rows of the whole page", () => {
    const { cells, pulses } = paperOf({ ...SETTINGS, layout: "12x1" }, STANDARD);
    expect(cells.map((cell) => cell.lead)).toEqual([...STANDARD]);
    expect(new Set(cells.map((cell) => cell.baseline)).size).toBe(12);
    expect(pulses).toEqual(cells.map((cell) => cell.baseline));
  });

  it("orders the limb leads after Cabrera with aVR turned over", () => {
    const { cells } = paperOf({ ...SETTINGS, cabrera: true }, STANDARD);
    expect(cells.slice(0, 6).map((cell) => cell.label)).toEqual(["aVL", "I", "-aVR", "II", "aVF", "III"]);
    expect(cells[2]).toMatchObject({ lead: "aVR", inverted: true });
    expect(cells[6].label).toBe("V1");
  });

  it("shows a two-lead recording below each other, whatever the layout", () => {
    const { cells } = paperOf(SETTINGS, ["MLII", "V5"]);
    expect(cells.map(({ lead, width }) => [lead, width])).toEqual([["MLII", 250], ["V5", 250]]);
  });

  it("finds the cell under a point", () => {
    const paper = paperOf(SETTINGS, STANDARD);
    const target = paper.cells[7];
    expect(cellAt(paper, target.x + 1, target.baseline)).toBe(target);
    expect(cellAt(paper, 1, 1)).toBeNull();
  });
});

describe("waveform", () => {
  it("knows a lead however the file spells it", () => {
    const spelt = ["Lead I (Einthoven)", "lead avr", "MDC_ECG_LEAD_V1", "II", "AVF"];
    expect(spelt.map(leadName)).toEqual(["I", "aVR", "V1", "II", "aVF"]);
    expect(leadName("MLII")).toBe("MLII");
  });

  it("turns microvolts into millivolts and keeps gaps as gaps", () => {
    const read = waveformOf({ sampling_frequency_hz: 500, leads: ["I"], microvolts: [[1000, null, -500]] });
    expect([...read.millivolts[0]]).toEqual([1, NaN, -0.5]);
    expect(read.totalS).toBeCloseTo(0.006);
    expect(() => waveformOf({ leads: ["I"], microvolts: [] })).toThrow();
  });
});
