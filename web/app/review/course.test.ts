import { describe, expect, it } from "vitest";
import type { Readings, SignedReading, Task } from "@/api/model";
import { courseOf } from "@/review/course";

const someone = (name: string): { id: string; name: string } => ({ id: name, name });
const task = (stage: Task["stage"], status: Task["status"], owner = ""): Pick<Task, "stage" | "status" | "owner"> => ({ stage, status, owner: owner ? someone(owner) : null });
const signed = (stage: Task["stage"], name: string): SignedReading => ({ stage, reader: someone(name) }) as SignedReading;
const comparison = { by: someone("陈涛") } as Readings["comparison"];
const said = (...given: Parameters<typeof courseOf>): string[] => courseOf(...given).map(({ stage, state, name }) => `${stage} ${state} ${name}`.trim());

describe("the course of a study that two read", () => {
  it("begins with a first reading that somebody holds or nobody does", () => {
    expect(said(task("first", "in-progress", "王敏"), { items: [], comparison: null })).toEqual(["first held 王敏", "second due", "comparison due"]);
    expect(said(task("first", "requested"), { items: [], comparison: null })[0]).toBe("first waiting");
  });

  it("does not name the first reader to whoever is not told", () => {
    expect(said(task("second", "accepted", "陈涛"), { items: [], comparison: null })).toEqual(["first done", "second held 陈涛", "comparison due"]);
    expect(said(task("second", "requested"), { items: [signed("first", "王敏")], comparison: null }).slice(0, 2)).toEqual(["first done 王敏", "second waiting"]);
  });

  it("ends with the comparison, or with a third where the two differ in what matters", () => {
    const items = [signed("first", "王敏"), signed("second", "陈涛")];
    expect(said(task("comparison", "completed", "陈涛"), { items, comparison })).toEqual(["first done 王敏", "second done 陈涛", "comparison done 陈涛"]);
    expect(said(task("arbitration", "in-progress", "吴进"), { items, comparison }).slice(2)).toEqual(["comparison done 陈涛", "arbitration held 吴进"]);
  });
});
