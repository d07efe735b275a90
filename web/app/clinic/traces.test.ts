import { expect, test } from "vitest";
import type { Fault } from "@/api/model";
import { pairOf, points } from "@/clinic/traces";
import type { Waveform } from "@/ecg/waveform";

const leads = ["I", "II", "III", "aVR", "V1", "V2", "V3"];
const waveform: Waveform = { rate: 100, leads, millivolts: leads.map((_, row) => new Float32Array(1000).fill(row)), startS: 0, totalS: 10 };
const fault = (code: string, ...of: string[]): Fault => ({ code, leads: of, electrodes: [], text: { zh: "", en: "" }, repeat: true });

test("a bad chest lead stands beside the nearest good chest lead", () => {
  const off = fault("lead-off", "V3");
  const also = fault("noise", "V2");
  expect(pairOf(waveform, off, [off, also]).map(({ lead }) => lead)).toEqual(["V3", "V1"]);
});

test("swapped arms are shown beside the same lead turned over", () => {
  const arms = fault("arm-electrodes-swapped", "II");
  const [bad, good] = pairOf(waveform, arms, [arms]);
  expect([bad!.millivolts[0], good!.millivolts[0], good!.mended]).toEqual([1, -1, true]);
});

test("a fault of the whole recording shows its first lead, one of an absent lead nothing", () => {
  const short = fault("too-short");
  expect(pairOf(waveform, short, [short])[0]!.lead).toBe("I");
  const absent = fault("lead-off", "V9");
  expect(pairOf(waveform, absent, [absent])).toEqual([]);
});

test("missing samples leave no point, and nothing leaves the frame", () => {
  const drawn = points(Float32Array.from([0, NaN, 50, -50]), 40, 30).split(/\s+/);
  expect(drawn).toHaveLength(3);
  for (const point of drawn) expect(Number(point.split(",")[1])).toBeGreaterThanOrEqual(1);
  for (const point of drawn) expect(Number(point.split(",")[1])).toBeLessThanOrEqual(29);
});
