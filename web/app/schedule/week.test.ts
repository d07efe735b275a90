import { describe, expect, it } from "vitest";
import { dayOf, hourOf, lastDays, mondayOf, momentOf, sevenDays, touches, within } from "@/schedule/week";

describe("the days of a rota", () => {
  it("begin at midnight where the hospital is", () => {
    expect(dayOf("2026-03-01T16:00:00Z")).toBe("2026-03-02");
    expect(dayOf("2026-03-01T15:59:00Z")).toBe("2026-03-01");
    expect(momentOf("2026-03-02", 8)).toBe("2026-03-02T00:00:00.000Z");
    expect(hourOf("2026-03-02T00:30:00Z")).toBe("08:30");
  });

  it("come in weeks from Monday on", () => {
    for (const day of sevenDays("2026-03-02")) expect(mondayOf(Date.parse(momentOf(day, 12)))).toBe("2026-03-02");
    expect(mondayOf(Date.parse(momentOf("2026-03-09", 0)))).toBe("2026-03-09");
  });

  it("are counted back from the last one", () => {
    expect(lastDays("2026-02-27", "2026-03-02", 31)).toEqual(["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]);
    expect(lastDays("2026-01-01", "2026-03-02", 2)).toEqual(["2026-03-01", "2026-03-02"]);
    expect(lastDays("2026-03-02", "2026-03-02", 31)).toEqual(["2026-03-02"]);
  });

  it("hold the part of a night that is theirs", () => {
    const [since, until] = [momentOf("2026-03-02", 18), momentOf("2026-03-03", 6)];
    expect(within(since, until, "2026-03-02")).toEqual({ left: 75, width: 25 });
    expect(within(since, until, "2026-03-03")).toEqual({ left: 0, width: 25 });
    expect(touches(since, until, "2026-03-03")).toBe(true);
    expect(touches(since, until, "2026-03-04")).toBe(false);
  });
});
