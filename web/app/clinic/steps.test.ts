import { describe, expect, it } from "vitest";
import type { Report, Study, Task } from "@/api/model";
import { isUnasked, isWaiting, owesReadBack, stepOf } from "@/clinic/steps";

const study = (status: Task["status"] | null, settled = true): Study =>
  ({ task: status && { id: "1", status, stage: "first" }, report: null, settled_at: settled ? "2026-01-01T00:00:00Z" : null }) as Study;
const report = (over: Partial<Report>): Report => ({ delivered_at: null, read_at: null, task_id: "1", ...over }) as Report;

describe("where a study stands", () => {
  it("follows the task until there is a report, then the report's own stamps", () => {
    expect(stepOf(study(null), undefined)).toBe("arrived");
    expect(stepOf(study("requested"), undefined)).toBe("queued");
    expect(stepOf(study("in-progress"), undefined)).toBe("reading");
    expect(stepOf(study("completed"), report({}))).toBe("signed");
    expect(stepOf(study("completed"), report({ delivered_at: "x" }))).toBe("delivered");
    expect(stepOf(study("completed"), report({ delivered_at: "x", read_at: "y" }))).toBe("read");
  });

  it("does not go back to the queue's step while it waits for a second reader", () => {
    const twice = { ...study("requested"), task: { id: "1", status: "requested", stage: "second" } as Task };
    expect(stepOf(twice, undefined)).toBe("reading");
  });

  it("is not over when a critical value was opened and not repeated", () => {
    const critical = report({ critical: true, read_at: "y", status: "final" });
    expect(owesReadBack(critical)).toBe(true);
    expect(owesReadBack({ ...critical, read_back: { words: "已告知", by: { id: "1", name: "" }, at: "z" } })).toBe(false);
    expect(owesReadBack({ ...critical, amended_by: "2" })).toBe(false);
    expect(owesReadBack({ ...critical, status: "cancelled" })).toBe(false);
    expect(owesReadBack({ ...critical, critical: false })).toBe(false);
    expect(owesReadBack(undefined)).toBe(false);
  });

  it("offers to ask only for what lies here whole and waits for nobody", () => {
    expect(isUnasked(study(null))).toBe(true);
    expect(isUnasked(study(null, false))).toBe(false);
    expect(isUnasked(study("cancelled"))).toBe(true);
    expect(isUnasked(study("requested"))).toBe(false);
    expect(isWaiting(study("cancelled"))).toBe(false);
  });

  it("offers to ask again once the report is cancelled, and then follows the new question", () => {
    const answered = (over: Partial<Study>): Study => ({ ...study("completed"), report: { status: "cancelled", signed_at: "x" }, ...over }) as Study;
    expect(isUnasked(answered({}))).toBe(true);
    expect(isUnasked(answered({ report: { status: "corrected" } as Study["report"] }))).toBe(false);
    const again = answered({ task: { id: "2", status: "requested", stage: "first" } as Task });
    expect(isUnasked(again)).toBe(false);
    expect(stepOf(again, report({ status: "cancelled", read_at: "y" }))).toBe("queued");
    expect(stepOf(answered({}), report({ status: "cancelled", read_at: "y" }))).toBe("read");
  });
});
