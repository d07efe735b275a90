import { describe, expect, it } from "vitest";
import { blankFrom, blanksIn, joined, macroAsked } from "@/report/wording";

const TEXT = "{{侧:左|右}}肾见结石，大小约 {{大小}} mm。";

describe("the blanks of a template", () => {
  it("are found with what may be chosen", () => {
    expect(blanksIn(TEXT)).toEqual([
      { raw: "{{侧:左|右}}", start: 0, end: 9, label: "侧", choices: ["左", "右"] },
      { raw: "{{大小}}", start: 18, end: 24, label: "大小", choices: [] },
    ]);
    expect(blanksIn("{{纵横比：<1|≥1}}")[0]).toMatchObject({ label: "纵横比", choices: ["<1", "≥1"] });
    expect(blanksIn("{{a\nb}} {c}")).toEqual([]);
  });

  it("follow one another forwards and backwards", () => {
    expect(blankFrom(TEXT, 0)?.label).toBe("侧");
    expect(blankFrom(TEXT, 9)?.label).toBe("大小");
    expect(blankFrom(TEXT, 24)).toBeUndefined();
    expect(blankFrom(TEXT, 18, true)?.label).toBe("侧");
    expect(blankFrom(TEXT, 0, true)).toBeUndefined();
  });
});

describe("a macro", () => {
  it("is asked for by two semicolons, of either width, right before the caret", () => {
    expect(macroAsked("双肺清晰。;;jh", 9)).toEqual({ start: 5, query: "jh" });
    expect(macroAsked("；；", 2)).toEqual({ start: 0, query: "" });
    expect(macroAsked("；；JHLC", 6)).toEqual({ start: 0, query: "jhlc" });
    expect(macroAsked(";;jh 完", 6)).toBeNull();
    expect(macroAsked("a;b", 3)).toBeNull();
  });
});

describe("a line that is added", () => {
  it("stands on a line of its own, once", () => {
    expect(joined("", "a")).toBe("a");
    expect(joined("x\n", "a")).toBe("x\na");
    expect(joined("x\na", "a")).toBe("x\na");
  });
});
