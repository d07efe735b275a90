import { describe, expect, it } from "vitest";
import type { Section } from "@/api/model";
import { isSplittable, progressOf, REGIONS, toWrite } from "@/section/regions";

function section(id: string, status: Section["status"], reader: string | null = null): Section {
  const name = { zh: id, en: id };
  return { id, task_id: "t", region: "head", name, status, reader: reader ? { id: reader, name: reader } : null, signed_at: null, content_sha256: null, written: null };
}

describe("regions", () => {
  it("are split into two to six", () => {
    expect([1, 2, 6, 7].map((count) => isSplittable(REGIONS.slice(0, count)))).toEqual([false, true, true, false]);
  });

  it("tell what is signed and what nobody has", () => {
    const { all, signed, free } = progressOf([section("a", "signed", "x"), section("b", "claimed", "x"), section("c", "open")]);
    expect([all, signed, free.map(({ id }) => id)]).toEqual([3, 1, ["c"]]);
  });

  it("give one the section one chose, and no other's", () => {
    const all = [section("a", "signed", "me"), section("b", "claimed", "me"), section("c", "claimed", "me"), section("d", "claimed", "you")];
    expect(["", "c", "d", "a"].map((chosen) => toWrite(all, "me", chosen)?.id)).toEqual(["b", "c", "b", "b"]);
    expect(toWrite(all, "them", "a")).toBeUndefined();
  });
});
