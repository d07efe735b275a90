import { describe, expect, it } from "vitest";
import { type Change, lackOf } from "@/report/change";

const NOTHING: Change = { way: "amended", differs: false, reason: "", addendum: "", cause: "" };

describe("what keeps a change from being signed", () => {
  it("is that nothing was changed, then that nobody said why", () => {
    for (const way of ["amended", "corrected"] as const) {
      expect(lackOf({ ...NOTHING, way, reason: "侧别" })).toBe("unchanged");
      expect(lackOf({ ...NOTHING, way, differs: true, reason: " " })).toBe(`no_reason.${way}`);
      expect(lackOf({ ...NOTHING, way, differs: true, reason: "侧别" })).toBeNull();
    }
  });

  it("is an addendum without words, whatever was written elsewhere", () => {
    expect(lackOf({ ...NOTHING, way: "appended", differs: true, reason: "侧别", addendum: "\n" })).toBe("no_addendum");
    expect(lackOf({ ...NOTHING, way: "appended", addendum: "另见骨折。" })).toBeNull();
  });

  it("is a cancellation without a cause, and words where the cause needs them", () => {
    expect(lackOf({ ...NOTHING, way: "cancelled", reason: "患者弄错" })).toBe("no_cause");
    expect(lackOf({ ...NOTHING, way: "cancelled", cause: "wrong-patient" })).toBeNull();
    expect(lackOf({ ...NOTHING, way: "cancelled", cause: "other" })).toBe("no_reason.cancelled");
    expect(lackOf({ ...NOTHING, way: "cancelled", cause: "other", reason: "重复签发" })).toBeNull();
  });
});
