import { describe, expect, it } from "vitest";
import type { Identity } from "@/api/model";
import { differs, gravelyDiffer, textOf } from "@/identity/comparing";

const identity = (over: Partial<Identity> = {}): Identity => ({ id: "1", patient_id: "P1", name: "王芳", sex: "F", birth_date: "19580214", issuer: "", ...over });

describe("two patients side by side", () => {
  it("contradict each other only where both say something", () => {
    expect(differs(identity(), identity({ birth_date: "19580215" }), "birth_date")).toBe(true);
    expect(differs(identity(), identity({ birth_date: "" }), "birth_date")).toBe(false);
    expect(differs(identity({ name: "WANG Fang" }), identity({ name: "Wang FANG" }), "name")).toBe(false);
  });

  it("are in grave doubt when sex or birth date differ, not when the name is written otherwise", () => {
    expect(gravelyDiffer(identity(), identity({ sex: "M" }))).toBe(true);
    expect(gravelyDiffer(identity(), identity({ name: "王方", patient_id: "P2" }))).toBe(false);
  });

  it("show a birth date the way people write it", () => {
    expect(textOf(identity(), "birth_date")).toBe("1958-02-14");
    expect(textOf(identity({ birth_date: "" }), "birth_date")).toBe("");
  });
});
