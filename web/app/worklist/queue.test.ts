import { describe, expect, it } from "vitest";
import type { Task } from "@/api/model";
import { beside, leftOf, rowsOf } from "@/worklist/queue";

const task = (id: string, over: Partial<Task> = {}): Task =>
  ({ id, status: "requested", priority: "routine", lane: "imaging", owner: null, read_before: false, due_at: `2026-01-01T00:0${id}:00Z`, placed_at: "", claimed_at: null, ...over }) as Task;

describe("the queue", () => {
  it("puts what is most urgent first and the nearer deadline before the later", () => {
    const rows = rowsOf([task("3"), task("1"), task("9", { priority: "stat" })], "open", "", "me");
    expect(rows.map(({ id }) => id)).toEqual(["9", "1", "3"]);
  });

  it("shows as mine only what I hold", () => {
    const held = task("2", { status: "accepted", owner: { id: "me", name: "" } });
    expect(rowsOf([task("1"), held], "mine", "", "me")).toEqual([held]);
  });

  it("offers work I began before work nobody has, and never what another reads or I have read before", () => {
    const others = task("1", { priority: "stat", status: "accepted", owner: { id: "you", name: "" } });
    const begun = task("5", { status: "accepted", owner: { id: "me", name: "" } });
    const again = task("1", { read_before: true });
    expect(leftOf([others, again, task("3"), task("2"), begun], "me", "3").map(({ id }) => id)).toEqual(["5", "2"]);
    expect(leftOf([others, again], "me", "x")).toEqual([]);
  });

  it("stops at both ends when walked by keyboard", () => {
    const rows = [task("1"), task("2")];
    expect(beside(rows, "2", 1)?.id).toBe("2");
    expect(beside(rows, null, 1)?.id).toBe("1");
    expect(beside([], null, 1)).toBeUndefined();
  });
});
