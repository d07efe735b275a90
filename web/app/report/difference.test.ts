import { describe, expect, it } from "vitest";
import { difference, type Piece } from "@/report/difference";

const side = (pieces: Piece[], without: Piece["change"]): string =>
  pieces
    .filter(({ change }) => change !== without)
    .map(({ text }) => text)
    .join("");

describe("the difference of two versions", () => {
  it("marks one word taken out and one put in, and leaves the rest alone", () => {
    expect(difference("右肺上叶结节 3 mm，建议复查。", "左肺上叶结节 3 mm，建议复查。").filter(({ change }) => change === "same").at(-1)?.text).toContain("上叶结节 3 mm，建议复查。");
    expect(difference("No fracture seen.", "No displaced fracture seen.")).toEqual([
      { text: "No ", change: "same" },
      { text: "displaced ", change: "added" },
      { text: "fracture seen.", change: "same" },
    ]);
  });

  it("gives both texts back whole, whatever they are", () => {
    const texts = ["", "脑出血。", "脑出血，破入脑室。", "a b a b", "b a", "同一行\n\n另一行", "见结节。见结节。", "词".repeat(30_000), "句。".repeat(15_000)];
    for (const before of texts) {
      for (const after of texts) {
        const pieces = difference(before, after);
        expect(side(pieces, "added")).toBe(before);
        expect(side(pieces, "removed")).toBe(after);
      }
    }
  });

  it("says nothing of equal texts but that they are the same", () => {
    expect(difference("未见异常。", "未见异常。")).toEqual([{ text: "未见异常。", change: "same" }]);
  });
});
