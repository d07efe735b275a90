import { describe, expect, it } from "vitest";
import { initialOf } from "@/ui/said";

describe("the character a person is known by", () => {
  it.each([
    ["王小明", "明"],
    ["陈𬭎", "𬭎"],
    ["nurse", "N"],
    ["Li Na", "L"],
    ["", ""],
  ])("is of %s %s", (name, initial) => {
    expect(initialOf(name)).toBe(initial);
  });
});
