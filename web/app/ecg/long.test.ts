import { describe, expect, it } from "vitest";
import { clock, groups, trend, type Long } from "./long";

const episode = (kind: string, seconds: number): Long["episodes"][number] => ({
  kind, seconds, text: { zh: kind, en: kind }, start_s: 0, started_at: null, beats: 2, rate_bpm: 60, strip: { start_s: 0, seconds: 8 }, evidence: {},
});

describe("a long recording", () => {
  it("lists what must not be overlooked first, and of a kind the longest", () => {
    const episodes = [episode("couplet", 1), episode("pause", 2.1), episode("pause", 3.4)];
    const found = groups({ episodes, counts: { pause: 700, couplet: 1 } } as unknown as Long);
    expect(found.map(({ kind, count }) => [kind, count])).toEqual([["pause", 700], ["couplet", 1]]);
    expect(found[0]?.episodes[0]?.seconds).toBe(3.4);
  });

  it("says a time of many hours as a clock does", () => {
    expect(clock(90_061.9)).toBe("25:01:01");
  });

  it("breaks the line where nothing was measured and keeps it in its box", () => {
    expect(trend([60, null, 240], 30, 100, 40, 140)).toBe("M5.0 80.0M25.0 0.0");
  });
});
